"""What ITK passes over in a NIfTI file: a truncated end, and values that are not finite.

Its reader fills a truncated file with garbage, and puts 0 for NaN and infinity, without a word.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, cast

import numpy as np

from radiobone.core.errors import ImageError

_HEADER_BYTES = 544
_CHUNK_BYTES = 1 << 20
_FLOAT_TYPES = {16: "f4", 64: "f8"}


@dataclass(frozen=True)
class _Header:
    """Where the voxels begin and end, in bytes, and their type if they are floats."""

    start: int
    end: int
    float_type: str | None


def check_nifti(path: Path) -> None:
    """Refuse a ``.nii`` or ``.nii.gz`` that is not whole or holds values that are not finite.

    The length that gzip keeps in a file's last four bytes is compared with the header's; only where
    they differ (a truncated file, or one of several gzip members), and for float voxels, is the file
    inflated here.

    Parameters
    ----------
    path : Path
        An existing file, compressed or not, whatever its suffix says.

    Raises
    ------
    ImageError
        If the file is damaged or truncated, is no NIfTI file, or holds NaN or infinity.
    """
    try:
        with _open(path) as stream:
            header = _parse(stream.read(_HEADER_BYTES))
        length = header.end if _kept_length(path) == header.end % 2**32 else _count(path)
        bad = _count_not_finite(path, header) if header.float_type and length >= header.end else 0
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise ImageError(
            "NIfTI file is damaged or truncated", where=str(path), got=error, do="copy or convert it again"
        ) from None
    if length < header.end:
        raise ImageError(
            "NIfTI file is truncated",
            where=str(path),
            got=f"{length} bytes",
            expected=f"{header.end} bytes after inflation",
            do="copy or convert it again",
        )
    if bad:
        raise not_finite(bad, str(path))


def not_finite(count: int, where: str) -> ImageError:
    """Return the error for voxels that are NaN or infinite.

    Parameters
    ----------
    count : int
        Number of such voxels.
    where : str
        The file or folder, for the message.
    """
    return ImageError(
        "image holds values that are not finite",
        where=where,
        got=f"{count} NaN or infinite voxels",
        expected="finite values",
        do="replace them (by -1024 outside the field of view, say)",
    )


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if compressed else path.open("rb")


def _kept_length(path: Path) -> int | None:
    """Return the length, modulo 2**32, that gzip keeps at the end of a file; None for a plain file."""
    with path.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            return None
        stream.seek(-4, 2)
        (kept,) = struct.unpack("<I", stream.read(4))
    return int(kept)


def _count(path: Path) -> int:
    count = 0
    with _open(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            count += len(chunk)
    return count


def _count_not_finite(path: Path, header: _Header) -> int:
    bad = 0
    with _open(path) as stream:
        stream.read(header.start)
        for begin in range(header.start, header.end, _CHUNK_BYTES):
            chunk = stream.read(min(_CHUNK_BYTES, header.end - begin))
            bad += int(np.count_nonzero(~np.isfinite(np.frombuffer(chunk, header.float_type))))
    return bad


def _parse(header: bytes) -> _Header:
    """Read the few fields that are needed of a NIfTI-1 or NIfTI-2 header."""
    for order in "<>":
        (size,) = struct.unpack_from(order + "i", header)
        if size == 348:
            dimensions = struct.unpack_from(order + "8h", header, 40)
            kind, bits = struct.unpack_from(order + "2h", header, 70)
            (start,) = struct.unpack_from(order + "f", header, 108)
            break
        if size == 540:
            kind, bits = struct.unpack_from(order + "2h", header, 12)
            dimensions = struct.unpack_from(order + "8q", header, 16)
            (start,) = struct.unpack_from(order + "q", header, 168)
            break
    else:
        raise OSError("no NIfTI header")
    rank, *sizes = (int(value) for value in dimensions)
    end = int(start) + prod(sizes[:rank]) * int(bits) // 8
    return _Header(int(start), end, order + _FLOAT_TYPES[kind] if kind in _FLOAT_TYPES else None)
