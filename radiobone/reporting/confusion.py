"""Confusion matrices as figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.style import COLUMN_INCH, INK, drawing, title_of
from radiobone.reporting.words import counted, spaced, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COUNT_COLOURS = "Blues"
_NAME_CHARACTERS = 14


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
    with drawing(len(matrices), width=COLUMN_INCH, height=COLUMN_INCH + 2.0) as (figure, panels):
        for axes, matrix in zip(panels, matrices, strict=True):
            _draw(axes, matrix)
    return figure


def _draw(axes: Axes, matrix: Confusion) -> None:
    counts = np.asarray(matrix.counts)
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(share, cmap=COUNT_COLOURS, vmin=0.0, vmax=1.0)
    for (row, column), count in np.ndenumerate(counts):
        percent = f"{100 * share[row, column]:.0f} %" if totals[row, 0] else "n/a"
        colour = "white" if share[row, column] > 0.55 else INK
        axes.text(column, row, f"{count}\n{percent}", ha="center", va="center", color=colour)
    unit = "patients" if counts.sum() == matrix.n_patients else "predictions"
    places = range(len(matrix.classes))
    names = [wrapped(name, _NAME_CHARACTERS) for name in matrix.classes]
    axes.set_xticks(places, names)
    axes.set_yticks(places, [f"{name}\n({total} {unit})" for name, total in zip(names, totals[:, 0], strict=True)])
    axes.set(xlabel="Predicted class", ylabel="True class")
    title_of(axes, spaced(matrix.title), counted(matrix.n_patients, int(counts.sum())))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
