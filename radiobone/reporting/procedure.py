"""Figures about a whole procedure: its learning curve, and what it finds in permuted labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.style import (
    COLUMN_INCH,
    FLAG_COLOUR,
    FOLD_COLOUR,
    MAIN_COLOUR,
    QUIET_COLOUR,
    drawing,
    legend_below,
    note,
    title_of,
)
from radiobone.reporting.words import p_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from radiobone.evaluation.statistics.learning_curve import LearningCurve as FoundCurve
    from radiobone.evaluation.statistics.permutation import Permutation

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """A metric of a procedure by the number of patients.

    Parameters
    ----------
    title, metric : str
        Node, positive class and arm; what is measured.
    n_patients : ndarray of shape (n_sizes,)
        Patients of each sample, those held out of a fold among them; ascending.
    mean : ndarray of shape (n_sizes,)
        Mean on patients that were held out.
    low, high : ndarray of shape (n_sizes,), optional
        Interval of each mean.
    values : ndarray of shape (n_sizes, n_fits), optional
        The single fits.
    method : str, optional
        What the interval is.
    chance : float, optional
        Value of an uninformed procedure.
    """

    title: str
    metric: str
    n_patients: NDArray[np.int64]
    mean: Array
    low: Array | None = None
    high: Array | None = None
    values: Array | None = None
    method: str = ""
    chance: float | None = None

    def __post_init__(self) -> None:
        given = [one for one in (self.mean, self.low, self.high, self.values) if one is not None]
        if {len(one) for one in given} != {len(self.n_patients)}:
            raise ValueError("sizes and values differ in length")

    @staticmethod
    def of(found: FoundCurve, *, title: str, metric: str, chance: float | None = None) -> LearningCurve:
        """Take what `radiobone.evaluation.statistics.learning_curve` found.

        Parameters
        ----------
        found : LearningCurve
            Of the evaluation. Its spread is that of samples of the same patients, so that no interval is drawn.
        title, metric : str
            Node, positive class and arm; what was measured.
        chance : float, optional
            Value of an uninformed procedure.

        Returns
        -------
        LearningCurve
            To be drawn.
        """
        return LearningCurve(title, metric, found.n_patients, found.mean, values=found.scores.T, chance=chance)


def learning_curve_figure(curves: Sequence[LearningCurve]) -> Figure:
    """Draw learning curves.

    Parameters
    ----------
    curves : sequence of LearningCurve
        One panel each, at least one.

    Returns
    -------
    Figure
        Means with their intervals, and the single fits behind them.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    with drawing(len(curves), width=COLUMN_INCH, height=COLUMN_INCH + 2.0) as (figure, panels):
        for axes, curve in zip(panels, curves, strict=True):
            if curve.values is not None:
                x = np.repeat(curve.n_patients, np.shape(curve.values)[1])
                axes.plot(x, np.ravel(curve.values), ".", color=FOLD_COLOUR, markersize=3.0, label="single fits")
            axes.plot(
                curve.n_patients, curve.mean, "o-", color=MAIN_COLOUR, markersize=3.5, label="mean on held-out"
            )
            if curve.low is not None and curve.high is not None:
                axes.fill_between(
                    curve.n_patients,
                    curve.low,
                    curve.high,
                    color=MAIN_COLOUR,
                    alpha=0.15,
                    linewidth=0.0,
                    label="95 % interval",
                )
            if curve.chance is not None:
                axes.axhline(
                    curve.chance, color=QUIET_COLOUR, linewidth=0.8, linestyle=(0, (4, 3)), label="chance"
                )
            axes.set(xlabel="Patients", ylabel=curve.metric)
            title_of(axes, curve.title)
            axes.margins(y=0.08)
            axes.set_box_aspect(0.75)
            legend_below(axes, columns=2)
        methods = {curve.method for curve in curves if curve.method}
        note(figure, f"Intervals: {', '.join(sorted(methods))}." if methods else "")
    return figure


@dataclass(frozen=True, eq=False)
class Permutations:
    """A metric of a procedure on permuted labels, beside that on the true ones.

    Parameters
    ----------
    title, metric : str
        Node, positive class and arm; what is measured.
    null : ndarray of shape (n_permutations,)
        Values on permuted labels.
    observed : float
        Value on the true ones.
    p : float
        Share of permutations (the true labels counted as one) that do as well; NaN if it is not defined.
    n_undefined : int, default 0
        Permutations without a value.
    """

    title: str
    metric: str
    null: Array
    observed: float
    p: float
    n_undefined: int = 0

    def __post_init__(self) -> None:
        if not len(self.null) or not np.isfinite(self.null).all():
            raise ValueError("values on permuted labels are missing or not finite")

    @staticmethod
    def of(found: Permutation, *, title: str, metric: str) -> Permutations:
        """Take what `radiobone.evaluation.statistics.permutation` found.

        Parameters
        ----------
        found : Permutation
            Of the evaluation; permutations without a value are counted, not drawn.
        title, metric : str
            Node, positive class and arm; what was measured.

        Returns
        -------
        Permutations
            To be drawn.
        """
        null = found.permuted[np.isfinite(found.permuted)]
        return Permutations(title, metric, null, found.score, found.p_value, found.n_undefined)


def permutation_figure(tests: Sequence[Permutations]) -> Figure:
    """Draw what a procedure finds in permuted labels.

    Parameters
    ----------
    tests : sequence of Permutations
        One panel each, at least one.

    Returns
    -------
    Figure
        A histogram, with a line at the value on the true labels.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    with drawing(len(tests), width=COLUMN_INCH, height=COLUMN_INCH + 2.0) as (figure, panels):
        for axes, test in zip(panels, tests, strict=True):
            bins = int(np.clip(np.sqrt(len(test.null)) * 1.5, 8, 40))
            undefined = f", {test.n_undefined} more undefined" if test.n_undefined else ""
            label = f"{len(test.null)} permutations of the labels{undefined}"
            axes.hist(test.null, bins=bins, color=FOLD_COLOUR, edgecolor="white", linewidth=0.4, label=label)
            smallest = 1 / (len(test.null) + test.n_undefined + 1)
            p = p_text(test.p)
            attained = ", the smallest possible" if test.p <= smallest * (1 + 1e-9) else ""
            told = f"true labels: {test.observed:.2f}, {p}{attained}"
            axes.axvline(test.observed, color=FLAG_COLOUR, linewidth=1.6, label=told)
            axes.set(xlabel=test.metric, ylabel="Permutations")
            title_of(axes, test.title)
            axes.set_box_aspect(0.7)
            axes.margins(x=0.05)
            legend_below(axes)
    return figure
