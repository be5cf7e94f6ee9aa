"""Segmentations of 3D Slicer (``.seg.nrrd``): label values, layers and names in a NRRD file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radiobone.core.errors import ImageError
from radiobone.imaging.masks.label_maps import as_labels, named_mask
from radiobone.imaging.masks.segments import Segment, Segments, choose_segments
from radiobone.imaging.volume_files import read_layers
from radiobone.imaging.volumes import Mask

SUFFIXES = (".nrrd", ".nhdr")

_HEADER_BYTES = 1 << 20
_SEGMENT = re.compile(r"^Segment(\d+)_(Name|LabelValue|Layer|ID):=(.*)$", re.MULTILINE)
_REPRESENTATION = re.compile(r"^Segmentation_\w*Representation:=(.*)$", re.MULTILINE)
_FRACTIONAL = "Fractional labelmap"


@dataclass(frozen=True)
class SlicerSegment:
    """What the header says of one segment.

    Parameters
    ----------
    name : str
        Its name.
    layer : int
        The volume that holds it, from 0.
    value : int
        Its value there.
    """

    name: str
    layer: int
    value: int


def slicer_segments(path: Path) -> list[SlicerSegment]:
    """Return the segments that a NRRD header lists, in their order.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    list of SlicerSegment
        Empty for a file that 3D Slicer did not write as a segmentation.

    Raises
    ------
    ImageError
        If it holds fractions.
    """
    if path.suffix.casefold() not in SUFFIXES:
        return []
    with path.open("rb") as stream:
        # The text of a NRRD header ends with an empty line; what follows are voxels.
        head = re.split(rb"\r?\n\r?\n", stream.read(_HEADER_BYTES), maxsplit=1)[0]
    text = head.decode("utf-8", errors="replace").replace("\r\n", "\n")
    fields: dict[int, dict[str, str]] = {}
    for number, name, value in _SEGMENT.findall(text):
        fields.setdefault(int(number), {})[name] = value.strip()
    if fields and _FRACTIONAL in _REPRESENTATION.findall(text):
        raise ImageError(
            "the segmentation holds fractions",
            where=str(path),
            got=_FRACTIONAL,
            expected="Binary labelmap",
            do="convert it in 3D Slicer, and save it again",
        )
    return [
        # Older versions of 3D Slicer give each segment a layer of its own, with the value 1.
        SlicerSegment(
            item.get("Name") or item.get("ID") or f"Segment_{number + 1}",
            int(item.get("Layer", place)),
            int(item.get("LabelValue", 1)),
        )
        for place, (number, item) in enumerate(sorted(fields.items()))
    ]


def read_slicer(
    files: Sequence[Path], listed: Sequence[SlicerSegment], wanted: Sequence[str], where: str
) -> Mask | Segments:
    """Read a segmentation of 3D Slicer.

    Parameters
    ----------
    files : sequence of Path
        The file, and the file beside it that may hold its voxels.
    listed : sequence of SlicerSegment
        From `slicer_segments`.
    wanted : sequence of str
        Names of segments (see `choose_segments`).
    where : str
        The file, for messages.

    Returns
    -------
    Mask or Segments
        On the file's own grid: the label map of a single layer, with its values; or segments of several layers,
        which may overlap, numbered from 1 in the order of the file.

    Raises
    ------
    ImageError
        If the file is truncated, or lacks a layer or a name that is wanted.
    """
    layers, geometry = read_layers(files)
    missing = sorted({item.layer for item in listed if not 0 <= item.layer < len(layers)})
    if missing:
        raise ImageError(
            "a segment lies in a layer that the file does not hold",
            where=where,
            got=f"layer {', '.join(map(str, missing))} of {len(layers)}",
            do="save the segmentation again",
        )
    arrays = [as_labels(layer, where) for layer in layers]
    if len(arrays) == 1:
        names = {item.value: item.name for item in listed}
        return named_mask(Mask(arrays[0], geometry), names, wanted, where)
    chosen = choose_segments({place: item.name for place, item in enumerate(listed, start=1)}, wanted, where)
    segments = [
        Segment(number, name, Mask(arrays[listed[number - 1].layer], geometry).select(listed[number - 1].value))
        for number, name in chosen.items()
    ]
    return Segments(segments, geometry)
