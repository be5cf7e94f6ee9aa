"""One scan and a calibration file to a calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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

REVISION = 1
"""Raised with every change of a number that a calibration gives."""


@dataclass(frozen=True, eq=False)
class Given:
    """What is known of a scan besides image and mask.

    Parameters
    ----------
    columns : mapping of str to str
        Its row of the cohort table, in the columns that the calibration file names.
    labels : Mask, optional
        Its calibration mask, on the scan's grid.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mask | None = None


def calibrate(image: Image, mask: Mask, settings: CalibrationSettings, given: Given | None = None) -> Calibration:
    """Calibrate one scan.

    Parameters
    ----------
    image : Image
        The scan, in HU.
    mask : Mask
        Its labels of vertebrae, on its grid: they tell where the spine is.
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
        return _by_phantom(image, mask, settings, given)
    return _by_tissues(image, mask, settings, given)


def _by_phantom(image: Image, mask: Mask, settings: PhantomSettings, given: Given) -> Calibration:
    notes: tuple[str, ...]
    if settings.rods_from == "find":
        course = find_rods(image, mask, settings)
        points, notes = measure_rods(image, mask, course, settings), course.notes
    elif settings.rods_from == "positions":
        points, notes = measure_positions(image, settings), ("rods measured at given positions",)
    else:
        if given.labels is None and any(rod.label is None for rod in settings.rods):
            raise CalibrationError(
                "there is no label map of the rods",
                expected="a file in the cohort's column calibration_mask",
                do="give it, or the label of each rod in the scan's own mask",
            )
        points = measure_labels(image, given.labels or mask, settings)
        notes = ("rods measured in given labels",)
    limit = settings.max_residual_mg_cm3
    return fit("phantom", points, settings.standard, max_residual_mg_cm3=limit, notes=notes)


def _by_tissues(image: Image, mask: Mask, settings: InternalSettings, given: Given) -> Calibration:
    points, warnings = measure_tissues(image, mask, settings, given.labels)
    limit = settings.max_residual_mg_cm3
    return fit("internal", points, settings.standard, max_residual_mg_cm3=limit, warnings=warnings)
