"""Decision curves: net benefit of acting on a model, on everyone and on nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.style import (
    COLUMN_INCH,
    INK,
    QUIET_COLOUR,
    drawing,
    legend_below,
    line_style,
    note,
    title_of,
)
from radiobone.reporting.words import sample, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

_NARROW = 18


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit at each threshold probability.

    Parameters
    ----------
    name, positive : str
        The node, and the class that is to be acted on.
    threshold : ndarray of shape (n_thresholds,)
        Probabilities from which on one acts, ascending, between 0 and 1.
    models : mapping of str to ndarray of shape (n_thresholds,)
        Net benefit of each arm.
    treat_all : ndarray of shape (n_thresholds,)
        Net benefit of acting on everyone.
    n_patients, n_positive : int
        Patients, and those of the positive class.
    bands : mapping of str to (ndarray, ndarray), optional
        Lower and upper border of an arm's net benefit.
    judged_on, method : str, optional
        Which rows these are, and what the bands are.
    """

    name: str
    positive: str
    threshold: Array
    models: Mapping[str, Array]
    treat_all: Array
    n_patients: int
    n_positive: int
    bands: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    judged_on: str = ""
    method: str = ""

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError(f"no model to draw a decision curve of at {self.name}")
        lengths = {len(values) for values in (self.treat_all, *self.models.values())}
        if lengths != {len(self.threshold)}:
            raise ValueError("net benefits and thresholds differ in length")
        if not ((self.threshold >= 0) & (self.threshold < 1)).all():
            raise ValueError("thresholds that do not lie between 0 and 1")
        if unknown := set(self.bands) - set(self.models):
            raise ValueError(f"bands of models that are not there: {', '.join(sorted(unknown))}")


def decision_curve_figure(nodes: Sequence[DecisionCurve]) -> Figure:
    """Draw decision curves, with acting on everyone and on nobody.

    Parameters
    ----------
    nodes : sequence of DecisionCurve
        One panel each, at least one.

    Returns
    -------
    Figure
        The vertical axis ends a little below nobody's net benefit of zero: harm beyond that says no more.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    with drawing(len(nodes), width=COLUMN_INCH, height=COLUMN_INCH + 2.5) as (figure, panels):
        for axes, node in zip(panels, nodes, strict=True):
            _draw(axes, node)
        methods = {node.method for node in nodes if node.method}
        note(figure, f"Bands: {', '.join(sorted(methods))}." if methods else "")
    return figure


def _draw(axes: Axes, node: DecisionCurve) -> None:
    for number, (name, benefit) in enumerate(node.models.items()):
        style = line_style(number)
        axes.plot(node.threshold, benefit, label=name, zorder=3, **style)
        if name in node.bands:
            axes.fill_between(node.threshold, *node.bands[name], color=style["color"], alpha=0.13, linewidth=0.0)
    axes.plot(node.threshold, node.treat_all, color=QUIET_COLOUR, linewidth=1.0, label="act on everyone", zorder=2)
    axes.axhline(0.0, color=INK, linewidth=0.8, linestyle=(0, (1, 1.5)), label="act on nobody", zorder=2)
    # A model's net benefit can be undefined where a class is missing; that of acting on everyone never is.
    best = float(np.nanmax(np.concatenate([node.treat_all, *node.models.values()])))
    top = max(1.12 * best, 0.02)
    axes.set(
        xlim=(float(node.threshold.min()), float(node.threshold.max())),
        ylim=(-0.25 * top, top),
        xlabel=f"Threshold probability ({node.positive})",
        ylabel="Net benefit",
    )
    axes.set_box_aspect(0.85)
    counts = sample(node.positive, node.n_positive, node.n_patients, node.n_patients)
    title_of(axes, spaced(node.name), counts, node.judged_on)
    legend_below(axes, columns=2 if max(map(len, node.models)) <= _NARROW else 1)
