"""The series of a folder: files of many kinds, sorted into stacks that can be read and things that cannot."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.acquisition import Acquisition, summarise
from radiobone.imaging.dicom.headers import Header, read_header
from radiobone.imaging.dicom.kinds import SCOUT, check_kind
from radiobone.imaging.dicom.stack import Slice, Stack, make_stack

SAME_PLANE_COSINE = np.cos(np.radians(20.0))
"""Slices of one UID whose normals are further apart are stacks of their own (a reformation beside its source);
below, they are one stack with mixed orientations, which is refused."""


@dataclass(frozen=True, eq=False)
class Series:
    """Files of one SeriesInstanceUID that belong together.

    Parameters
    ----------
    headers : tuple of Header
        Of its files, in the order of their paths.
    slices : tuple of Slice
        In no order; empty for what has no place in space.
    part : int
        Number of the stack, from 1, where one UID holds several; else 0.
    kind : str
        ``stack``, ``scout`` or ``other``.
    """

    headers: tuple[Header, ...]
    slices: tuple[Slice, ...]
    part: int = 0
    kind: str = "stack"

    @property
    def first(self) -> Header:
        """The header of the first file."""
        return self.headers[0]

    @property
    def files(self) -> list[Path]:
        """The files, in the order of their paths."""
        return [header.path for header in self.headers]

    @property
    def shares_files(self) -> bool:
        """Whether its files hold slices of other stacks as well, so that a list of them would not name it."""
        return len(self.slices) < sum(header.frames for header in self.headers)

    @property
    def name(self) -> str:
        """Number, kind and size: a name for messages that tells nothing of the patient."""
        number = "without number" if self.first.number is None else str(self.first.number)
        part = f", stack {self.part}" if self.part else ""
        what = self.kind if self.kind != "stack" else f"{self.first.modality or 'no modality'}"
        return f"series {number}{part} ({what}, {max(len(self.slices), len(self.headers))} slices)"

    def labelled(self, numbers: Mapping[Path, int]) -> Series:
        """Return the same series, whose files messages call by their number in the archive and not by their name.

        Parameters
        ----------
        numbers : mapping of Path to int
            Of each file of the archive.
        """
        headers = {
            header.path: replace(header, label=f"file {numbers[header.path]} of the archive by path")
            for header in self.headers
        }
        slices = tuple(Slice(headers[item.header.path], item.frame) for item in self.slices)
        return replace(self, headers=tuple(headers.values()), slices=slices)

    def notes(self) -> list[str]:
        """List what a user should know of the series, each thing once."""
        found = [note for header in self.headers for note in header.notes]
        return [*dict.fromkeys(found), *summarise([header.acquisition for header in self.headers])[1]]

    def acquisition(self) -> Acquisition:
        """Return how the series was acquired; the distance of slices where they are even."""
        one, _ = summarise([header.acquisition for header in self.headers])
        try:
            return replace(one, slice_spacing_mm=make_stack(self.slices, "").gap_mm)
        except ImageError:
            return one

    def stack(self, where: str) -> Stack:
        """Return the slices in order, or say why they cannot be read as one CT volume.

        Parameters
        ----------
        where : str
            The source, for messages.

        Raises
        ------
        ImageError
            If this is no CT, or a scout, or `make_stack` refuses it.
        """
        check_kind(self.headers, where)
        return make_stack(self.slices, where)


def dicom_files(folder: Path, *, recursive: bool = False) -> list[Path]:
    """List all files of a folder, in the order of their paths; whether they are DICOM is not looked at.

    Parameters
    ----------
    folder : Path
        The folder.
    recursive : bool, default False
        Whether its subfolders are searched, too. Links to folders are followed, but no folder is searched twice.

    Returns
    -------
    list of Path
        Links that lead nowhere are among them, and subfolders that cannot be opened: reading these fails, so that
        no scan vanishes unseen.
    """
    if not recursive:
        return sorted(filter(_may_be_read, folder.iterdir()))
    found: list[Path] = []
    closed: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for base, folders, names in os.walk(
        folder, followlinks=True, onerror=lambda error: closed.append(Path(error.filename))
    ):
        state = os.stat(base)
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders.sort()
        found += filter(_may_be_read, (Path(base) / name for name in names))
    return sorted([*found, *closed])


def _may_be_read(path: Path) -> bool:
    """Return whether this is a file or a link that leads nowhere; not a folder, a pipe or a device."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def find_series(folder: Path, *, recursive: bool = False) -> list[Series]:
    """Find all DICOM series of a folder, in which other files may lie.

    Parameters
    ----------
    folder : Path
        The folder.
    recursive : bool, default False
        Whether its subfolders are searched, too.

    Returns
    -------
    list of Series
        By the path of their first file; other kinds than CT as well.
    """
    headers = (read_header(path) for path in dicom_files(folder, recursive=recursive))
    return group_series(header for header in headers if header is not None)


