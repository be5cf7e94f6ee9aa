"""The page of quality control: every scan with its pictures, what was found, and facts, in one file.

The page needs nothing but itself: pictures, style and script are in it, and a Content-Security-Policy forbids all
else, so that nothing is loaded and no text of a patient can become a script. Without it all scans are shown.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from radiobone.core.files import atomic_path
from radiobone.reporting.html import Html, join, tag
from radiobone.reporting.qc_card import PLURALS, QcLine, badge, sort_keys

_MARK = tag("meta", name="generator", content="radiobone qc")
"""By which a page is known."""

_HEAD_BYTES = 2048
"""The mark stands before the style, well within these."""


@dataclass(frozen=True)
class QcHead:
    """What stands above all scans.

    Parameters
    ----------
    title : str
        Of the page.
    subtitle : str
        Which cohort, which VOIs.
    made : str
        By what and when.
    counts : mapping of str to int
        Scans of the whole cohort by flag.
    overview : tuple of str
        Facts that the overview shows.
    sections : tuple of Html
        Tables about the whole cohort.
    """

    title: str
    subtitle: str
    made: str
    counts: Mapping[str, int]
    overview: tuple[str, ...] = ()
    sections: tuple[Html, ...] = ()


def write_qc_page(
    path: Path,
    head: QcHead,
    lines: Sequence[QcLine],
    cards: Iterable[str],
    pages: Sequence[str] = (),
) -> None:
    """Write a page atomically, card by card, so that no more than one of them is held at a time.

    Parameters
    ----------
    path : Path
        The file.
    head : QcHead
        What stands above.
    lines : sequence of QcLine
        The scans of this page.
    cards : iterable of str
        What `scan_card` made of each of them, in this order.
    pages : sequence of str
        File names of all pages, where there are several.
    """
    style, script = _own("qc_page.css"), _own("qc_page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    header = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        _MARK,
        tag("title", head.title),
        tag("style", Html(style)),
    )
    begin = join(
        tag(
            "header",
            tag("h1", head.title),
            tag("p", tag("bdi", head.subtitle), class_="subtitle"),
            tag("p", *_totals(head.counts), class_="totals"),
            class_="top",
        ),
        _pager(path.name, pages),
        _toolbar(),
        *(tag("details", section, class_="section") for section in head.sections),
        _overview(lines, head.overview),
    )
    end = join(
        tag("p", "No scan matches.", id="none", hidden=True, role="status"),
        _pager(path.name, pages),
        tag("footer", head.made),
        tag("script", Html(script)),
    )
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f'<!DOCTYPE html>\n<html lang="en">{header}<body>{begin}<main id="scans">\n')
        for card in cards:
            stream.write(card + "\n")
        stream.write(f"</main>{end}</body></html>\n")


def is_qc_page(path: Path) -> bool:
    """Say whether a file is a page of quality control, which a new one may replace.

    Parameters
    ----------
    path : Path
        An existing file.
    """
    with path.open("rb") as stream:
        return _MARK.encode() in stream.read(_HEAD_BYTES)


def _own(name: str) -> str:
    """Read a file of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _totals(counts: Mapping[str, int]) -> list[Html]:
    total = sum(counts.values())
    told = [tag("span", tag("b", str(total)), " scan" if total == 1 else " scans")]
    words = {"error": "with errors", "warning": "to review", "note": "with notes", "clear": "clear"}
    for flag, name in words.items():
        if counts.get(flag):
            told.append(tag("span", tag("b", str(counts[flag])), f" {name}", class_=f"badge {flag}"))
    return told


def _pager(own: str, pages: Sequence[str]) -> Html:
    """Link to the other pages; those with the worst findings come first."""
    if len(pages) < 2:
        return Html("")
    links = [
        tag("a", str(number), href=name, aria_current="page" if name == own else None)
        for number, name in enumerate(pages, start=1)
    ]
    return tag(
        "nav",
        "Pages, the worst first; sorting and filters work within one: ",
        *links,
        class_="pager",
        aria_label="Pages",
    )


def _toolbar() -> Html:
    filters = (("all", "all"), ("review", "needs review"), ("error", "errors"), ("clear", "no review needed"))
    options = (("rank", "flag, worst first"), ("name", "name"), ("findings", "most findings"), ("place", "cohort"))
    return tag(
        "div",
        tag(
            "label",
            "Show ",
            tag("select", *(tag("option", told, value=value) for value, told in filters), id="filter"),
        ),
        tag(
            "label",
            "Sort by ",
            tag("select", *(tag("option", told, value=value) for value, told in options), id="sort"),
        ),
        tag("label", "Find ", tag("input", id="find", type="search", placeholder="patient, scan, message")),
        tag("label", tag("input", id="contours", type="checkbox", checked=True), " contours"),
        tag("label", tag("input", id="names", type="checkbox", checked=True), " names"),
        tag("span", "", id="shown", role="status"),
        class_="toolbar",
        role="search",
    )


def _overview(lines: Sequence[QcLine], facts: Sequence[str]) -> Html:
    sortable = (("name", "scan"), ("rank", "flag"), ("findings", "findings"))
    heads = [
        tag("th", tag("button", told, type="button", data_sort=key), scope="col", data_key=key)
        for key, told in sortable
    ]
    rows = [
        tag(
            "tr",
            tag("th", tag("a", tag("bdi", line.name), href=f"#{line.anchor}"), scope="row"),
            tag("td", badge(line.flag)),
            tag("td", _counted(line.counts)),
            *(tag("td", tag("bdi", line.facts.get(name, ""))) for name in facts),
            data_flag=line.flag,
            data_card=line.anchor,
            **sort_keys(line),
        )
        for line in lines
    ]
    table = tag(
        "table",
        tag("thead", tag("tr", *heads, *(tag("th", name, scope="col") for name in facts))),
        tag("tbody", *rows, id="overview"),
    )
    return tag(
        "details", tag("summary", "Overview"), tag("div", table, class_="wide"), class_="section", open=True
    )


def _counted(counts: Mapping[str, int]) -> str:
    told = [
        f"{count} {severity if count == 1 else plural}"
        for severity, plural in PLURALS.items()
        if (count := counts.get(severity, 0))
    ]
    return ", ".join(told) or "none"


def plain_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], told: str = "") -> Html:
    """Make a table about the whole cohort.

    Parameters
    ----------
    title : str
        Its name.
    head : sequence of str
        Names of columns.
    rows : iterable of sequence of str
        Cells; the first one names the row.
    told : str
        A sentence below.

    Returns
    -------
    Html
        For `QcHead`.
    """
    lines = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    table = tag(
        "table", tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))), tag("tbody", *lines)
    )
    content = tag("div", table, class_="wide") if lines else Html("")
    return join(tag("summary", title), content, tag("p", told, class_="nothing") if told else "")
