"""Label schemes: which label value of a mask is which level.

The value tables were read from the source of TotalSegmentator 2 (task ``total``) and from the description of
the VerSe data set. They overlap from 20 to 28, so a mask's values alone rarely say which scheme was used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import StrictInt, field_validator

from radiobone.core.config import FileModel, nearest, read_yaml, validate
from radiobone.core.errors import ConfigError, VoiError
from radiobone.imaging import Mask
from radiobone.tables.level_names import TOTALSEGMENTATOR_LABELS, name_levels
from radiobone.tables.vertebrae import VERTEBRAE
from radiobone.voi.spine import Spine, centroid_mm, find_labels, take_label

AUTO = "auto"
"""The name that asks for the names in the mask's file, or for :func:`detect_scheme` where there are none."""

NAMED = "named"
"""The name of a scheme made from the names in a mask's file."""

_RAW_LEVEL = re.compile(r"label_([1-9][0-9]*)")
_LEVEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Scheme:
    """What the label values of a mask mean.

    Parameters
    ----------
    name : str
        The scheme's name.
    labels : mapping of int to str
        Label value to level; values that are not listed are ignored.
    raw : bool, default False
        Every value is a level of its own, ``label_<value>``.
    """

    name: str
    labels: Mapping[int, str]
    raw: bool = False

    def level(self, value: int) -> str | None:
        """Return the level of a label value, or None if the scheme does not name it.

        Parameters
        ----------
        value : int
            The label value.

        Returns
        -------
        str or None
            The level.
        """
        return f"label_{value}" if self.raw else self.labels.get(value)

    def value(self, level: str) -> int | None:
        """Return the label value of a level, or None if the scheme does not know the level.

        Parameters
        ----------
        level : str
            The level.

        Returns
        -------
        int or None
            The label value.
        """
        if self.raw:
            match = _RAW_LEVEL.fullmatch(level)
            return int(match.group(1)) if match else None
        return next((value for value, name in self.labels.items() if name == level), None)

    def describe(self, values: list[int]) -> str:
        """Return label values with their levels as text, such as ``22 (L3), 99 (not named)``.

        Parameters
        ----------
        values : list of int
            Label values.

        Returns
        -------
        str
            The text; ``none`` for no values.
        """
        return ", ".join(f"{value} ({self.level(value) or 'not named'})" for value in values) or "none"


def _vertebrae(first: str, last: str) -> tuple[str, ...]:
    return VERTEBRAE[VERTEBRAE.index(first) : VERTEBRAE.index(last) + 1]


TOTALSEGMENTATOR = Scheme("totalsegmentator", TOTALSEGMENTATOR_LABELS)
"""TotalSegmentator 2, task ``total``: 25 sacrum, 26 S1, 27 L5 and so on up to 50 C1."""

VERSE = Scheme(
    "verse",
    {
        **{1 + place: level for place, level in enumerate(_vertebrae("C1", "T12"))},
        **{20 + place: level for place, level in enumerate(_vertebrae("L1", "L6"))},
        26: "sacrum",
        27: "coccyx",
        28: "T13",
    },
)
"""VerSe: 1 to 7 C1 to C7, 8 to 19 T1 to T12, 20 to 25 L1 to L6, 26 sacrum, 27 coccyx, 28 T13."""

RAW = Scheme("raw", {}, raw=True)
"""Any mask: each label value is a level ``label_<value>``."""

_SCHEMES = {scheme.name: scheme for scheme in (TOTALSEGMENTATOR, VERSE, RAW)}

_VOCABULARIES = {"totalsegmentator": range(1, 118), "verse": range(1, 29)}
"""All values that each tool writes into one mask; TotalSegmentator also labels 1 to 117 of other organs."""


class SchemeFile(FileModel):
    """A user's own scheme.

    Parameters
    ----------
    labels : dict of int to str
        Label value (above 0) to level.
    name : str, optional
        Name for tables and manifests; the file's name by default.
    """

    labels: dict[StrictInt, str]
    name: str | None = None

    @field_validator("labels")
    @classmethod
    def _check(cls, labels: dict[int, str]) -> dict[int, str]:
        if not labels:
            raise ValueError("at least one label is needed")
        for value, level in labels.items():
            if value < 1:
                raise ValueError(f"label {value}: values start at 1 (0 is background)")
            if not _LEVEL_NAME.fullmatch(level):
                raise ValueError(f"label {value}: a level is made of letters, digits and _, got {level!r}")
        levels = {value: _canonical(level) for value, level in labels.items()}
        for level in levels.values():
            values = [value for value, other in levels.items() if other == level]
            if len(values) > 1:
                raise ValueError(f"level {level} is given to several labels: {values}")
        return levels


