"""A DICOM series as one volume in HU."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from radiobone.core.errors import ImageError, RadioboneWarning
from radiobone.imaging.dicom.choice import SeriesChoice, listing
from radiobone.imaging.dicom.headers import Header, read_header
from radiobone.imaging.dicom.kinds import check_kind, check_whole, not_hu
from radiobone.imaging.dicom.pixels import read_voxels
from radiobone.imaging.dicom.series import find_series
from radiobone.imaging.dicom.stack import Slice, Stack, make_stack
from radiobone.imaging.dicom.tilt import straighten
from radiobone.imaging.geometry import Geometry
from radiobone.imaging.volumes import Image


def series_files(folder: Path, choice: SeriesChoice | None = None) -> list[Path]:
    """List the DICOM files of one series of a folder.

    Parameters
    ----------
    folder : Path
        The folder; its subfolders are not searched.
    choice : SeriesChoice, optional
        Which series, where several lie mixed. Without it, the folder must hold one series and nothing else that is
        DICOM: nothing is chosen silently.

    Returns
    -------
    list of Path
        Sorted by name.

    Raises
    ------
    ImageError
        If there is no series, not one that is meant, or not in files of its own, or a file cannot be read that may
        be one of its slices.
    """
    found = find_series(folder)
    # A file that does not even tell its series may be a slice of any.
    check_whole((header for series in found for header in series.headers if not header.series), str(folder))
    if choice is not None:
        chosen = choice.choose(found, str(folder))
        check_whole(chosen.headers, str(folder))
        if chosen.shares_files:
            raise ImageError(
                "the series lies in one file with other stacks of slices",
                where=f"{folder}, {chosen.first.name}",
                got=listing(found),
                expected="a file of its own",
                do="let `radiobone import` write each of them as NIfTI",
            )
        return chosen.files
    several = {series.first.series for series in found}
    if len(several) != 1:
        choose = "choose one (by --series, or the column series of a cohort: largest, a number, or words of its "
        raise ImageError(
            f"folder holds {len(several)} DICOM series",
            where=str(folder),
            got=listing(found),
            expected="one series",
            do=f"{choose}description), or give a list of its files"
            if several
            else "give the folder that holds the slices itself; `radiobone import` looks in subfolders, too",
        )
    return sorted({path for series in found for path in series.files})


def read_series(files: Sequence[Path], *, where: str = "", labels: Sequence[str] = ()) -> Image:
    """Read the slices of one DICOM series, in any order, as one volume.

    Origin and spacing are rounded to single precision, in which NIfTI keeps them: so the same scan
    gives the same features from either format.

    Parameters
    ----------
    files : sequence of Path
        All slices of the series: at least two, in files of their own or in one enhanced multi-frame file.
    where : str, optional
        The source, for messages; by default the folder of the first file.
    labels : sequence of str, optional
        What messages call the files; by default their names.

    Returns
    -------
    Image
        HU, with slices in ascending order along their normal, in the smallest of int16, int32 and float64 that
        holds each value exactly. Each slice is rescaled by its own slope and intercept.

    Raises
    ------
    ImageError
        If a file is no DICOM slice of a CT or is truncated, files belong to several series or orientations, slices
        are missing, doubled or uneven, the gantry was tilted, or a slice cannot be decoded.
    """
    where = where or str(files[0].parent)
    headers = [_header(path, label, where) for path, label in zip(files, labels or [""] * len(files), strict=True)]
    check_whole(headers, where)
    if len({header.series for header in headers}) > 1:
        raise ImageError("files belong to several DICOM series", where=where, do="give the files of one series")
    if len({header.patient for header in headers}) > 1:
        raise ImageError(
            "files of one DICOM series belong to several patients", where=where, do="give the files of one patient"
        )
    check_kind(headers, where)
    stack = make_stack([Slice(header, frame) for header in headers for frame in range(header.frames)], where)
    if stack.is_tilted:
        raise tilted(stack, where)
    reason = not_hu(headers)
    if reason:
        warnings.warn(RadioboneWarning(f"{where}: values may not be HU ({reason})"), stacklevel=2)
    return Image(read_voxels(stack.slices, where), _geometry(stack), headers[0].series)


def read_stack(stack: Stack, where: str) -> tuple[Image, list[str]]:
    """Read a checked stack; slices of a tilted gantry are resampled onto an orthogonal grid.

    Parameters
    ----------
    stack : Stack
        From `make_stack`.
    where : str
        The source, for messages.

    Returns
    -------
    Image
        As `read_series` gives it.
    list of str
        What was done to it: nothing, or the resampling.

    Raises
    ------
    ImageError
        If a slice cannot be decoded.
    """
    image = Image(read_voxels(stack.slices, where), _geometry(stack))
    if not stack.is_tilted:
        return image, []
    image, note = straighten(image, stack)
    return image, [note]


def tilted(stack: Stack, where: str) -> ImageError:
    """Return the error that tells of a tilted gantry.

    Parameters
    ----------
    stack : Stack
        The slices.
    where : str
        The source.
    """
    return ImageError(
        "the gantry was tilted",
        where=where,
        got=f"{stack.tilt_degrees:.2f}°",
        expected="slices stacked along their normal",
        do="resample the series by `radiobone import --fix-tilt`",
    )


def _header(path: Path, label: str, where: str) -> Header:
    header = read_header(path)
    if header is None:
        raise ImageError("not a DICOM image", where=f"{where}, {label or path.name}")
    return replace(header, label=label)


def _geometry(stack: Stack) -> Geometry:
    """Return the grid that the slices fill, or would fill without tilt."""
    first = stack.slices[0]
    along = np.array(first.plane.orientation)
    # Headers give cosines in few digits: the row is made orthogonal to the column, as ITK does.
    column, normal = along[3:] / np.linalg.norm(along[3:]), first.normal
    direction = np.stack([np.cross(column, normal), column, normal], axis=1)
    x, y, z = (float(np.float32(value)) for value in first.plane.position)
    dy, dx = first.plane.spacing_mm
    return Geometry(
        (len(stack.slices), *first.header.size),
        (float(np.float32(stack.gap_mm)), float(np.float32(dy)), float(np.float32(dx))),
        (x, y, z),
        tuple(float(value) for value in direction.ravel()),
    )
