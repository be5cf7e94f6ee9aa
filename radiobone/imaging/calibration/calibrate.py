"""One scan and a calibration file to a calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from radiobone.core.errors import CalibrationError
from radiobone.imaging.calibration.equations import equation_of
from radiobone.imaging.calibration.fitting import Calibration, fit
from radiobone.imaging.calibration.rods import find_rods, measure_labels, measure_positions, measure_rods
from radiobone.imaging.calibration.settings import (
    AsynchronousSettings,
    CalibrationSettings,
    InternalSettings,
    PhantomSettings,
)
from radiobone.imaging.calibration.tissues import measure_tissues
from radiobone.imaging.volumes import Image, Mask

REVISION = 2
"""Raised with every change of a number that a calibration gives."""

MIN_FOUND_R2 = 0.98
"""Rods that were found, not given, and lie worse on a line are no rods: radiobone's own choice."""


@dataclass(frozen=True, eq=False)
class Given:
    """What is known of a scan besides image and mask.

    Parameters
    ----------
    columns : mapping of str to str
        Its row of the cohort table, in the columns that the calibration file names.
    calibration_mask : Mask, optional
        Labels of rods or tissues, on the scan's grid.
    mask : Mask, optional
        The scan's own mask with all of its labels: without a calibration mask, rods or tissues may have
        some of them.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    calibration_mask: Mask | None = None
    mask: Mask | None = None


def calibrate(image: Image, spine: Mask, settings: CalibrationSettings, given: Given | None = None) -> Calibration:
    """Calibrate one scan.

    Parameters
    ----------
    image : Image
        The scan, in HU.
    spine : Mask
        Vertebrae or their bodies, on its grid; other labels would mislead the search.
    settings : CalibrationSettings
        From `radiobone.imaging.calibration.read_calibration`.
    given : Given, optional
        What else is known.

    Returns
    -------
    Calibration
        With what was found, and warnings where it fits badly.

    Raises
    ------
    CalibrationError
        If there is no calibration for this scan.
    """
    given = given or Given()
    if isinstance(settings, AsynchronousSettings):
        return equation_of(settings, given.columns)
    if isinstance(settings, PhantomSettings):
        return _by_phantom(image, spine, settings, given)
    return _by_tissues(image, spine, settings, given)


def _by_phantom(image: Image, spine: Mask, settings: PhantomSettings, given: Given) -> Calibration:
    notes: tuple[str, ...]
    if settings.rods_from == "find":
        course = find_rods(image, spine, settings)
        points, notes = measure_rods(image, spine, course, settings), course.notes
    elif settings.rods_from == "positions":
        points, notes = measure_positions(image, settings), ("rods measured at given positions",)
    else:
        named = all(rod.label is not None for rod in settings.rods)
        labels = _labels(given, spine) if named else given.calibration_mask
        if labels is None:
            raise CalibrationError(
                "there is no label map of the rods",
                expected="a file in the cohort's column calibration_mask",
                do="give it, or the label of each rod in the scan's own mask",
            )
        points = measure_labels(image, labels, settings)
        notes = ("rods measured in given labels",)
    limit = settings.max_residual_mg_cm3
    found = fit("phantom", points, settings.standard, max_residual_mg_cm3=limit, notes=notes)
    if settings.rods_from == "find" and found.r2 is not None and found.r2 < MIN_FOUND_R2:
        raise CalibrationError(
            "what was found below the spine is not the phantom",
            got=f"R2 {found.r2:.3f}: " + ", ".join(f"{point.name} at {point.hu:.0f} HU" for point in points),
            expected=f"R2 of at least {MIN_FOUND_R2:g}",
            do="check rods, spacing and diameters in the calibration file; or give a column calibration_mask",
        )
    return found


def _by_tissues(image: Image, spine: Mask, settings: InternalSettings, given: Given) -> Calibration:
    points, warnings = measure_tissues(image, spine, settings, _labels(given, spine))
    limit = settings.max_residual_mg_cm3
    notes = [f"densities above {max(point.hu for point in points):.0f} HU, as of bone, are extrapolated"]
    return fit("internal", points, settings.standard, max_residual_mg_cm3=limit, notes=notes, warnings=warnings)


def _labels(given: Given, spine: Mask) -> Mask | None:
    """Return where labels of rods and tissues are looked up; no vertebra is one of them, whatever its number."""
    if given.calibration_mask is not None or given.mask is None or spine is given.mask:
        return given.calibration_mask or given.mask
    own = given.mask
    return replace(own, array=np.where(np.isin(own.array, spine.labels()), 0, own.array))
