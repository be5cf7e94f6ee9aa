"""The tables of clinical papers: odds ratios of the clinical columns, alone and together, at every node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.files import atomic_path
from radiobone.study.dataset import Dataset
from radiobone.study.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

CLINICAL, CLINICAL_NOTES = "clinical_regression.csv", "clinical_regression_notes.csv"

_CLASS = "true class"


def write_clinical_tables(recipe: Recipe, dataset: Dataset, folder: Path) -> list[Path]:
    """Write univariable and multivariable logistic regressions of the clinical columns.

    Parameters
    ----------
    recipe : Recipe
        The study; its clinical columns and their reference categories.
    dataset : Dataset
        Its patients.
    folder : Path
        For the two tables: one row for each node and coefficient, and one for each note.

    Returns
    -------
    list of Path
        What was written; nothing without clinical columns.

    Notes
    -----
    All patients of the study are described here, and nothing is validated: odds ratios tell how columns go with
    the classes, not how well they would predict them. Every clinical column of the recipe stands in the
    multivariable model, so that no p-value is the fruit of a choice.
    """
    import pandas as pd

    from radiobone.evaluation.regression import node_tables

    names = [column.column for column in recipe.clinical]
    if not names:
        return []
    table = _columns(recipe, dataset).assign(**{_CLASS: dataset.y})
    references = {column.column: column.reference for column in recipe.clinical if column.reference is not None}
    found = node_tables(table, _CLASS, names, recipe.tree(), references=references, level=recipe.evaluation.level)
    rows, notes = [], []
    for node in recipe.tree():
        positive, negative = (" or ".join(map(str, side)) for side in (node.positive, node.negative))
        sides = {"node": node.name, "positive": positive, "negative": negative}
        rows.append(found[node.name].rows.assign(**sides))
        notes += [(node.name, note) for note in found[node.name].notes]
    whole = pd.concat(rows, ignore_index=True)
    whole = whole[["node", "positive", "negative", *(name for name in whole if name not in sides)]]
    written = []
    for name, one in ((CLINICAL, whole), (CLINICAL_NOTES, pd.DataFrame(notes, columns=["node", "note"]))):
        with atomic_path(folder / name) as part:
            one.to_csv(part, index=False, lineterminator="\n")
        written.append(folder / name)
    return written


def _columns(recipe: Recipe, dataset: Dataset) -> pd.DataFrame:
    """Take the clinical columns as the cohort table has them, those with categories as text."""
    table = dataset.cohort_columns.copy()
    for column in recipe.clinical:
        if column.kind == "category" or column.reference is not None:
            values = table[column.column].astype(object)
            table[column.column] = values.where(values.isna(), values.astype(str))
    return table
