"""Whether the compressed voxels of an MHA/MHD file are whole: ITK reads damaged ones without a word."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from radiobone.core.errors import ImageError

SUFFIXES = (".mha", ".mhd")

_HEADER_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20


def check_compressed(path: Path, voxels: Path) -> None:
    """Refuse compressed voxels that cannot be inflated to their end.

    Parameters
    ----------
    path : Path
        The file with the header.
    voxels : Path
        The file with the voxels: the same one, or the one beside it.

    Raises
    ------
    ImageError
        If the voxels are damaged or truncated.
    """
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    if not re.search(rb"^CompressedData\s*=\s*True\s*$", header, re.MULTILINE | re.IGNORECASE):
        return
    data = re.search(rb"^ElementDataFile\s*=.*\n", header, re.MULTILINE)
    begin = data.end() if data is not None and voxels == path else 0
    inflater = zlib.decompressobj()
    try:
        with voxels.open("rb") as stream:
            stream.seek(begin)
            while not inflater.eof and (chunk := stream.read(_CHUNK_BYTES)):
                inflater.decompress(chunk)
    except zlib.error as error:
        raise _damaged(voxels, error) from None
    if not inflater.eof:
        raise _damaged(voxels, "the compressed voxels end too early")


def _damaged(path: Path, got: object) -> ImageError:
    return ImageError(
        "compressed voxels are damaged or truncated", where=str(path), got=got, do="copy the file again"
    )
