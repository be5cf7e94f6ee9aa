"""Univariable and multivariable regression of the clinical columns, as tables of clinical papers have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from radiobone.study.dataset import Dataset
from radiobone.study.recipe import Recipe
from radiobone.tables.keys import PATIENT

if TYPE_CHECKING:
    import pandas as pd

_OUTCOME = "outcome"


@dataclass(frozen=True, eq=False)
class NodeRegression:
    """The clinical table of one node, on its true members.

    Parameters
    ----------
    node : str
        Its name.
    table : DataFrame
        A row for each coefficient; empty if nothing could be fitted.
    notes : tuple of str
        What a reader should know.
    """

    node: str
    table: pd.DataFrame
    notes: tuple[str, ...]


def clinical_tables(recipe: Recipe, dataset: Dataset) -> list[NodeRegression]:
    """Fit each clinical column alone, and all together, at every node.

    These are models of all patients, for description: no figure of the validation rests on them.

    Parameters
    ----------
    recipe : Recipe
        Which columns are clinical.
    dataset : Dataset
        Their values.

    Returns
    -------
    list of NodeRegression
        Empty where the recipe names no clinical columns, or wants no tables.
    """
    if not recipe.clinical or not recipe.evaluation.clinical_table:
        return []
    return [_of_node(recipe, dataset, node.name, node.positive, node.negative) for node in recipe.nodes]


def _of_node(
    recipe: Recipe, dataset: Dataset, name: str, positive: tuple[str, ...], negative: tuple[str, ...]
) -> NodeRegression:
    import pandas as pd

    from radiobone.evaluation.regression.predictors import RegressionError
    from radiobone.evaluation.regression.tables import clinical_table

    sides = {
        **dict.fromkeys(positive, " or ".join(positive)),
        **dict.fromkeys(negative, " or ".join(negative)),
    }
    outcome = dataset.y.map(sides).dropna()
    known = dataset.cohort_columns
    columns = [column.column for column in recipe.clinical if column.column in known]
    table = dataset.cohort_columns.loc[outcome.index, columns].copy()
    for column in recipe.clinical:
        if column.kind == "category" and column.column in columns:
            table[column.column] = table[column.column].astype(str)
    # An empty cell is a missing value, not a category.
    table = table.mask(table.isin(["", "nan"]))
    table[_OUTCOME] = outcome
    several = dataset.keys[PATIENT].duplicated().any()
    if several:
        table[PATIENT] = dataset.keys[PATIENT]
    references = {column.column: column.reference for column in recipe.clinical if column.reference is not None}
    try:
        found = clinical_table(
            table,
            _OUTCOME,
            columns,
            positive=" or ".join(positive),
            references=references,
            groups=PATIENT if several else None,
            level=recipe.evaluation.level,
        )
    except RegressionError as error:
        return NodeRegression(name, pd.DataFrame(), (f"no multivariable model: {error}",))
    return NodeRegression(name, found.rows, found.notes)