def group_series(headers: Iterable[Header]) -> list[Series]:
    """Group files by SeriesInstanceUID, and what lies apart within one UID into stacks of their own.

    Patients are told apart even where their files share a UID, as those of bad anonymisers do. So are scouts,
    planes that are turned against each other by more than 20°, stacks of an enhanced file, and acquisitions,
    kernels or time points that lie in one place. Slices that are merely doubled are not.

    Parameters
    ----------
    headers : iterable of Header
        In any order.

    Returns
    -------
    list of Series
        By the path of their first file, then the largest stack first.
    """
    by_uid: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in sorted(headers, key=lambda item: item.path):
        by_uid[header.patient, header.series or _makeshift(header)].append(header)
    found = []
    for members in by_uid.values():
        parts = _parts(members)
        numbered = len([part for part in parts if part.kind == "stack"]) > 1
        found += [
            replace(part, part=number if numbered and part.kind == "stack" else 0)
            for number, part in enumerate(parts, start=1)
        ]
    return sorted(found, key=lambda item: (str(item.first.path), item.part))


def _makeshift(header: Header) -> str:
    """Name the series of a file that does not name it: anonymised exports may lack the UID."""
    told = (header.path.parent, header.study, header.frame_of_reference, header.modality, header.number)
    return "|".join(map(str, told))


def _parts(headers: Sequence[Header]) -> list[Series]:
    scouts = [header for header in headers if SCOUT in header.image_type]
    others = [header for header in headers if not header.planes and SCOUT not in header.image_type]
    placed = [header for header in headers if header.planes and SCOUT not in header.image_type]
    slices = [Slice(header, frame) for header in placed for frame in range(len(header.planes))]
    stacks = [_stack_series(part) for plane in _by_plane(slices) for part in _by_part(plane)]
    stacks.sort(key=lambda item: -len(item.slices))
    found = [*stacks]
    if others and stacks:
        # A damaged slice must not vanish from its series; a picture or report that tells no place may.
        broken = [header for header in others if header.fault]
        found[0] = replace(
            stacks[0], headers=tuple(sorted((*stacks[0].headers, *broken), key=lambda one: one.path))
        )
        others = [header for header in others if header not in broken]
    if others:
        found.append(Series(tuple(others), (), kind="other"))
    if scouts:
        found.append(Series(tuple(scouts), tuple(Slice(one) for one in scouts if one.planes), kind="scout"))
    return found


def _stack_series(slices: Sequence[Slice]) -> Series:
    headers = {item.header.path: item.header for item in slices}
    return Series(tuple(headers[path] for path in sorted(headers)), tuple(slices))


def _by_plane(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Split slices whose planes are clearly turned against each other, or that name several stacks."""
    groups: list[list[Slice]] = []
    for item in slices:
        for group in groups:
            same_stack = group[0].plane.stack == item.plane.stack
            if same_stack and abs(float(group[0].normal @ item.normal)) > SAME_PLANE_COSINE:
                group.append(item)
                break
        else:
            groups.append([item])
    return groups


def _by_part(slices: list[Slice]) -> list[list[Slice]]:
    """Split slices that lie in one place by what tells them apart, if each part is then free of doubles."""
    if not _doubles(slices):
        return [slices]
    keys: list[Callable[[Slice], str]] = [
        *(lambda item, place=place: item.header.part[place] for place in range(3)),
        lambda item: "|".join(item.header.image_type),
    ]
    for key in keys:
        groups: dict[str, list[Slice]] = defaultdict(list)
        for item in slices:
            groups[key(item)].append(item)
        if all(len(group) > 1 and not _doubles(group) for group in groups.values()):
            return list(groups.values())
    return [slices]


def _doubles(slices: Sequence[Slice]) -> bool:
    places = Counter(tuple(np.round(item.position, 3)) for item in slices)
    return len(places) < len(slices)
