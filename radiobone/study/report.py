"""Figures and tables of a study, in folders of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.study.clinical import write_clinical_tables
from radiobone.study.dataset import Dataset
from radiobone.study.formulas import write_formulas, write_nomograms
from radiobone.study.outputs import FIGURES, TABLES
from radiobone.study.recipe import Recipe

if TYPE_CHECKING:
    from radiobone.evaluation import ArmsResult


def write_report(
    recipe: Recipe, dataset: Dataset, validated: ArmsResult, model: Any, results: dict[str, Any], out: Path
) -> list[Path]:
    """Write every figure and table for which there is something to show.

    Parameters
    ----------
    recipe : Recipe
        The study.
    dataset : Dataset
        Its patients.
    validated : ArmsResult
        What was found.
    model : classifier
        The primary arm's procedure, fitted on all patients.
    results : dict
        The content of ``results.json``.
    out : Path
        The study's folder.

    Returns
    -------
    list of Path
        What was written.
    """
    from radiobone.reporting.figures import save_figure_as
    from radiobone.reporting.gallery import study_figures
    from radiobone.reporting.tables import write_tables

    written = write_tables(results, out / TABLES)
    if recipe.evaluation.clinical_table:
        written += write_clinical_tables(recipe, dataset, out / TABLES)
    written += write_formulas(model, out / TABLES / "formulas")
    if recipe.evaluation.nomogram:
        written += write_nomograms(model, dataset, out / FIGURES)
    predictions = validated.predictions
    for name, figure in study_figures(results, predictions, model=model, flow=dataset.flow.table):
        written += save_figure_as(figure, out / FIGURES / name)
    return written
