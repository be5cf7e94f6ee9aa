"""The curves of a network's training: losses, and the overlap on windows, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.style import COLUMN_INCH, drawing, legend_below, line_style, note, title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curves = Mapping[str, NDArray[np.float64]]

COLUMNS = ("epoch", "train_loss", "validation_loss", "patch_dice")
"""What each curve is drawn from."""


def training_curves(folds: Mapping[str, Curves]) -> Figure:
    """Draw the loss of every fold on training and validation windows, and the Dice of the latter.

    Parameters
    ----------
    folds : mapping of str to mapping of str to ndarray of shape (n_epochs,)
        For each fold, by name, the columns `COLUMNS`.

    Returns
    -------
    Figure
        Two panels. A fold ``all`` holds nothing out, which is told.
    """
    from matplotlib.ticker import MaxNLocator

    with drawing(2, width=COLUMN_INCH, height=2.4) as (figure, (loss, dice)):
        for number, (name, curves) in enumerate(folds.items()):
            colour = line_style(number)["color"]
            epoch = curves["epoch"]
            marker = "o" if len(epoch) == 1 else None
            told = {"color": colour, "marker": marker, "markersize": 3}
            loss.plot(epoch, curves["train_loss"], **told, linestyle="solid", label=f"fold {name}, training")
            loss.plot(
                epoch, curves["validation_loss"], **told, linestyle=(0, (4, 1.5)), label=f"fold {name}, validation"
            )
            dice.plot(epoch, curves["patch_dice"], **told, linestyle="solid", label=f"fold {name}")
        title_of(loss, "Loss")
        title_of(dice, "Dice of validation windows")
        dice.set_ylim(0.0, 1.0)
        for axes in (loss, dice):
            axes.set_xlabel("Epoch")
            axes.grid(True, axis="y")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            legend_below(axes)
        whole = "Windows are small parts of scans: their Dice is not that of whole masks."
        inside = " Fold 'all' holds no scan out: its validation windows come from scans that it learned from."
        note(figure, whole + (inside if "all" in folds else ""))
    return figure
