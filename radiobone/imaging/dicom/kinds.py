"""Whether files are slices of a CT in HU, told from their headers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.frames import Plane
from radiobone.imaging.dicom.headers import Header

MODALITY = "CT"

SCOUT = "LOCALIZER"
"""Image type of a scout."""

_PERFUSION = "PERFUSION"
_HU = ("", "HU", "US")
"""Rescale types of HU. US means "not told": ITK writes it into every series."""


def check_whole(headers: Iterable[Header], where: str) -> None:
    """Refuse files that cannot be read.

    Parameters
    ----------
    headers : iterable of Header
        Of the files.
    where : str
        The source, for messages.

    Raises
    ------
    ImageError
        If one is truncated, or its header cannot be understood.
    """
    for header in headers:
        if header.fault:
            place = f"{where}, {header.name}"
            raise ImageError(
                "a DICOM file cannot be read", where=place, got=header.fault, do="copy or export it anew"
            )


def check_kind(headers: Sequence[Header], where: str) -> None:
    """Refuse files that are no slices of a CT.

    Parameters
    ----------
    headers : sequence of Header
        Of the files.
    where : str
        The source, for messages.

    Raises
    ------
    ImageError
        If a file cannot be read, is of another modality, a scout, in colour, or does not say where it lies or how
        its values become HU.
    """
    check_whole(headers, where)
    for header in headers:
        place = f"{where}, {header.name}"
        if header.modality != MODALITY:
            got = f"modality {header.modality or 'not told'}"
            raise ImageError(
                "a DICOM file is no CT",
                where=place,
                got=got,
                expected=f"modality {MODALITY}",
                do="leave it out (--series largest does)",
            )
        if SCOUT in header.image_type:
            raise ImageError(
                "a DICOM file is a scout",
                where=place,
                got="image type LOCALIZER",
                do="leave it out (--series largest does)",
            )
        if header.samples > 1:
            raise ImageError(
                "a DICOM file is a picture in colour",
                where=place,
                got=f"{header.samples} values in each pixel",
                expected="HU",
                do="leave it out",
            )
        if not header.planes:
            raise ImageError(
                "a DICOM file does not say where its slice lies",
                where=place,
                got="no position, orientation or pixel spacing",
                expected="CT slices, or an enhanced multi-frame CT",
                do="leave out secondary captures and reports",
            )
        wrong = next(filter(None, map(_wrong_number, header.planes)), "")
        if wrong:
            raise ImageError(
                "a DICOM header holds a number that cannot be",
                where=place,
                got=wrong,
                expected="finite numbers, and a rescale slope other than 0",
                do="let the archive export the series anew",
            )


def _wrong_number(plane: Plane) -> str:
    """Name a number of a slice by which it would lie nowhere, or have no HU; empty if all are right."""
    numbers = {
        "image position": plane.position,
        "image orientation": plane.orientation,
        "pixel spacing": plane.spacing_mm,
        "rescale slope": (plane.slope,),
        "rescale intercept": (plane.intercept,),
    }
    for name, values in numbers.items():
        if not all(map(math.isfinite, values)) or (name == "rescale slope" and values == (0.0,)):
            return f"{name} " + "\\".join(f"{value:g}" for value in values)
    return ""


def not_hu(headers: Iterable[Header]) -> str:
    """Say why the values of a series are not HU; empty if nothing speaks against it.

    Parameters
    ----------
    headers : iterable of Header
        Of its files.
    """
    for header in headers:
        if header.rescale_type.upper() not in _HU:
            return f"rescale type {header.rescale_type}"
        if _PERFUSION in header.image_type:
            return f"image type {' '.join(header.image_type[2:])}"
    return ""
