"""The engines, by name."""

from __future__ import annotations

from collections.abc import Callable

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError
from radiobone.features.radiomics.engine import Engine


def _native(memory_limit_gb: float | None) -> Engine:
    from radiobone.features.radiomics.native.engine import NativeEngine

    return NativeEngine() if memory_limit_gb is None else NativeEngine(memory_limit_gb)


def _pyradiomics(memory_limit_gb: float | None) -> Engine:
    from radiobone.features.radiomics.pyradiomics import PyRadiomicsEngine

    return PyRadiomicsEngine()


ENGINES: dict[str, Callable[[float | None], Engine]] = {"native": _native, "pyradiomics": _pyradiomics}
"""How to make each engine under a memory limit; its module is loaded only then. PyRadiomics knows no limit."""

DEFAULT_ENGINE = "native"


def find_engine(name: str, memory_limit_gb: float | None = None) -> Engine:
    """Return the engine of this name.

    Parameters
    ----------
    name : str
        One of `ENGINES`, such as ``native``.
    memory_limit_gb : float, optional
        A VOI that would need more memory than this (GB, 10⁹ bytes) is refused before it is computed; by default
        the engine's own limit. It changes no value.

    Raises
    ------
    UsageError
        If there is no such engine, or nothing fits into the limit.
    """
    if name not in ENGINES:
        raise UsageError(
            f"no engine of this name{nearest(name, list(ENGINES))}",
            got=name,
            expected=f"one of {', '.join(ENGINES)}",
        )
    if memory_limit_gb is not None and not memory_limit_gb > 0:
        raise UsageError("no VOI fits into the memory limit", got=memory_limit_gb, expected="more than 0 GB")
    return ENGINES[name](memory_limit_gb)
