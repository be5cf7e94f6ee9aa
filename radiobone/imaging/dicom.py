"""One clean DICOM CT series: its files sorted by position, its geometry checked before it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError
from radiobone.imaging.itk import quiet_itk
from radiobone.imaging.volumes import Image

if TYPE_CHECKING:
    import SimpleITK as sitk

_POSITION, _ORIENTATION, _SERIES, _FRAMES = "0020|0032", "0020|0037", "0020|000e", "0028|0008"

GAP_TOLERANCE = 0.01
"""Largest deviation of a slice gap from their median, as a share of it."""

TILT_TOLERANCE_DEGREES = 0.1
"""Largest angle between the line of slice positions and the slice normal; more is a tilted gantry."""


@dataclass(frozen=True)
class _Slice:
    path: Path
    series: str
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(self.orientation[:3], self.orientation[3:])


def series_files(folder: Path) -> list[Path]:
    """List the DICOM files of a folder that holds one series and nothing else that is DICOM.

    Parameters
    ----------
    folder : Path
        The folder; its subfolders are not searched.

    Returns
    -------
    list of Path
        Sorted by name.

    Raises
    ------
    ImageError
        If there is no series, or more than one.
    """
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader
    with quiet_itk():
        found = reader.GetGDCMSeriesIDs(str(folder))
    if len(found) != 1:
        raise ImageError(
            f"folder holds {len(found)} DICOM series",
            where=str(folder),
            expected="one series",
            do="give each series a folder of its own, or a list of its files",
        )
    return sorted(Path(name) for name in reader.GetGDCMSeriesFileNames(str(folder), found[0]))


def read_series(files: list[Path]) -> Image:
    """Read the slices of one DICOM series, in any order, as one volume.

    Origin and spacing are rounded to single precision, in which NIfTI keeps them: so the same scan
    gives the same features from either format.

    Parameters
    ----------
    files : list of Path
        All slices of the series, at least two, one slice in each file.

    Returns
    -------
    Image
        HU, with slices in ascending order along their normal.

    Raises
    ------
    ImageError
        If a file is no DICOM slice, files belong to several series or orientations, slices are missing,
        doubled or uneven, or the gantry was tilted.
    """
    import SimpleITK as sitk

    slices = [_read_header(path) for path in files]
    where = str(files[0].parent)
    _check_one_stack(slices, where)
    normal = slices[0].normal
    slices.sort(key=lambda item: float(item.position @ normal))
    gap_mm = _check_gaps(slices, where)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(item.path) for item in slices])
    try:
        with quiet_itk():
            volume = Image.from_sitk(reader.Execute())
    except RuntimeError as error:
        raise ImageError(
            "DICOM slices cannot be decoded", where=where, got=" ".join(str(error).split())[-300:]
        ) from None
    _, dy, dx = volume.geometry.spacing_mm
    x, y, z = (float(np.float32(value)) for value in slices[0].position)
    geometry = replace(
        volume.geometry,
        spacing_mm=(float(np.float32(gap_mm)), float(np.float32(dy)), float(np.float32(dx))),
        origin_mm=(x, y, z),
    )
    return Image(volume.array, geometry)


def _read_header(path: Path) -> _Slice:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise ImageError("not a DICOM image", where=str(path)) from None
    frames = int(_tag(reader, _FRAMES, path, default="1"))
    if frames > 1:
        raise ImageError(
            "multi-frame DICOM is not read as a series",
            where=str(path),
            got=f"{frames} frames in one file",
            expected="one slice in each file",
            do="convert it to NIfTI",
        )
    return _Slice(
        path,
        _tag(reader, _SERIES, path),
        np.array([float(value) for value in _tag(reader, _POSITION, path).split("\\")]),
        np.array([float(value) for value in _tag(reader, _ORIENTATION, path).split("\\")]),
    )


def _tag(reader: sitk.ImageFileReader, tag: str, path: Path, default: str | None = None) -> str:
    if reader.HasMetaDataKey(tag):
        return str(reader.GetMetaData(tag)).strip()
    if default is None:
        raise ImageError(f"DICOM tag ({tag.replace('|', ',')}) is missing", where=str(path))
    return default


def _check_one_stack(slices: list[_Slice], where: str) -> None:
    if len(slices) < 2:
        raise ImageError("a DICOM series needs at least two slices", where=where, got=len(slices))
    if len({item.series for item in slices}) > 1:
        raise ImageError("files belong to several DICOM series", where=where, do="give the files of one series")
    turned = max(float(np.abs(item.orientation - slices[0].orientation).max()) for item in slices)
    if turned > 1e-4:
        raise ImageError(
            "slices have different orientations",
            where=where,
            got=f"direction cosines up to {turned:.3g} apart",
            expected="one orientation",
        )


def _check_gaps(slices: list[_Slice], where: str) -> float:
    """Return the distance of neighbouring slices in mm, or say what is wrong with it."""
    normal = slices[0].normal
    depth = np.array([float(item.position @ normal) for item in slices])
    gaps = np.diff(depth)
    usual = float(np.median(gaps))
    doubled = int(np.count_nonzero(gaps < 1e-3))
    if doubled:
        raise ImageError("slices are doubled", where=where, got=f"{doubled} slices at the place of another")
    uneven = np.flatnonzero(np.abs(gaps - usual) > GAP_TOLERANCE * usual)
    if uneven.size:
        first = int(uneven[0])
        raise ImageError(
            "slices are missing or unevenly spaced",
            where=f"{where}, between {slices[first].path.name} and {slices[first + 1].path.name}",
            got=f"{gaps[first]:.4g} mm",
            expected=f"{usual:.4g} mm",
            do="complete the series",
        )
    line = slices[-1].position - slices[0].position
    tilt = float(np.degrees(np.arccos(np.clip(line @ normal / np.linalg.norm(line), -1.0, 1.0))))
    if tilt > TILT_TOLERANCE_DEGREES:
        raise ImageError(
            "the gantry was tilted", where=where, got=f"{tilt:.2f}°", expected="slices stacked along their normal"
        )
    return float((depth[-1] - depth[0]) / (len(slices) - 1))
