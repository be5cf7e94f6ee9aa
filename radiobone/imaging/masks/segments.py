"""Segments with names: which of a file are wanted, and how they become one label map."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radiobone.core.config import nearest
from radiobone.core.errors import ImageError
from radiobone.imaging.geometry import Geometry
from radiobone.imaging.volumes import Mask, relative, union
from radiobone.tables.level_names import find_level

SHARED_SHARE = 0.01
"""Segments that share a larger part of the smaller one overlap; what less is shared belongs to neither."""

SHOWN = 30


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment of a file.

    Parameters
    ----------
    value : int
        Its label value.
    name : str
        What the file calls it.
    mask : Mask
        Boolean, in its tight box; of size 0 if the segment is empty.
    """

    value: int
    name: str
    mask: Mask


@dataclass(frozen=True, eq=False)
class Segments:
    """What was read of a file with segments.

    Parameters
    ----------
    segments : list of Segment
        Those that were chosen.
    geometry : Geometry
        The grid that all of them lie on.
    notes : tuple of str
        What was decided while they were read.
    """

    segments: list[Segment]
    geometry: Geometry
    notes: tuple[str, ...] = ()


def numbered_names(pairs: Iterable[tuple[int, str]], kind: str, where: str) -> dict[int, str]:
    """Return the names of segments by their numbers; one without a name gets its number for one.

    Parameters
    ----------
    pairs : iterable of tuple
        Number and name of each segment of a file.
    kind : str
        What the file calls a segment, for names and messages.
    where : str
        The file, for messages.

    Returns
    -------
    dict of int to str
        At least one.

    Raises
    ------
    ImageError
        If there is none, or two have one number.
    """
    names: dict[int, str] = {}
    for number, name in pairs:
        if number in names:
            raise ImageError(
                f"two {kind}s have one number",
                where=where,
                got=f"number {number} for {names[number]!r} and {name!r}",
                expected=f"one {kind} of each number",
                do="export it again",
            )
        names[number] = name or f"{kind} {number}"
    if not names:
        raise ImageError(f"the file describes no {kind}s", where=where, do="check whether the file is whole")
    return names


def choose_segments(names: Mapping[int, str], wanted: Sequence[str], where: str) -> dict[int, str]:
    """Choose the segments of a file that are read.

    Parameters
    ----------
    names : mapping of int to str
        All segments, by label value.
    wanted : sequence of str
        Names, or levels that they mean. If none are given, the segments whose names mean levels are taken, and all
        where there is no such name: so an outline of the body, or the organs of a whole scan, do not get in the
        way of vertebrae.
    where : str
        The file, for messages.

    Returns
    -------
    dict of int to str
        Those chosen.

    Raises
    ------
    ImageError
        If a name that is wanted is there not once.
    """
    if not wanted:
        return {value: name for value, name in names.items() if find_level(name)} or dict(names)
    chosen = {}
    for asked in wanted:
        key = asked.strip().casefold()
        found = [value for value, name in names.items() if name.strip().casefold() == key]
        found = found or [value for value, name in names.items() if (find_level(name) or "").casefold() == key]
        if len(found) != 1:
            raise ImageError(
                f"the mask has several segments named {asked!r}"
                if found
                else f"the mask has no segment named {asked!r}{nearest(asked, list(names.values()))}",
                where=where,
                got=_listed(list(names.values())),
                expected="one segment of each name that is asked for",
                do="name the segments as the file does",
            )
        chosen[found[0]] = names[found[0]]
    return chosen


def gap_notes(slices: Iterable[int], name: str) -> list[str]:
    """Note slices without anything of a segment that goes on beyond them, as where it was drawn on thicker ones.

    Parameters
    ----------
    slices : iterable of int
        Numbers of the slices that hold something.
    name : str
        The segment, for the note.
    """
    held = {*slices}
    missing = max(held) - min(held) + 1 - len(held) if held else 0
    return [f"{name}: nothing in {missing} slices between its first and its last one"] if missing else []


