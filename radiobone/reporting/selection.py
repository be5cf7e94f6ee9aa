"""How often each feature was selected, as bars with the names above them, so that long names fit into a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radiobone.reporting.style import (
    COLUMN_INCH,
    FLAG_COLOUR,
    GRID_COLOUR,
    MAIN_COLOUR,
    SMALL,
    drawing,
    legend_below,
    note,
    title_of,
)
from radiobone.reporting.words import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 15
"""Features that are drawn, the most frequent first."""

_NAME_CHARACTERS = 62
_BAR, _LINE_INCH, _BAR_INCH = 0.26, 0.125, 0.13


@dataclass(frozen=True)
class Selected:
    """One feature.

    Parameters
    ----------
    name : str
        The feature.
    folds : int
        Outer folds in which it was selected.
    flagged : bool, default False
        Whether it is highly correlated with the volume of the VOI.
    """

    name: str
    folds: int
    flagged: bool = False


def selection_figure(
    features: Sequence[Selected],
    n_folds: int,
    title: str,
    *,
    shown: int = SHOWN,
    flag: str = "|rho| with volume > 0.8",
) -> Figure:
    """Draw in how many outer folds each feature was selected.

    Parameters
    ----------
    features : sequence of Selected
        In any order; ties are ordered by name.
    n_folds : int
        Outer folds in all.
    title : str
        Node and arm.
    shown : int, default 15
        At most so many are drawn, and the others counted below.
    flag : str
        What a flag means, as the legend says it.

    Returns
    -------
    Figure
        A bar for each feature, flagged ones in another colour and with a mark.

    Raises
    ------
    ValueError
        If no feature was ever selected, or one in more folds than there are.
    """
    if any(not 0 <= feature.folds <= n_folds for feature in features):
        raise ValueError(f"a feature selected in more than {n_folds} folds, or in fewer than none")
    chosen = sorted((one for one in features if one.folds), key=lambda one: (-one.folds, one.name))
    drawn = chosen[:shown]
    names = [wrapped(feature.name, _NAME_CHARACTERS) for feature in drawn]
    lines = [name.count("\n") + 1 for name in names]
    height = 0.9 + sum(_LINE_INCH * count + _BAR_INCH for count in lines)
    with drawing(1 if drawn else 0, width=COLUMN_INCH, height=height) as (figure, (axes,)):
        _draw(axes, drawn, names, n_folds, flag)
        title_of(axes, title)
        others = len(chosen) - len(drawn)
        note(figure, f"Also selected at least once: {others} more." if others else "")
    return figure


def _draw(axes: Axes, drawn: Sequence[Selected], names: Sequence[str], n_folds: int, flag: str) -> None:
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    depth = 0.0
    for feature, name in zip(drawn, names, strict=True):
        colour = FLAG_COLOUR if feature.flagged else MAIN_COLOUR
        mark = " ▲" if feature.flagged else ""
        axes.text(0.0, depth, f"{name}{mark}", fontsize=SMALL, va="top", ha="left")
        depth += _LINE_INCH * (name.count("\n") + 1)
        place = depth + _BAR_INCH * _BAR
        axes.barh(place, n_folds, height=_BAR_INCH * 0.45, color=GRID_COLOUR, zorder=1)
        axes.barh(place, feature.folds, height=_BAR_INCH * 0.45, color=colour, zorder=2)
        axes.text(1.01 * n_folds, place, f"{feature.folds}/{n_folds}", fontsize=SMALL, va="center", ha="left")
        depth += _BAR_INCH
    axes.set(
        xlim=(0.0, n_folds), ylim=(depth, -0.02), yticks=[], xlabel=f"Outer folds (of {n_folds}) with the feature"
    )
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if any(feature.flagged for feature in drawn):
        legend_below(axes, handles=[Patch(color=FLAG_COLOUR, label=f"▲ {flag}")], drop=28.0)
