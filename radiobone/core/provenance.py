"""What a run stood on: versions of packages and machine, for every manifest."""

from __future__ import annotations

import datetime
import functools
import platform
from importlib import metadata

from radiobone import __version__

# Every package whose version can move a number.
_PACKAGES = (
    "numpy", "scipy", "pandas", "SimpleITK", "pyradiomics", "pyradiomics-cuda", "PyWavelets",
    "numba", "scikit-image", "trimesh", "scikit-learn", "joblib", "skops", "torch", "monai", "nnunetv2",
    "lightgbm", "statsmodels", "pydicom",
)  # fmt: skip


_FEATURE_PACKAGES = ("numpy", "scipy", "SimpleITK", "PyWavelets", "numba")

_TORCH_PACKAGES = ("torch", "monai")

_ENGINE_PACKAGES = {
    "pyradiomics": ("pyradiomics", "pyradiomics-cuda", "scikit-image", "trimesh"),
    "torch-cpu": _TORCH_PACKAGES,
    "torch-cuda": _TORCH_PACKAGES,
}
"""What one engine alone stands on: installing it beside another must not make the other's results worthless."""


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of radiobone, Python and each installed package that can move a number."""
    found = {"radiobone": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def numeric_versions(engine: str | None = None) -> dict[str, str]:
    """Return the versions of the packages that VOIs or features depend on; part of their resume keys.

    Parameters
    ----------
    engine : str, optional
        The engine that computes the features; None for VOIs, which no engine makes.
    """
    packages = {*_FEATURE_PACKAGES, *_ENGINE_PACKAGES.get(engine or "", ())}
    return {name: version for name, version in versions().items() if name in packages}


def machine() -> str:
    """Return the operating system and processor type, without the machine's name."""
    return f"{platform.system()} {platform.machine()}"


def now() -> str:
    """Return the present time, UTC, to the second, in ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