def _canonical(level: str) -> str:
    """Return vertebra names in capitals, as level lists are read; all others as they are."""
    return level.upper() if level.upper() in VERTEBRAE else level


def find_scheme(name_or_path: str | Path) -> Scheme:
    """Return a scheme by its name, or read one from a YAML file.

    Parameters
    ----------
    name_or_path : str or Path
        A name, or a path that ends in ``.yaml`` or ``.yml``.

    Returns
    -------
    Scheme
        The scheme.

    Raises
    ------
    ConfigError
        If there is no such scheme, or the file is not valid.
    """
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        content = validate(SchemeFile, read_yaml(path), str(path))
        return Scheme(content.name or path.stem, content.labels)
    name = str(name_or_path)
    if name not in _SCHEMES:
        raise ConfigError(
            f"no label scheme of this name{nearest(name, [*_SCHEMES, AUTO])}",
            got=name,
            expected=f"one of {', '.join(_SCHEMES)}, {AUTO}, or a path that ends in .yaml",
        )
    return _SCHEMES[name]


def choose_scheme(name_or_path: str | Path, mask: Mask) -> tuple[Scheme, str]:
    """Return the scheme asked for; if that is ``auto``, the mask's own names, or the one detected.

    Parameters
    ----------
    name_or_path : str or Path
        As `find_scheme` takes it, or ``auto``.
    mask : Mask
        The mask from whose names a scheme is made, or from whose labels it is detected.

    Returns
    -------
    Scheme
        The scheme.
    str
        How it was chosen, as one sentence.

    Raises
    ------
    ConfigError
        If there is no such scheme, or the file is not valid.
    VoiError
        If ``auto`` cannot tell the scheme, or two names mean one level.
    """
    if str(name_or_path) == AUTO and mask.names:
        scheme = Scheme(NAMED, name_levels(mask.names))
        return scheme, f"labels named by the mask's file: {scheme.describe(sorted(scheme.labels))}"
    if str(name_or_path) == AUTO:
        return detect_scheme(mask)
    scheme = find_scheme(name_or_path)
    return scheme, f"label scheme {scheme.name}, as asked for"


def detect_scheme(mask: Mask) -> tuple[Scheme, str]:
    """Tell the scheme of a mask from its label values and from where the labels lie.

    In TotalSegmentator the values fall from head to foot, in VerSe they rise. A scheme is taken if all values
    belong to its vocabulary, the labels that it names stand in the order and at the distances of a spine, and
    this is true of no other scheme. One label alone has no order, so nothing is decided from it.

    Parameters
    ----------
    mask : Mask
        The label map.

    Returns
    -------
    Scheme
        The one scheme that fits.
    str
        How it was decided, as one sentence.

    Raises
    ------
    VoiError
        If no scheme or more than one may be right; the message shows how each would read the labels.
    """
    boxes = find_labels(mask)
    values = list(boxes)
    verdicts: dict[str, bool | None] = {}
    for name, vocabulary in _VOCABULARIES.items():
        named = {value: level for value in values if (level := _SCHEMES[name].level(value))}
        if named and all(value in vocabulary for value in values):
            parts = {level: take_label(mask, value, boxes[value]) for value, level in named.items()}
            verdicts[name] = Spine({level: centroid_mm(part) for level, part in parts.items()}).order_ok()
    confirmed = [name for name, verdict in verdicts.items() if verdict]
    if len(confirmed) == 1:
        scheme = _SCHEMES[confirmed[0]]
        return scheme, (
            f"label scheme {scheme.name}, detected: read so, and not otherwise, labels "
            f"{scheme.describe(values)} stand in the order of a spine"
        )
    readings = "; ".join(f"{name}: {_SCHEMES[name].describe(values)}" for name in verdicts)
    raise VoiError(
        "the label scheme cannot be told from the mask" if values else "the mask is empty",
        got=f"labels {', '.join(map(str, values)) or 'none'}" + (f" ({readings})" if readings else ""),
        expected="labels that stand in the order of a spine in one scheme only",
        do=f"name the scheme: {', '.join(_SCHEMES)}, or a YAML file of your own",
    )
