"""Calibration figures: observed shares against predicted probabilities, and how the probabilities are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.estimates import NO_ESTIMATE, Estimate
from radiobone.reporting.style import (
    COLUMN_INCH,
    FLAG_COLOUR,
    MAIN_COLOUR,
    QUIET_COLOUR,
    SMALL,
    drawing,
    legend_below,
    note,
    title_of,
)
from radiobone.reporting.words import sample, spaced, typeset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

N_BINS = 20
_HISTOGRAM = (0.0, -0.26, 1.0, 0.2)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Probabilities of one node, their truth, and what was measured of them.

    Parameters
    ----------
    name, positive : str
        The node, and the class that the probabilities are of.
    is_positive : ndarray of shape (n_predictions,), bool
        The truth.
    probability : ndarray of shape (n_predictions,)
        Of the positive class.
    predicted, observed, low, high : ndarray of shape (n_groups,)
        Mean probability and observed share in each group of similar probabilities, and the share's interval.
    smooth_probability, smooth_observed : ndarray of shape (n_points,)
        A smooth curve; it may have no points.
    slope, in_the_large : Estimate
        Calibration slope (ideal: 1), and calibration in the large (ideal: 0).
    judged_on : str, optional
        Which rows these are.
    method : str, optional
        How the intervals of the groups were made.
    n_patients, n_positive : int, optional
        Patients, and those of the positive class; by default each prediction is a patient.
    level : float, default 0.95
        Nominal coverage of the intervals of the groups.
    """

    name: str
    positive: str
    is_positive: NDArray[np.bool_]
    probability: Array
    predicted: Array
    observed: Array
    low: Array
    high: Array
    smooth_probability: Array
    smooth_observed: Array
    slope: Estimate = NO_ESTIMATE
    in_the_large: Estimate = NO_ESTIMATE
    judged_on: str = ""
    method: str = ""
    n_patients: int | None = None
    n_positive: int | None = None
    level: float = 0.95

    def __post_init__(self) -> None:
        if len(self.is_positive) != len(self.probability):
            raise ValueError("is_positive and probability differ in length")
        if len({len(self.predicted), len(self.observed), len(self.low), len(self.high)}) != 1:
            raise ValueError("predicted, observed, low and high differ in length")
        # Written so that NaN is refused, too.
        if not ((self.probability >= 0) & (self.probability <= 1)).all():
            raise ValueError(f"probabilities of {self.name} that do not lie between 0 and 1")


def calibration_figure(nodes: Sequence[Calibration]) -> Figure:
    """Draw calibration curves, with the distribution of probabilities below.

    Parameters
    ----------
    nodes : sequence of Calibration
        One panel each, at least one.

    Returns
    -------
    Figure
        Points with intervals, the smooth curve, and slope and calibration in the large in the legend.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    with drawing(len(nodes), width=COLUMN_INCH, height=COLUMN_INCH + 3.0) as (figure, panels):
        for axes, node in zip(panels, nodes, strict=True):
            _draw(axes, node)
        methods = {node.method for node in nodes if node.method}
        note(figure, f"Intervals of the groups: {', '.join(sorted(methods))}." if methods else "")
    return figure


def _draw(axes: Axes, node: Calibration) -> None:
    from matplotlib.lines import Line2D

    truth = np.asarray(node.is_positive, dtype=bool)
    axes.plot([0, 1], [0, 1], color=QUIET_COLOUR, linestyle=(0, (4, 3)), linewidth=0.8, label="ideal")
    if len(node.smooth_probability):
        axes.plot(node.smooth_probability, node.smooth_observed, color=MAIN_COLOUR, label="smooth (lowess)")
    # Rounding may put a share outside of its interval by a hair.
    reach = np.maximum([node.observed - node.low, node.high - node.observed], 0.0)
    axes.errorbar(
        node.predicted,
        node.observed,
        yerr=reach,
        fmt="o",
        markersize=3.5,
        color=FLAG_COLOUR,
        elinewidth=0.8,
        label=f"{len(node.predicted)} groups, {100 * node.level:g} % interval",
    )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel=f"Observed share ({node.positive})")
    axes.tick_params(labelbottom=False)
    axes.set_box_aspect(1.0)
    n_patients = len(truth) if node.n_patients is None else node.n_patients
    n_positive = int(truth.sum()) if node.n_positive is None else node.n_positive
    unit = "patients" if n_patients == len(truth) else "predictions"
    counts = sample(node.positive, n_positive, n_patients, len(truth))
    title_of(axes, spaced(node.name), counts, node.judged_on)
    below = _histogram(axes, node, truth, unit)
    handles = [handle for part in (axes, below) for handle in part.get_legend_handles_labels()[0]]
    for name, value in (("slope", node.slope), ("calibration in the large", node.in_the_large)):
        if math.isfinite(value.value):
            handles.append(Line2D([], [], linestyle="none", label=f"{name} {typeset(str(value))}"))
    legend_below(below, handles=handles)


def _histogram(axes: Axes, node: Calibration, truth: NDArray[np.bool_], unit: str) -> Axes:
    """Draw the share of each side that has which probability: positive ones upwards, the others downwards.

    Shares, since counts of a rare side would not be seen.
    """
    below = axes.inset_axes(_HISTOGRAM, sharex=axes)
    edges = np.linspace(0.0, 1.0, N_BINS + 1)
    shares = [np.histogram(node.probability[part], edges)[0] / max(1, part.sum()) for part in (truth, ~truth)]
    width = edges[1] - edges[0]
    sides = zip(shares, (1, -1), (FLAG_COLOUR, QUIET_COLOUR), ("positive", "negative"), strict=True)
    for share, sign, colour, side in sides:
        below.bar(
            edges[:-1],
            sign * share,
            width,
            align="edge",
            color=colour,
            linewidth=0.3,
            edgecolor="white",
            label=f"share of {side} {unit}",
        )
    below.axhline(0.0, color="black", linewidth=0.6)
    top = max(float(share.max()) for share in shares)
    below.set_yticks([-top, 0, top], [f"{100 * top:.0f} %", "0", f"{100 * top:.0f} %"], fontsize=SMALL)
    below.set(ylim=(-1.15 * top, 1.15 * top), xlabel=f"Predicted probability ({node.positive})")
    return below
