"""DICOM masks: their header, and the series that they were drawn on."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.core.errors import GeometryError, ImageError
from radiobone.imaging.volumes import Image

if TYPE_CHECKING:
    from pydicom import Dataset

SEG, RTSTRUCT = "SEG", "RTSTRUCT"
MODALITIES = (SEG, RTSTRUCT)

_UNDEFINED = 0xFFFFFFFF

_TAIL = 12
"""A UID may hold an institution and a date, so that messages show only its end."""


def read_dataset(path: Path, where: str) -> Dataset:
    """Read a SEG or RTSTRUCT without its pixels.

    Parameters
    ----------
    path : Path
        A file that begins as DICOM files do.
    where : str
        Its name for messages.

    Raises
    ------
    ImageError
        If the file breaks off, or cannot be understood.
    """
    import pydicom
    from pydicom.errors import BytesLengthException, InvalidDicomError

    try:
        with warnings.catch_warnings():
            # What pydicom finds odd in a header is either checked later or does not matter here.
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            _check_lengths(data)
            data.decode()
            return data
    except (
        OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError, struct.error,
        BytesLengthException, InvalidDicomError,
    ) as error:  # fmt: skip
        # The words of the error may quote what stands in the header, which may be the patient's.
        raise ImageError(
            "DICOM file is damaged or truncated",
            where=where,
            got=f"{path.stat().st_size} bytes that cannot be read to their end ({type(error).__name__})",
            do="copy or export it again",
        ) from None


def _check_lengths(data: Dataset) -> None:
    """Raise EOFError if an element is shorter than it says; of a cut sequence, pydicom takes what is left."""
    for tag in data.keys():  # noqa: SIM118 (to iterate over a data set is to convert its elements)
        raw: Any = data.get_item(tag)
        length = getattr(raw, "length", _UNDEFINED)
        if length != _UNDEFINED and len(raw.value or b"") < length:
            raise EOFError


def check_series(refers_to: tuple[str, ...], image: Image | None, modality: str, where: str) -> None:
    """Refuse a mask that was drawn on another series than the image.

    Parameters
    ----------
    refers_to : tuple of str
        UIDs of the series that the mask names.
    image : Image or None
        The scan; one that does not come from DICOM files has no UID, and is checked by its grid alone.
    modality : {"SEG", "RTSTRUCT"}
        What the mask is.
    where : str
        The file, for messages.

    Raises
    ------
    GeometryError
        If both have UIDs, and they differ.
    """
    if image is None or not image.series_uid or not refers_to or image.series_uid in refers_to:
        return
    raise GeometryError(
        f"the {modality} refers to another series than this image",
        where=where,
        got=f"a reference to the series with the UID {', '.join(map(_end, refers_to))}",
        expected=_end(image.series_uid),
        do="give the series that it was drawn on; if UIDs were replaced after it was drawn, convert the image "
        "to NIfTI, which has none, and check the contours by eye",
    )


def _end(uid: str) -> str:
    return f"…{uid[-_TAIL:]}" if len(uid) > _TAIL else uid
