"""DICOM SEG: binary and fractional segments, overlapping or not, and label maps."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError, one_line
from radiobone.imaging.dicom.frames import Plane, frame_planes
from radiobone.imaging.dicom.headers import read_header
from radiobone.imaging.masks.references import SEG, check_series, read_dataset
from radiobone.imaging.masks.segments import Segment, Segments, choose_segments, gap_notes, numbered_names
from radiobone.imaging.masks.stacking import FrameGrid, frame_grid
from radiobone.imaging.volumes import Image, Mask
from radiobone.tables.level_names import find_level

if TYPE_CHECKING:
    from pydicom import Dataset

BINARY, FRACTIONAL, LABELMAP = "BINARY", "FRACTIONAL", "LABELMAP"

_ANEW = "export it again"

_PIXEL_ERRORS = (RuntimeError, NotImplementedError, ValueError, AttributeError, TypeError, OSError, EOFError)


def read_seg(path: Path, image: Image | None, wanted: Sequence[str], where: str) -> Segments:
    """Read the segments of a DICOM SEG.

    Parameters
    ----------
    path : Path
        The file.
    image : Image or None
        The scan that it belongs to. Its slice distance is used where the file does not tell its own.
    wanted : sequence of str
        Names of segments (see `choose_segments`).
    where : str
        The file, for messages.

    Returns
    -------
    Segments
        On the grid of the file's own frames; label values are its segment numbers.

    Raises
    ------
    ImageError
        If the file is damaged, a frame does not say where it lies or what it shows, frames do not form one stack,
        or a name that is wanted is not there.
    GeometryError
        If it refers to another series.
    """
    header, data = read_header(path), read_dataset(path, where)
    if header is not None and header.frames and header.fault:
        raise ImageError("DICOM file is damaged or truncated", where=where, got=header.fault, do="copy it again")
    check_series(header.refers_to if header is not None else (), image, SEG, where)
    described = ((int(item.SegmentNumber), _name(item)) for item in data.get("SegmentSequence") or [])
    # A label map may describe its background, as number 0.
    names = numbered_names((pair for pair in described if pair[0]), "segment", where)
    chosen = choose_segments(names, wanted, where)
    grid = frame_grid(_planes(data, where), (int(data.Rows), int(data.Columns)), _stated_gap(data), image, where)
    half, notes = _threshold(data, where)
    if str(data.SegmentationType) == LABELMAP:
        segments, stray = _from_label_map(path, grid, chosen, where)
    else:
        numbers = _segment_numbers(data, where)
        segments = [
            Segment(
                value, name, _mask(path, grid, [at for at, n in enumerate(numbers) if n == value], half, where)
            )
            for value, name in chosen.items()
        ]
        stray = {*numbers}
    for item in segments:
        slices = np.flatnonzero(item.mask.array.any(axis=(1, 2))).tolist()
        notes += gap_notes(slices, f"segment {item.name!r}")
    stray -= {0, *names}
    if stray:
        listed = ", ".join(map(str, sorted(stray)))
        notes.append(f"voxels of segments that the file does not describe were left out: {listed}")
    return Segments(segments, grid.geometry, tuple(notes))


def _name(item: Dataset) -> str:
    """Return a segment's label; what it is coded as, if that means a level and the label does not."""
    label = str(item.get("SegmentLabel") or "").strip()
    codes = item.get("SegmentedPropertyTypeCodeSequence") or []
    coded = str(codes[0].get("CodeMeaning") or "").strip() if codes else ""
    return coded if not label or (find_level(coded) and not find_level(label)) else label


def _planes(data: Dataset, where: str) -> tuple[Plane, ...]:
    try:
        planes = frame_planes(data)
    except (ValueError, TypeError, AttributeError):
        # The words of pydicom name its own classes.
        raise _unplaced(where, "elements that are missing or not valid") from None
    if not planes:
        raise _unplaced(where, "a frame without position, orientation or pixel spacing")
    return planes


