"""Label maps in image files, and the names that some of these files carry for their labels."""

from __future__ import annotations

import gzip
import html
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError
from radiobone.imaging import nifti
from radiobone.imaging.masks.segments import choose_segments
from radiobone.imaging.volume_files import read_volume
from radiobone.imaging.volumes import Mask

_HEADER_BYTES = 1 << 20
"""More than any header with a name for each of some hundred labels."""

HIGHEST_LABEL = 2**31 - 1
"""Highest label of a float file: its labels become integers of 32 bits."""

_LABEL = re.compile(rb'<Label\s[^>]*?Key="(\d+)"[^>]*>(?:<!\[CDATA\[)?([^<\]]*)')
"""A label in the table of names that TotalSegmentator and Connectome Workbench write into a NIfTI header."""


def read_label_map(files: Sequence[Path], wanted: Sequence[str], where: str) -> Mask:
    """Read a label map with the names of its labels, where its file carries them.

    Parameters
    ----------
    files : sequence of Path
        The file, and the file beside it that may hold its voxels.
    wanted : sequence of str
        Names of labels (see `choose_segments`).
    where : str
        The file, for messages.

    Returns
    -------
    Mask
        On its own whole grid, in the file's integer type; 32 bits for a float file.

    Raises
    ------
    ImageError
        If the file is truncated, not 3D, not scalar, or holds values that are no labels; or names are wanted that
        it does not carry.
    """
    image = read_volume(files)
    labels = as_labels(image.array, where)
    names = nifti_names(files[0]) if files[0].name.casefold().endswith(nifti.SUFFIXES) else {}
    return named_mask(Mask(labels, image.geometry), names, wanted, where)


def named_mask(mask: Mask, names: dict[int, str], wanted: Sequence[str], where: str) -> Mask:
    """Give a label map its names, and leave out what is not wanted.

    Parameters
    ----------
    mask : Mask
        The label map.
    names : dict of int to str
        All names of the file; empty where it carries none.
    wanted : sequence of str
        Names that are asked for.
    where : str
        The file, for messages.

    Raises
    ------
    ImageError
        If it lacks a name that is wanted.
    """
    if not names and not wanted:
        return mask
    present = mask.labels()
    chosen = choose_segments(
        {value: name for value, name in names.items() if value in present or wanted}, wanted, where
    )
    array = np.where(np.isin(mask.array, list(chosen)), mask.array, 0) if wanted else mask.array
    return Mask(array, mask.geometry, mask.offset, chosen, mask.notes)


def as_labels(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Return the values of an image as labels.

    Parameters
    ----------
    array : ndarray
        Whole numbers of any type, 0 or more.
    where : str
        The file, for messages.

    Raises
    ------
    ImageError
        If a value is negative, not whole, or higher than 32 bits hold in a float file.
    """
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.round(array))
        if not whole.all():
            raise ImageError(
                "mask holds values that are no labels",
                where=where,
                got=f"{int((~whole).sum())} voxels such as {array[~whole][0]:.6g}",
                expected="whole numbers",
                do="give a label map, not probabilities or a resampled mask",
            )
        if array.max() > HIGHEST_LABEL:
            raise ImageError(
                "mask holds values that are no labels",
                where=where,
                got=f"up to {array.max():.6g}",
                expected=f"at most {HIGHEST_LABEL}",
                do="give a label map",
            )
        array = array.astype(np.int32)
    if array.min() < 0:
        raise ImageError(
            "mask holds negative labels",
            where=where,
            got=int(array.min()),
            expected="0 or more",
            do="give a label map, not a scan",
        )
    return array


def nifti_names(path: Path) -> dict[int, str]:
    """Return the names of labels in the header of a NIfTI file.

    Parameters
    ----------
    path : Path
        A file that has been read before, and so is whole.

    Returns
    -------
    dict of int to str
        Label value to name; empty if the header has no table of labels.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    try:
        with cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error):
        return {}
    order = "<" if header[:4] in (struct.pack("<i", 348), struct.pack("<i", 540)) else ">"
    second = struct.unpack_from(order + "i", header)[0] == 540
    start = (
        struct.unpack_from(order + "q", header, 168)[0]
        if second
        else struct.unpack_from(order + "f", header, 108)[0]
    )
    found = _LABEL.findall(header[540 if second else 348 : int(start)])
    names = {int(key): html.unescape(name.decode("utf-8", errors="replace")).strip() for key, name in found}
    return {value: name for value, name in names.items() if value > 0 and name}
