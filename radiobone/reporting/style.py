"""One quiet style for all figures: colours, sizes, and the canvas that they are drawn on.

Figures belong to no window system and touch no global state of matplotlib. The same input gives the same bytes.
"""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart; dashes tell lines apart in black and white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (1, 2)),
)
MAIN_COLOUR, FLAG_COLOUR = COLOURS[0], COLOURS[1]
FOLD_COLOUR, QUIET_COLOUR, GRID_COLOUR = "#A9BFCC", "#8C8C8C", "#E8E8E8"
INK, NOTE_COLOUR = "#262626", "#555555"

COLUMN_INCH = 3.4
"""Width of one column of a journal (86 mm)."""

PAGE_INCH = 7.1
"""Width of both columns (180 mm)."""

SMALL, NORMAL = 6.5, 8.0
"""Sizes of text in points, at the size of print."""

LAYOUT_PASSES = 2
_SMALL_PER_INCH = 19.0
_PAD_INCH = 0.05
_TITLE_PER_INCH = 14.2
_TICK_SIZE = 7.5
_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that pictures are the same everywhere
    "font.size": NORMAL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.titlesize": NORMAL,
    "axes.titlelocation": "left",
    "axes.titlepad": 6.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID_COLOUR,
    "grid.linewidth": 0.6,
    "xtick.labelsize": _TICK_SIZE,
    "ytick.labelsize": _TICK_SIZE,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "legend.labelspacing": 0.35,
    "legend.borderaxespad": 0.0,
    "figure.constrained_layout.h_pad": _PAD_INCH,
    "figure.constrained_layout.hspace": 0.0,
    "figure.constrained_layout.w_pad": 0.05,
    "svg.fonttype": "none",
    "svg.hashsalt": "radiobone",
    "pdf.fonttype": 42,
}


