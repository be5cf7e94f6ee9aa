"""From rows to patients: the one way from the long feature table to an X."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from radiobone.core.errors import TableError
from radiobone.tables.features import FeatureTable
from radiobone.tables.keys import LEVEL, PATIENT, REPEAT, SCAN, STATUS, VOI
from radiobone.tables.vertebrae import level_order

if TYPE_CHECKING:
    import pandas as pd

Aggregation = Literal["mean", "min", "concat"]


def wide(features: FeatureTable, levels: Aggregation = "mean") -> pd.DataFrame:
    """Make one row for each patient.

    Only rows with status ``ok`` count. A level in which a feature has no value is left out of that
    feature's mean or minimum.

    Parameters
    ----------
    features : FeatureTable
        The long table.
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
        If a patient has several scans, or rows of several readers: choose one first.
    """
    import pandas as pd

    table = features.table[features.table[STATUS] == "ok"]
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
