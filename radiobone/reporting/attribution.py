"""Pictures of what a network looks at: what it was shown beside the same with the attribution in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.style import COLUMN_INCH, drawing, note, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

CONTOUR = "#00C882"
"""Colour of the VOI's edge, seen on greys and on the colours of heat."""

_ABOVE_ZERO, _BOTH_SIGNS = "inferno", "RdBu_r"
_SHINING_THROUGH = 0.55


@dataclass(frozen=True, eq=False)
class HeatPicture:
    """A picture and the attribution of its pixels.

    Parameters
    ----------
    title : str
        What is shown, such as ``axial, slice 31``.
    grey : ndarray of shape (rows, columns)
        What the network saw, from 0 (black) to 1 (white).
    heat : ndarray of the same shape
        The attribution.
    inside : ndarray of the same shape, bool
        The VOI, of which the edge is drawn.
    aspect : float, default 1.0
        Height of a pixel in mm, divided by its width.
    """

    title: str
    grey: NDArray[np.floating]
    heat: NDArray[np.floating]
    inside: NDArray[np.bool_]
    aspect: float = 1.0

    def __post_init__(self) -> None:
        if not self.grey.shape == self.heat.shape == self.inside.shape or self.grey.ndim != 2:
            shapes = ", ".join(str(array.shape) for array in (self.grey, self.heat, self.inside))
            raise ValueError(f"grey, heat and inside should be pictures of one size, got {shapes}")


def attribution_figure(
    pictures: Sequence[HeatPicture], *, title: str, told: str, label: str, below: str
) -> Figure:
    """Draw pictures in rows: on the left what the network saw, on the right its attribution in colour.

    Parameters
    ----------
    pictures : sequence of HeatPicture
        At least one. All share one scale of colours, on which the strongest attribution is 1.
    title : str
        Who, and which VOI.
    told : str
        What was found, above the right column.
    label : str
        What the colours mean, in a few words.
    below : str
        Sentences that a reader needs.

    Returns
    -------
    Figure
        With the VOI's edge in every picture. Attribution below 0 is blue; where there is none, dark is nothing.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    strongest = max((float(np.abs(item.heat).max()) for item in pictures), default=0.0)
    signed = any(float(item.heat.min()) < 0 for item in pictures)
    with drawing(2 * len(pictures), height=COLUMN_INCH + 0.9, n_columns=2) as (figure, panels):
        for number, picture in enumerate(pictures):
            left, right = panels[2 * number : 2 * number + 2]
            _grey(left, picture)
            _outline(left, picture.inside)
            title_of(left, *([title] if number == 0 else []), picture.title)
            _grey(right, picture)
            title_of(right, *([told] if number == 0 else []))
            shown = right.imshow(
                picture.heat / (strongest or 1.0),
                cmap=_BOTH_SIGNS if signed else _ABOVE_ZERO,
                vmin=-1.0 if signed else 0.0,
                vmax=1.0,
                alpha=_SHINING_THROUGH,
                aspect=picture.aspect,
                interpolation="nearest",
            )
            _outline(right, picture.inside)
            _bar(right, shown, label)
        note(figure, below)
    return figure


def _grey(axes: Axes, picture: HeatPicture) -> None:
    axes.imshow(picture.grey, cmap="gray", vmin=0.0, vmax=1.0, aspect=picture.aspect, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _outline(axes: Axes, inside: NDArray[np.bool_]) -> None:
    # Without an edge there is no line, of which matplotlib would warn.
    if inside.any() and not inside.all():
        axes.contour(inside.astype(float), levels=[0.5], colors=[CONTOUR], linewidths=[0.9])


def _bar(axes: Axes, shown: AxesImage, label: str) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(shown, cax=axes.inset_axes((1.03, 0.0, 0.045, 1.0)))
    bar.set_label(label)
    bar.outline.set_visible(False)
