"""Images whose voxels lie in a file beside their header: MHD, detached NRRD."""

from __future__ import annotations

import re
from pathlib import Path

from radiobone.core.errors import ImageError

_HEADER_BYTES = 1 << 16

_FIELD = {
    ".mhd": re.compile(rb"^ElementDataFile\s*=\s*(.+?)\s*$", re.MULTILINE),
    ".nhdr": re.compile(rb"^data ?file:\s*(.+?)\s*$", re.MULTILINE),
    ".nrrd": re.compile(rb"^data ?file:\s*(.+?)\s*$", re.MULTILINE),
}

_PAIRS = (".hdr", ".img", ".img.gz")


def detached_files(header: Path) -> list[Path]:
    """List the files with the voxels of an image, if they do not lie in its own file.

    Parameters
    ----------
    header : Path
        The file that a user names.

    Returns
    -------
    list of Path
        Empty, or the one file that the header names.

    Raises
    ------
    ImageError
        If the header names a list or a pattern of files, or belongs to an Analyze or NIfTI pair.
    """
    if header.name.casefold().endswith(_PAIRS):
        raise ImageError(
            "Analyze and NIfTI pairs are not read", where=str(header), do="convert it to one .nii.gz file"
        )
    pattern = _FIELD.get(header.suffix.casefold())
    if pattern is None or not header.is_file():
        return []
    with header.open("rb") as stream:
        # The text of a NRRD header ends with an empty line; what follows are voxels.
        text = stream.read(_HEADER_BYTES).split(b"\n\n")[0]
    found = pattern.search(text)
    if found is None or found[1] == b"LOCAL":
        return []
    name = found[1].decode("utf-8", errors="replace")
    if name.startswith("LIST") or "%" in name:
        raise ImageError(
            "the voxels of this image are spread over several files",
            where=str(header),
            got=name,
            do="convert it to one file",
        )
    return [header.parent / name]
