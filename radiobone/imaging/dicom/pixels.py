"""The voxels of a stack in HU: each slice decoded and rescaled by its own slope and intercept.

GDCM, through SimpleITK, decodes what it can. Left to pydicom are newer processes, multi-frame files whose frames
differ in their rescaling, and what ITK would change or cannot name.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.headers import Header
from radiobone.imaging.dicom.stack import Slice
from radiobone.imaging.dicom.truncation import UNCOMPRESSED
from radiobone.imaging.itk import is_text, quiet_itk

_ONLY_PYDICOM = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
"""High-throughput JPEG 2000. What is compressed otherwise and GDCM refuses is not tried again: other decoders may
make noise of it."""

_DARK = "MONOCHROME1"

_EXPORT = "check the file, or let the archive export the series uncompressed"
_PLUGINS = f"pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg; else {_EXPORT}"

_ADDRESS = re.compile(r"\(0x[0-9a-f]+\)")


def read_voxels(slices: Sequence[Slice], where: str) -> NDArray[Any]:
    """Read the voxels of slices that have one size.

    Parameters
    ----------
    slices : sequence of Slice
        In ascending order of position.
    where : str
        The source, for messages.

    Returns
    -------
    ndarray of shape (z, y, x)
        HU in the smallest of int16, int32 and float64 that holds each value exactly.

    Raises
    ------
    ImageError
        If a slice cannot be decoded, with its transfer syntax.
    """
    rows, columns = slices[0].header.size
    voxels: NDArray[Any] = np.empty((len(slices), rows, columns), dtype=np.int16)
    for number, plane in _planes(slices, where):
        exact = _smallest(plane)
        if np.promote_types(exact, voxels.dtype) != voxels.dtype:
            voxels = voxels.astype(exact)
        voxels[number] = plane
    return voxels


def _planes(slices: Sequence[Slice], where: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield each slice's place in the stack and its HU; a multi-frame file is decoded once."""
    places: dict[Path, list[tuple[int, Slice]]] = {}
    for number, item in enumerate(slices):
        places.setdefault(item.header.path, []).append((number, item))
    for held in places.values():
        header = held[0][1].header
        frames = _decode(header, f"{where}, {header.name}")
        for number, item in held:
            yield number, frames(item.frame)


def _smallest(values: NDArray[Any]) -> np.dtype[Any]:
    """Return the smallest of three types that holds all values exactly."""
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        return np.dtype(np.float64)
    low, high = values.min(), values.max()
    for kind in (np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.float64)


def _decode(header: Header, where: str) -> Callable[[int], NDArray[Any]]:
    """Decode a file, and return a function that gives the HU of one of its frames."""
    if not _suits_itk(header):
        return _decode_by_pydicom(header, where)
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(header.path))
    try:
        with quiet_itk():
            image = reader.Execute()
    except RuntimeError as error:
        if header.transfer_syntax in UNCOMPRESSED:
            # It may not know the kind of object, or mind what lies behind the pixels; they are plain all the same.
            return _decode_by_pydicom(header, where)
        raise _undecodable(header, where, error) from None
    frames: NDArray[Any] = sitk.GetArrayFromImage(image)
    if frames.shape != (header.frames, *header.size):
        raise _undecodable(header, where, ValueError(f"an array of shape {frames.shape}"))
    return frames.__getitem__


def _suits_itk(header: Header) -> bool:
    """Return whether ITK gives the HU of a file as its header means them."""
    rescalings = {(plane.slope, plane.intercept) for plane in header.planes}
    return (
        len(rescalings) == 1
        and header.transfer_syntax not in _ONLY_PYDICOM
        and header.photometric != _DARK  # it turns the values round, as if they were a picture
        and is_text(header.path)  # it ends the whole process
    )


def _decode_by_pydicom(header: Header, where: str) -> Callable[[int], NDArray[Any]]:
    from pydicom.pixels.utils import pixel_array

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stored = pixel_array(header.path, raw=True)
    except (OSError, RuntimeError, NotImplementedError, ValueError, AttributeError, TypeError) as error:
        raise _undecodable(header, where, error, _PLUGINS) from None
    stored = stored.reshape(header.frames, *header.size)

    def rescaled(frame: int) -> NDArray[Any]:
        return _rescaled(stored[frame], header.planes[frame].slope, header.planes[frame].intercept)

    return rescaled


def _rescaled(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    if slope == int(slope) and intercept == int(intercept):
        return stored.astype(np.int64) * int(slope) + int(intercept)
    return stored.astype(np.float64) * slope + intercept


def _undecodable(header: Header, where: str, error: Exception, do: str = _EXPORT) -> ImageError:
    # The path goes first: once shortened, or its blanks taken for one, it would not be found.
    told = str(error).replace(str(header.path), header.name).rpartition("ERROR: ")[2]
    told = " ".join(_ADDRESS.sub("", told).split())[:300]
    return ImageError(
        "pixels cannot be decoded",
        where=where,
        got=f"transfer syntax {_syntax_name(header.transfer_syntax)}: {told}",
        expected="uncompressed, RLE, JPEG, JPEG-LS or JPEG 2000",
        do=do,
    )


@functools.cache
def _syntax_name(uid: str) -> str:
    from pydicom.uid import UID

    name = UID(uid).name
    return uid if name == uid else f"{name} ({uid})"
