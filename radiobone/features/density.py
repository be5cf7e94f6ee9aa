"""The density block: HU statistics and volume of a VOI on the scan's own grid, before any resampling."""

from __future__ import annotations

import numpy as np

from radiobone.core.errors import EngineError
from radiobone.features.column import Column
from radiobone.imaging import Image, Mask

VALUES_REVISION = 1
"""Raised with every change of a number of this block."""

PERCENTILES = (5, 10, 25, 75, 90, 95)


def _column(name: str, unit: str, meaning: str) -> Column:
    return Column(f"density_{name}", "density", "original", unit, meaning)


COLUMNS: tuple[Column, ...] = (
    _column("mean_hu", "HU", "mean of all voxels"),
    _column("median_hu", "HU", "median of all voxels"),
    _column("sd_hu", "HU", "standard deviation of all voxels (divided by n)"),
    *(_column(f"p{share:02d}_hu", "HU", f"{share}th percentile, interpolated linearly") for share in PERCENTILES),
    _column("volume_ml", "ml", "number of voxels times the volume of one"),
)


def density(image: Image, voi: Mask) -> dict[str, float]:
    """Compute the density block of one VOI.

    Parameters
    ----------
    image : Image
        The scan, in HU.
    voi : Mask
        The VOI on the scan's grid.

    Returns
    -------
    dict of str to float
        One value for each of `COLUMNS`, in order.

    Raises
    ------
    EngineError
        If the VOI is empty.
    """
    hu = image.array[voi.box][voi.array != 0].astype(np.float64)
    if not hu.size:
        raise EngineError("VOI is empty", expected="at least one voxel")
    values = (hu.mean(), np.median(hu), hu.std(), *np.percentile(hu, PERCENTILES), voi.volume_ml)
    return {column.name: float(value) for column, value in zip(COLUMNS, values, strict=True)}
