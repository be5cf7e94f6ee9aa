"""The one way in which kernels are compiled; `kept` says where they are found again."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import caching, compiler

from radiobone.features.radiomics.kernels import kept

P = ParamSpec("P")
R = TypeVar("R")

NOTICE = "compiling the radiomics kernels: once after installation, about 20 s"
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
def _announce() -> None:
    logger.info(NOTICE)


class _KernelCache(caching.NullCache):  # type: ignore[misc] # numba ships no types
    """Numba's view of the folder of compiled kernels; it is looked for when a kernel is first called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        code = function.__code__
        self._kernel = f"{function.__module__}.{function.__qualname__}", code.co_firstlineno, code.co_code

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()  # a compiled kernel refers to what numba registers only then
        found = kept.load(self._key(sig, target_context.codegen()))
        if found is None:
            _announce()
            return None
        return compiler.CompileResult._rebuild(target_context, *found)

    def save_overload(self, sig: Any, data: Any) -> None:
        kept.save(self._key(sig, data.codegen), data._reduce())

    def _key(self, sig: Any, codegen: Any) -> str:
        """Return all that tells one compiled kernel from another, besides the sources: the processor, too."""
        return repr((self._kernel, sig, codegen.magic_tuple(), numba.__version__, sys.implementation.cache_tag))
