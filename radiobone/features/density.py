"""The density block: HU statistics and volume of a VOI on the scan's own grid, before any resampling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from radiobone.core.errors import EngineError
from radiobone.features.column import Column
from radiobone.imaging import Image, Mask
from radiobone.imaging.calibration.fitting import Calibration, Standard, unit_of

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


def calibrated_columns(standard: Standard) -> tuple[Column, ...]:
    """Return the columns of the block with vBMD.

    Parameters
    ----------
    standard : {"HA", "K2HPO4"}
        Material that densities are equivalents of.
    """
    unit = unit_of(standard)
    return (
        *COLUMNS,
        _column(
            "vbmd_mean_mg_cm3", unit, f"vBMD of the mean HU by the scan's calibration, as equivalent of {standard}"
        ),
        _column(
            "vbmd_median_mg_cm3",
            unit,
            f"vBMD of the median HU by the scan's calibration, as equivalent of {standard}",
        ),
    )


def vbmd(values: Mapping[str, float], calibration: Calibration) -> dict[str, float]:
    """Compute the vBMD of one VOI.

    Parameters
    ----------
    values : mapping of str to float
        From `density`.
    calibration : Calibration
        Of the scan.

    Returns
    -------
    dict of str to float
        The columns that `calibrated_columns` has more than `COLUMNS`.
    """
    return {
        f"density_vbmd_{name}_mg_cm3": calibration.density(values[f"density_{name}_hu"])
        for name in ("mean", "median")
    }


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
