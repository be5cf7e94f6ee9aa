"""A nomogram of a logistic model: points for each predictor, their sum, and the probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from radiobone.reporting.style import INK, PAGE_INCH, SMALL, panel, sheet, text_width
from radiobone.reporting.words import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FULL_POINTS = 100.0
PROBABILITIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_ROW_INCH, _NAME_CHARACTERS, _TICK_INCH = 0.42, 30, 0.42
_CHARACTER_INCH = 0.075


@dataclass(frozen=True)
class Predictor:
    """One predictor of a logistic model.

    Parameters
    ----------
    name : str
        With its unit.
    coef : float
        Change of the log odds for one unit.
    low, high : float
        Range that is shown, such as that of the training patients.
    levels : tuple of (str, float), optional
        Names and codes of a predictor that takes few values, such as ``(("male", 0.0), ("female", 1.0))``.
    """

    name: str
    coef: float
    low: float
    high: float
    levels: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.coef):
            raise ValueError(f"coefficient of {self.name} is {self.coef}")
        if not self.low < self.high:
            raise ValueError(f"range of {self.name} is from {self.low} to {self.high}")

    @property
    def weakest(self) -> float:
        """The value of the range with the lowest log odds, which has no points."""
        return self.low if self.coef >= 0 else self.high

    @property
    def reach(self) -> float:
        """Change of the log odds over the range."""
        return abs(self.coef) * (self.high - self.low)


def points(predictors: Sequence[Predictor], values: Sequence[float]) -> list[float]:
    """Return the points of each predictor's value.

    Parameters
    ----------
    predictors : sequence of Predictor
        Of one model.
    values : sequence of float
        One for each.

    Returns
    -------
    list of float
        The predictor with the widest reach has 100 points over its range.

    Examples
    --------
    >>> model = [Predictor("age", 0.1, 40, 90), Predictor("mean HU", -0.02, 20, 220)]
    >>> points(model, [65, 120])
    [50.0, 40.0]
    """
    unit = _unit(predictors)
    return [one.coef * (value - one.weakest) / unit for one, value in zip(predictors, values, strict=True)]


def nomogram_figure(
    predictors: Sequence[Predictor], intercept: float, *, positive: str, title: str, told: str = ""
) -> Figure:
    """Draw a nomogram.

    Parameters
    ----------
    predictors : sequence of Predictor
        From top to bottom; those whose coefficient is zero have no line.
    intercept : float
        Log odds where all predictors are zero.
    positive : str
        The class whose probability is read off.
    title : str
        Model, and patients that it was fitted on.
    told : str, optional
        A line below, such as how the model was fitted.

    Returns
    -------
    Figure
        Lines of points, predictors, total points and probability, all in one scale.

    Raises
    ------
    ValueError
        If no predictor has a coefficient.
    """
    used = [one for one in predictors if one.coef != 0]
    unit = _unit(used)
    total = sum(one.reach for one in used) / unit
    lowest = intercept + sum(one.coef * one.weakest for one in used)
    names = [
        "Points",
        *(wrapped(one.name, _NAME_CHARACTERS) for one in used),
        "Total points",
        f"Probability\n({positive})",
    ]
    below, above = (0.3 if told else 0.1), 0.15 + 0.16 * (title.count("\n") + 1)
    height = _ROW_INCH * len(names)
    with sheet(PAGE_INCH, below + height + above) as figure:
        left = 0.08 + text_width(figure, names) + 0.15
        axes = panel(figure, left, below, PAGE_INCH - left - 0.2, height)
        axes.set(xlim=(0.0, 1.0), ylim=(len(names) - 0.5, -0.5))
        axes.set_axis_off()
        width = PAGE_INCH - left - 0.2
        for row, name in enumerate(names):
            axes.annotate(name, (0.0, row), xytext=(-8, 0), textcoords="offset points", ha="right", va="center")
        _line(
            axes, 0, [(value / FULL_POINTS, f"{value:.0f}") for value in np.linspace(0, 100, 11)], width, minor=5
        )
        for row, one in enumerate(used, start=1):
            _line(axes, row, _predictor_ticks(one, unit, width), width, end=one.reach / unit / FULL_POINTS)
        totals = _steps(0.0, total, width, beyond=True)
        scale = totals[-1]
        _line(axes, len(used) + 1, [(value / scale, f"{value:g}") for value in totals], width)
        _line(axes, len(used) + 2, _probability_ticks(lowest, unit, scale), width)
        figure.text(0.08 / PAGE_INCH, 1.0 - 0.06 / (below + height + above), title, va="top")
        figure.text(0.08 / PAGE_INCH, 0.04, told, fontsize=SMALL, color="#555555")
    return figure


def _unit(predictors: Sequence[Predictor]) -> float:
    """Return the log odds of one point."""
    widest = max((one.reach for one in predictors), default=0.0)
    if widest == 0:
        raise ValueError("no predictor with a coefficient to draw")
    return widest / FULL_POINTS


def _predictor_ticks(one: Predictor, unit: float, width: float) -> list[tuple[float, str]]:
    codes = [(code, name) for name, code in one.levels]
    if not codes:
        reach = one.reach / unit / FULL_POINTS * width
        values = _steps(one.low, one.high, reach)
        codes = [(value, f"{value:g}") for value in values]
    return [(one.coef * (value - one.weakest) / unit / FULL_POINTS, name) for value, name in codes]


def _probability_ticks(lowest: float, unit: float, scale: float) -> list[tuple[float, str]]:
    ticks = []
    for probability in PROBABILITIES:
        place = (math.log(probability / (1 - probability)) - lowest) / unit / scale
        if 0.0 <= place <= 1.0:
            ticks.append((place, f"{probability:g}"))
    return ticks


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
    axes.plot(reach, [row, row], color=INK, linewidth=0.8)
    ends = {-1: -1.0, 1: -1.0}
    for place, text in ordered:
        half = 0.5 * len(text) * _CHARACTER_INCH / width
        side = -1 if place - half > ends[-1] or ends[-1] <= ends[1] else 1
        ends[side] = place + half
        axes.plot([place, place], [row, row + side * 0.12], color=INK, linewidth=0.7)
        axes.text(place, row + side * 0.17, text, ha="center", va="bottom" if side < 0 else "top", fontsize=SMALL)
    if minor:
        for place in np.linspace(ordered[0][0], ordered[-1][0], (len(ordered) - 1) * minor + 1):
            axes.plot([place, place], [row, row - 0.06], color=INK, linewidth=0.4)
