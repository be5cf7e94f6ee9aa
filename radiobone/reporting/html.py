"""HTML whose text is escaped by construction: only what this module made itself goes into a page as it is."""

from __future__ import annotations

import html
import re

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What no page can hold, and marks that let the text behind them be read backwards."""

_EMPTY = frozenset({"img", "input", "meta", "br"})
"""Elements without content."""


class Html(str):
    """Text that is HTML already; every other text is escaped."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """Escape a text for content and for attributes.

    Parameters
    ----------
    text : str
        From anywhere.

    Returns
    -------
    Html
        Without control characters; these are replaced.

    Examples
    --------
    >>> escaped('<b class="x">')
    '&lt;b class=&quot;x&quot;&gt;'
    """
    if isinstance(text, Html):
        return text
    return Html(html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text), quote=True))


def tag(element: str, /, *content: str, **attributes: str | int | float | bool | None) -> Html:
    """Make an element.

    Parameters
    ----------
    element : str
        Its name; never from a user.
    *content : str
        Text, which is escaped, or elements.
    **attributes : str, number, bool or None
        By name, with ``_`` for ``-`` and one behind the name where Python has a word of its own (``class_``). True
        stands without a value; False and None are left out.

    Returns
    -------
    Html
        The element.

    Examples
    --------
    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if element in _EMPTY:
        return Html(f"<{element}{told}>")
    return Html(f"<{element}{told}>{join(*content)}</{element}>")


def join(*content: str) -> Html:
    """Put texts and elements one behind the other.

    Parameters
    ----------
    *content : str
        Text, which is escaped, or elements.
    """
    return Html("".join(map(escaped, content)))
