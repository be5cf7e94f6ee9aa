"""Small checks that the parts of a recipe share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError


@contextlib.contextmanager
def as_value_error(key: str = "") -> Iterator[None]:
    """Hand another room's error to pydantic, which tells it with the recipe's file and the path of the key.

    Parameters
    ----------
    key : str
        Put before the message, where the path alone would not name the key.

    Raises
    ------
    ValueError
        Instead of any `UsageError`.
    """
    try:
        yield
    except UsageError as error:
        where = f" ({error.where})" if error.where else ""
        expected = f", expected {error.expected}" if error.expected is not None else ""
        raise ValueError(f"{key}{error.what}{where}{expected}") from None


def forbid_twice(names: Sequence[str]) -> None:
    """Refuse a list that names one thing more than once.

    Parameters
    ----------
    names : sequence of str
        The names.

    Raises
    ------
    ValueError
        That lists those given twice.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"given twice: {', '.join(twice)}")


def refuse_unknown(what: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that nothing has, with the nearest one that something has.

    Parameters
    ----------
    what : str
        Put before the name.
    name : str
        What was given.
    known : iterable of str
        Names that are right.

    Raises
    ------
    ValueError
        If the name is none of them.
    """
    names = list(known)
    if name not in names:
        raise ValueError(f"{what} {name!r}{nearest(name, names)}, expected {', '.join(names) or 'none'}")


def one_or_more(value: object) -> object:
    """Let a recipe write one name where a list of names may stand.

    Parameters
    ----------
    value : object
        As the file has it.

    Returns
    -------
    object
        A text as a list of one; anything else as it is.
    """
    return [value] if isinstance(value, str) else value