@contextlib.contextmanager
def drawing(
    n_panels: int = 1,
    *,
    width: float = COLUMN_INCH,
    height: float = COLUMN_INCH,
    n_columns: int | None = None,
    width_ratios: Sequence[float] | None = None,
    height_ratios: Sequence[float] | None = None,
    sharey: bool = False,
    sharex: bool = False,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure and its panels, to be drawn in this style; the layout is fixed when the block ends.

    Parameters
    ----------
    n_panels : int, default 1
        Number of panels, row by row.
    width, height : float
        Of each cell of the grid, in inches. What a panel of fixed shape leaves empty above and below is cut off.
    n_columns : int, optional
        Panels side by side; by default at most two, which is the width of a page.
    width_ratios, height_ratios : sequence of float, optional
        Of columns and rows.
    sharey, sharex : bool, default False
        Whether panels share their axes.

    Yields
    ------
    tuple of Figure and list of Axes
        Cells that are not needed are hidden.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    from matplotlib.figure import Figure

    if n_panels < 1:
        raise ValueError("nothing to draw")
    columns = n_columns or min(n_panels, 2)
    rows = -(-n_panels // columns)
    with styled():
        figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
        cells = figure.subplots(
            rows,
            columns,
            squeeze=False,
            sharex=sharex,
            sharey=sharey,
            width_ratios=width_ratios,
            height_ratios=height_ratios,
        ).ravel()
        for cell in cells:
            # Else the number of ticks would follow the settings of whoever draws the figure.
            cell.tick_params(labelsize=_TICK_SIZE)
        for spare in cells[n_panels:]:
            spare.set_axis_off()
        yield figure, list(cells[:n_panels])
        _settle(figure)


@contextlib.contextmanager
def sheet(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure, on which all is placed in inches, to be drawn in this style.

    Parameters
    ----------
    width, height : float
        In inches.

    Yields
    ------
    Figure
        Without a layout of its own.
    """
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(figsize=(width, height))
        yield figure


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add a panel to a sheet.

    Parameters
    ----------
    figure : Figure
        The sheet.
    left, bottom, width, height : float
        In inches.

    Returns
    -------
    Axes
        The panel.
    """
    whole_width, whole_height = figure.get_size_inches()
    place = (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    axes = figure.add_axes(place)
    axes.tick_params(labelsize=_TICK_SIZE)
    return axes


def text_width(figure: Figure, texts: Sequence[str], size: float = NORMAL, *, bold: bool = False) -> float:
    """Measure how much room texts need.

    Parameters
    ----------
    figure : Figure
        The sheet; the texts do not stay on it.
    texts : sequence of str
        Each may have several lines.
    size : float, optional
        In points.
    bold : bool, default False
        Whether they are to be written in bold.

    Returns
    -------
    float
        Width of the widest, in inches.
    """
    widest = 0.0
    for text in texts:
        artist = figure.text(0.0, 0.0, text, fontsize=size, fontweight="bold" if bold else "normal")
        widest = max(widest, artist.get_window_extent().width / figure.dpi)
        artist.remove()
    return widest


def note(figure: Figure, text: str) -> None:
    """Write what a reader must know below all panels, small and wrapped to the width of the figure.

    Parameters
    ----------
    figure : Figure
        The figure.
    text : str
        Sentences; nothing is written if there is none.
    """
    if text:
        lines = small_lines(text, float(figure.get_size_inches()[0]))
        figure.supxlabel("\n".join(lines), fontsize=SMALL, color=NOTE_COLOUR, x=0.012, ha="left")


def line_style(number: int) -> dict[str, Any]:
    """Return colour and dashes of a line; no two of the first 49 are alike.

    Parameters
    ----------
    number : int
        From 0, which is a solid line in the main colour.

    Returns
    -------
    dict
        ``color`` and ``linestyle``.
    """
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[(number + number // len(COLOURS)) % len(DASHES)],
    }


def small_lines(text: str, inches: float) -> list[str]:
    """Break a small text into lines.

    Parameters
    ----------
    text : str
        Sentences.
    inches : float
        Width that there is.

    Returns
    -------
    list of str
        Lines.
    """
    return textwrap.wrap(text, int(inches * _SMALL_PER_INCH))


def title_lines(*texts: str, inches: float = COLUMN_INCH) -> list[str]:
    """Break a title into lines.

    Parameters
    ----------
    *texts : str
        Lines; empty ones are left out.
    inches : float, optional
        Width that there is.

    Returns
    -------
    list of str
        Lines.
    """
    lines = "\n".join(texts).splitlines()
    return [part for line in lines for part in textwrap.wrap(line, int(inches * _TITLE_PER_INCH))]


def title_of(axes: Axes, *lines: str, pad: float | None = None) -> None:
    """Write the title of a panel; what is too long for a column goes on in the next line.

    Parameters
    ----------
    axes : Axes
        The panel.
    *lines : str
        Lines; empty ones are left out.
    pad : float, optional
        Distance from the panel, in points.
    """
    axes.set_title("\n".join(title_lines(*lines)), pad=pad)


def legend_below(
    axes: Axes, *, columns: int = 1, drop: float = 30.0, handles: Sequence[Artist] | None = None
) -> None:
    """Place the legend under the panel, where it hides no curve.

    Parameters
    ----------
    axes : Axes
        The panel.
    columns : int, default 1
        Entries side by side.
    drop : float, default 30.0
        How far below the panel, in points, so that the axis and its label have room.
    handles : sequence of Artist, optional
        What the legend explains; by default whatever in the panel has a label.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure(root=True)
    assert figure is not None
    below = axes.transAxes + ScaledTranslation(0.0, -drop / 72.0, figure.dpi_scale_trans)
    found = axes.get_legend_handles_labels()[0] if handles is None else list(handles)
    axes.legend(handles=found, loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=below, ncols=columns)


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Hold matplotlib's own defaults and this module's style, whatever the user's settings are.

    Yields
    ------
    None
        While figures are drawn or written.
    """
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]):
        yield


def _settle(figure: Figure) -> None:
    """Let the layout come to rest, cut off empty height, and fix it, so that each save gives the same picture."""
    engine = figure.get_layout_engine()
    assert engine is not None
    for _ in range(LAYOUT_PASSES):
        engine.execute(figure)
    width, height = figure.get_size_inches()
    needed = _needed_height(figure)
    if needed is not None and needed < height:
        figure.set_size_inches(width, needed)
    for _ in range(LAYOUT_PASSES):
        engine.execute(figure)
    figure.set_layout_engine("none")


def _needed_height(figure: Figure) -> float | None:
    """Return the height in inches that panels of fixed shape fill at the width of the figure; None for others."""
    rows: dict[int, tuple[float, float, float]] = {}
    for axes in figure.axes:
        place = axes.get_subplotspec()
        if place is None or not axes.axison:
            continue
        if axes.get_box_aspect() is None and axes.get_aspect() == "auto":
            return None
        inner, outer = axes.get_window_extent(), axes.get_tightbbox()
        assert outer is not None
        row = (outer.y1 - inner.y1, inner.height, inner.y0 - outer.y0)
        above, body, below = rows.get(place.rowspan.start, (0.0, 0.0, 0.0))
        rows[place.rowspan.start] = (max(above, row[0]), max(body, row[1]), max(below, row[2]))
    told = [text.get_window_extent().height for text in figure.texts]
    pixels = sum(map(sum, rows.values())) + sum(told)
    return float(pixels / figure.dpi + 2 * _PAD_INCH * (len(rows) + len(told)) + 0.02)
