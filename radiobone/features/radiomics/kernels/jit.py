"""The one way in which kernels are compiled, and the folder in which they are kept.

Numba looks at the file of a kernel when it asks whether a compiled one is fresh, not at the helpers that the
kernel calls from other files. So the folder carries the hash of all kernel sources in its name: after any
change there is a new folder, and stale numbers are out of reach.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import caching

P = ParamSpec("P")
R = TypeVar("R")

NOTICE = "compiling the radiomics kernels: once after installation, about half a minute"
"""Logged, once in a process, when a kernel is not found compiled."""

logger = logging.getLogger(__name__)


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function when it is first called, and keep it for later processes.

    Parameters
    ----------
    function : callable
        What numba can compile without Python objects. Its sums keep their written order (no fastmath), it runs
        in the calling thread, and a division by zero gives infinity or NaN as in NumPy.
    """
    # Without passes and wrappers that kernels do not use, they compile in 8 % less time.
    compiled = numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True, no_rewrites=True)(function)
    compiled._cache = _KernelCache(function)
    return cast(Callable[P, R], compiled)


@cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, or None where none can be written.

    It stands beside the sources, or in the user's cache where the package is read-only. Where neither can be
    written, a warning is logged, and each process compiles for itself.
    """
    name = f"kernels-{_sources_hash()}"
    places = [Path(__file__).parent / "__pycache__", *_user_caches()]
    for place in places:
        try:
            folder = place / name
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    if multiprocessing.parent_process() is None:  # workers would say it again
        logger.warning(
            "compiled kernels cannot be kept, so every process compiles anew: none of %s can be written; "
            "let XDG_CACHE_HOME name a folder that can",
            ", ".join(str(place) for place in places) or "the usual folders",
        )
    return None


def _sources_hash() -> str:
    """Return a hash over the names and the texts of all kernel sources."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _user_caches() -> Iterator[Path]:
    """Yield the user's cache folder as the operating system names it, if there is a home at all."""
    set_by_user = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    if set_by_user:
        yield Path(set_by_user) / "radiobone"
        return
    try:
        home = Path.home()
    except RuntimeError:
        return
    yield home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "radiobone"


@cache
def _announce() -> None:
    logger.info(NOTICE)


class _Locator(caching._CacheLocator):  # type: ignore[misc] # numba ships no types
    """Tells numba where a kernel is kept; freshness is in the folder's name."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._folder = str(folder)
        self._line = function.__code__.co_firstlineno
        self._py_file = inspect.getfile(function)

    def get_cache_path(self) -> str:
        return self._folder

    def get_source_stamp(self) -> str:
        return Path(self._folder).name

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator | None:
        folder = cache_folder()
        return None if folder is None else cls(py_func, folder)


class _Implementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_Locator,)


class _Files(caching.Cache):  # type: ignore[misc]
    _impl_class = _Implementation


class _KernelCache(caching.NullCache):  # type: ignore[misc]
    """A cache that looks for its folder when a kernel is first called, so that imports touch no file."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._found: caching._Cache | None = None

    @property
    def _files(self) -> caching._Cache:
        if self._found is None:
            self._found = caching.NullCache() if cache_folder() is None else _Files(self._function)
        return self._found

    @property
    def cache_path(self) -> str | None:
        return cast(str | None, self._files.cache_path)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        kept = self._files.load_overload(sig, target_context)
        if kept is None:
            _announce()
        return kept

    def save_overload(self, sig: Any, data: Any) -> None:
        self._files.save_overload(sig, data)
