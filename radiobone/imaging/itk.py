"""Where ITK's ways end and ours begin: its messages, and its order of axes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.errors import ImageError
from radiobone.imaging.geometry import Geometry

if TYPE_CHECKING:
    import SimpleITK as sitk


@contextlib.contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK from writing warnings to standard error inside the block; errors are still raised."""
    import SimpleITK as sitk

    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def is_text(path: Path) -> bool:
    """Return whether a path is text: at one with other bytes, SimpleITK ends the whole process.

    Parameters
    ----------
    path : Path
        Such as one of an old archive, whose names are in Latin-1.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_text(path: Path) -> None:
    """Refuse a path at which SimpleITK would end the whole process.

    Parameters
    ----------
    path : Path
        What is to be read or written.

    Raises
    ------
    ImageError
        If it is no text.
    """
    if not is_text(path):
        told = str(path).encode(errors="replace").decode()
        raise ImageError("a path is no text in UTF-8", where=told, do="rename the file or its folder")


def geometry_of(image: sitk.Image | sitk.ImageFileReader) -> Geometry:
    """Return the geometry of a 3D image, reversing ITK's (x, y, z) order.

    Parameters
    ----------
    image : SimpleITK.Image or SimpleITK.ImageFileReader
        An image, or a reader that has read the header of one.
    """
    x, y, z = image.GetSize()
    dx, dy, dz = image.GetSpacing()
    ox, oy, oz = image.GetOrigin()
    return Geometry((z, y, x), (dz, dy, dx), (ox, oy, oz), tuple(image.GetDirection()))
