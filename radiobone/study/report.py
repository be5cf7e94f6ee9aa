"""Figures and tables of a study, in folders of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.core.batch import progress_bar
from radiobone.core.files import write_text
from radiobone.reporting.figures import save_figure_as
from radiobone.reporting.words import file_name
from radiobone.study.clinical import clinical_tables
from radiobone.study.dataset import Dataset
from radiobone.study.formulas import final_formulas, nomograms, write_formulas
from radiobone.study.learned import learned_figures
from radiobone.study.outputs import FIGURES, FORMULA, TABLES
from radiobone.study.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from radiobone.evaluation import ArmsResult
    from radiobone.learning.disk.formula import LinearFormula


def write_report(
    recipe: Recipe,
    dataset: Dataset,
    validated: ArmsResult,
    model: Any,
    results: dict[str, Any],
    out: Path,
    progress: bool = False,
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
        The content of ``results.json``; gets what is made here (``formula``, ``clinical``).
    out : Path
        The study's folder.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    list of Path
        What was written.
    """
    from radiobone.reporting.tables import write_tables

    formulas, reasons = final_formulas(model)
    results["formula"] = {name: formula.text().splitlines() for name, formula in formulas.items()} | {
        name: f"none: {reason}" for name, reason in reasons.items()
    }
    written = [*write_tables(results, out / TABLES), *write_formulas(formulas, out / FORMULA)]
    regressions = clinical_tables(recipe, dataset)
    results["clinical"] = {one.node: list(one.notes) for one in regressions}
    for one in regressions:
        if len(one.table):
            path = out / TABLES / f"clinical_{file_name(one.node)}.csv"
            write_text(path, one.table.to_csv(index=False, lineterminator="\n"))
            written.append(path)
    suffixes = [f".{kind}" for kind in recipe.evaluation.figures]
    if suffixes:
        with progress_bar("drawing figures", None, progress) as advance:
            for name, figure in _figures(recipe, dataset, validated, model, results, formulas):
                written += save_figure_as(figure, out / FIGURES / name, suffixes)
                advance()
    return written


def _figures(
    recipe: Recipe,
    dataset: Dataset,
    validated: ArmsResult,
    model: Any,
    results: dict[str, Any],
    formulas: dict[str, LinearFormula],
) -> Iterator[tuple[str, Figure]]:
    """Draw one figure at a time, so that few are in memory."""
    from radiobone.reporting.flow import flow_figure
    from radiobone.reporting.gallery import study_figures

    by_level = recipe.unit_levels is not None
    flow = None if by_level else dataset.flow.table
    yield from study_figures(results, validated.predictions, model=model, flow=flow)
    if by_level:
        yield "flow", flow_figure(dataset.flow.table, unit="vertebrae")
    if recipe.evaluation.nomogram:
        yield from nomograms(formulas, dataset.X, dataset.codes)
    yield from learned_figures(recipe, results)
