"""Reading images and masks: NIfTI, NRRD, MHA/MHD and DICOM series, always with full geometry.

The file's own pixel type is kept, since PyRadiomics rounds resampled values to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError
from radiobone.imaging.detached import detached_files
from radiobone.imaging.dicom import SeriesChoice, is_dicom, read_series, series_files
from radiobone.imaging.volume_files import read_volume
from radiobone.imaging.volumes import Image, Mask

Source = Path | Sequence[Path]
"""A file, a folder that holds one DICOM series, a ``.txt`` that lists its files, or these files themselves."""


def source_files(source: Source, series: str = "") -> list[Path]:
    """List the files that a source is read from, voxels that lie beside their header included.

    Parameters
    ----------
    source : Path or sequence of Path
        A file, a folder that holds one DICOM series, a ``.txt`` with one of its files (relative to the ``.txt``)
        on each line, or these files themselves.
    series : str, default ""
        Which series of a folder that holds several (see `SeriesChoice`).

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
        return series_files(source, SeriesChoice(series) if series else None)
    elif source.suffix.casefold() == ".txt" and source.is_file():
        files = [source.parent / line.strip() for line in source.read_text("utf-8").splitlines() if line.strip()]
        if not files:
            raise ImageError("the list of files is empty", where=str(source), expected="one file on each line")
    else:
        files = [source, *detached_files(source)]
    for path, label in zip(files, _labels(source, files) or [""] * len(files), strict=True):
        if not path.is_file():
            raise ImageError(
                "file not found", where=f"{source}, {label}" if label else str(path), do="check the path"
            )
    return files


def _labels(source: Source, files: Sequence[Path]) -> list[str]:
    """Name the files of a list by their place in it: the paths of an archive may hold the names of patients."""
    if isinstance(source, Path) and source.suffix.casefold() == ".txt" and source not in files:
        return [f"file {number} of the list" for number in range(1, len(files) + 1)]
    return []


def read_image(source: Source, series: str = "") -> Image:
    """Read a scan in its file's own pixel type.

    Parameters
    ----------
    source : Path or sequence of Path
        A NIfTI, NRRD or MHA/MHD file, an enhanced multi-frame DICOM file, a folder that holds one DICOM series, a
        ``.txt`` that lists that series' files, or these files themselves.
    series : str, default ""
        Which series of a folder that holds several (see `SeriesChoice`); of no meaning for other sources.

    Raises
    ------
    ImageError
        If the file is missing, truncated, not 3D, not scalar, or holds values that are not finite, or the DICOM
        series is not whole and even (see `read_series`).
    """
    files = source_files(source, series)
    if not isinstance(source, Path):
        image = read_series(files)
    elif source != files[0] or is_dicom(files[0]):
        image = read_series(files, where=str(source), labels=_labels(source, files))
    else:
        image = read_volume(files)
    if image.array.dtype.kind == "f":
        bad = int(np.count_nonzero(~np.isfinite(image.array)))
        if bad:
            raise ImageError(
                "image holds values that are not finite",
                where=str(files[0]),
                got=f"{bad} NaN or infinite voxels",
                expected="finite values",
                do="replace them (by -1024 outside the field of view, say)",
            )
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
    if path.is_dir():
        raise ImageError("a mask is one file, not a folder", where=str(path), expected="NIfTI, NRRD or MHA/MHD")
    image = read_volume(source_files(path))
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
