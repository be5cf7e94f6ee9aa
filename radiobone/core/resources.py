"""Shipped files (parameter presets, study recipes), found by name or path."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from radiobone.core.config import nearest
from radiobone.core.errors import ConfigError

Kind = Literal["params", "pipelines"]

_PACKAGE = Path(__file__).resolve().parent.parent
_CHECKOUT = _PACKAGE.parent


def folder(kind: Kind) -> Path:
    """Return the folder of shipped files: in the package, else in the checkout's top level.

    Parameters
    ----------
    kind : {"params", "pipelines"}
        Radiomics parameter files, or study recipes.
    """
    packaged = _PACKAGE / kind
    return packaged if packaged.is_dir() else _CHECKOUT / kind


def names(kind: Kind) -> list[str]:
    """List the names of the shipped files of one kind, sorted.

    Parameters
    ----------
    kind : {"params", "pipelines"}
        Radiomics parameter files, or study recipes.

    Returns
    -------
    list of str
        Without suffix, as `find` takes them.
    """
    return sorted(path.stem for path in folder(kind).glob("*.yaml"))


def find(kind: Kind, name_or_path: str | Path) -> Path:
    """Return the path of a shipped file by its name, or of the user's own file by its path.

    Anything with a folder or a ``.yaml``/``.yml`` suffix is a path; all else is a shipped name.

    Parameters
    ----------
    kind : {"params", "pipelines"}
        Radiomics parameter files, or study recipes.
    name_or_path : str or Path
        A name from `names`, or a path, relative to the working folder.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"} or path.parent != Path():
        if not path.is_file():
            raise ConfigError(f"{kind} file not found", where=str(path), do="check the path")
        return path
    shipped = folder(kind) / f"{path}.yaml"
    if not shipped.is_file():
        hint = nearest(str(path), names(kind))
        raise ConfigError(
            f"no shipped {kind} file of this name{hint}",
            got=str(path),
            expected=f"one of {', '.join(names(kind))}, or a path that ends in .yaml",
        )
    return shipped
