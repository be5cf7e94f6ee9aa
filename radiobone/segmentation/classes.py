"""What a network is to learn: one label for all vertebrae, or one for each level."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.segmentation.labels import SACRUM
from radiobone.tables.vertebrae import VERTEBRAE, level_order

VERTEBRA, WITH_SACRUM, LEVELS = "vertebra", "vertebra+sacrum", "levels"
KINDS = (VERTEBRA, WITH_SACRUM, LEVELS)

IGNORE = "ignore"
"""nnU-Net's name for voxels that teach nothing."""

_OF_SACRUM = (SACRUM, "S1")
"""S1 is a part of the sacrum and no vertebra that could be counted."""


@dataclass(frozen=True)
class Classes:
    """The labels of a network, and what they are made of.

    Parameters
    ----------
    labels : mapping of str to int
        Names and values, without background; values run from 1.
    parts : mapping of str to str
        Each level's label; other levels are background.
    ignored : bool
        Whether some voxels teach nothing.
    """

    labels: Mapping[str, int]
    parts: Mapping[str, str]
    ignored: bool

    @property
    def ignore_value(self) -> int:
        """The value of voxels that teach nothing: nnU-Net wants it above all others."""
        return len(self.labels) + 1

    def dataset_labels(self) -> dict[str, int]:
        """Return the labels as ``dataset.json`` wants them."""
        last = {IGNORE: self.ignore_value} if self.ignored else {}
        return {"background": 0, **self.labels, **last}

    def lookup(self, levels: Mapping[int, str | None], ignored: Collection[int] = ()) -> NDArray[np.uint8]:
        """Return a table from a mask's values to the network's.

        Parameters
        ----------
        levels : mapping of int to str or None
            Level of each value of the mask; None is background.
        ignored : collection of int
            Values of the mask that mean "not annotated".
        """
        table = np.zeros(max([0, *levels, *ignored]) + 1, dtype=np.uint8)
        for value, level in levels.items():
            if level is not None and level in self.parts:
                table[value] = self.labels[self.parts[level]]
        for value in ignored:
            table[value] = self.ignore_value
        return table


def check_kind(kind: str) -> str:
    """Return what is to be learned, or refuse what is not known.

    Parameters
    ----------
    kind : str
        ``vertebra``, ``vertebra+sacrum`` or ``levels``.

    Raises
    ------
    UsageError
        If it is none of these.
    """
    if kind not in KINDS:
        raise UsageError("no kind of labels", got=kind, expected=", ".join(KINDS))
    return kind


def label_of(kind: str, level: str, *, raw: bool = False) -> str | None:
    """Return the label that a level belongs to, or None if it is background.

    Parameters
    ----------
    kind : str
        What is to be learned.
    level : str
        A level of a mask.
    raw : bool, default False
        The masks' values have no names: every one of them is a vertebra.

    Examples
    --------
    >>> label_of("vertebra", "L1"), label_of("levels", "L1"), label_of("vertebra", "sacrum")
    ('vertebra', 'L1', None)
    """
    if raw:
        return VERTEBRA
    if level in _OF_SACRUM:
        return {VERTEBRA: None, WITH_SACRUM: SACRUM, LEVELS: level}[kind]
    if level in VERTEBRAE:
        return level if kind == LEVELS else VERTEBRA
    return None


def plan_classes(kind: str, levels: Iterable[str], *, ignored: bool, raw: bool = False) -> Classes:
    """Decide on the labels of a network.

    Parameters
    ----------
    kind : str
        ``vertebra``: one label for all vertebrae; ``vertebra+sacrum``: and one for the sacrum, from which levels
        can be counted; ``levels``: one for each level that is in any mask.
    levels : iterable of str
        All levels in all masks.
    ignored : bool
        Whether some voxels teach nothing.
    raw : bool, default False
        The masks' values have no names: every one of them is a vertebra.

    Raises
    ------
    UsageError
        If the masks hold nothing that could be learned.
    """
    if raw and kind != VERTEBRA:
        raise UsageError(
            f"values without names cannot be learned as {kind}",
            got="scheme raw",
            expected=f"--labels {VERTEBRA}, or a scheme that names levels",
        )
    found = sorted(set(levels), key=level_order)
    parts = {level: label for level in found if (label := label_of(kind, level, raw=raw)) is not None}
    wanted = list(dict.fromkeys(parts.values()))
    missing = [name for name in kind.split("+") if kind != LEVELS and name not in wanted]
    if missing or not wanted:
        raise UsageError(
            "the masks hold nothing to be learned as " + " and ".join(missing or [kind]),
            got=", ".join(found) or "no level",
            expected="vertebrae" + (" and the sacrum" if kind == WITH_SACRUM else ""),
            do="name the scheme (--scheme); 'raw' takes every label for a vertebra",
        )
    return Classes({name: value for value, name in enumerate(wanted, start=1)}, parts, ignored)
