"""ROC and precision-recall figures: every outer fold, their mean and its interval; several arms in one panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from radiobone.reporting.curves import FoldCurves, Kind, NodeScores, fold_curves
from radiobone.reporting.estimates import NOT_DEFINED
from radiobone.reporting.style import (
    FOLD_COLOUR,
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

_AREA = {"roc": "AUC", "precision_recall": "AP"}
_ARM_CHARACTERS = 26


def roc_figure(scores: Sequence[NodeScores]) -> Figure:
    """Draw the ROC curves of each node: every outer fold, their mean and its band; or the means of several arms.

    Parameters
    ----------
    scores : sequence of NodeScores
        A panel for each node, in the order of their first mention; scores of one node are the arms of its panel,
        the first of which has the band.

    Returns
    -------
    Figure
        With AUC and its interval in each legend, and what the band is in a line below.

    Raises
    ------
    ValueError
        If there is nothing to draw, or two arms of a node have one name.

    Notes
    -----
    See `radiobone.reporting.curves.fold_curves`. A fold that lacks one of the two classes has no curve; then there
    is no mean either, and the legend says how many folds lack one.
    """
    return _figure(scores, "roc")


def precision_recall_figure(scores: Sequence[NodeScores]) -> Figure:
    """Draw the precision-recall curves of each node, with the prevalence that an uninformed score would show.

    Parameters
    ----------
    scores : sequence of NodeScores
        As for `roc_figure`.

    Returns
    -------
    Figure
        With average precision (AP), the area under the steps, in each legend.

    Raises
    ------
    ValueError
        As for `roc_figure`.
    """
    return _figure(scores, "precision_recall")


def _figure(scores: Sequence[NodeScores], kind: Kind) -> Figure:
    panels: dict[str, list[NodeScores]] = {}
    for one in scores:
        arms = panels.setdefault(one.name, [])
        if one.arm in [other.arm for other in arms]:
            raise ValueError(f"two arms of {one.name} have the name {one.arm!r}")
        arms.append(one)
    with drawing(len(panels), height=5.5 + 0.2 * len(scores)) as (figure, axes):
        bands = [_panel(one, arms, kind) for one, arms in zip(axes, panels.values(), strict=True)]
        several = next((arms for arms in panels.values() if len(arms) > 1), None)
        whose = f" of {several[0].arm}" if several else ""
        told = next((band for band in bands if band), "")
        note(figure, f"Band{whose}: {told}." if told else "")
    return figure


def _panel(axes: Axes, arms: Sequence[NodeScores], kind: Kind) -> str:
    curves = [fold_curves(arm, kind) for arm in arms]
    first = arms[0]
    if len(arms) == 1:
        _draw_folds(axes, curves[0], kind)
    for number, (arm, curve) in enumerate(zip(arms, curves, strict=True)):
        _draw_mean(axes, number, arm, curve, kind, alone=len(arms) == 1)
    if kind == "roc":
        axes.plot(
            [0, 1], [0, 1], color=QUIET_COLOUR, linestyle=(0, (4, 3)), linewidth=0.8, label="chance", zorder=1
        )
        axes.set(xlabel="1 - specificity", ylabel=f"Sensitivity ({first.positive})")
    else:
        share = float(np.mean(first.is_positive))
        label = f"prevalence {share:.2f}"
        axes.axhline(share, color=QUIET_COLOUR, linestyle=(0, (4, 3)), linewidth=0.8, label=label, zorder=1)
        axes.set(xlabel=f"Recall ({first.positive})", ylabel="Precision")
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=ticks, yticks=ticks)
    axes.set_box_aspect(1.0)
    title_of(axes, *_title(first))
    legend_below(axes)
    return curves[0].band


def _title(scores: NodeScores) -> tuple[str, ...]:
    counts = sample(scores.positive, scores.n_positive, scores.n_patients, len(scores.score))
    return (spaced(scores.name), counts, scores.judged_on)


def _draw_folds(axes: Axes, curve: FoldCurves, kind: Kind) -> None:
    n_folds = len(curve.folds)
    if n_folds == 1 and curve.y is not None:
        return  # The mean is this one fold.
    label = "1 outer fold" if n_folds == 1 else f"{n_folds} outer folds"
    for number, (x, y) in enumerate(curve.folds):  # one stands for all in the legend
        axes.plot(x, y, color=FOLD_COLOUR, linewidth=0.6, label=None if number else label, zorder=2)


def _draw_mean(axes: Axes, number: int, arm: NodeScores, curve: FoldCurves, kind: Kind, alone: bool) -> None:
    name = "" if alone and not arm.arm else f"{arm.arm}, "
    if len(name) > _ARM_CHARACTERS:
        name = f"{name[:-1]}\n"
    style = line_style(number)
    if curve.y is None:
        n_folds = len(curve.folds) + curve.n_undefined
        lacking = f"{name}{_AREA[kind]} {NOT_DEFINED}: {curve.n_undefined} of {n_folds} folds lack a class"
        axes.plot([], [], linestyle="none", label=lacking)
        return
    area = arm.area if arm.area is not None and kind == "roc" else curve.area
    text = str(area)
    if not area.has_interval and np.isfinite(curve.sd):
        text = f"{area.value:.2f} ± {curve.sd:.2f}"
    mean = "mean, " if alone and len(curve.folds) > 1 else ""
    axes.plot(curve.x, curve.y, label=f"{name}{mean}{_AREA[kind]} {text}", zorder=4 - 0.1 * number, **style)
    if number == 0 and curve.low is not None and curve.high is not None:
        interval = "± 1 SD" if curve.band.startswith("±") else curve.band.split(" at ")[0]
        axes.fill_between(
            curve.x,
            curve.low,
            curve.high,
            color=style["color"],
            alpha=0.15,
            linewidth=0.0,
            label=interval,
            zorder=1.5,
        )
