"""Figures and tables of a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.reporting.figures import confusion_figure, roc_figure, save_figure
from radiobone.reporting.nested import confusions, node_scores
from radiobone.study.dataset import Dataset
from radiobone.study.outputs import FIGURES
from radiobone.study.recipe import Recipe

if TYPE_CHECKING:
    from radiobone.evaluation import ArmsResult


def write_report(
    recipe: Recipe, dataset: Dataset, validated: ArmsResult, model: Any, results: dict[str, Any], out: Path
) -> list[Path]:
    """Write every figure and table.

    Returns
    -------
    list of Path
        What was written.
    """
    folder = out / FIGURES
    save_figure(roc_figure(node_scores(results, validated.main.predictions)), folder / "roc.png")
    save_figure(confusion_figure(confusions(results)), folder / "confusion.png")
    return [folder / "roc.png", folder / "confusion.png"]
