"""Synthetic scans, and PyRadiomics' own answer on the whole volume: what the tests of this folder share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.special

from radiobone.features.radiomics.border import radiomics_messages
from radiobone.imaging import Geometry, Image, Mask

ALL_FAMILIES: dict[str, Any] = {
    name: [] for name in ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
}
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def whole_volume(image: Image, mask: Mask, params: dict[str, Any]) -> dict[str, float]:
    """Return what ``RadiomicsFeatureExtractor(params).execute`` gives on the whole image and mask."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    content = {**params, "setting": {**params.get("setting", {}), "additionalInfo": False}}
    whole = Mask((mask.full() != 0).astype(np.uint8), mask.geometry)
    with radiomics_messages(), warnings.catch_warnings(), scipy_before_1_17():
        warnings.simplefilter("ignore")
        result = RadiomicsFeatureExtractor(content).execute(image.to_sitk(), whole.to_sitk())
    return {name: float(np.real(value)) for name, value in result.items()}


@contextmanager
def scipy_before_1_17() -> Iterator[None]:
    """Give PyRadiomics' LBP3D the function that it takes from SciPy, also where SciPy has it no more."""
    if hasattr(scipy.special, "sph_harm"):
        yield
        return
    scipy.special.sph_harm = lambda m, n, azimuth, polar: scipy.special.sph_harm_y(n, m, polar, azimuth)
    try:
        yield
    finally:
        del scipy.special.sph_harm


def make_scan(
    shape: tuple[int, int, int] = (64, 70, 75),
    spacing_mm: tuple[float, float, float] = (1.25, 0.7, 0.7),
    *,
    centre: tuple[float, float, float] | None = None,
    radii: tuple[float, float, float] = (8.0, 9.0, 10.0),
    dtype: type = np.int16,
    direction: tuple[float, ...] = STRAIGHT,
    seed: int = 0,
) -> tuple[Image, Mask]:
    """Make a seeded scan with bone-like texture, air and metal far from the VOI, and an ellipsoid VOI."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 1.0, shape)
    smooth = sum(np.roll(noise, step, axis) for axis in range(3) for step in (-1, 0, 1)) / 3.0
    array = np.round(120.0 + 60.0 * smooth + 20.0 * noise + np.linspace(-40, 60, shape[2]))
    array[:, :3, :3] = -1024
    array[-3:, -4:, -3:] = 3071
    centre = centre or tuple(size / 2.0 + 0.3 for size in shape)
    grid = np.ogrid[tuple(slice(0, size) for size in shape)]
    inside = (
        sum(((axis - middle) / radius) ** 2 for axis, middle, radius in zip(grid, centre, radii, strict=True)) <= 1
    )
    geometry = Geometry(shape, spacing_mm, (-113.7, 55.1, -903.3), direction)
    return Image(array.astype(dtype), geometry), Mask(inside, geometry).tight()


def oblique(degrees_z: float = 13.0, degrees_x: float = 7.0) -> tuple[float, ...]:
    """Return an oblique direction."""
    a, b = np.deg2rad([degrees_z, degrees_x])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return tuple((about_z @ about_x).ravel().tolist())
