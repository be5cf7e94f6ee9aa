"""Words that go with a number."""

from __future__ import annotations


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun.

    Parameters
    ----------
    number : int
        How many.
    singular, plural : str
        The noun for one, and for any other number; by default with an s.

    Examples
    --------
    >>> counted(1, "scan"), counted(0, "scan"), counted(2, "series", "series")
    ('1 scan', '0 scans', '2 series')
    """
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