def _unplaced(where: str, got: str) -> ImageError:
    return ImageError(
        "the SEG does not say where its frames lie",
        where=where,
        got=got,
        expected="a position, an orientation and a pixel spacing for each frame",
        do="export it again with a patient-based frame of reference",
    )


def _stated_gap(data: Dataset) -> float | None:
    shared = (data.get("SharedFunctionalGroupsSequence") or [{}])[0]
    measures = (shared.get("PixelMeasuresSequence") or [{}])[0]
    gap = measures.get("SpacingBetweenSlices")
    return float(gap) if gap else None


def _segment_numbers(data: Dataset, where: str) -> list[int]:
    """Return the segment that each frame belongs to."""
    shared = (data.get("SharedFunctionalGroupsSequence") or [{}])[0].get("SegmentIdentificationSequence")
    numbers = []
    for place, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
        found = frame.get("SegmentIdentificationSequence") or shared
        if not found or found[0].get("ReferencedSegmentNumber") is None:
            raise ImageError(
                "a frame does not say which segment it shows", where=f"{where}, frame {place + 1}", do=_ANEW
            )
        numbers.append(int(found[0].ReferencedSegmentNumber))
    return numbers


def _threshold(data: Dataset, where: str) -> tuple[float, list[str]]:
    """Return the smallest stored value that counts as inside, and a note where it is a choice."""
    kinds = (BINARY, FRACTIONAL, LABELMAP)
    if data.get("SegmentationType") not in kinds:
        got = str(data.get("SegmentationType") or "none")
        raise ImageError(
            "the SEG is of no known type", where=where, got=got, expected=" or ".join(kinds), do=_ANEW
        )
    if data.SegmentationType != FRACTIONAL:
        return 1.0, []
    highest = int(data.get("MaximumFractionalValue") or 255)
    kind = str(data.get("SegmentationFractionalType", "")).casefold() or "fraction"
    return highest / 2, [f"fractional segmentation ({kind}): a voxel with one half or more belongs to its segment"]


def _frames(path: Path, indices: Sequence[int], where: str) -> Iterator[NDArray[Any]]:
    """Decode some frames of a file, one after the other."""
    from pydicom.pixels.utils import iter_pixels

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from iter_pixels(path, raw=True, indices=list(indices))
    except _PIXEL_ERRORS as error:
        told = one_line(error).replace(str(path), path.name)[:300]
        raise ImageError("frames of the SEG cannot be decoded", where=where, got=told) from None


def _mask(path: Path, grid: FrameGrid, frames: Sequence[int], half: float, where: str) -> Mask:
    """Gather the frames of one segment, in its box."""
    places = [grid.places[frame] for frame in frames]
    _check_places(places, where)
    first, last = min(places, default=0), max(places, default=-1)
    array = np.zeros((last + 1 - first, *grid.geometry.shape[1:]), dtype=bool)
    if frames:
        for place, frame in zip(places, _frames(path, frames, where), strict=True):
            np.greater_equal(frame, half, out=array[place - first])
    return Mask(array, grid.geometry, (first, 0, 0)).tight()


def _from_label_map(
    path: Path, grid: FrameGrid, chosen: Mapping[int, str], where: str
) -> tuple[list[Segment], set[int]]:
    """Read segments whose numbers are the pixels' values; return these values too."""
    _check_places(grid.places, where)
    labels: NDArray[Any] = np.zeros(grid.geometry.shape, dtype=np.uint16)
    for place, frame in zip(grid.places, _frames(path, range(len(grid.places)), where), strict=True):
        labels[place] = frame
    whole = Mask(labels, grid.geometry)
    return [Segment(value, name, whole.select(value)) for value, name in chosen.items()], {*whole.labels()}


def _check_places(places: Sequence[int], where: str) -> None:
    if len(set(places)) < len(places):
        raise ImageError(
            "several frames of one segment lie in one place",
            where=where,
            got=f"{len(places)} frames in {len(set(places))} places",
            expected="one each",
            do=_ANEW,
        )
