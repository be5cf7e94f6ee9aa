"""One volume from its file, by ITK, with what ITK passes over checked before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError, one_line
from radiobone.imaging import metaimage, nifti
from radiobone.imaging.geometry import Geometry
from radiobone.imaging.itk import check_text, geometry_of, quiet_itk
from radiobone.imaging.volumes import Image

if TYPE_CHECKING:
    import SimpleITK as sitk


def read_volume(files: Sequence[Path]) -> Image:
    """Read one volume.

    Parameters
    ----------
    files : sequence of Path
        Its file, and the file beside it that may hold its voxels.

    Returns
    -------
    Image
        In the file's own pixel type.

    Raises
    ------
    ImageError
        If the file is truncated or damaged, not 3D, or not scalar, or its path is no text.
    """
    path = files[0]
    check_text(path)
    voxels = None
    if path.name.casefold().endswith(nifti.SUFFIXES):
        voxels = nifti.read_voxels(path)
    with _reader(files) as reader:
        _check_dimensions(reader, path)
        _check_scalar(reader, path)
        if voxels is not None:
            return Image(voxels, geometry_of(reader))
        return Image.from_sitk(reader.Execute())


def read_layers(files: Sequence[Path]) -> tuple[list[NDArray[Any]], Geometry]:
    """Read volumes that lie on one grid in one file, as a list in a NRRD file.

    Parameters
    ----------
    files : sequence of Path
        The file, and the file beside it that may hold its voxels.

    Returns
    -------
    list of ndarray of shape (z, y, x)
        At least one.
    Geometry
        Their grid.

    Raises
    ------
    ImageError
        If the file is truncated or damaged, or its volumes are not 3D, or its path is no text.
    """
    import SimpleITK as sitk

    check_text(files[0])
    with _reader(files) as reader:
        _check_dimensions(reader, files[0])
        array = sitk.GetArrayFromImage(reader.Execute())
        several = reader.GetNumberOfComponents() > 1
    layers = (
        [np.ascontiguousarray(array[..., number]) for number in range(array.shape[-1])] if several else [array]
    )
    return layers, geometry_of(reader)


@contextlib.contextmanager
def _reader(files: Sequence[Path]) -> Iterator[sitk.ImageFileReader]:
    """Open a file, and tell in our words what ITK makes of it."""
    import SimpleITK as sitk

    path = files[0]
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    if path.suffix.casefold() in metaimage.SUFFIXES:
        metaimage.check_compressed(path, files[-1])
        # By its name ITK knows these files only in small letters.
        reader.SetImageIO("MetaImageIO")
    try:
        with quiet_itk():
            reader.ReadImageInformation()
            yield reader
    except RuntimeError as error:
        raise ImageError(
            "file cannot be read as an image",
            where=str(path),
            got=_itk_reason(error),
            expected="NIfTI, NRRD, MHA/MHD, or a folder with one DICOM series",
            do="check whether the file is whole",
        ) from None


def _check_dimensions(reader: sitk.ImageFileReader, path: Path) -> None:
    size = reader.GetSize()
    if len(size) != 3:
        raise ImageError(
            f"image has {len(size)} dimensions",
            where=str(path),
            got=f"size {size}",
            expected="one 3D volume",
            do="save the volume you mean as a file of its own",
        )


def _check_scalar(reader: sitk.ImageFileReader, path: Path) -> None:
    if reader.GetNumberOfComponents() != 1:
        raise ImageError(
            "image has several values in each voxel",
            where=str(path),
            got=f"{reader.GetNumberOfComponents()} components",
            expected="one",
        )


def _itk_reason(error: RuntimeError) -> str:
    """Return the last sentence of an ITK error, without addresses of the process."""
    return one_line(error).rpartition("ERROR: ")[2][:300]
