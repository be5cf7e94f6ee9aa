"""Which form a mask has, and its reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.headers import is_dicom, read_header
from radiobone.imaging.masks.dicom_seg import read_seg
from radiobone.imaging.masks.folders import choose_files, label_files, read_folder
from radiobone.imaging.masks.label_maps import read_label_map
from radiobone.imaging.masks.references import MODALITIES, SEG
from radiobone.imaging.masks.rtstruct import read_rtstruct
from radiobone.imaging.masks.segments import Segments
from radiobone.imaging.masks.slicer import read_slicer, slicer_segments
from radiobone.imaging.volumes import Image, Mask
from radiobone.tables.level_names import find_level


def folder_files(files: Sequence[Path], wanted: Sequence[str], where: str) -> list[Path]:
    """Choose the files of a folder that a mask is read from.

    Parameters
    ----------
    files : sequence of Path
        Of the folder, or of a list.
    wanted : sequence of str
        Names of segments.
    where : str
        The folder, for messages.

    Returns
    -------
    list of Path
        A file for each label that is wanted; or the only multi-label file, SEG or RTSTRUCT.

    Raises
    ------
    ImageError
        If there is no mask, or more than one, or a link leads nowhere.
    """
    for path in files:
        if path.is_symlink() and not path.exists():
            raise ImageError(
                "a link in the folder leads nowhere", where=str(path), do="restore what it stands for"
            )
    files = sorted(path for path in files if path.is_file())
    labels = label_files(files)
    if _is_label_folder(labels, wanted):
        return list(choose_files(labels, wanted, where).values())
    found = list(labels) or [path for path in files if _modality(path) in MODALITIES]
    if len(found) != 1:
        raise ImageError(
            f"the folder holds {len(found) or 'no'} masks",
            where=where,
            got=f"{len(files)} files",
            expected="a file for each label (vertebrae_L1.nii.gz and so on), or one SEG or RTSTRUCT",
            do="give the file that is meant",
        )
    return found


def read_form(
    files: Sequence[Path], folder: bool, image: Image | None, wanted: Sequence[str], where: str
) -> Mask | Segments:
    """Read a mask of any form.

    Parameters
    ----------
    files : sequence of Path
        Existing files.
    folder : bool
        Whether they were found in a folder or a list: only there, a file's name names its label.
    image : Image or None
        The scan.
    wanted : sequence of str
        Names of segments.
    where : str
        The source, for messages.

    Returns
    -------
    Mask or Segments
        A label map as it is stored, or segments that may overlap.

    Raises
    ------
    ImageError, GeometryError
        If the mask cannot be used.
    """
    labels = label_files(files)
    if folder and _is_label_folder(labels, wanted):
        found = read_folder(choose_files(labels, wanted, where), where)
        # TotalSegmentator writes an empty file for each label that it did not find.
        full = [item for item in found.segments if wanted or item.mask.n_voxels]
        return Segments(full, found.geometry, found.notes)
    path = files[0]
    if is_dicom(path):
        return _read_dicom(path, image, wanted, where)
    listed = slicer_segments(path)
    return read_slicer(files, listed, wanted, where) if listed else read_label_map(files, wanted, where)


def is_stored_apart(files: Sequence[Path]) -> bool:
    """Say whether a form may keep only a box of its image, by custom.

    Parameters
    ----------
    files : sequence of Path
        Existing files.
    """
    return is_dicom(files[0]) or bool(slicer_segments(files[0]))


def _read_dicom(path: Path, image: Image | None, wanted: Sequence[str], where: str) -> Segments:
    header = read_header(path)
    modality = header.modality if header is not None else ""
    if header is not None and header.fault and not modality:
        raise ImageError("DICOM file is damaged or truncated", where=where, got=header.fault, do="copy it again")
    if modality not in MODALITIES:
        raise ImageError(
            "this DICOM file is no mask",
            where=where,
            got=f"modality {modality or 'not known'}",
            expected="SEG or RTSTRUCT",
        )
    reader = read_seg if modality == SEG else read_rtstruct
    try:
        return reader(path, image, wanted, where)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        # pydicom raises these for elements that are missing or hold something else than they should.
        raise ImageError(
            f"the {modality} is not as the DICOM standard wants it",
            where=where,
            got=f"an element that is missing or not valid ({type(error).__name__})",
            do="export it again",
        ) from None


def _modality(path: Path) -> str:
    header = read_header(path)
    return header.modality if header is not None else ""


def _is_label_folder(labels: dict[Path, str], wanted: Sequence[str]) -> bool:
    """Tell files of one label each from the one file of a multi-label mask."""
    asked = {name.strip().casefold() for name in wanted}
    return len(labels) > 1 or any(find_level(name) or name.casefold() in asked for name in labels.values())
