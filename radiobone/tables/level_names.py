"""Names of segments, as many programs write them, and the levels that they mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from radiobone.core.errors import VoiError
from radiobone.tables.vertebrae import VARIANTS, VERTEBRAE

OTHER_LEVELS = ("sacrum", "coccyx")
"""Levels below the vertebrae."""

TOTALSEGMENTATOR_LABELS: Mapping[int, str] = {
    25: "sacrum",
    **{26 + place: level for place, level in enumerate(reversed([v for v in VERTEBRAE if v not in VARIANTS]))},
}
"""TotalSegmentator 2, task ``total``: 25 sacrum, 26 S1, 27 L5 and so on up to 50 C1."""

_REGIONS = {
    "cervical": "C",
    "thoracic": "T",
    "lumbar": "L",
    "sacral": "S",
    "c": "C",
    "t": "T",
    "th": "T",
    "l": "L",
    "s": "S",
}
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth",
)  # fmt: skip
_NUMBERS = {word: number for number, word in enumerate(_ORDINALS, start=1)}

_VERTEBRA = {"vertebra", "vertebrae", "vert"}
_SHORT = re.compile(r"(c|th?|l|s) ?0?([1-9][0-9]?)")
_LONG = re.compile(r"(cervical|thoracic|lumbar|sacral) ([1-9][0-9]?)")
_ORDINAL = re.compile(rf"({'|'.join(_ORDINALS)}|[1-9][0-9]?(?:st|nd|rd|th)) (cervical|thoracic|lumbar|sacral)")
_SEPARATORS = re.compile(r"[\s_.\-]+")
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")


def find_level(name: str) -> str | None:
    """Return the level that a segment's name means, or None.

    These forms are known, in capitals or not, with spaces, ``_``, ``-`` or dots between their words: ``L1``;
    ``vertebra L1``, ``vertebrae_L1``, ``vert_L1`` and ``L1 vertebra``; ``Th12`` for ``T12``; ``lumbar 1`` and
    ``lumbar vertebra 1``; ``first lumbar vertebra`` and ``1st lumbar vertebra``; ``sacrum`` and ``coccyx``. A name
    that says more, such as ``L1 body`` or ``L1 left``, is no level.

    Parameters
    ----------
    name : str
        As it stands in the file.

    Examples
    --------
    >>> [find_level(name) for name in ("vertebrae_L1", "L1 Vertebra", "th12", "First lumbar vertebra", "Sacrum")]
    ['L1', 'L1', 'T12', 'L1', 'sacrum']
    >>> [find_level(name) for name in ("L1 body", "GTV-1", "L9")]
    [None, None, None]
    """
    words = [word for word in _SEPARATORS.split(name.strip().casefold()) if word not in _VERTEBRA]
    text = " ".join(filter(None, words))
    if text in OTHER_LEVELS:
        return text
    found = _SHORT.fullmatch(text) or _LONG.fullmatch(text)
    if found:
        region, number = found[1], found[2]
    else:
        found = _ORDINAL.fullmatch(text)
        if not found:
            return None
        region, number = found[2], str(_NUMBERS.get(found[1]) or found[1][:-2])
    level = f"{_REGIONS[region]}{number}"
    return level if level in VERTEBRAE else None


def name_levels(names: Mapping[int, str]) -> dict[int, str]:
    """Return the levels of labels with names.

    A name that means no vertebra becomes a level of its own, in letters, digits and ``_`` (``GTV-1`` becomes
    ``GTV_1``); one without any such letter is ``segment_<value>``, and one that would look like a vertebra then,
    such as ``L1?``, is ``segment_L1``.

    Parameters
    ----------
    names : mapping of int to str
        Label value to name.

    Returns
    -------
    dict of int to str
        Label value to level.

    Raises
    ------
    VoiError
        If two labels mean one level.

    Examples
    --------
    >>> name_levels({3: "vertebrae_L1", 4: "Lésion (links)"})
    {3: 'L1', 4: 'Lesion_links'}
    """
    levels = {value: find_level(name) or _plain(name, value) for value, name in names.items()}
    for level in levels.values():
        values = [value for value, other in levels.items() if other == level]
        if len(values) > 1:
            raise VoiError(
                f"several labels of the mask are level {level}",
                got=", ".join(f"{value} ({names[value]!r})" for value in values),
                expected="one",
                do="choose one by name (column segments of the cohort), or name a label scheme",
            )
    return levels


def _plain(name: str, value: int) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = _NO_NAME.sub("_", plain).strip("_")
    # "L1?" is not L1, whatever its author meant.
    return plain if plain[:1].isalpha() and find_level(plain) is None else f"segment_{plain or value}"
