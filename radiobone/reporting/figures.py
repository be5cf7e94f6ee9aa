"""Figures from plain arrays: ROC curves over outer folds, and confusion matrices.

All functions return a matplotlib figure that no window system or global state knows of; `save_figure`
writes it with the same bytes each time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.core.files import atomic_path
from radiobone.reporting.summary import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart.
MEAN_COLOUR, FOLD_COLOUR, CHANCE_COLOUR = "#0072B2", "#8C8C8C", "#D55E00"
COUNT_COLOURS = "Blues"
PANEL_INCH = 3.4
GRID_POINTS = 201
LAYOUT_PASSES = 3
_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that pictures are the same everywhere
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 8.0,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "radiobone",
    "pdf.fonttype": 42,
}
_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


@dataclass(frozen=True, eq=False)
class NodeScores:
    """Out-of-fold scores of one node.

    Parameters
    ----------
    name : str
        The node, such as ``osteoporosis_vs_rest``.
    positive : str
        The class that a high score speaks for.
    is_positive : ndarray of shape (n_predictions,), bool
        The truth.
    score : ndarray of shape (n_predictions,)
        Probability of the positive class.
    fold : ndarray of shape (n_predictions,)
        In which outer test fold each row stands; any values.
    judged_on : str, optional
        Which rows these are, as a line of the title.
    """

    name: str
    positive: str
    is_positive: NDArray[np.bool_]
    score: NDArray[np.float64]
    fold: NDArray[Any]
    judged_on: str = ""

    def __post_init__(self) -> None:
        if not len(self.is_positive) == len(self.score) == len(self.fold):
            raise ValueError("is_positive, score and fold differ in length")
        if not np.isfinite(self.score).all():
            raise ValueError(f"scores of {self.name} that are not finite")


@dataclass(frozen=True, eq=False)
class Confusion:
    """A confusion matrix.

    Parameters
    ----------
    title : str
        What was decided, and on whom.
    classes : sequence of str
        Names, in the order of rows and columns.
    counts : ndarray of shape (n_classes, n_classes), int
        Predictions by true class (row) and predicted class (column).
    n_patients : int
        Patients that these are predictions of; fewer than predictions where folds are repeated.
    """

    title: str
    classes: Sequence[str]
    counts: NDArray[np.int64]
    n_patients: int

    def __post_init__(self) -> None:
        if np.shape(self.counts) != (len(self.classes), len(self.classes)):
            raise ValueError(f"{len(self.classes)} classes, and counts of shape {np.shape(self.counts)}")


def roc_figure(nodes: Sequence[NodeScores]) -> Figure:
    """Draw the ROC curves of each node: every outer fold, their mean, and its band of one SD.

    Parameters
    ----------
    nodes : sequence of NodeScores
        One panel each, at least one.

    Returns
    -------
    Figure
        With the number of folds, and AUC as mean and SD (divisor n - 1) over the outer folds in each legend.

    Raises
    ------
    ValueError
        If there is nothing to draw.

    Notes
    -----
    The mean curve is the mean of sensitivity at equal 1 - specificity. A fold that lacks one of the two
    classes has no curve; then there is no mean either, and the legend says how many folds lack one.
    """
    with _panels(len(nodes)) as (figure, panels):
        for axes, node in zip(panels, nodes, strict=True):
            _draw_roc(axes, node)
    return figure


def confusion_figure(matrices: Sequence[Confusion]) -> Figure:
    """Draw confusion matrices: in each cell the count, and its share of the true class.

    Parameters
    ----------
    matrices : sequence of Confusion
        One panel each, at least one.

    Returns
    -------
    Figure
        Colours follow the share, so that classes of unequal size compare. Each title says what is counted.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    with _panels(len(matrices)) as (figure, panels):
        for axes, matrix in zip(panels, matrices, strict=True):
            _draw_confusion(axes, matrix)
    return figure


def save_figure(figure: Figure, path: Path, *, dpi: int = 200) -> None:
    """Write a figure atomically; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        From this module, or any other.
    path : Path
        Ends in .png, .svg or .pdf.
    dpi : int, default 200
        Dots per inch of a PNG.

    Raises
    ------
    UsageError
        If the suffix is none of these.
    """
    metadata = _METADATA.get(path.suffix.lower())
    if metadata is None:
        raise UsageError("figures are not written in this format", where=str(path), expected=", ".join(_METADATA))
    with _style(), atomic_path(path) as part:
        figure.savefig(part, dpi=dpi, format=path.suffix.lower()[1:], metadata=metadata)


