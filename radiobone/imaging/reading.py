"""Reading images and masks: NIfTI, NRRD, MHA/MHD and DICOM series, always with full geometry.

The file's own pixel type is kept, since PyRadiomics rounds resampled values to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError, one_line
from radiobone.imaging.detached import detached_files
from radiobone.imaging.dicom import read_series, series_files
from radiobone.imaging.nifti import check_nifti, not_finite
from radiobone.imaging.volumes import Image, Mask

if TYPE_CHECKING:
    import SimpleITK as sitk

Source = Path | Sequence[Path]
"""A file, a folder that holds one DICOM series, or the files of one DICOM series."""


def source_files(source: Source) -> list[Path]:
    """List the files that a source is read from, voxels that lie beside their header included.

    Parameters
    ----------
    source : Path or sequence of Path
        A file, a folder that holds one DICOM series, or the files of one.

    Returns
    -------
    list of Path
        Each exists; a header comes before the file with its voxels.

    Raises
    ------
    ImageError
        If a file is missing, a folder does not hold one DICOM series, or the voxels of an image are spread in a
        way that is not read (see `detached_files`).
    """
    if not isinstance(source, Path):
        files = list(source)
    elif source.is_dir():
        return series_files(source)
    else:
        files = [source, *detached_files(source)]
    for path in files:
        if not path.is_file():
            raise ImageError("file not found", where=str(path), do="check the path in the cohort table")
    return files


def read_image(source: Source) -> Image:
    """Read a scan in its file's own pixel type.

    Parameters
    ----------
    source : Path or sequence of Path
        A NIfTI, NRRD or MHA/MHD file, a folder that holds one DICOM series, or that series' files.

    Raises
    ------
    ImageError
        If the file is missing, truncated, not 3D, not scalar, or holds values that are not finite, or the DICOM
        series is not whole and even (see `read_series`).
    """
    files = source_files(source)
    if isinstance(source, Path) and source.is_file():
        image = Image.from_sitk(_read_volume(source))
    else:
        image = read_series(files)
    if image.array.dtype.kind == "f":
        bad = int(np.count_nonzero(~np.isfinite(image.array)))
        if bad:
            raise not_finite(bad, str(_name(source)))
    return image


def read_mask(path: Path) -> Mask:
    """Read a label map; a float file is accepted if all its values are whole numbers.

    Parameters
    ----------
    path : Path
        A NIfTI, NRRD or MHA/MHD file.

    Returns
    -------
    Mask
        On its own whole grid, in the file's integer type; 32 bits for a float file.

    Raises
    ------
    ImageError
        If the file is missing, truncated, not 3D, not scalar, only background, or holds values that are no labels
        (negative or not whole).
    """
    source_files(path)
    volume = _read_volume(path)
    image = Image.from_sitk(volume)
    labels = _as_labels(image.array, path)
    if not labels.any():
        raise ImageError("mask is empty", where=str(path), got="only background", expected="at least one label")
    return Mask(labels, image.geometry)


def _as_labels(array: NDArray[Any], path: Path) -> NDArray[Any]:
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.round(array))
        if not whole.all():
            raise ImageError(
                "mask holds values that are no labels",
                where=str(path),
                got=f"{int((~whole).sum())} voxels such as {array[~whole][0]:.6g}",
                expected="whole numbers",
                do="give a label map, not probabilities or a resampled mask",
            )
        array = array.astype(np.int32)
    if array.min() < 0:
        raise ImageError("mask holds negative labels", where=str(path), got=int(array.min()), expected="0 or more")
    return array


def _read_volume(path: Path) -> sitk.Image:
    import SimpleITK as sitk

    if path.name.endswith((".nii", ".nii.gz")):
        check_nifti(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
        _check_kind(reader, path)
        return reader.Execute()
    except RuntimeError as error:
        raise ImageError(
            "file cannot be read as an image",
            where=str(path),
            got=_itk_reason(error),
            expected="NIfTI, NRRD, MHA/MHD, or a folder with one DICOM series",
            do="check whether the file is whole",
        ) from None
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _check_kind(reader: sitk.ImageFileReader, path: Path) -> None:
    size = reader.GetSize()
    if len(size) != 3:
        raise ImageError(
            f"image has {len(size)} dimensions",
            where=str(path),
            got=f"size {size}",
            expected="one 3D volume",
            do="save the volume you mean as a file of its own",
        )
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


def _name(source: Source) -> Path:
    return source if isinstance(source, Path) else source[0].parent
