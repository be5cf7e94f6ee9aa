"""Columns of the cohort table as numbers: what they are called, and how categories are coded."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.learning.disk.source import ColumnSource
from radiobone.study.recipe.study import GROUPS
from radiobone.study.recipe.table import Column
from radiobone.tables.keys import PATIENT, require_columns
from radiobone.tables.reading import numbers

if TYPE_CHECKING:
    import pandas as pd

    from radiobone.study.recipe import Recipe
    from radiobone.tables.cohort import Cohort

MISSING = ("", "na", "nan", "n/a")
"""Cells without a value, in any case."""

_MOSTLY_NUMBERS = 0.5
"""Above this share of numbers among its filled cells, a column is meant to hold numbers only."""

_SHOWN = 5


def patient_values(cohort: Cohort, column: str, patients: Sequence[str] | None = None) -> pd.Series[str]:
    """Return the one value of each patient in a column of the cohort table, empty where there is none.

    Parameters
    ----------
    cohort : Cohort
        The table.
    column : str
        Which column.
    patients : sequence of str, optional
        Whom, and in which order; by default all, in order of first appearance.

    Returns
    -------
    Series of str
        Index ``patient_id``.

    Raises
    ------
    TableError
        If there is no such column, or the rows of a patient disagree.
    """
    require_columns(list(cohort.table.columns), (column,), str(cohort.path))
    text = cohort.table[column].str.strip()
    filled = text[~text.str.casefold().isin(MISSING)]
    by_patient = filled.groupby(cohort.table[PATIENT], sort=False)
    torn = by_patient.nunique().loc[lambda count: count > 1]
    if len(torn):
        raise TableError(
            f"{len(torn)} patients have rows that disagree on {column!r}",
            where=str(cohort.path),
            got=", ".join(map(str, torn.index[:_SHOWN])),
            expected="one value for each patient",
            do="mend the rows, or remove those of scans that are not used",
        )
    wanted = cohort.table[PATIENT].unique() if patients is None else list(patients)
    return by_patient.first().reindex(wanted, fill_value="")


def plain_values(cohort: Cohort, column: str, patients: Sequence[str]) -> pd.Series:
    """Return the values of a column as numbers if all of them are, else as text.

    Parameters
    ----------
    cohort : Cohort
        The table.
    column : str
        Which column.
    patients : sequence of str
        Whom, and in which order.

    Returns
    -------
    Series
        Index ``patient_id``.
    """
    values = patient_values(cohort, column, patients)
    if _share_of_numbers(values) < 1.0:
        return values
    return numbers(values.to_frame(column), column, str(cohort.path))


def code_columns(recipe: Recipe, cohort: Cohort, patients: Sequence[str]) -> list[ColumnSource]:
    """Decide how each clinical and acquisition column becomes numbers.

    Categories are those of the patients given, whatever their class, in sorted order; the first, or the one that
    the recipe names, is the reference. No outcome plays a part, so this is no learned step.

    Parameters
    ----------
    recipe : Recipe
        Which columns, in which group.
    cohort : Cohort
        Their values.
    patients : sequence of str
        The patients of the study.

    Returns
    -------
    list of ColumnSource
        In the recipe's order.

    Raises
    ------
    TableError
        If a column is missing, is mostly but not all numbers, or lacks the reference.

    Warns
    -----
    RadioboneWarning
        If a column holds one value at most; it is left out.
    """
    where = str(cohort.path)
    found = []
    for group in GROUPS:
        for column in present(getattr(recipe, group), cohort):
            values = patient_values(cohort, column.column, patients)
            filled = values[values != ""]
            if filled.nunique() > 1:
                found.append(_code(group, column, values, where))
                continue
            held = f"{filled.iloc[0]!r} only" if len(filled) else "no value"
            message = f"{where}: {group} column {column.column!r} holds {held}, and is left out"
            warnings.warn(message, RadioboneWarning, stacklevel=2)
    return found


def present(columns: Sequence[Column], cohort: Cohort) -> list[Column]:
    """Leave out optional columns that a cohort table lacks.

    Parameters
    ----------
    columns : sequence of Column
        Of a recipe.
    cohort : Cohort
        The table.

    Returns
    -------
    list of Column
        The others, whether they are there or not.
    """
    return [column for column in columns if not column.optional or column.column in cohort.table.columns]


def coded(codes: Iterable[ColumnSource], cohort: Cohort, patients: Sequence[str]) -> pd.DataFrame:
    """Return columns of the cohort table as numbers.

    Parameters
    ----------
    codes : iterable of ColumnSource
        How.
    cohort : Cohort
        The table.
    patients : sequence of str
        Whom, and in which order.

    Returns
    -------
    DataFrame of float
        Index ``patient_id``; a missing value is missing in all columns of its category, and so is a value that
        the categories do not hold.
    """
    import pandas as pd

    found: dict[str, pd.Series] = {}
    for code in codes:
        values = patient_values(cohort, code.column, patients)
        if code.kind == "number":
            found[code.names[0]] = numbers(values.to_frame(code.column), code.column, str(cohort.path))
            continue
        known = values.isin(code.categories)
        for name, category in zip(code.names, code.categories[1:], strict=True):
            found[name] = (values == category).astype(float).where(known, np.nan)
    return pd.DataFrame(found, index=pd.Index(patients, name=PATIENT))


def _code(group: str, column: Column, values: pd.Series[str], where: str) -> ColumnSource:
    filled = values[values != ""]
    share = _share_of_numbers(values)
    if column.kind == "auto" and column.reference is None and share == 1.0:
        kind = "number"
    elif column.kind == "auto" and _MOSTLY_NUMBERS < share < 1.0:
        raise TableError(
            f"column {column.column!r} holds numbers and other text",
            where=where,
            got=", ".join(repr(cell) for cell in _no_numbers(filled)[:_SHOWN]),
            expected="numbers, or categories",
            do=f"mend these cells, or say so in the recipe: {{column: {column.column}, kind: category}}",
        )
    else:
        kind = "number" if column.kind == "number" else "category"
    if kind == "number":
        return ColumnSource(group=group, column=column.column, kind="number")
    categories = sorted(filled.unique())
    reference = categories[0] if column.reference is None else column.reference
    if reference not in categories:
        raise TableError(
            f"column {column.column!r} lacks its reference category",
            where=where,
            got=", ".join(categories[:_SHOWN]),
            expected=reference,
        )
    ordered = [reference, *(name for name in categories if name != reference)]
    return ColumnSource(group=group, column=column.column, kind="category", categories=ordered)


def _share_of_numbers(values: pd.Series[str]) -> float:
    filled = values[values != ""]
    return 1.0 - len(_no_numbers(filled)) / len(filled) if len(filled) else 0.0


def _no_numbers(filled: pd.Series[str]) -> list[str]:
    import pandas as pd

    return filled[pd.to_numeric(filled, errors="coerce").isna()].tolist()
