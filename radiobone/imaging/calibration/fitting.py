"""The calibration of one scan: a straight line from HU to density, and how well its points lie on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import CalibrationError

Floats = NDArray[np.float64]

Kind = Literal["phantom", "asynchronous", "internal"]

Standard = Literal["HA", "K2HPO4"]
"""Material that densities are equivalents of: hydroxyapatite or dipotassium phosphate.

Phantoms are made of one or the other and the two scales differ, so that a density needs its standard.
"""

WATER_SLOPE = 0.2174
WATER_INTERCEPT_HU = 999.6
"""Corrections for rods whose material holds water (Mindways QCT PRO User Guide 5.0, 2011).

Of such a rod, water counts with its own density: HU = water + sigma_ref * density + beta_ref. Tissue follows
HU = sigma * density + beta, with sigma = sigma_ref - 0.2174 and beta = beta_ref + 999.6.
"""


USUAL_SLOPE = (0.3, 1.15)
"""mg/cm3 for one HU that tube voltages from 70 to 140 kV give; outside, a warning: radiobone's own choice."""


@dataclass(frozen=True)
class Point:
    """One material of known density.

    Parameters
    ----------
    name : str
        Such as ``rod 1`` or ``fat``.
    density_mg_cm3 : float
        Its density in the standard.
    hu : float
        What was measured.
    sd_hu : float, optional
        Standard deviation of what was measured: over slices for a rod, over voxels for a label or a tissue.
    water_mg_cm3 : float, optional
        Water equivalent density of a rod's material, where its certificate gives one.
    """

    name: str
    density_mg_cm3: float
    hu: float
    sd_hu: float | None = None
    water_mg_cm3: float | None = None


@dataclass(frozen=True)
class Calibration:
    """HU of one scan to densities: density = slope * HU + intercept.

    Parameters
    ----------
    kind : {"phantom", "asynchronous", "internal"}
        What it stands on.
    slope : float
        In mg/cm3 for one HU.
    intercept : float
        In mg/cm3.
    residuals : tuple of float
        For each point, the density that the line gives minus the known one, in mg/cm3.
    points : tuple of Point
        What the line was fitted to; empty for an equation given as such.
    unit : str
        With the standard, such as ``mg/cm3 HA``.
    notes : tuple of str
        How it was found.
    warnings : tuple of str
        What a user should know of every density of the scan.
    r2 : float or None
        Coefficient of determination of HU by density; None below three points.
    """

    kind: Kind
    slope: float
    intercept: float
    residuals: tuple[float, ...]
    points: tuple[Point, ...]
    unit: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    r2: float | None = None

    def density(self, hu: float) -> float:
        """Return the density in mg/cm3.

        Parameters
        ----------
        hu : float
            A value in HU; since the line is straight, the mean of densities is the density of the mean.
        """
        return self.slope * hu + self.intercept

    def content(self) -> dict[str, Any]:
        """Return all fields as JSON-like values."""
        return asdict(self)

    @staticmethod
    def from_content(content: Mapping[str, Any]) -> Calibration:
        """Make a calibration from what `content` gave.

        Parameters
        ----------
        content : mapping
            By field; sequences may be lists.
        """
        points = tuple(Point(**point) for point in content["points"])
        sequences = {name: tuple(content[name]) for name in ("residuals", "notes", "warnings")}
        return Calibration(**{**content, **sequences, "points": points})


def unit_of(standard: Standard) -> str:
    """Return the unit of densities with their standard.

    Parameters
    ----------
    standard : {"HA", "K2HPO4"}
        The standard.
    """
    return f"mg/cm3 {standard}"


