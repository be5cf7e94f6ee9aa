"""Names of levels for a mask that has one label for all vertebrae: counted from one that is known, never guessed.

Nothing but the order along the spine is used: vertebrae look alike, and a name read from their look or their HU
would be wrong in just those patients who matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from radiobone.core.errors import UsageError, VoiError
from radiobone.core.words import counted
from radiobone.imaging import Mask
from radiobone.segmentation.instances import Instance, find_instances
from radiobone.tables.vertebrae import VARIANTS, VERTEBRAE
from radiobone.voi.schemes import VERSE, Scheme

GAP_SHARE, DOUBLE_SHARE = 1.6, 0.6
"""Neighbours farther apart than this multiple of the steps beside them lack one between; closer than this, one
vertebra came apart. Real steps grow by about a tenth from one level to the next."""


_LOOK = "segment this scan alone with --scheme model and without an anchor, to look at its unnamed mask"


@dataclass(frozen=True)
class Anchor:
    """The vertebra that is known.

    Parameters
    ----------
    end : {"lowest", "highest"}
        Which vertebra of the mask, one that the image's border cuts included; but a sliver, less than a tenth of
        the others, is no vertebra.
    level : str
        Its name.
    """

    end: Literal["lowest", "highest"]
    level: str

    def __str__(self) -> str:
        return f"{self.end}={self.level}"


@dataclass(frozen=True, eq=False)
class Named:
    """A mask with named levels.

    Parameters
    ----------
    mask : Mask
        Values as the scheme has them.
    levels : tuple of str
        From head to foot.
    notes : tuple of str
        What was assumed or left out.
    """

    mask: Mask
    levels: tuple[str, ...]
    notes: tuple[str, ...]


def parse_anchor(text: str) -> Anchor:
    """Read an anchor such as ``lowest=L5`` or ``highest=T12``.

    Parameters
    ----------
    text : str
        The anchor.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> parse_anchor("lowest = l5")
    Anchor(end='lowest', level='L5')
    """
    end, _, level = (part.strip() for part in text.partition("="))
    name = level.upper()
    if end.casefold() == "lowest" and name in VERTEBRAE:
        return Anchor("lowest", name)
    if end.casefold() == "highest" and name in VERTEBRAE:
        return Anchor("highest", name)
    raise UsageError("no anchor", got=text, expected="lowest or highest, and a vertebra, such as lowest=L5")


def name_levels(
    mask: Mask, anchor: Anchor | None, *, label: int = 1, sacrum: int | None = None, scheme: Scheme = VERSE
) -> Named:
    """Part the vertebrae of a mask, order them along the spine, and name them from one that is known.

    Parameters
    ----------
    mask : Mask
        A label map, as a model with one class for all vertebrae gives it.
    anchor : Anchor or None
        The vertebra that is known; None takes the vertebra above the sacrum for L5.
    label : int, default 1
        The label of all vertebrae.
    sacrum : int, optional
        The label of the sacrum, if the model has one.
    scheme : Scheme, default VERSE
        Values of the named mask.

    Returns
    -------
    Named
        Levels and, where there is one, the sacrum; all other labels are left out.

    Raises
    ------
    VoiError
        If there is no vertebra, nothing to count from, too few names above or below the anchor, the steps along
        the spine show that one is missing or came apart, or the scheme has no value for a level.
    """
    instances, left_out = find_instances(mask, label)
    if not instances:
        raise VoiError("there is no vertebra to be named", got="only background", expected=f"label {label}")
    base = mask.select(sacrum) if sacrum is not None else None
    base = base if base is not None and base.n_voxels else None
    notes = []
    if left_out:
        told = ", ".join(f"{volume:.2g}" for volume in left_out[:5])
        notes.append(f"{counted(len(left_out), 'piece')} too small for a vertebra left out ({told} ml)")
    if anchor is None:
        anchor = _above_sacrum(instances, base)
        notes.append("the vertebra above the sacrum taken for L5, as where there are five lumbar ones")
    end = instances[-1 if anchor.end == "lowest" else 0]
    if end.is_cut():
        notes.append(
            f"the {anchor.end} vertebra, taken for {anchor.level}, is cut by the image's border: a sliver of the "
            "next one is not counted"
        )
    _check_steps(instances)
    levels = _count(len(instances), anchor)
    parts = {level: item.mask for level, item in zip(levels, instances, strict=True)}
    if base is not None:
        parts["sacrum"] = base
    return Named(_paint(mask, parts, scheme), levels, tuple(notes))


def _above_sacrum(instances: list[Instance], base: Mask | None) -> Anchor:
    if base is None:
        raise VoiError(
            "no vertebra is known to count from",
            got=f"{len(instances)} vertebrae, and no sacrum",
            expected="an anchor, or a sacrum",
            do="name one: --anchor lowest=L5, say, or a column 'anchor' in the cohort table",
        )
    top = float(base.geometry.world(np.argwhere(base.array) + base.offset)[:, 2].max())
    if instances[-1].height_mm < top - 30.0:
        raise VoiError(
            "a vertebra lies below the top of the sacrum",
            got=f"its middle {top - instances[-1].height_mm:.0f} mm lower",
            expected="all vertebrae above the sacrum",
            do=f"give an anchor; {_LOOK}",
        )
    return Anchor("lowest", "L5")


def _check_steps(instances: list[Instance]) -> None:
    """Refuse a row in which one is missing or came apart: every name beyond it would be wrong."""
    steps = [float(np.linalg.norm(one.centroid_mm - other.centroid_mm)) for one, other in pairwise(instances)]
    # The halves of one vertebra make the steps beside them long, so that they are looked for first.
    for what in ("to have come apart", "to be missing"):
        for place, step in enumerate(steps):
            beside = [steps[near] for near in (place - 1, place + 1) if 0 <= near < len(steps)]
            cut = instances[place].is_cut() or instances[place + 1].is_cut()
            if what == "to be missing":
                wrong = bool(beside) and step > GAP_SHARE * max(beside)
            else:
                usual = min(*beside, float(np.median(steps))) if beside else 0.0
                wrong = step < DOUBLE_SHARE * usual and not cut
            if wrong:
                raise VoiError(
                    f"a vertebra seems {what}",
                    where=f"between vertebrae {place + 1} and {place + 2} of {len(instances)}, from the head",
                    got=f"a step of {step:.0f} mm beside {', '.join(f'{near:.0f}' for near in beside)} mm",
                    expected="even steps: names beyond an uneven one would be wrong",
                    do=f"{_LOOK}; correct it by hand, or use a model that names levels",
                )


def _count(number: int, anchor: Anchor) -> tuple[str, ...]:
    """Return the names of so many vertebrae, from head to foot; a variant only if it is the anchor."""
    names = [name for name in VERTEBRAE if name not in VARIANTS or name == anchor.level]
    place = names.index(anchor.level)
    start = place - number + 1 if anchor.end == "lowest" else place
    if start < 0 or start + number > len(names):
        raise VoiError(
            "there are more vertebrae than names",
            got=f"{number} vertebrae, {anchor}",
            expected=f"up to {place + 1 if anchor.end == 'lowest' else len(names) - place}",
            do=f"check the anchor; {_LOOK}",
        )
    return tuple(names[start : start + number])


def _paint(mask: Mask, parts: dict[str, Mask], scheme: Scheme) -> Mask:
    values = {level: scheme.value(level) for level in parts}
    missing = [level for level, value in values.items() if value is None]
    if missing:
        raise VoiError(
            f"label scheme {scheme.name!r} has no value for some levels",
            got=", ".join(missing),
            do="check the anchor, or use --scheme verse, which names all vertebrae",
        )
    numbers = [value for value in values.values() if value is not None]
    array = np.zeros(mask.geometry.shape, dtype=np.uint8 if max(numbers) < 256 else np.uint16)
    for value, part in zip(numbers, parts.values(), strict=True):
        array[part.box][part.array] = value
    return Mask(array, mask.geometry)