def _draw_roc(axes: Axes, node: NodeScores) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    grid = np.linspace(0.0, 1.0, GRID_POINTS)
    curves, areas = [], []
    folds = np.unique(node.fold)
    for fold in folds:
        inside = node.fold == fold
        truth, score = node.is_positive[inside], node.score[inside]
        if truth.all() or not truth.any():
            continue
        false_positive, true_positive, _ = roc_curve(truth, score, drop_intermediate=False)
        curves.append(np.interp(grid, false_positive, true_positive))
        areas.append(roc_auc_score(truth, score))
        axes.plot(false_positive, true_positive, color=FOLD_COLOUR, linewidth=0.7, alpha=0.8)
    for line in axes.lines[:1]:  # one stands for all in the legend
        line.set_label("1 outer fold" if len(curves) == 1 else f"{len(curves)} outer folds")
    if len(curves) == len(folds):
        _draw_mean(axes, grid, np.array(curves), np.array(areas))
    else:
        lacking = f"AUC n/a: {len(folds) - len(curves)} of {len(folds)} folds\nlack a class"
        axes.plot([], [], linestyle="none", label=lacking)
    axes.plot([0, 1], [0, 1], color=CHANCE_COLOUR, linestyle=(0, (4, 3)), linewidth=1.0, label="chance")
    axes.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel="1 - specificity",
        ylabel=f"Sensitivity ({node.positive})",
    )
    axes.set_box_aspect(1.0)
    lines = (node.name.replace("_", " "), f"positive: {node.positive}", node.judged_on)
    axes.set_title("\n".join(line for line in lines if line))
    axes.legend(loc="lower right")


def _draw_mean(
    axes: Axes, grid: NDArray[np.float64], curves: NDArray[np.float64], areas: NDArray[np.float64]
) -> None:
    """Draw the mean curve and, from two curves on, its band."""
    mean = curves.mean(axis=0)
    mean[0] = 0.0  # Every curve starts at the origin, though it may rise there at once.
    spread = f" ± {areas.std(ddof=1):.2f}" if len(areas) > 1 else ""
    axes.plot(grid, mean, color=MEAN_COLOUR, linewidth=2.0, label=f"mean, AUC {areas.mean():.2f}{spread}")
    if len(curves) > 1:
        sd = curves.std(axis=0, ddof=1)
        low, high = np.clip(mean - sd, 0.0, 1.0), np.clip(mean + sd, 0.0, 1.0)
        axes.fill_between(grid, low, high, color=MEAN_COLOUR, alpha=0.18, linewidth=0.0, label="± 1 SD")


def _draw_confusion(axes: Axes, matrix: Confusion) -> None:
    counts = np.asarray(matrix.counts)
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(share, cmap=COUNT_COLOURS, vmin=0.0, vmax=1.0)
    for (row, column), count in np.ndenumerate(counts):
        percent = f"{100 * share[row, column]:.0f} %" if totals[row, 0] else "n/a"
        colour = "white" if share[row, column] > 0.55 else "black"
        axes.text(column, row, f"{count}\n{percent}", ha="center", va="center", color=colour)
    unit = "patients" if counts.sum() == matrix.n_patients else "predictions"
    places = range(len(matrix.classes))
    named = [
        f"{name}\n({total} {unit})".replace(" or ", " or\n")
        for name, total in zip(matrix.classes, totals[:, 0], strict=True)
    ]
    axes.set_xticks(places, [name.replace(" or ", " or\n") for name in matrix.classes])
    axes.set_yticks(places, named)
    axes.set(xlabel="Predicted class", ylabel="True class")
    axes.set_title(f"{matrix.title.replace('_', ' ')}\n{counted(matrix.n_patients, int(counts.sum()))}")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """Hold matplotlib's own defaults and this module's style, whatever the user's settings are."""
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]):
        yield


@contextlib.contextmanager
def _panels(n_panels: int) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure with panels side by side, to be drawn in this module's style."""
    from matplotlib.figure import Figure

    if n_panels < 1:
        raise ValueError("nothing to draw")
    with _style():
        figure = Figure(figsize=(n_panels * (PANEL_INCH + 0.7), PANEL_INCH + 0.6), layout="constrained")
        yield figure, list(figure.subplots(1, n_panels, squeeze=False)[0])
        # The layout settles in a few passes; then it is fixed, so that each save gives the same picture.
        for _ in range(LAYOUT_PASSES):
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
