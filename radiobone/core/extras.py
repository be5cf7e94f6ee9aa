"""Optional packages: imported when asked for, named with the command that installs them."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

from radiobone.core.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or say which extra installs it.

    Parameters
    ----------
    module : str
        Name of the module, such as ``radiomics``.
    extra : str
        Name of radiobone's extra that holds it, such as ``pyradiomics``.

    Raises
    ------
    MissingExtraError
        If the module cannot be imported.
    """
    try:
        # torch adds filters of its own classes of warnings; scikit-learn hands all filters to its workers, so that
        # each of them would load torch, too.
        with warnings.catch_warnings():
            return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"the package {module!r} is needed and cannot be imported",
            got=error,
            do=f'pip install "radiobone[{extra}]" (the README says how on each Python version)',
        ) from error
