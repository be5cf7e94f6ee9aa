"""Pictures as PNG, small and the same each time: greys, and contours on nothing."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_PLAIN, _UP = 0, 2


def grey_png(array: Bytes) -> bytes:
    """Write a picture in greys.

    Parameters
    ----------
    array : ndarray of shape (rows, columns)
        From 0 to 255; its last bit is dropped, which no eye sees and which saves a fifth of the file.

    Returns
    -------
    bytes
        The file.
    """
    coarse = array & 0xFE
    # Each row as the difference to that above it: neighbours are alike.
    rows = np.diff(coarse, axis=0, prepend=np.zeros((1, coarse.shape[1]), np.uint8))
    return _png(rows, _GREY, _UP)


def contour_png(index: Bytes, colours: Sequence[tuple[int, int, int]]) -> bytes:
    """Write contours on a transparent ground.

    Parameters
    ----------
    index : ndarray of shape (rows, columns)
        0 where there is nothing, else the number of the colour, from 1.
    colours : sequence of tuple of int
        Red, green and blue, from 0 to 255.

    Returns
    -------
    bytes
        The file.
    """
    palette = bytes(value for colour in ((0, 0, 0), *colours) for value in colour)
    return _png(index, _PALETTE, _PLAIN, _chunk(b"PLTE", palette), _chunk(b"tRNS", b"\0"))


def data_uri(png: bytes) -> str:
    """Return a PNG as an address that holds all of it.

    Parameters
    ----------
    png : bytes
        The file.
    """
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _png(rows: Bytes, colour_type: int, row_filter: int, *more: bytes) -> bytes:
    height, width = rows.shape
    lines = np.empty((height, width + 1), np.uint8)
    lines[:, 0] = row_filter
    lines[:, 1:] = rows
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), *more, _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)), _chunk(b"IEND"))
    return b"".join((_SIGNATURE, *chunks))


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
