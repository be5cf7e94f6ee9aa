"""The vertebra vocabulary: names from C1 to S1, their order, and ranges of them.

A *level* is a vertebra, or any other name that a label scheme defines (``femur_left``). Several may be merged
into one, named ``T10+T11+T12``.
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


MERGED = "+"
"""Stands between the parts of a merged level."""


def level_parts(level: str) -> tuple[str, ...]:
    """Return the levels that a merged one is made of; a plain level is its only part.

    Parameters
    ----------
    level : str
        Name of a level.

    Returns
    -------
    tuple of str
        From head to foot.

    Examples
    --------
    >>> level_parts("T10+T11+T12")
    ('T10', 'T11', 'T12')
    """
    return tuple(level.split(MERGED))


def level_order(level: str) -> tuple[int, str]:
    """Return a sort key: vertebrae from head to foot, then all other levels by name.

    A merged level stands where its first part does.

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
    return (_RANK.get(level_parts(level)[0], len(VERTEBRAE)), level)


def parse_levels(text: str) -> tuple[str, ...]:
    """Read a list of levels and ranges, such as ``L1-L4`` or ``T12,L1,femur_left``.

    A range runs from head to foot over the vertebra vocabulary. It covers T13 and L6 only where
    it begins or ends with them, since most people have neither. Levels with ``+`` between them are merged into one
    VOI, whose parts are named from head to foot in whatever order they were given.

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
        If a part is empty, a range does not run from head to foot between two vertebrae, or a level is merged
        with itself or with a range.

    Examples
    --------
    >>> parse_levels("T11-L2")
    ('T11', 'T12', 'L1', 'L2')
    >>> parse_levels("T13-L1, femur_left")
    ('T13', 'L1', 'femur_left')
    >>> parse_levels("T10+T11+T12, L1")
    ('T10+T11+T12', 'L1')
    """
    levels: list[str] = []
    for part in (piece.strip() for piece in text.split(",")):
        if not part:
            raise UsageError("empty level", where=f"levels {text!r}", expected="such as L1-L4 or T12,L1")
        levels.extend((_merge(part, text),) if MERGED in part else _expand(part, text))
    return tuple(dict.fromkeys(levels))


def _merge(part: str, text: str) -> str:
    """Return the one name of a merged level."""
    pieces = [piece.strip() for piece in part.split(MERGED)]
    if any(not piece or "-" in piece for piece in pieces):
        raise UsageError(
            "not a merged level",
            where=f"levels {text!r}",
            got=part,
            expected="levels by name with + between them, such as T10+T11+T12",
        )
    levels = [_expand(piece, text)[0] for piece in pieces]
    if len(set(levels)) < len(levels):
        raise UsageError("a level is merged with itself", where=f"levels {text!r}", got=part)
    return MERGED.join(sorted(levels, key=level_order))


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
