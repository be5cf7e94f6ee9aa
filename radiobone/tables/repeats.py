"""Rows of several repeats (readers, perturbations): apart from those that a study analyses, and made wide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from radiobone.core.errors import TableError
from radiobone.tables.features import FeatureTable
from radiobone.tables.keys import LEVEL, PATIENT, REPEAT, SCAN, STATUS, VOI
from radiobone.tables.wide import Aggregation, wide

if TYPE_CHECKING:
    import pandas as pd


def repeat_names(features: FeatureTable) -> list[str]:
    """Tell which repeats a feature table holds.

    Parameters
    ----------
    features : FeatureTable
        The long table.

    Returns
    -------
    list of str
        Values of the column ``repeat``, sorted; empty if there is no such column.
    """
    if REPEAT not in features.table.columns:
        return []
    return sorted(features.table[REPEAT].unique().tolist())


def choose_repeat(features: FeatureTable, repeat: str | None = None) -> FeatureTable:
    """Keep the rows of one repeat: those that a study analyses.

    Parameters
    ----------
    features : FeatureTable
        The long table; one without repeats is returned as it is.
    repeat : str, optional
        Which repeat; by default the first by name (an empty one comes before all).

    Returns
    -------
    FeatureTable
        With the rows of this repeat.

    Raises
    ------
    TableError
        If the table has no such repeat, or a patient has no row of it and would silently be lost.
    """
    names = repeat_names(features)
    where = str(features.path or "feature table")
    if not names and repeat is None:
        return features
    chosen = names[0] if repeat is None else repeat
    if chosen not in names:
        raise TableError("no row is of this repeat", where=where, got=chosen, expected=", ".join(map(repr, names)))
    rows = features.table[features.table[REPEAT] == chosen]
    lost = sorted(set(features.table[PATIENT]) - set(rows[PATIENT]))
    if lost:
        raise TableError(
            f"{len(lost)} patients have no row of the repeat that is analysed",
            where=where,
            got=", ".join(map(str, lost[:5])),
            expected=f"a row with {REPEAT}={chosen!r} for every patient",
            do="give the measurement that is analysed one name throughout, or leave these patients out",
        )
    return replace(features, table=rows)


def repeated(features: FeatureTable, levels: Aggregation = "mean") -> pd.DataFrame:
    """Make one row for each patient and repeat, of the patients who have several repeats.

    Only rows with status ``ok`` count. A patient's levels become one as `radiobone.tables.wide.wide` has it; a
    level, or a value of it, that some repeat of the patient lacks is left out of all of them, so that equal parts
    of the spine are compared.

    Parameters
    ----------
    features : FeatureTable
        The long table; the order of its rows plays no part.
    levels : {"mean", "min", "concat"}
        As for the study's own X.

    Returns
    -------
    DataFrame
        Index ``patient_id`` and ``repeat``, sorted; columns as in X. `radiobone.learning.Repeats.of` takes it.

    Raises
    ------
    TableError
        If no patient has several repeats with status ``ok``, or some patient has several scans.
    """
    import pandas as pd

    table = features.table
    where = str(features.path or "feature table")
    if REPEAT in table.columns:
        table = table[table[STATUS] == "ok"]
        n_repeats = table.groupby(PATIENT)[REPEAT].transform("nunique")
        table, n_repeats = table[n_repeats > 1], n_repeats[n_repeats > 1]
    if REPEAT not in table.columns or table.empty:
        raise TableError(
            "no patient has measurements of several repeats",
            where=where,
            expected=f"rows that differ in the column {REPEAT!r}",
            do="extract a cohort table with that column",
        )
    columns = features.features
    there = table.groupby([PATIENT, SCAN, VOI, LEVEL])[columns].transform("count")
    compared = table.assign(**{name: table[name].where(there[name] == n_repeats) for name in columns})
    parts = {
        name: wide(replace(features, table=rows), levels) for name, rows in compared.groupby(REPEAT, sort=True)
    }
    return pd.concat(parts, names=[REPEAT, PATIENT]).swaplevel().sort_index()
