"""Forest plots: an estimate with its interval for each arm or stratum, and its difference to a reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radiobone.reporting.estimates import NO_ESTIMATE, Estimate
from radiobone.reporting.style import (
    COLUMN_INCH,
    FLAG_COLOUR,
    MAIN_COLOUR,
    PAGE_INCH,
    QUIET_COLOUR,
    SMALL,
    panel,
    sheet,
    text_width,
)
from radiobone.reporting.words import typeset, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW_INCH, _LINE_INCH, _GAP, _MARGIN = 0.18, 0.11, 0.12, 0.06
_NAME_CHARACTERS = 30


@dataclass(frozen=True)
class ForestRow:
    """One arm or stratum.

    Parameters
    ----------
    label : str
        Its name.
    value : Estimate
        The metric.
    count : str, optional
        Patients or features, as text.
    group : str, optional
        What it is listed under, such as ``sex`` or ``controls``; rows of a group stand together.
    difference : Estimate, optional
        To the reference.
    reference : bool, default False
        Whether others are compared with this one; it stands out.
    needs : str, optional
        Why there is no value, such as ``needs column age``.
    """

    label: str
    value: Estimate = NO_ESTIMATE
    count: str = ""
    group: str = ""
    difference: Estimate | None = None
    reference: bool = False
    needs: str = ""


def forest_figure(
    rows: Sequence[ForestRow],
    *,
    metric: str,
    title: str,
    counts: str = "n",
    chance: float | None = None,
    told: str = "",
) -> Figure:
    """Draw a forest plot; with a second panel if any row has a difference.

    Parameters
    ----------
    rows : sequence of ForestRow
        From top to bottom; at most one of each group is a reference.
    metric : str
        What is estimated, such as ``AUC``.
    title : str
        Node, positive class, rows, sample size.
    counts : str, default "n"
        Heading of the counts.
    chance : float, optional
        Value of an uninformed model, drawn as a line.
    told : str, optional
        What the intervals are, for the line below.

    Returns
    -------
    Figure
        A row for each, its numbers beside it.

    Raises
    ------
    ValueError
        If there are no rows, two references in a group, or the rows of a group do not stand together.
    """
    if not rows:
        raise ValueError("nothing to draw")
    lines = _lines(rows)
    compared = any(row.difference is not None for row in rows)
    width = PAGE_INCH if compared else COLUMN_INCH * 1.5
    inches = [_ROW_INCH + _LINE_INCH * text.count("\n") for text, _ in lines]
    below = 0.5 + (0.18 if told else 0.0)
    above = 0.35 + 0.16 * (title.count("\n") + 1)
    with sheet(width, below + sum(inches) + above) as figure:
        table = _Table(figure, lines, _places(inches), below, sum(inches))
        left = table.texts(_MARGIN, "", [text for text, _ in lines])
        left = table.texts(left + _GAP, counts, [row.count if row else "" for _, row in lines], align="right")
        figure.text(_MARGIN / width, 1.0 - 0.06 / (below + sum(inches) + above), title, va="top", ha="left")
        columns = [("value", f"{metric} (95 % interval)", chance)]
        if compared:
            columns.append(("difference", "difference to reference", 0.0))
        texts = [[_text(row, name) for _, row in lines] for name, _, _ in columns]
        needed = [table.width([heading, *column]) for column, (_, heading, _) in zip(texts, columns, strict=True)]
        room = (width - left - sum(needed) - (2 * len(columns)) * _GAP - _MARGIN) / len(columns)
        for column, (name, heading, line) in zip(texts, columns, strict=True):
            table.intervals(
                left + _GAP, room, name, metric if name == "value" else f"difference in {metric}", line
            )
            left = table.texts(left + 2 * _GAP + room, heading, column)
        if told:
            figure.text(_MARGIN / width, 0.04, told, fontsize=SMALL, color="#555555")
    return figure


def _lines(rows: Sequence[ForestRow]) -> list[tuple[str, ForestRow | None]]:
    """Return the text of each line and its row; headings of groups have none."""
    references = [row.group for row in rows if row.reference]
    if len(references) > len(set(references)):
        raise ValueError("more than one row of a group is the reference")
    lines: list[tuple[str, ForestRow | None]] = []
    seen: list[str] = [""]
    for row in rows:
        if row.group != seen[-1]:
            if row.group in seen:
                raise ValueError(f"rows of the group {row.group!r} do not stand together")
            seen.append(row.group)
            lines.append((row.group, None))
        name = wrapped(row.label, _NAME_CHARACTERS)
        lines.append((("  " + name.replace("\n", "\n  ")) if row.group else name, row))
    return lines


@dataclass(frozen=True, eq=False)
class _Table:
    """A sheet with rows, on which columns of texts and of intervals are placed from left to right."""

    figure: Figure
    lines: Sequence[tuple[str, ForestRow | None]]
    places: Sequence[float]
    bottom: float
    height: float

    def width(self, texts: Sequence[str]) -> float:
        """Return how wide a column is, any row of which may be bold."""
        return text_width(self.figure, texts, SMALL, bold=True)

    def texts(self, left: float, heading: str, texts: Sequence[str], *, align: str = "left") -> float:
        """Write a column of texts and its heading; return where it ends, in inches."""
        width, height = self.figure.get_size_inches()
        used = self.width([heading, *texts])
        x = (left + (used if align == "right" else 0.0)) / width
        top = (self.bottom + self.height + 0.05) / height
        self.figure.text(x, top, heading, ha=align, va="bottom", fontsize=SMALL, color="#555555")
        for (_, row), place, text in zip(self.lines, self.places, texts, strict=True):
            weight = "bold" if row is None or (row.reference and align == "left") else "normal"
            self.figure.text(
                x, (self.bottom + place) / height, text, ha=align, va="center", fontsize=SMALL, fontweight=weight
            )
        return left + used

    def intervals(self, left: float, width: float, name: str, label: str, line: float | None) -> None:
        """Draw a column of estimates with their intervals."""
        axes = panel(self.figure, left, self.bottom, width, self.height)
        if line is not None:
            axes.axvline(line, color=QUIET_COLOUR, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        for (_, row), place in zip(self.lines, self.places, strict=True):
            found = None if row is None else getattr(row, name)
            if found is None or not math.isfinite(found.value):
                continue
            colour = FLAG_COLOUR if row is not None and row.reference else MAIN_COLOUR
            if found.has_interval:
                axes.plot([found.low, found.high], [place, place], color=colour, linewidth=1.1, zorder=2)
            axes.plot(found.value, place, marker="s", markersize=4.0, color=colour, zorder=3)
        axes.set(ylim=(0.0, self.height), yticks=[], xlabel=label)
        axes.margins(x=0.06)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=max(3, int(width / 0.4)))


def _places(inches: Sequence[float]) -> list[float]:
    """Return the middle of each row, in inches from the bottom."""
    total = sum(inches)
    starts = [sum(inches[:number]) for number in range(len(inches))]
    return [total - start - height / 2 for start, height in zip(starts, inches, strict=True)]


def _text(row: ForestRow | None, name: str) -> str:
    if row is None:
        return ""
    if name == "value":
        return row.needs or typeset(str(row.value))
    if row.reference:
        return "reference"
    return "" if row.difference is None else typeset(row.difference.text(signed=True))
