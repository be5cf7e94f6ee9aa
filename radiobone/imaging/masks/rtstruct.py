"""RTSTRUCT: contours drawn in the slices of an image, as segments on its grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import GeometryError, ImageError
from radiobone.imaging.dicom.headers import read_header
from radiobone.imaging.dicom.stack import place_tolerance_mm
from radiobone.imaging.geometry import Geometry
from radiobone.imaging.masks.contours import crossed_slices, fill
from radiobone.imaging.masks.references import RTSTRUCT, check_series, read_dataset
from radiobone.imaging.masks.segments import Segment, Segments, choose_segments, gap_notes, numbered_names
from radiobone.imaging.volumes import Image, Mask

if TYPE_CHECKING:
    from pydicom import Dataset

SLICE_TOLERANCE = 0.1
"""Largest distance of a contour from its slice, as a share of the slice distance; more where positions of slices
may be rounded by more."""

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")

EDGE_TOLERANCE = 1.0
"""Largest distance in voxels by which a contour may leave the image sideways, as an outline of its border does."""

TWIN_DIGITS = 3
"""Digits of a mm in which contours agree that are one."""

HEAD = np.array([0.0, 0.0, 1.0])
"""World direction to the patient's head (LPS)."""

Floats = NDArray[np.float64]


def read_rtstruct(path: Path, image: Image | None, wanted: Sequence[str], where: str) -> Segments:
    """Read the regions of an RTSTRUCT.

    Parameters
    ----------
    path : Path
        The file.
    image : Image or None
        The scan whose slices hold the contours.
    wanted : sequence of str
        Names of regions (see `choose_segments`).
    where : str
        The file, for messages.

    Returns
    -------
    Segments
        On the image's grid; label values are the regions' numbers, raised by 1 where these begin with 0.

    Raises
    ------
    ImageError
        If the file is damaged, there is no image, or a name that is wanted is not there.
    GeometryError
        If it refers to another series, or contours do not lie in slices of the image.
    """
    header, data = read_header(path), read_dataset(path, where)
    if image is None:
        raise ImageError("contours need the image that they were drawn on", where=where, do="give the image too")
    check_series(header.refers_to if header is not None else (), image, RTSTRUCT, where)
    regions = data.get("StructureSetROISequence") or []
    names = numbered_names(
        ((int(item.ROINumber), str(item.get("ROIName") or "").strip()) for item in regions), "region", where
    )
    chosen = choose_segments(names, wanted, where)
    contours: dict[int, list[Dataset]] = {}
    for item in data.get("ROIContourSequence") or []:
        contours.setdefault(int(item.ReferencedROINumber), []).extend(item.get("ContourSequence") or [])
    if not contours:
        raise ImageError("the RTSTRUCT holds no contours", where=where, do="check whether the file is whole")
    # Some programs count regions from 0, which is the background of a label map.
    shift = max(1 - min(names), 0)
    stray = sorted(contours.keys() - names.keys())
    notes = (
        [f"contours of regions that the file does not name were left out: {', '.join(map(str, stray))}"]
        if stray
        else []
    )
    segments = [
        Segment(
            number + shift,
            name,
            _region(contours.get(number, []), image.geometry, f"{where}, region {name!r}", name, notes),
        )
        for number, name in chosen.items()
    ]
    return Segments(segments, image.geometry, tuple(notes))


def _region(contours: Sequence[Dataset], grid: Geometry, where: str, name: str, notes: list[str]) -> Mask:
    """Fill the contours of one region, and note what was left out or is missing."""
    points = [_points(item, where) for item in contours]
    closed = [
        part
        for item, part in zip(contours, points, strict=True)
        if str(item.get("ContourGeometricType", "")) in CLOSED and len(part) > 2
    ]
    if len(closed) < len(contours):
        left_out = len(contours) - len(closed)
        notes.append(f"region {name!r}: {left_out} of {len(contours)} contours enclose nothing and were left out")
    if not closed:
        return Mask(np.zeros((0, 0, 0), dtype=bool), grid)
    different = _without_twins(closed)
    if len(different) < len(closed):
        # By the even-odd rule a contour and its copy would enclose nothing.
        notes.append(f"region {name!r}: {len(closed) - len(different)} contours are there twice, and count once")
        closed = different
    axis = int(np.abs(grid.axes @ HEAD).argmax())
    index = [grid.index(part) for part in closed]
    numbers = _slices(index, axis, grid, where)
    _check_inside(index, axis, grid, where)
    notes += gap_notes(numbers, f"region {name!r}")
    placed = list(zip(numbers, index, strict=True))
    crossed = crossed_slices(placed, axis)
    if crossed:
        notes.append(f"region {name!r}: contours cross in {len(crossed)} slices, what both enclose was left out")
    return fill(placed, axis, grid)


