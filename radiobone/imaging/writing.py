"""Write images and masks as files, atomically and with the same bytes each time."""

from __future__ import annotations

from pathlib import Path

from radiobone.core.errors import ImageError
from radiobone.core.files import atomic_path
from radiobone.imaging.itk import check_text
from radiobone.imaging.volumes import Image, Mask

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
"""Formats that keep size, spacing, origin and direction."""


def write_image(image: Image, path: Path) -> None:
    """Write an image with its pixel type and geometry.

    Parameters
    ----------
    image : Image
        The image.
    path : Path
        Ends in .nii.gz, .nii, .nrrd or .mha. All but .nii are compressed. NIfTI keeps the geometry in
        single precision.

    Raises
    ------
    ImageError
        If the suffix is none of these, or the file cannot be written.
    """
    _write(image, path)


def write_mask(mask: Mask, path: Path) -> None:
    """Write a label map on its whole grid; booleans become 8-bit integers.

    Parameters
    ----------
    mask : Mask
        The mask.
    path : Path
        As for `write_image`.

    Raises
    ------
    ImageError
        As `write_image`.
    """
    _write(mask, path)


def _write(volume: Image | Mask, path: Path) -> None:
    import SimpleITK as sitk

    if not path.name.endswith(SUFFIXES):
        raise ImageError(
            "images are not written in this format",
            where=str(path),
            got=path.suffix or "no suffix",
            expected=", ".join(SUFFIXES),
        )
    check_text(path)
    image = volume.to_sitk()
    with atomic_path(path) as part:
        try:
            sitk.WriteImage(image, str(part), useCompression=not path.name.endswith(".nii"))
        except RuntimeError as error:
            raise ImageError("the image cannot be written", where=str(path), got=error) from None
