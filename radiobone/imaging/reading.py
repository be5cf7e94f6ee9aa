"""Reading images and masks of all kinds of files, always with full geometry.

The file's own pixel type is kept, since PyRadiomics rounds resampled values to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from radiobone.core.errors import ImageError
from radiobone.imaging.detached import detached_files
from radiobone.imaging.dicom import SeriesChoice, is_dicom, read_series, series_files
from radiobone.imaging.masks.forms import folder_files, is_stored_apart, read_form
from radiobone.imaging.masks.placing import place_on
from radiobone.imaging.masks.segments import Segments, check_filled, combine
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
        If a file is missing, a list is no text, a folder does not hold one DICOM series, or the voxels of an image
        are spread in a way that is not read (see `detached_files`).
    """
    if not isinstance(source, Path):
        files = list(source)
    elif source.is_dir():
        return series_files(source, SeriesChoice(series) if series else None)
    elif source.suffix.casefold() == ".txt" and source.is_file():
        files = _listed(source)
    else:
        files = [source, *detached_files(source)]
    for path, label in zip(files, _labels(source, files) or [""] * len(files), strict=True):
        if not path.is_file():
            raise ImageError(
                "file not found", where=f"{source}, {label}" if label else str(path), do="check the path"
            )
    return files


def _listed(source: Path) -> list[Path]:
    """Read a list of files."""
    try:
        # Editors on Windows put a mark before the first line.
        lines = [line.strip() for line in source.read_text("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise ImageError(
            "the list of files is no text in UTF-8", where=str(source), do="save it as UTF-8"
        ) from None
    files = [source.parent / line for line in lines if line]
    if not files:
        raise ImageError("the list of files is empty", where=str(source), expected="one file on each line")
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


def mask_files(source: Path, segments: Sequence[str] = ()) -> list[Path]:
    """List the files that a mask is read from.

    Parameters
    ----------
    source : Path
        As `read_mask` takes it.
    segments : sequence of str
        Which segments are wanted.

    Returns
    -------
    list of Path
        Each exists.

    Raises
    ------
    ImageError
        If a file is missing, or a folder holds no mask.
    """
    return _open_mask(source, segments)[0]


def _open_mask(source: Path, segments: Sequence[str]) -> tuple[list[Path], bool]:
    """Return the files of a mask, and whether they were found in a folder or a list of several."""
    if source.is_dir():
        return folder_files(list(source.iterdir()), segments, str(source)), True
    files = source_files(source)
    if source in files or len(files) == 1:
        return files, False
    return folder_files(files, segments, str(source)), True


def read_mask(
    source: Path, image: Image | None = None, segments: Sequence[str] = (), *, may_be_empty: bool = False
) -> Mask:
    """Read a mask as a label map, with the names of its labels where its files carry them.

    Parameters
    ----------
    source : Path
        One of these:

        - a NIfTI, NRRD or MHA/MHD file with whole numbers, of float type or not;
        - a segmentation of 3D Slicer (``.seg.nrrd``);
        - a DICOM SEG or RTSTRUCT, or a folder that holds one;
        - a folder with a file for each label, as TotalSegmentator writes it;
        - a ``.txt`` that lists a file, or the label files, as in `source_files`.
    image : Image, optional
        The scan that it belongs to: needed for an RTSTRUCT; used to check which series a SEG or RTSTRUCT was drawn
        on, and to put voxels in their places, whatever order of axes they are stored in. A SEG and a ``.seg.nrrd``
        may hold a box of the image; any other form must hold as many voxels as the image for that.
    segments : sequence of str
        Names of the segments that are read, or levels that these mean. By default those whose names mean levels,
        and all where there is no such name.
    may_be_empty : bool, default False
        Take a mask without any label, or without one in a segment that is wanted, for what it is.

    Returns
    -------
    Mask
        On the image's grid if its voxels are voxels of the image; else on its own grid.

    Raises
    ------
    ImageError
        If a file is missing, truncated, not 3D, not scalar, only background, or holds values that are no labels
        (negative or not whole); or segments are missing or overlap.
    GeometryError
        If a SEG or RTSTRUCT refers to another series, or contours do not lie in the image's slices.
    """
    files, folder = _open_mask(source, segments)
    found = read_form(files, folder, image, segments, str(source))
    mask = combine(found, str(source), segments) if isinstance(found, Segments) else found
    if not may_be_empty:
        check_filled(mask, segments, str(source))
    return mask if image is None else place_on(image.geometry, mask, boxed=is_stored_apart(files))
