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
    NOTE_COLOUR,
    PAGE_INCH,
    QUIET_COLOUR,
    SMALL,
    panel,
    sheet,
    small_lines,
    text_width,
    title_lines,
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
    names = [name for name in ("value", "difference") if name == "value" or compared]
    cells = [[_text(row, name) for _, row in lines] for name in names]
    heights = [_row_height(*texts) for texts in zip([text for text, _ in lines], *cells, strict=True)]
    told_lines, header = small_lines(told, width - 0.2), title_lines(title, inches=width - 0.2)
    below = 0.45 + _LINE_INCH * len(told_lines) + (_MARGIN if told_lines else 0.0)
    above = 0.35 + 0.16 * len(header)
    height = below + sum(heights) + above
    with sheet(width, height) as figure:
        table = _Table(figure, lines, _places(heights), below, sum(heights))
        left = table.texts(_MARGIN, "", [text for text, _ in lines])
        left = table.texts(left + _GAP, counts, [row.count if row else "" for _, row in lines], align="right")
        figure.text(_MARGIN / width, 1.0 - _MARGIN / height, "\n".join(header), va="top", ha="left")
        headings = [f"{metric}{_level(rows)}", "difference to reference"]
        needed = [table.width([heading, *texts]) for heading, texts in zip(headings, cells, strict=False)]
        room = (width - left - sum(needed) - 2 * len(cells) * _GAP - _MARGIN) / len(cells)
        for name, heading, texts in zip(names, headings, cells, strict=False):
            own = name == "value"
            table.intervals(
                left + _GAP, room, name, metric if own else f"difference in {metric}", chance if own else 0.0
            )
            left = table.texts(left + 2 * _GAP + room, heading, texts)
        if told_lines:
            text = "\n".join(told_lines)
            figure.text(_MARGIN / width, _MARGIN / height, text, fontsize=SMALL, color=NOTE_COLOUR, va="bottom")
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
        self.figure.text(x, top, heading, ha=align, va="bottom", fontsize=SMALL, color=NOTE_COLOUR)
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


def _level(rows: Sequence[ForestRow]) -> str:
    """Name the level of the intervals; nothing if there are none."""
    levels = {row.value.level for row in rows if row.value.has_interval}
    return f" ({' or '.join(f'{100 * level:g}' for level in sorted(levels))} % interval)" if levels else ""


def _row_height(*texts: str) -> float:
    return _ROW_INCH + _LINE_INCH * max(text.count("\n") for text in texts)


def _places(inches: Sequence[float]) -> list[float]:
    """Return the middle of each row, in inches from the bottom."""
    total = sum(inches)
    starts = [sum(inches[:number]) for number in range(len(inches))]
    return [total - start - height / 2 for start, height in zip(starts, inches, strict=True)]


def _text(row: ForestRow | None, name: str) -> str:
    if row is None:
        return ""
    if name == "value":
        return wrapped(row.needs, _NAME_CHARACTERS) or typeset(str(row.value))
    if row.reference:
        return "reference"
    return "" if row.difference is None else typeset(row.difference.text(signed=True))