def fit(
    kind: Kind,
    points: Sequence[Point],
    standard: Standard,
    *,
    max_residual_mg_cm3: float,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Calibration:
    """Fit the line by least squares.

    Densities of materials are known and HU are measured, so that HU are fitted by densities and the line is turned
    round, as for phantoms; the other way round, noise would make the slope too flat.

    Parameters
    ----------
    kind : {"phantom", "asynchronous", "internal"}
        What the points are.
    points : sequence of Point
        At least two of different density.
    standard : {"HA", "K2HPO4"}
        Of the densities.
    max_residual_mg_cm3 : float
        A larger residual gives a warning.
    notes, warnings : sequence of str, default ()
        What is known already.

    Returns
    -------
    Calibration
        The line.

    Raises
    ------
    CalibrationError
        If the points give no line that rises.
    """
    steepness, base = fit_line(points)
    known, hu = _densities_and_hu(points)
    watery = _hold_water(points)
    tissue = steepness - WATER_SLOPE if watery else steepness
    errors = hu - steepness * known - base
    total = float(((hu - hu.mean()) ** 2).sum())
    residuals = tuple(float(value) for value in errors / steepness)
    return Calibration(
        kind,
        1.0 / tissue,
        -(base + (WATER_INTERCEPT_HU if watery else 0.0)) / tissue,
        residuals,
        tuple(points),
        unit_of(standard),
        (*notes, *(["two points: no residual tells how well they fit"] if len(points) == 2 else [])),
        (*warnings, *unusual_slope(1.0 / tissue), *_far_points(points, residuals, max_residual_mg_cm3)),
        1.0 - float((errors**2).sum()) / total if len(points) > 2 and total > 0 else None,
    )


def fit_line(points: Sequence[Point]) -> tuple[float, float]:
    """Fit HU of materials by their densities.

    Parameters
    ----------
    points : sequence of Point
        At least two of different density.

    Returns
    -------
    steepness : float
        In HU for one mg/cm3.
    base : float
        In HU, where there is no density. Both are without what the water of rods adds to their HU.

    Raises
    ------
    CalibrationError
        If the points give no line that rises.
    """
    known, hu = _densities_and_hu(points)
    told = ", ".join(f"{point.name} ({point.density_mg_cm3:g} mg/cm3) at {point.hu:.1f} HU" for point in points)
    spread = known - known.mean() if len(points) else known
    if len(points) < 2 or not spread.any():
        raise CalibrationError("a line needs two points of different density", got=told or "no point")
    steepness = float(spread @ (hu - hu.mean()) / (spread @ spread))
    if steepness <= (WATER_SLOPE if _hold_water(points) else 0.0):
        raise CalibrationError(
            "HU do not rise with density",
            got=told,
            do="check the order of the materials and their densities in the calibration file",
        )
    return steepness, float(hu.mean() - steepness * known.mean())


def _densities_and_hu(points: Sequence[Point]) -> tuple[Floats, Floats]:
    """Return densities, and HU without what the water of rods adds to them."""
    hu = [point.hu - (point.water_mg_cm3 or 0.0) for point in points]
    return np.array([point.density_mg_cm3 for point in points]), np.array(hu)


def _hold_water(points: Sequence[Point]) -> bool:
    return any(point.water_mg_cm3 is not None for point in points)


def unusual_slope(slope: float) -> list[str]:
    """Say that a slope is not what CT scanners give; nothing if it is.

    Parameters
    ----------
    slope : float
        In mg/cm3 for one HU. Its inverse, HU for one mg/cm3, is often published instead.
    """
    low, high = USUAL_SLOPE
    if low <= slope <= high:
        return []
    return [f"calibration slope of {slope:.3g} mg/cm3 for one HU, usual are {low:g} to {high:g}"]


def _far_points(points: Sequence[Point], residuals: Sequence[float], limit: float) -> list[str]:
    far = [
        f"{point.name} ({point.density_mg_cm3:g} mg/cm3) by {residual:+.1f}"
        for point, residual in zip(points, residuals, strict=True)
        if abs(residual) > limit
    ]
    return [f"calibration residuals above {limit:g} mg/cm3: {', '.join(far)}"] if far else []
