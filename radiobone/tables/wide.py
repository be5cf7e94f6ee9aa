"""From rows to patients: the one way from the long feature table to an X."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from radiobone.core.errors import TableError
from radiobone.tables.features import FeatureTable
from radiobone.tables.keys import LEVEL, PATIENT, REPEAT, SCAN, STATUS, VOI, sort_by_keys
from radiobone.tables.vertebrae import level_order

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

Aggregation = Literal["mean", "min", "concat"]


def restrict_levels(features: FeatureTable, levels: Collection[str] | None) -> FeatureTable:
    """Keep the rows of some levels.

    Parameters
    ----------
    features : FeatureTable
        The long table.
    levels : collection of str or None
        The levels; None keeps all rows.

    Returns
    -------
    FeatureTable
        With the rows of these levels, and those without a level, which stand for scans that failed as a whole.
    """
    if levels is None:
        return features
    return replace(features, table=features.table[features.table[LEVEL].isin([*levels, ""])])


def wide(features: FeatureTable, levels: Aggregation = "mean") -> pd.DataFrame:
    """Make one row for each patient.

    Only rows with status ``ok`` count. A level in which a feature has no value is left out of that
    feature's mean or minimum.

    Parameters
    ----------
    features : FeatureTable
        The long table; the order of its rows plays no part.
    levels : {"mean", "min", "concat"}
        What becomes of the levels: their mean or minimum in columns ``<voi>__<feature>``, or one
        column for each, ``<level>.<voi>__<feature>``, missing where a patient lacks that level.

    Returns
    -------
    DataFrame
        Index ``patient_id``, sorted; one column for each VOI (x level) and feature.

    Raises
    ------
    TableError
        If no row is ``ok``, or a patient has several scans, or rows of several readers: choose one first.
    """
    import pandas as pd

    # A sum depends on the order of its terms in the last bit.
    table = sort_by_keys(features.table[features.table[STATUS] == "ok"])
    where = str(features.path or "feature table")
    if table.empty:
        raise TableError("no row has status ok", where=where)
    for key, noun in ((SCAN, "scans"), (REPEAT, "repeats")):
        if key in table.columns:
            several = table.groupby(PATIENT)[key].nunique().loc[lambda count: count > 1]
            if len(several):
                raise TableError(
                    f"{len(several)} patients have rows of several {noun}",
                    where=where,
                    got=", ".join(map(str, several.index[:5])),
                    expected="one",
                    do=f"keep one value of {key!r} for each patient",
                )
    parts = []
    for voi, rows in table.groupby(VOI, sort=True):
        if levels == "concat":
            for level in sorted(rows[LEVEL].unique(), key=level_order):
                part = rows[rows[LEVEL] == level].set_index(PATIENT)[features.features]
                parts.append(part.add_prefix(f"{level}.{voi}__"))
        else:
            grouped = rows.groupby(PATIENT)[features.features]
            part = grouped.mean() if levels == "mean" else grouped.min()
            parts.append(part.add_prefix(f"{voi}__"))
    joined: pd.DataFrame = pd.concat(parts, axis=1).sort_index()
    return joined


def incomplete_rows(X: pd.DataFrame) -> dict[str, str]:
    """Tell the rows of X in which a value is missing or infinite.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_features)
        As `wide` returns it.

    Returns
    -------
    dict of str to str
        For each such row its reason, which names the first such column after `` | ``.
    """
    bad = ~np.isfinite(X.to_numpy(dtype=np.float64))
    names = X.columns.to_numpy()
    return {
        str(X.index[row]): f"a feature has no finite value | got: {names[bad[row]][0]} ({bad[row].sum()} columns)"
        for row in np.flatnonzero(bad.any(axis=1)).tolist()
    }