def _without_twins(contours: Sequence[Floats]) -> list[Floats]:
    """Return contours without copies, wherever and in which direction these begin."""
    by_corners = {np.unique(np.round(points, TWIN_DIGITS) + 0.0, axis=0).tobytes(): points for points in contours}
    return list(by_corners.values())


def _points(item: Dataset, where: str) -> Floats:
    """Return the world points of a contour, of shape (n, 3)."""
    try:
        values = np.array(item.get("ContourData") or [], dtype=np.float64)
        promised = int(item.get("NumberOfContourPoints") or values.size // 3)
    except (ValueError, TypeError):
        values, promised = np.array([np.nan]), 0
    if values.size != 3 * promised or not np.isfinite(values).all():
        raise ImageError(
            "a contour is damaged",
            where=where,
            got=f"{values.size} numbers",
            expected=f"{3 * promised}, three for each of {promised} points",
            do="export the RTSTRUCT again",
        )
    return values.reshape(-1, 3)


def _slices(index: Sequence[Floats], axis: int, grid: Geometry, where: str) -> list[int]:
    """Return the slice of each contour, or say how the contours lie to the slices."""
    step = grid.spacing_mm[axis]
    tolerance = max(SLICE_TOLERANCE, place_tolerance_mm(step) / step)
    spread = max(float(np.ptp(points[:, axis])) for points in index)
    if spread > 2 * tolerance:
        raise GeometryError(
            "contours do not lie in the image's axial slices",
            where=where,
            got=f"a contour that reaches over {spread * step:.4g} mm across the slices",
            expected="contours parallel to the slices",
            do="give the series that they were drawn on, and contours drawn in axial slices",
        )
    middles = np.array([points[:, axis].mean() for points in index])
    last = grid.shape[axis] - 1
    outside = (middles < -tolerance) | (middles > last + tolerance)
    if outside.any():
        raise _outside(
            f"{int(outside.sum())} of {len(index)} contours above or below it, up to "
            f"{np.maximum(-middles, middles - last).max() * step:.4g} mm from its last slice",
            where,
        )
    numbers = np.rint(middles)
    between = np.abs(middles - numbers)
    if between.max() > tolerance:
        raise GeometryError(
            "contours lie between the slices of the image",
            where=where,
            got=f"{int((between > tolerance).sum())} of {len(index)} contours, up to "
            f"{between.max() * step:.4g} mm from the nearest slice (slices are {step:.4g} mm apart)",
            expected=f"contours within {tolerance * step:.4g} mm of a slice",
            do="give the series that they were drawn on",
        )
    return [int(number) for number in numbers]


def _check_inside(index: Sequence[Floats], axis: int, grid: Geometry, where: str) -> None:
    """Refuse contours that leave the image sideways."""
    size = np.array(grid.shape)
    beyond = [np.maximum(-0.5 - points, points - (size - 0.5)).max(axis=0) for points in index]
    far = np.delete(np.array(beyond), axis, axis=1).max(axis=1)
    if far.max() > EDGE_TOLERANCE:
        raise _outside(
            f"{int((far > EDGE_TOLERANCE).sum())} of {len(index)} contours beyond its sides, by up to "
            f"{far.max():.3g} voxels",
            where,
        )


def _outside(got: str, where: str) -> GeometryError:
    return GeometryError(
        "contours lie outside the image",
        where=where,
        got=got,
        expected="contours inside the image",
        do="give the series that they were drawn on, in full",
    )
