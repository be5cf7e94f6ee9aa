"""LASSO figures: coefficients along the penalty, and the cross-validation curve that chooses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.style import (
    COLOURS,
    COLUMN_INCH,
    DASHES,
    FLAG_COLOUR,
    INK,
    QUIET_COLOUR,
    SMALL,
    drawing,
    legend_below,
    note,
    title_of,
)
from radiobone.reporting.words import wrapped

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAMED = 12
"""Features that the legend names: those with the largest coefficients at the chosen penalty."""

_NAME_CHARACTERS = 42
_COUNTS = 7
_LOSS_SHOWN = 2.5


@dataclass(frozen=True, eq=False)
class LassoCurves:
    """The path of a LASSO and its cross-validation curve.

    Parameters
    ----------
    title : str
        Node, and rows that it was fitted on.
    positive : str
        The class that positive coefficients speak for.
    names : sequence of str
        Features.
    penalties : ndarray of shape (n_penalties,)
        In any order, above zero.
    coefs : ndarray of shape (n_features, n_penalties)
        Coefficients, of standardised features.
    errors : ndarray of shape (n_penalties, n_folds)
        Loss on each held-out fold.
    penalty_min, penalty_1se, chosen : float
        The penalty of smallest mean loss, that of the one-standard-error rule, and the one that was used.
    loss : str
        What the loss is.
    node : str, optional
        The node, for the name of a file.
    """

    title: str
    positive: str
    names: Sequence[str]
    penalties: Array
    coefs: Array
    errors: Array
    penalty_min: float
    penalty_1se: float
    chosen: float
    loss: str = "mean squared error"
    node: str = ""

    def __post_init__(self) -> None:
        if np.shape(self.coefs) != (len(self.names), len(self.penalties)):
            raise ValueError(
                f"coefficients of shape {np.shape(self.coefs)} for {len(self.names)} features and "
                f"{len(self.penalties)} penalties"
            )
        if len(self.errors) != len(self.penalties):
            raise ValueError("errors and penalties differ in length")
        if not (np.asarray(self.penalties) > 0).all():
            raise ValueError("penalties that are not above 0")


def lasso_figure(lasso: LassoCurves) -> Figure:
    """Draw the path of a LASSO above its cross-validation curve, on one axis of penalties.

    Parameters
    ----------
    lasso : LassoCurves
        Path and curve.

    Returns
    -------
    Figure
        Coefficients, and mean loss with its standard error, against the logarithm of the penalty; the number of
        features on top, lines at the smallest mean loss and at the one-standard-error rule, and the names of the
        features with the largest coefficients at the chosen penalty.
    """
    handles = _feature_handles(lasso)
    lines = 3 + sum(1 + str(handle.get_label()).count("\n") for handle in handles)
    height = 2.1 + 0.07 * lines
    with drawing(2, width=COLUMN_INCH, height=height, n_columns=1, sharex=True) as (figure, (path, curve)):
        ordered = np.argsort(lasso.penalties)
        x = np.log(np.asarray(lasso.penalties)[ordered])
        _draw_path(path, lasso, x, ordered)
        cut = _draw_curve(curve, lasso, x, ordered)
        for axes in (path, curve):
            _draw_rules(axes, lasso)
        title_of(path, lasso.title, pad=22.0)
        curve.set_xlabel("log(penalty)")
        legend_below(curve, handles=[*curve.get_legend_handles_labels()[0], *handles])
        n_folds = np.shape(lasso.errors)[1]
        told = (
            f"Positive coefficients speak for {lasso.positive}. Mean loss and its standard error: {n_folds} folds."
        )
        note(figure, told + (" Larger losses are cut off." if cut else ""))
    return figure


def _draw_path(axes: Axes, lasso: LassoCurves, x: Array, ordered: NDArray[np.intp]) -> None:
    coefs = np.asarray(lasso.coefs)[:, ordered]
    named = _named(lasso)
    for other in np.flatnonzero((coefs != 0).any(axis=1)):
        if other not in named:
            axes.plot(x, coefs[other], color=QUIET_COLOUR, linewidth=0.5, alpha=0.6, zorder=1)
    for number, feature in enumerate(named):
        colour, dashes = _line(number)
        axes.plot(x, coefs[feature], color=colour, linestyle=dashes, linewidth=1.1, zorder=2)
    axes.axhline(0.0, color=INK, linewidth=0.5, zorder=0)
    axes.set_ylabel("Coefficient")
    counts = (coefs != 0).sum(axis=0)
    top = axes.secondary_xaxis("top")
    places = np.unique(np.linspace(0, len(x) - 1, _COUNTS).round().astype(int))
    top.set_xticks(x[places], [str(counts[place]) for place in places], fontsize=SMALL)
    top.tick_params(length=2.0, pad=1.5)
    top.set_xlabel("features with a coefficient", fontsize=SMALL, labelpad=3.0)
    top.spines["top"].set_visible(False)


def _draw_curve(axes: Axes, lasso: LassoCurves, x: Array, ordered: NDArray[np.intp]) -> bool:
    """Draw the mean loss and its standard error; say whether some of it lies above the panel."""
    errors = np.asarray(lasso.errors)[ordered]
    n_folds = errors.shape[1]
    mean = errors.mean(axis=1)
    spread = errors.std(axis=1, ddof=1) / np.sqrt(n_folds) if n_folds > 1 else None
    axes.errorbar(
        x,
        mean,
        yerr=spread,
        fmt="o",
        markersize=1.8,
        color=FLAG_COLOUR,
        ecolor="#C9C9C9",
        elinewidth=0.7,
        capsize=1.2,
    )
    axes.set_ylabel(lasso.loss.capitalize())
    # A model that errs far more than the empty one would squeeze all else.
    reach = mean if spread is None else mean + spread
    floor = float((mean if spread is None else mean - spread).min())
    top = min(float(reach.max()), _LOSS_SHOWN * float(mean[-1]))
    axes.set_ylim(floor - 0.06 * (top - floor), top + 0.06 * (top - floor))
    return bool(reach.max() > top)


def _draw_rules(axes: Axes, lasso: LassoCurves) -> None:
    rules = [
        ("smallest mean loss", lasso.penalty_min, (0, (4, 2))),
        ("1-SE rule", lasso.penalty_1se, (0, (1.5, 1.5))),
    ]
    for name, penalty, dashes in rules:
        used = " (used)" if np.isclose(penalty, lasso.chosen, rtol=1e-9) else ""
        axes.axvline(np.log(penalty), color=INK, linewidth=0.8, linestyle=dashes, label=f"{name}{used}", zorder=3)


def _named(lasso: LassoCurves) -> list[int]:
    """Return the features with the largest coefficients at the chosen penalty."""
    size = np.abs(np.asarray(lasso.coefs)[:, _place(lasso)])
    largest = np.argsort(-size, kind="stable")[:NAMED]
    return [int(feature) for feature in largest if size[feature] > 0]


def _place(lasso: LassoCurves) -> int:
    """Return the place of the chosen penalty on the path."""
    return int(np.argmin(np.abs(np.log(lasso.penalties) - np.log(lasso.chosen))))


def _feature_handles(lasso: LassoCurves) -> list[Artist]:
    """Return what the legend says of the features."""
    from matplotlib.lines import Line2D

    handles: list[Artist] = []
    for number, feature in enumerate(_named(lasso)):
        colour, dashes = _line(number)
        name = wrapped(lasso.names[feature], _NAME_CHARACTERS)
        handles.append(Line2D([], [], color=colour, linestyle=dashes, linewidth=1.1, label=name))
    others = int((np.asarray(lasso.coefs)[:, _place(lasso)] != 0).sum()) - len(handles)
    if others:
        handles.append(Line2D([], [], color=QUIET_COLOUR, linewidth=0.5, label=f"{others} more"))
    return handles


def _line(number: int) -> tuple[str, Any]:
    return COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
