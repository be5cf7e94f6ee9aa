"""What a linear final model amounts to: its formula on raw features at every node, and a nomogram of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radiobone.core.files import atomic_path
from radiobone.study.dataset import Dataset

# More lines than this fit on no page.
_MOST_LINES = 20


def write_formulas(model: Any, folder: Path) -> list[Path]:
    """Write the formula of each node as JSON, CSV and text.

    Parameters
    ----------
    model : classifier
        Fitted; one that is no `HierarchicalClassifier` has no formula.
    folder : Path
        For the files, which are named after the nodes; where a node has no formula, the text says why.

    Returns
    -------
    list of Path
        What was written.
    """
    from radiobone.learning import HierarchicalClassifier
    from radiobone.learning.formula_files import FORMATS, write_formula
    from radiobone.learning.linear_form import FormulaError, node_formula

    written: list[Path] = []
    if not isinstance(model, HierarchicalClassifier):
        return written
    for node in model.tree_.nodes:
        paths = [folder / f"{node.name}{suffix}" for suffix in FORMATS]
        try:
            formula = node_formula(model, node.name)
        except FormulaError as error:
            with atomic_path(paths[-1]) as part:
                part.write_text(f"No formula: {error}\n", encoding="utf-8", newline="\n")
            written.append(paths[-1])
            continue
        for path in paths:
            write_formula(path, formula)
        written += paths
    return written


def write_nomograms(model: Any, dataset: Dataset, folder: Path) -> list[Path]:
    """Draw a nomogram of each node that has a formula of few features.

    Parameters
    ----------
    model : classifier
        Fitted on these patients.
    dataset : Dataset
        Its patients, whose ranges the lines span.
    folder : Path
        For the figures ``nomogram_<node>``.

    Returns
    -------
    list of Path
        What was written.
    """
    from radiobone.evaluation.nomogram import Nomogram
    from radiobone.evaluation.predictors import RegressionError
    from radiobone.learning import HierarchicalClassifier
    from radiobone.learning.linear_form import FormulaError, node_formula
    from radiobone.reporting.nomogram import nomogram_figure
    from radiobone.reporting.style import save_figure_as

    written: list[Path] = []
    if not isinstance(model, HierarchicalClassifier):
        return written
    for node in model.tree_.nodes:
        rows = dataset.X[dataset.y.isin(node.members)]
        try:
            formula = node_formula(model, node.name)
            nomogram = Nomogram.of_formula(formula, rows)
        except (FormulaError, RegressionError):
            continue  # the formula's text says why
        if len(nomogram.axes) > _MOST_LINES:
            continue
        figure = nomogram_figure(
            nomogram,
            title=f"{formula.positive} against {formula.negative}: final model, {len(rows)} patients",
            told="Fitted to all of them: its performance is that of the outer folds, not of this figure.",
        )
        written += save_figure_as(figure, folder / f"nomogram_{node.name}")
    return written
