"""Figures as files, with the same bytes each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.errors import UsageError
from radiobone.core.files import atomic_path
from radiobone.reporting.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


def save_figure(figure: Figure, path: Path, *, dpi: int = 300) -> None:
    """Write a figure atomically; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        From this room, or any other.
    path : Path
        Ends in .png, .svg or .pdf.
    dpi : int, default 300
        Dots per inch of a PNG.

    Raises
    ------
    UsageError
        If the suffix is none of these.
    """
    metadata = _METADATA.get(path.suffix.lower())
    if metadata is None:
        raise UsageError("figures are not written in this format", where=str(path), expected=", ".join(_METADATA))
    with styled(), atomic_path(path) as part:
        figure.savefig(part, dpi=dpi, format=path.suffix.lower()[1:], metadata=metadata)


def save_figure_as(figure: Figure, path: Path, suffixes: Sequence[str] = (".png", ".pdf")) -> list[Path]:
    """Write a figure once for each format, such as a PNG to look at and a PDF for the printer.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : Path
        Folder and name, without or with one of these suffixes.
    suffixes : sequence of str
        Of .png, .svg and .pdf.

    Returns
    -------
    list of Path
        The files.
    """
    # A name may hold points of its own.
    stem = path.stem if path.suffix.lower() in _METADATA else path.name
    paths = [path.parent / f"{stem}{suffix}" for suffix in suffixes]
    for one in paths:
        save_figure(figure, one)
    return paths
