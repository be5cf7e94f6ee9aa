"""How a figure of many cases is spread, group by group: a box over the points of the cases."""

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
    INK,
    MAIN_COLOUR,
    PAGE_INCH,
    QUIET_COLOUR,
    drawing,
    note,
    text_width,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 5
"""Fewer cases than this have no box: quartiles of three points would say no more than the points."""

GOLDEN = 0.6180339887498949
"""Steps of this share of a width fall evenly, however many there are."""

TICK = 7.5
"""Size of the names of groups in points, as in all figures."""

_GROUP_INCH, _HEIGHT, _STRIP, _BOX = 0.42, 2.9, 0.26, 0.55


@dataclass(frozen=True)
class Group:
    """The cases of one group, such as a level.

    Parameters
    ----------
    name : str
        The group.
    values : sequence of float
        One for each case in which the figure is defined.
    undefined : int, default 0
        Cases in which it is not.
    """

    name: str
    values: Sequence[float]
    undefined: int = 0


def spread_figure(
    groups: Sequence[Group],
    label: str,
    title: str,
    *,
    reference: float | None = None,
    told: str = "",
) -> Figure:
    """Draw the cases of each group as points, their quartiles as a box.

    Parameters
    ----------
    groups : sequence of Group
        From left to right.
    label : str
        The figure and its unit.
    title : str
        What is shown.
    reference : float, optional
        Drawn as a line, such as 0 for differences.
    told : str
        For the line below.

    Returns
    -------
    Figure
        Whiskers reach the last case within 1.5 times the range of the quartiles; the diamond is the mean.

    Raises
    ------
    ValueError
        If no group has a value.
    """
    if not any(len(group.values) for group in groups):
        raise ValueError("nothing to draw")
    width = min(max(COLUMN_INCH, 0.9 + _GROUP_INCH * len(groups)), PAGE_INCH)
    with drawing(width=width, height=_HEIGHT) as (figure, (axes,)):
        if reference is not None:
            axes.axhline(reference, color=QUIET_COLOUR, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        for place, group in enumerate(groups):
            _draw_group(axes, place, group)
        named = [_named(group) for group in groups]
        axes.set_xticks(range(len(groups)), named)
        room = (width - 0.9) / len(groups)
        if text_width(figure, named, TICK) > room:
            # Long names stand on end, their counts behind them.
            axes.set_xticks(range(len(groups)), [name.replace("\n", ": ") for name in named], rotation=90)
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.grid(axis="y")
        axes.set_ylabel(label)
        title_of(axes, title)
        note(figure, told)
    return figure


def _named(group: Group) -> str:
    count = f"{len(group.values)}" + (f" (+{group.undefined})" if group.undefined else "")
    return f"{group.name}\n{count}"


def _draw_group(axes: Axes, place: int, group: Group) -> None:
    values = np.sort(np.asarray(group.values, dtype=np.float64))
    if not len(values):
        return
    axes.plot(
        place + _STRIP * _jitter(len(values)),
        values,
        linestyle="none",
        marker="o",
        markersize=3.2 if len(values) < 60 else 2.0,
        markeredgewidth=0.0,
        color=FOLD_COLOUR if len(values) >= FEW else MAIN_COLOUR,
        alpha=0.8,
    )
    if len(values) < FEW:
        return
    axes.boxplot(
        values,
        positions=[place],
        widths=_BOX,
        showfliers=False,
        boxprops={"color": MAIN_COLOUR, "linewidth": 1.0},
        whiskerprops={"color": MAIN_COLOUR, "linewidth": 0.9},
        capprops={"color": MAIN_COLOUR, "linewidth": 0.9},
        medianprops={"color": INK, "linewidth": 1.4},
    )
    axes.plot(place, values.mean(), marker="D", markersize=3.6, color=FLAG_COLOUR, markeredgewidth=0.0)


def _jitter(count: int) -> NDArray[np.float64]:
    """Return places between -1 and 1 that hold neighbours apart, the same each time."""
    if count == 1:
        return np.zeros(1)
    places: NDArray[np.float64] = 2.0 * np.modf(0.5 + np.arange(count) * GOLDEN)[0] - 1.0
    return places
