"""A nomogram of a logistic model: points for each predictor, their sum, and the probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from radiobone.reporting.style import (
    INK,
    NOTE_COLOUR,
    PAGE_INCH,
    SMALL,
    panel,
    sheet,
    small_lines,
    text_width,
    title_lines,
)
from radiobone.reporting.words import typeset, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from radiobone.evaluation.regression.nomogram import Nomogram, NomogramAxis

FULL_POINTS = 100.0
PROBABILITIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_ROW_INCH, _NAME_CHARACTERS, _TICK_INCH = 0.42, 30, 0.42
_CHARACTER_INCH = 0.075


def nomogram_figure(nomogram: Nomogram, *, title: str, told: str = "") -> Figure:
    """Draw a nomogram.

    Parameters
    ----------
    nomogram : Nomogram
        A logistic model in points; its predictors stand from top to bottom, without those that do not move it.
    title : str
        Model, and patients that it was fitted on.
    told : str, optional
        A line below, such as how the model was fitted.

    Returns
    -------
    Figure
        Lines of points, predictors, total points and probability.
    """
    used = [axis for axis in nomogram.axes if axis.reach > 0]
    names = ["Points", *(wrapped(axis.name, _NAME_CHARACTERS) for axis in used), "Total points"]
    names.append(f"Probability\n({wrapped(nomogram.positive, _NAME_CHARACTERS)})")
    header, told_lines = title_lines(title, inches=PAGE_INCH), small_lines(told, PAGE_INCH - 0.2)
    below, above = 0.15 + 0.12 * len(told_lines), 0.15 + 0.16 * len(header)
    height = _ROW_INCH * len(names)
    with sheet(PAGE_INCH, below + height + above) as figure:
        left = 0.08 + text_width(figure, names) + 0.15
        width = PAGE_INCH - left - 0.2
        axes = panel(figure, left, below, width, height)
        axes.set(xlim=(0.0, 1.0), ylim=(len(names) - 0.5, -0.5))
        axes.set_axis_off()
        for row, name in enumerate(names):
            axes.annotate(name, (0.0, row), xytext=(-8, 0), textcoords="offset points", ha="right", va="center")
        _line(
            axes, 0, [(value / FULL_POINTS, f"{value:.0f}") for value in np.linspace(0, 100, 11)], width, minor=5
        )
        for row, axis in enumerate(used, start=1):
            share = axis.reach / nomogram.log_odds_per_point / FULL_POINTS
            _line(axes, row, _ticks(axis, share, width), width, end=share)
        totals = _steps(0.0, nomogram.full_total, width, beyond=True)
        scale = totals[-1]
        _line(axes, len(used) + 1, [(value / scale, f"{value:g}") for value in totals], width)
        found = [(nomogram.total(probability) / scale, f"{probability:g}") for probability in PROBABILITIES]
        _line(axes, len(used) + 2, [tick for tick in found if 0.0 <= tick[0] <= 1.0], width)
        figure.text(0.08 / PAGE_INCH, 1.0 - 0.06 / (below + height + above), "\n".join(header), va="top")
        figure.text(0.08 / PAGE_INCH, 0.02, "\n".join(told_lines), fontsize=SMALL, color=NOTE_COLOUR, va="bottom")
    return figure


def _ticks(axis: NomogramAxis, share: float, width: float) -> list[tuple[float, str]]:
    """Return place and text of each tick of a predictor whose line covers a share of the width."""
    marks = [(code, name) for name, code in axis.levels]
    if not marks:
        marks = [(value, typeset(f"{value:g}")) for value in _steps(axis.low, axis.high, share * width)]
    return [((axis.coef * value - axis.lowest) / axis.reach * share, name) for value, name in marks]


def _steps(low: float, high: float, inches: float, *, beyond: bool = False) -> list[float]:
    """Return round values from low to high, as many as have room; or the next one beyond high, too."""
    from matplotlib.ticker import MaxNLocator

    number = max(1, min(10, int(inches / _TICK_INCH)))
    found = [float(value) for value in MaxNLocator(nbins=number, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    last = min((value for value in found if value >= high - 1e-9), default=high) if beyond else high
    return [value for value in found if low - 1e-9 <= value <= last + 1e-9]


def _line(
    axes: Axes,
    row: int,
    ticks: Sequence[tuple[float, str]],
    width: float,
    *,
    minor: int = 0,
    end: float | None = None,
) -> None:
    """Draw a scale with its ticks; a label that would touch its neighbour changes sides.

    The scale reaches from the first tick to the last, or from zero to ``end``.
    """
    if not ticks and end is None:
        return
    ordered = sorted(ticks)
    reach = [ordered[0][0], ordered[-1][0]] if end is None else [0.0, end]
    axes.plot(reach, [row, row], color=INK, linewidth=0.8, clip_on=False)
    ends = {-1: -1.0, 1: -1.0}
    for place, text in ordered:
        half = 0.5 * len(text) * _CHARACTER_INCH / width
        side = -1 if place - half > ends[-1] or ends[-1] <= ends[1] else 1
        ends[side] = place + half
        axes.plot([place, place], [row, row + side * 0.12], color=INK, linewidth=0.7, clip_on=False)
        axes.text(place, row + side * 0.17, text, ha="center", va="bottom" if side < 0 else "top", fontsize=SMALL)
    if minor:
        for place in np.linspace(ordered[0][0], ordered[-1][0], (len(ordered) - 1) * minor + 1):
            axes.plot([place, place], [row, row - 0.06], color=INK, linewidth=0.4)
