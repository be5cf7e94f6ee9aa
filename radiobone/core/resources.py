"""Shipped files (parameter presets, study recipes), found by name or path."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from radiobone.core.config import nearest
from radiobone.core.errors import ConfigError

Kind = Literal["params", "deep", "pipelines"]
"""Radiomics parameter files, deep parameter files, study recipes."""

_FOLDERS: dict[Kind, str] = {"deep": "params"}
_DEEP = "deep_"
"""Begins the files of deep presets, which lie beside those of radiomics."""

_PACKAGE = Path(__file__).resolve().parent.parent
_CHECKOUT = _PACKAGE.parent


def folder(kind: Kind) -> Path:
    """Return the folder of shipped files: in the package, else in the checkout's top level.

    Parameters
    ----------
    kind : {"params", "deep", "pipelines"}
        Which files.
    """
    name = _FOLDERS.get(kind, kind)
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _CHECKOUT / name


def names(kind: Kind) -> list[str]:
    """List the names of the shipped files of one kind, sorted.

    Parameters
    ----------
    kind : {"params", "deep", "pipelines"}
        Which files.

    Returns
    -------
    list of str
        Without suffix, and deep ones without the ``deep_`` of their file, as `find` takes them.
    """
    found = [path.stem for path in folder(kind).glob("*.yaml")]
    deep = [name.removeprefix(_DEEP) for name in found if name.startswith(_DEEP)]
    return sorted(deep if kind == "deep" else [name for name in found if not name.startswith(_DEEP)])


def find(kind: Kind, name_or_path: str | Path) -> Path:
    """Return the path of a shipped file by its name, or of the user's own file by its path.

    Anything with a folder or a ``.yaml``/``.yml`` suffix is a path; all else is a shipped name.

    Parameters
    ----------
    kind : {"params", "deep", "pipelines"}
        Which files.
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
    name = str(path).removeprefix(_DEEP) if kind == "deep" else str(path)
    known = names(kind)
    if name not in known:
        deep = kind == "params" and name.removeprefix(_DEEP) in names("deep")
        raise ConfigError(
            f"no shipped {kind} file of this name{nearest(name, known)}",
            got=str(path),
            expected=f"one of {', '.join(known)}, or a path that ends in .yaml",
            do="deep parameter files are given with --deep, or as extraction.deep of a recipe" if deep else None,
        )
    return folder(kind) / (f"{_DEEP}{name}.yaml" if kind == "deep" else f"{name}.yaml")
