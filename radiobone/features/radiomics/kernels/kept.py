"""The folder in which compiled kernels are kept for later processes.

Numba looks at the file of a kernel when it asks whether a compiled one is fresh, not at the helpers that the
kernel calls from other files. So the folder carries the hash of all kernel sources in its name: after any
change there is a new folder, and stale numbers are out of reach. Each compiled kernel is a file of its own, named
by the hash of all that it depends on and written in one step, so that processes, numba versions and processors
which share the folder cannot hurt each other. A file that is damaged counts as missing.
"""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import pickle
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.serialize import dumps

UNUSED_S = 60 * 24 * 3600.0
"""Folders of other versions that nobody has used for so long (60 days) are removed from the user's cache."""

logger = logging.getLogger(__name__)


def load(key: str) -> Any:
    """Return what was saved under a key, or None.

    Parameters
    ----------
    key : str
        Everything that a compiled kernel depends on, besides the kernels' sources.
    """
    folder = cache_folder()
    if folder is None:
        return None
    try:
        digest, content = (raw := _file(folder, key).read_bytes())[:32], raw[32:]
        return pickle.loads(content) if hashlib.sha256(content).digest() == digest else None
    except OSError:
        return None


def save(key: str, compiled: Any) -> None:
    """Keep a compiled kernel for later processes; where that fails, a warning is logged once.

    Parameters
    ----------
    key : str
        See `load`.
    compiled : object
        What numba pickles.
    """
    folder = cache_folder()
    if folder is None:
        return
    content = dumps(compiled)
    part = folder / f"{secrets.token_hex(8)}.part"
    try:
        part.write_bytes(hashlib.sha256(content).digest() + content)
        part.replace(_file(folder, key))
    except OSError as error:
        part.unlink(missing_ok=True)
        _say_once(f"{folder}: {error.strerror}")


@cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, or None where none can be written.

    It stands beside the sources, or in the user's cache where the package is read-only, and belongs to this user
    alone. Where there is no such place, a warning is logged, and each process compiles for itself.
    """
    name = f"kernels-{_sources_hash()}"
    # Beside the sources no other version can be of use; in the user's cache one may be.
    own = Path(__file__).parent / "__pycache__"
    for place, unused_s in ((own, 0.0), *((place, UNUSED_S) for place in _user_caches())):
        try:
            folder = place / name
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            os.utime(folder)
            if not _is_private(folder):
                continue
        except OSError:
            continue
        _remove_others(folder, unused_s)
        return folder
    places = ", ".join(str(place) for place in (own, *_user_caches()))
    _say_once(f"none of {places} can be written by this user alone")
    return None


def _is_private(folder: Path) -> bool:
    """Tell whether nobody but this user can put files into a folder: what is loaded from it is run as code."""
    if sys.platform == "win32":
        return True  # the user's own folders are private there
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _file(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"


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


def _remove_others(folder: Path, unused_s: float) -> None:
    """Remove the folders of other versions that have not been used for some time."""
    for other in folder.parent.glob("kernels-*"):
        try:
            unused = other != folder and time.time() - other.stat().st_mtime >= unused_s
        except OSError:  # another process has removed it
            continue
        if unused:
            shutil.rmtree(other, ignore_errors=True)


@cache
def _say_once(reason: str) -> None:
    if multiprocessing.parent_process() is None:  # workers would say it again
        logger.warning(
            "compiled kernels cannot be kept, so every process compiles anew: %s; "
            "let XDG_CACHE_HOME name a folder that can be written",
            reason,
        )
