"""The flow of patients, from the cohort to the analysis, as a diagram."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from radiobone.reporting.style import INK, PAGE_INCH, SMALL, panel, sheet
from radiobone.reporting.words import spaced
from radiobone.tables.flow import ANALYSED, COHORT, EXCLUDED, LOST_ROWS, MASKS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

_LEFT, _RIGHT, _BOX = 0.1, 3.3, 2.6
_SIDE = PAGE_INCH - _RIGHT - 0.1
_LINE_INCH, _PAD, _GAP = 0.135, 0.16, 0.22
_SIDE_CHARACTERS = 66


@dataclass(frozen=True)
class _Box:
    """A box of the diagram: its lines, and whether it stands beside the main line."""

    lines: tuple[str, ...]
    aside: bool

    @property
    def height(self) -> float:
        return _LINE_INCH * len(self.lines) + _PAD


def flow_figure(
    table: pd.DataFrame, title: str = "", unit: Literal["patients", "vertebrae"] = "patients"
) -> Figure:
    """Draw the flow of patients.

    Parameters
    ----------
    table : DataFrame
        The content of ``flow.csv``: ``step``, ``reason``, ``class``, ``patients``, ``rows``; see
        `radiobone.tables.flow.Flow`.
    title : str, optional
        Above the diagram.
    unit : {"patients", "vertebrae"}
        What is counted; vertebrae are the rows of the table.

    Returns
    -------
    Figure
        The cohort and the analysed patients by class on the left, those who were excluded, by step and reason, on
        the right.

    Raises
    ------
    ValueError
        If the table lacks a column, or the cohort or the analysis.
    """
    missing = [name for name in ("step", "reason", "class", "patients", "rows") if name not in table]
    if missing:
        raise ValueError(f"the table of the flow lacks {', '.join(missing)}")
    masks = table[table["step"] == MASKS].groupby("reason", sort=False)["patients"].sum()
    table = table[table["step"] != MASKS]
    if unit == "vertebrae":
        table = table.assign(patients=table["rows"], rows=table["rows"].where(table["step"] == LOST_ROWS, 0))
    boxes = _boxes(table, unit, [f"Masks {source}: {count} patients" for source, count in masks.items()])
    height = sum(box.height for box in boxes) + _GAP * (len(boxes) - 1) + 0.2 + (0.25 if title else 0.0)
    width = PAGE_INCH if any(box.aside for box in boxes) else _BOX + 2 * _LEFT
    with sheet(width, height) as figure:
        axes = panel(figure, 0.0, 0.0, width, height)
        axes.set(xlim=(0.0, width), ylim=(0.0, height))
        axes.set_axis_off()
        if title:
            axes.text(_LEFT, height - 0.05, title, va="top")
        _draw(axes, boxes, height - (0.3 if title else 0.1))
    return figure


def _boxes(table: pd.DataFrame, counted: str, masks: list[str]) -> list[_Box]:
    steps = list(dict.fromkeys(table["step"]))
    if COHORT not in steps or ANALYSED not in steps:
        raise ValueError(
            f"the flow needs the steps {COHORT!r} and {ANALYSED!r}; it has {', '.join(map(repr, steps))}"
        )
    boxes = []
    for step in steps:
        part = table[table["step"] == step]
        if step in (COHORT, ANALYSED):
            by_class = [f"   {name} {count}" for name, count in zip(part["class"], part["patients"], strict=True)]
            name = "Cohort" if step == COHORT else "Analysed"
            lines = [f"{name}: {part['patients'].sum()} {counted}", *by_class]
            if part["rows"].sum():
                lines[0] += f", {part['rows'].sum()} rows of features"
            lines += masks if step == COHORT else []
            boxes.append(_Box(tuple(lines), aside=False))
            continue
        if not part[["patients", "rows"]].to_numpy().any():
            continue
        column, unit = ("rows", "rows") if step == LOST_ROWS else ("patients", counted)
        heading = step if step == LOST_ROWS else spaced(step.removeprefix(f"{EXCLUDED}: "))
        lines = [
            f"{heading.capitalize() if step == LOST_ROWS else f'Excluded, {heading}'}: {part[column].sum()} {unit}"
        ]
        for reason, of_reason in part[part[column] > 0].groupby("reason", sort=False):
            counts = ", ".join(
                f"{name} {count}" for name, count in zip(of_reason["class"], of_reason[column], strict=True)
            )
            lines += _wrap(f"{reason} ({counts})")
        boxes.append(_Box(tuple(lines), aside=True))
    return boxes


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, _SIDE_CHARACTERS, initial_indent="   ", subsequent_indent="   ")


def _draw(axes: Axes, boxes: list[_Box], top: float) -> None:
    """Place boxes from top to bottom; the main line runs down on the left and branches off to the right."""
    middle = _LEFT + _BOX / 2
    depth, last_main = top, top
    for number, box in enumerate(boxes):
        left, width = (_RIGHT, _SIDE) if box.aside else (_LEFT, _BOX)
        axes.add_patch(_rectangle(left, depth - box.height, width, box.height))
        axes.text(
            left + 0.1, depth - box.height / 2, "\n".join(box.lines), va="center", fontsize=SMALL, linespacing=1.35
        )
        if box.aside:
            _arrow(axes, (middle, depth - box.height / 2), (_RIGHT, depth - box.height / 2))
        elif number:
            _arrow(axes, (middle, last_main), (middle, depth))
        if not box.aside:
            last_main = depth - box.height
        depth -= box.height + _GAP


def _rectangle(left: float, bottom: float, width: float, height: float) -> Patch:
    from matplotlib.patches import Rectangle

    return Rectangle((left, bottom), width, height, fill=False, edgecolor=INK, linewidth=0.8)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
    )
