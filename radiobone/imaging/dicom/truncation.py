"""Whether a DICOM file still has all of its pixels, told from lengths alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pydicom import Dataset

UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
"""Transfer syntaxes in which pixels are stored as they are."""

_UNDEFINED = 0xFFFFFFFF
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_DEFLATED = "1.2.840.10008.1.2.1.99"


def pixel_fault(stream: BinaryIO, data: Dataset) -> str:
    """Say what is wrong with the pixels of a file whose header has been read up to them.

    Nothing is decoded: a file that was cut lacks bytes that its own lengths promise.

    Parameters
    ----------
    stream : file
        It stands where the header ends.
    data : Dataset
        The header.

    Returns
    -------
    str
        Empty if all bytes are there.
    """
    if str(data.file_meta.get("TransferSyntaxUID", "")) == _DEFLATED:
        return ""  # the whole file is one packed stream: a cut one has failed before
    start, end = stream.tell(), os.fstat(stream.fileno()).st_size
    implicit, little = data.original_encoding
    head = stream.read(12)
    if len(head) < (8 if implicit else 12):
        return f"it is truncated: it ends after {end} bytes, before its pixels"
    body = start + (8 if implicit else 12)
    length = int.from_bytes(head[4:8] if implicit else head[8:12], "little" if little else "big")
    if length == _UNDEFINED:
        return _fragment_fault(stream, body, end)
    expected = _expected_bytes(data)
    if body + length > end:
        return f"it is truncated: {end - body} of {length} bytes of pixels are there"
    if length < expected and str(data.file_meta.get("TransferSyntaxUID", "")) in ("", *UNCOMPRESSED):
        return f"it holds {length} bytes of pixels, and its size needs {expected}"
    return ""


def _fragment_fault(stream: BinaryIO, position: int, end: int) -> str:
    """Walk over the fragments of compressed pixels to their closing mark."""
    while True:
        stream.seek(position)
        head = stream.read(8)
        if head[:4] == _END:
            return ""
        if len(head) < 8 or head[:4] != _ITEM:
            return f"it is truncated: its compressed pixels break off after {min(position, end)} bytes"
        position += 8 + int.from_bytes(head[4:], "little")


def _expected_bytes(data: Dataset) -> int:
    if int(data.get("SamplesPerPixel") or 1) > 1:
        return 0  # colours may share bytes; they are no HU and are refused elsewhere
    bits = int(data.get("BitsAllocated") or 0)
    pixels = int(data.Rows) * int(data.Columns) * int(data.get("NumberOfFrames") or 1)
    return (pixels * bits + 7) // 8
