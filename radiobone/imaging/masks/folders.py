"""Folders with a file for each label, as TotalSegmentator writes them (``vertebrae_L1.nii.gz`` and so on)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from radiobone.core.errors import GeometryError, ImageError
from radiobone.imaging.geometry import Geometry, differences
from radiobone.imaging.masks.label_maps import as_labels
from radiobone.imaging.masks.segments import Segment, Segments, choose_segments
from radiobone.imaging.volume_files import read_volume
from radiobone.imaging.volumes import Mask
from radiobone.tables.level_names import TOTALSEGMENTATOR_LABELS, find_level

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")

FIRST_OTHER_VALUE = 118
"""Labels that TotalSegmentator does not number as levels get values above all of its own, by their names."""

_VALUES = {level: value for value, level in TOTALSEGMENTATOR_LABELS.items()}


def label_files(files: Iterable[Path]) -> dict[Path, str]:
    """Return the image files among others, with the names of their labels.

    Parameters
    ----------
    files : iterable of Path
        Of a folder, or of a list.

    Returns
    -------
    dict of Path to str
        File to its name without suffix, in the order of names.
    """
    found = {}
    for path in sorted(files):
        suffix = next((suffix for suffix in SUFFIXES if path.name.casefold().endswith(suffix)), None)
        if suffix and not path.name.startswith("."):
            found[path] = path.name[: -len(suffix)]
    return found


def choose_files(files: dict[Path, str], wanted: Sequence[str], where: str) -> dict[int, Path]:
    """Choose the files of a folder that are read, with the values of their labels.

    Parameters
    ----------
    files : dict of Path to str
        From `label_files`.
    wanted : sequence of str
        Names (see `choose_segments`).
    where : str
        The folder, for messages.

    Returns
    -------
    dict of int to Path
        By label value: that of the scheme ``totalsegmentator`` for its levels, 118 and up for all else.

    Raises
    ------
    ImageError
        If a name that is wanted is there not once, or two files hold one label.
    """
    _check_twins(files, wanted, where)
    values, other = {}, FIRST_OTHER_VALUE
    for path, name in files.items():
        level = find_level(name)
        value = _VALUES.get(level) if level else None
        if value is None or value in values:
            value, other = other, other + 1
        values[value] = path
    chosen = choose_segments({value: files[path] for value, path in values.items()}, wanted, where)
    return {value: values[value] for value in chosen}


def _check_twins(files: dict[Path, str], wanted: Sequence[str], where: str) -> None:
    """Refuse two files of one label, such as a compressed one beside its original."""
    seen: dict[str, Path] = {}
    for path, name in files.items():
        # Of two files that mean one level, such as T12 and vertebrae_T12, one may be asked for by its name.
        label = name.casefold() if wanted else find_level(name) or name.casefold()
        if label in seen:
            raise ImageError(
                "two files of the folder hold one label",
                where=where,
                got=f"{seen[label].name} and {path.name}",
                expected="one file for each label",
                do="leave one of them in the folder",
            )
        seen[label] = path


def read_folder(files: dict[int, Path], where: str) -> Segments:
    """Read a file for each label.

    Parameters
    ----------
    files : dict of int to Path
        From `choose_files`.
    where : str
        The folder, for messages.

    Returns
    -------
    Segments
        On the grid that all files share. TotalSegmentator writes empty files for what it did not find, so that
        these are left out without a note.

    Raises
    ------
    ImageError
        If a file cannot be read, or holds more than one label.
    GeometryError
        If the files do not lie on one grid.
    """
    segments: list[Segment] = []
    grid: Geometry | None = None
    first = ""
    for value, path in files.items():
        place = f"{where}, {path.name}"
        image = read_volume([path])
        labels = as_labels(image.array, place)
        mask = Mask(labels, image.geometry).tight()
        if len(mask.labels()) > 1:
            raise ImageError(
                "a file of one label holds several",
                where=place,
                got=f"labels {', '.join(map(str, mask.labels()[:8]))}",
                expected="0 and 1",
                do="give a multi-label file itself as the mask, not its folder",
            )
        if grid is None:
            grid, first = image.geometry, path.name
        different = differences(grid, image.geometry)
        if different:
            raise GeometryError(
                "the label files of a folder do not lie on one grid",
                where=place,
                got=f"{'; '.join(different)} ({first}, {path.name})",
                expected="one grid",
                do="give the files that were made from one scan",
            )
        name = label_files([path])[path]
        segments.append(Segment(value, name, Mask(mask.array != 0, grid, mask.offset)))
    if grid is None:
        raise ImageError("the folder holds no label files", where=where, expected="such as vertebrae_L1.nii.gz")
    return Segments(segments, grid)
