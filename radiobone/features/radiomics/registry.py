"""The engines, by name."""

from __future__ import annotations

from collections.abc import Callable

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError
from radiobone.features.radiomics.engine import Engine


def _native() -> Engine:
    from radiobone.features.radiomics.native.engine import NativeEngine

    return NativeEngine()


def _pyradiomics() -> Engine:
    from radiobone.features.radiomics.pyradiomics import PyRadiomicsEngine

    return PyRadiomicsEngine()


ENGINES: dict[str, Callable[[], Engine]] = {"native": _native, "pyradiomics": _pyradiomics}
"""How to make each engine; its module is loaded only then."""

DEFAULT_ENGINE = "native"


def find_engine(name: str) -> Engine:
    """Return the engine of this name.

    Parameters
    ----------
    name : str
        One of `ENGINES`, such as ``native``.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in ENGINES:
        raise UsageError(
            f"no engine of this name{nearest(name, list(ENGINES))}",
            got=name,
            expected=f"one of {', '.join(ENGINES)}",
        )
    return ENGINES[name]()
