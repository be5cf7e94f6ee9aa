"""Where the pixels of a slice or frame lie, and how stored values become HU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class Plane:
    """One slice in space.

    Parameters
    ----------
    position : tuple of 3 floats
        World (x, y, z) of the first pixel, in mm.
    orientation : tuple of 6 floats
        World directions along a row of pixels, then along a column.
    spacing_mm : tuple of 2 floats
        Distance of rows, then of columns.
    thickness_mm : float or None
        Nominal slice thickness.
    slope, intercept : float
        HU = slope x stored value + intercept.
    unit : str
        Of the rescaled value, as the header names it (``HU``; ``US`` is "not told"); empty where it does not.
    stack : str
        The stack that a frame is said to belong to, and its time point.
    """

    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float, float, float]
    spacing_mm: tuple[float, float]
    thickness_mm: float | None = None
    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    stack: str = ""


def classic_plane(data: Dataset) -> tuple[Plane, ...]:
    """Return the plane of a file with one slice; none if it does not say where it lies.

    Parameters
    ----------
    data : Dataset
        The header.

    Raises
    ------
    ValueError
        If a value has the wrong length or is no number.
    """
    if not (data.get("ImagePositionPatient") and data.get("ImageOrientationPatient") and data.get("PixelSpacing")):
        return ()
    if int(data.get("NumberOfFrames") or 1) > 1:
        return ()
    return (_plane(data, data, data, data, ""),)


def frame_planes(data: Dataset) -> tuple[Plane, ...]:
    """Return the planes of an enhanced multi-frame file, in the order of its frames.

    Parameters
    ----------
    data : Dataset
        The header, with its functional groups. What a frame does not say itself, the shared group says for all.

    Returns
    -------
    tuple of Plane
        Empty if a frame does not say where it lies.

    Raises
    ------
    ValueError
        If a value has the wrong length or is no number, or there are fewer groups than frames.
    """
    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    frames = data.PerFrameFunctionalGroupsSequence
    if len(frames) != int(data.get("NumberOfFrames") or 1):
        raise ValueError(f"{len(frames)} functional groups for {data.get('NumberOfFrames')} frames")
    planes = []
    for frame in frames:
        position = _group(frame, shared, "PlanePositionSequence")
        orientation = _group(frame, shared, "PlaneOrientationSequence")
        measures = _group(frame, shared, "PixelMeasuresSequence")
        if position is None or orientation is None or measures is None:
            return ()
        value = _group(frame, shared, "PixelValueTransformationSequence")
        content = _group(frame, shared, "FrameContentSequence")
        stack = "" if content is None else "|".join(_names(content))
        planes.append(_plane(position, orientation, measures, {} if value is None else value, stack))
    return tuple(planes)


def _names(content: Dataset) -> Iterator[str]:
    for name in ("StackID", "TemporalPositionIndex"):
        yield str(content.get(name, ""))


def _group(frame: Dataset, shared: Dataset | None, name: str) -> Dataset | None:
    """Return a functional group of a frame, or the shared one."""
    for source in (frame, shared):
        items = source.get(name) if source is not None else None
        if items:
            item: Dataset = items[0]
            return item
    return None


def _plane(position: Any, orientation: Any, measures: Any, value: Any, stack: str) -> Plane:
    x, y, z = (float(part) for part in position.get("ImagePositionPatient"))
    a, b, c, d, e, f = (float(part) for part in orientation.get("ImageOrientationPatient"))
    rows, columns = (float(part) for part in measures.get("PixelSpacing"))
    thickness = measures.get("SliceThickness")
    slope, intercept = value.get("RescaleSlope"), value.get("RescaleIntercept")
    return Plane(
        (x, y, z),
        (a, b, c, d, e, f),
        (rows, columns),
        None if thickness is None else float(thickness),
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        str(value.get("RescaleType") or "").strip(),
        stack,
    )
