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


def without_name(reason: str, name: str) -> str:
    """Return why a case failed without its name, where that stands beside it already.

    Parameters
    ----------
    reason : str
        An error's message on one line.
    name : str
        Of the case.

    Examples
    --------
    >>> without_name("mask is empty | where: p1, mask.nii.gz", "p1")
    'mask is empty | where: mask.nii.gz'
    >>> without_name("both masks are empty | where: p1 | do: draw one", "p1")
    'both masks are empty | do: draw one'
    """
    told = f"{reason} | ".replace(f" | where: {name}, ", " | where: ").replace(f" | where: {name} | ", " | ")
    return told.removesuffix(" | ")