def combine(found: Segments, where: str, wanted: Sequence[str] = ()) -> Mask:
    """Put segments into one label map.

    Voxels that two segments share are given to neither of them and counted in a note, as where neighbours touch in
    a joint; segments that share more than a hundredth of the smaller one overlap, and are refused.

    Parameters
    ----------
    found : Segments
        The segments.
    where : str
        The file, for messages.
    wanted : sequence of str
        The names that were asked for.

    Returns
    -------
    Mask
        In the smallest box that holds all segments, with their names, those of empty ones that were asked for
        among them; an empty segment is noted.

    Raises
    ------
    ImageError
        If segments overlap.
    """
    full = [segment for segment in found.segments if segment.mask.n_voxels]
    empty = [segment.name for segment in found.segments if not segment.mask.n_voxels]
    names = {segment.value: segment.name for segment in (found.segments if wanted or not full else full)}
    if not full:
        return Mask(np.zeros((1, 1, 1), dtype=np.uint8), found.geometry, names=names, notes=tuple(found.notes))
    box = functools.reduce(union, (segment.mask.box for segment in full))
    highest = max(segment.value for segment in full)
    array = np.zeros([part.stop - part.start for part in box], dtype=np.min_scalar_type(highest))
    held, shared = np.zeros(array.shape, dtype=bool), np.zeros(array.shape, dtype=bool)
    for segment in full:
        place, own = relative(segment.mask.box, box), segment.mask.array
        shared[place] |= own & held[place]
        held[place] |= own
        array[place][own] = segment.value
    notes = [*found.notes]
    if shared.any():
        notes.append(_overlap_note(full, where))
        array[shared] = 0
    if empty:
        notes.append(f"segments without a voxel: {', '.join(map(repr, empty))}")
    z, y, x = (part.start for part in box)
    return Mask(array, found.geometry, (z, y, x), names, tuple(notes))


def check_filled(mask: Mask, wanted: Sequence[str], where: str) -> None:
    """Refuse a mask without labels, or without those that were asked for.

    Parameters
    ----------
    mask : Mask
        As it was read.
    wanted : sequence of str
        The names that were asked for: none of them may be empty.
    where : str
        The file, for messages.

    Raises
    ------
    ImageError
        If it, or one of them, is empty.
    """
    filled = bool(mask.array.any())
    if filled and not wanted:
        return
    present = mask.labels()
    empty = [name for value, name in mask.names.items() if value not in present]
    if not filled or empty:
        raise ImageError(
            "a segment that was asked for is empty" if filled else "mask is empty",
            where=where,
            got=f"no voxel in {_listed(empty)}" if empty else "only background",
            expected="at least one voxel in each segment" if filled else "at least one label",
            do="check that the right file was given, and exported whole",
        )


def _overlap_note(segments: Sequence[Segment], where: str) -> str:
    """Describe shared voxels, or refuse segments that overlap."""
    pairs = []
    for pair in itertools.combinations(segments, 2):
        smaller, larger = sorted((item.mask for item in pair), key=lambda mask: mask.array.size)
        count = int(np.count_nonzero(smaller.array & larger.within(smaller.box)))
        if count:
            pairs.append((*pair, count))
    told = "; ".join(
        f"{one.name!r} and {other.name!r} share {count} voxels" for one, other, count in pairs[:SHOWN]
    )
    for one, other, count in pairs:
        if count > SHARED_SHARE * min(one.mask.n_voxels, other.mask.n_voxels):
            raise ImageError(
                "segments overlap, and one label map cannot hold them all",
                where=where,
                got=f"{told} ({one.name!r} has {one.mask.n_voxels}, {other.name!r} {other.mask.n_voxels})",
                expected=f"segments that share at most {SHARED_SHARE:.0%} of the smaller one",
                do="choose segments that do not overlap by name (column segments of the cohort, or --segments)",
            )
    return f"voxels that two segments share were given to neither: {told}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:SHOWN]))
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown or "no segments"
