"""The vertebra vocabulary: names from C1 to S1, their order, and ranges of them.

A *level* is a vertebra, or any other name that a label scheme defines (``femur_left``).
"""

from __future__ import annotations

from radiobone.core.errors import UsageError

VERTEBRAE: tuple[str, ...] = (
    *(f"C{number}" for number in range(1, 8)),
    *(f"T{number}" for number in range(1, 14)),
    *(f"L{number}" for number in range(1, 7)),
    "S1",
)
"""All vertebrae from head to foot, with the variants T13 and L6."""

VARIANTS: frozenset[str] = frozenset({"T13", "L6"})
"""Vertebrae that most people lack: a range skips them unless it names them."""

_RANK = {name: rank for rank, name in enumerate(VERTEBRAE)}


def level_order(level: str) -> tuple[int, str]:
    """Return a sort key: vertebrae from head to foot, then all other levels by name.

    Parameters
    ----------
    level : str
        Name of a level.

    Returns
    -------
    tuple of (int, str)
        The key.

    Examples
    --------
    >>> sorted(["S1", "femur_left", "T12", "L1"], key=level_order)
    ['T12', 'L1', 'S1', 'femur_left']
    """
    return (_RANK.get(level, len(VERTEBRAE)), level)


def parse_levels(text: str) -> tuple[str, ...]:
    """Read a list of levels and ranges, such as ``L1-L4`` or ``T12,L1,femur_left``.

    A range runs from head to foot over the vertebra vocabulary. It covers T13 and L6 only where
    it begins or ends with them, since most people have neither.

    Parameters
    ----------
    text : str
        Levels and ranges, separated by commas.

    Returns
    -------
    tuple of str
        Each level once, in the order given.

    Raises
    ------
    UsageError
        If a part is empty, or a range does not run from head to foot between two vertebrae.

    Examples
    --------
    >>> parse_levels("T11-L2")
    ('T11', 'T12', 'L1', 'L2')
    >>> parse_levels("T13-L1, femur_left")
    ('T13', 'L1', 'femur_left')
    """
    levels: list[str] = []
    for part in (piece.strip() for piece in text.split(",")):
        if not part:
            raise UsageError("empty level", where=f"levels {text!r}", expected="such as L1-L4 or T12,L1")
        levels.extend(_expand(part, text))
    return tuple(dict.fromkeys(levels))


def _expand(part: str, text: str) -> tuple[str, ...]:
    first, dash, last = (piece.strip() for piece in part.partition("-"))
    if not dash:
        upper = part.upper()
        return (upper if upper in _RANK else part,)
    first, last = first.upper(), last.upper()
    if first not in _RANK or last not in _RANK or _RANK[first] > _RANK[last]:
        raise UsageError(
            "not a range of vertebrae",
            where=f"levels {text!r}",
            got=part,
            expected="two of C1 to S1, from head to foot, such as T10-L2",
        )
    between = VERTEBRAE[_RANK[first] : _RANK[last] + 1]
    return tuple(name for name in between if name not in VARIANTS or name in (first, last))
