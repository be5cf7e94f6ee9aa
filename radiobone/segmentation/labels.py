"""What a model's labels mean, and which values they get in a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ModelError, UsageError, VoiError
from radiobone.tables.level_names import find_level, name_levels
from radiobone.tables.vertebrae import VERTEBRAE
from radiobone.voi.schemes import TOTALSEGMENTATOR, VERSE, Scheme, find_scheme

AUTO, MODEL = "auto", "model"
"""Choose a known scheme that names all labels, if there is one; or keep the model's own values."""

SACRUM = "sacrum"


def names_levels(labels: Mapping[str, int]) -> bool:
    """Say whether a model tells vertebrae apart by name.

    Parameters
    ----------
    labels : mapping of str to int
        Names and values, without background.
    """
    return any(find_level(name) in VERTEBRAE for name in labels)


def instance_label(labels: Mapping[str, int]) -> str | None:
    """Return the one label that stands for every vertebra, or None if levels are named or there is no such label.

    Parameters
    ----------
    labels : mapping of str to int
        Names and values, without background. One that is not the sacrum must be left.
    """
    others = [name for name in labels if find_level(name) is None]
    return others[0] if len(others) == 1 and not names_levels(labels) else None


@dataclass(frozen=True)
class Values:
    """The values that a model's labels get.

    Parameters
    ----------
    scheme : Scheme
        Under which the mask is to be read.
    changed : mapping of int to int
        The model's value to the mask's.
    """

    scheme: Scheme
    changed: Mapping[int, int]

    def apply(self, array: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8 | np.uint16]:
        """Return a mask with its values changed; in place if they fit.

        Parameters
        ----------
        array : ndarray of shape (z, y, x)
            The model's values.
        """
        if all(old == new for old, new in self.changed.items()):
            return array
        kind = np.uint8 if max(self.changed.values()) < 256 and array.dtype == np.uint8 else np.uint16
        table = np.zeros(max(self.changed) + 1, dtype=kind)
        for old, new in self.changed.items():
            table[old] = new
        result = array if array.dtype == kind else np.empty(array.shape, dtype=kind)
        for plane, new_plane in zip(array, result, strict=True):
            new_plane[...] = table[plane]
        return result


def choose_values(labels: Mapping[str, int], scheme: str | Path) -> Values:
    """Choose the values of a mask.

    Parameters
    ----------
    labels : mapping of str to int
        Names and values, without background.
    scheme : str or Path
        ``auto`` (VerSe, else TotalSegmentator, if it has a value for every label, else the model's own values),
        ``model``, or what `radiobone.voi.schemes.find_scheme` takes.

    Raises
    ------
    UsageError
        If a scheme that was asked for lacks a label.
    ModelError
        If two labels mean one level.
    """
    levels = _levels(labels)
    own = Values(Scheme(MODEL, levels), {value: value for value in levels})
    if scheme == MODEL:
        return own
    if scheme == AUTO:
        fits = [known for known in (VERSE, TOTALSEGMENTATOR) if not _missing(levels, known)]
        return _values(levels, fits[0]) if fits else own
    known = find_scheme(scheme)
    missing = _missing(levels, known)
    if missing:
        raise UsageError(
            f"label scheme {known.name!r} has no value for some labels of the model",
            got=", ".join(missing),
            expected=f"a scheme with {', '.join(levels.values())}",
            do=f"use --scheme {MODEL}, which keeps the model's own values, or a YAML file of your own",
        )
    return _values(levels, known)


def scheme_file(scheme: Scheme) -> dict[str, object]:
    """Return the content of a scheme file for values that no shipped scheme names.

    Parameters
    ----------
    scheme : Scheme
        From `choose_values`.
    """
    return {"name": scheme.name, "labels": dict(sorted(scheme.labels.items()))}


def _levels(labels: Mapping[str, int]) -> dict[int, str]:
    """Return the level of each value."""
    try:
        return name_levels({value: name for name, value in labels.items()})
    except VoiError as error:
        raise ModelError(
            error.what.replace("of the mask", "of the model"),
            got=error.got,
            expected="a level for each label",
            do="tell them apart in dataset.json",
        ) from None


def _values(levels: Mapping[int, str], scheme: Scheme) -> Values:
    found = {value: scheme.value(level) for value, level in levels.items()}
    return Values(scheme, {value: new for value, new in found.items() if new is not None})


def _missing(levels: Mapping[int, str], scheme: Scheme) -> list[str]:
    return [level for level in levels.values() if scheme.value(level) is None]
