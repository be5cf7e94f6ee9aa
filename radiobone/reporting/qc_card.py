"""One scan on the page of quality control: its pictures, what was found, and facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.html import Html, tag
from radiobone.reporting.png import contour_png, data_uri, grey_png

FLAGS: dict[str, str] = {"error": "error", "warning": "review", "note": "note", "clear": "clear"}
"""Flags by the worst finding of a scan, from the worst on, and what they are called."""

PLURALS = {"error": "errors", "warning": "warnings", "note": "notes"}

_BAR_MM = 50


@dataclass(frozen=True, eq=False)
class QcPicture:
    """A picture of a scan.

    Parameters
    ----------
    grey : ndarray of shape (rows, columns)
        The scan, from 0 to 255.
    contours : ndarray of shape (rows, columns)
        0, or the number of a colour from 1.
    colours : sequence of tuple of int
        Red, green and blue.
    alt : str
        What is seen, for those who do not see it.
    title : str
        Above the picture.
    facts : tuple of str
        Below the picture.
    flagged : bool
        Whether what it shows needs a look.
    names : sequence of (str, float, float)
        Text, row and column (of its end) of names in the picture.
    sides : tuple of str
        What lies to the left and right of the picture, such as A and P.
    mm_per_pixel : float, optional
        For a bar of 50 mm; None draws none.
    """

    grey: NDArray[np.uint8]
    contours: NDArray[np.uint8]
    colours: Sequence[tuple[int, int, int]]
    alt: str
    title: str
    facts: tuple[str, ...] = ()
    flagged: bool = False
    names: Sequence[tuple[str, float, float]] = ()
    sides: tuple[str, str] = ("", "")
    mm_per_pixel: float | None = None


@dataclass(frozen=True)
class QcFinding:
    """What a check found.

    Parameters
    ----------
    check, severity, message : str
        Which check; ``error``, ``warning`` or ``note``; what was found.
    """

    check: str
    severity: str
    message: str


@dataclass(frozen=True)
class QcLine:
    """A scan as a line of the overview, and what the page sorts and filters by.

    Parameters
    ----------
    name : str
        The scan.
    place : int
        In the cohort table, from 0.
    counts : mapping of str to int
        Findings by severity.
    facts : mapping of str to str
        Of these, the overview shows some.
    """

    name: str
    place: int
    counts: Mapping[str, int]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def flag(self) -> str:
        """The worst severity found, or ``clear``."""
        return next((severity for severity in PLURALS if self.counts.get(severity)), "clear")

    @property
    def order(self) -> tuple[int, ...]:
        """Sort key: the worst first, then the most findings, then as in the cohort."""
        return (list(FLAGS).index(self.flag), *(-self.counts.get(name, 0) for name in PLURALS), self.place)

    @property
    def anchor(self) -> str:
        """Name of the scan's place in the page."""
        return f"scan-{self.place + 1}"


def scan_card(
    line: QcLine,
    findings: Sequence[QcFinding],
    pictures: Sequence[QcPicture],
    without_picture: str = "",
) -> Html:
    """Make the part of the page that shows one scan.

    Parameters
    ----------
    line : QcLine
        The scan.
    findings : sequence of QcFinding
        In any order.
    pictures : sequence of QcPicture
        The first one is the large one.
    without_picture : str
        Said where there is none.

    Returns
    -------
    Html
        An article.
    """
    order = list(PLURALS)
    told = [
        tag(
            "li",
            tag("span", finding.severity, class_="badge"),
            tag("span", finding.check, class_="check"),
            _message(finding.message),
            class_=finding.severity,
        )
        for finding in sorted(findings, key=lambda finding: order.index(finding.severity))
    ]
    facts = [
        tag("div", tag("dt", name), tag("dd", tag("bdi", value))) for name, value in line.facts.items() if value
    ]
    large = [_figure(picture, "large") for picture in pictures[:1]]
    small = [_figure(picture, "small") for picture in pictures[1:]]
    return tag(
        "article",
        tag("header", tag("h2", tag("bdi", line.name)), badge(line.flag)),
        tag(
            "div",
            *large,
            tag(
                "div",
                tag("ul", *told, class_="findings") if told else tag("p", "Nothing found.", class_="nothing"),
                tag("div", *small, class_="axials") if small else "",
                tag("p", without_picture, class_="nothing") if not pictures and without_picture else "",
                tag("dl", *facts) if facts else "",
                class_="told",
            ),
            class_="body",
        ),
        id=line.anchor,
        tabindex=-1,
        data_flag=line.flag,
        **sort_keys(line),
    )


def _message(text: str) -> Html:
    """Set the parts of an error (where, got, expected, do) in lines of their own."""
    what, *more = text.split(" | ")
    return tag("span", what, *(tag("small", part) for part in more), class_="message", dir="auto")


def sort_keys(line: QcLine) -> dict[str, str | int]:
    """Return what the page's script sorts by.

    Parameters
    ----------
    line : QcLine
        The scan.
    """
    return {
        "data_name": line.name,
        "data_rank": list(FLAGS).index(line.flag),
        "data_findings": sum(line.counts.get(name, 0) for name in PLURALS),
        "data_place": line.place,
    }


def badge(flag: str) -> Html:
    """Make the badge of a flag.

    Parameters
    ----------
    flag : str
        One of `FLAGS`.
    """
    return tag("span", FLAGS[flag], class_=f"badge {flag}")


def _figure(picture: QcPicture, size: str) -> Html:
    rows, columns = picture.grey.shape
    contour = data_uri(contour_png(picture.contours, picture.colours))
    content = [
        tag("img", src=data_uri(grey_png(picture.grey)), alt=picture.alt, width=columns, height=rows),
        tag("img", src=contour, alt="", width=columns, height=rows, class_="contours"),
        _writing(picture, rows, columns),
    ]
    facts = [tag("span", fact) for fact in picture.facts]
    if picture.flagged:
        facts.append(tag("span", "review", class_="review"))
    caption = tag("figcaption", tag("b", tag("bdi", picture.title)), *facts)
    return tag(
        "figure",
        caption,
        tag("div", *content, class_="picture"),
        class_=f"{size} flagged" if picture.flagged else size,
    )


def _writing(picture: QcPicture, rows: int, columns: int) -> Html:
    """Write names, sides and a bar over a picture; the same is told by its alternative text."""
    marks = [
        tag("text", name, x=f"{column:.0f}", y=f"{row:.0f}", class_="level") for name, row, column in picture.names
    ]
    left, right = picture.sides
    # Names stand along the left edge; the corners are free.
    height = 18 if picture.names else rows // 2
    if left:
        marks.append(tag("text", left, x=6, y=height, class_="side"))
        marks.append(tag("text", right, x=columns - 6, y=height, class_="side right"))
    if picture.mm_per_pixel:
        length = _BAR_MM / picture.mm_per_pixel
        if length < 0.8 * columns:
            bottom, end = rows - 10, columns - 8
            marks.append(tag("rect", x=f"{end - length:.1f}", y=bottom, width=f"{length:.1f}", height=2))
            marks.append(tag("text", f"{_BAR_MM} mm", x=end, y=bottom - 5, class_="bar"))
    return tag("svg", *marks, viewBox=f"0 0 {columns} {rows}", aria_hidden="true", class_="writing")
