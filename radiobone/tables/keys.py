"""Key columns of all tables: which they are, and how a missing or mistyped one is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from radiobone.core.config import nearest
from radiobone.core.errors import TableError
from radiobone.tables.vertebrae import level_order

if TYPE_CHECKING:
    import pandas as pd

PATIENT = "patient_id"
SCAN = "scan_id"
VOI = "voi"
LEVEL = "level"
REPEAT = "repeat"
STATUS = "status"
REASON = "reason"
QUALITY_PREFIX = "qc_"

FEATURE_KEYS = (PATIENT, SCAN, VOI, LEVEL, REPEAT)
"""Keys of the feature table, in this order; ``repeat`` only where there is one."""

DEFAULT_SCAN = "1"
"""The scan of a patient whose cohort table names none."""


def require_columns(
    columns: Sequence[str], required: Sequence[str], where: str, do: str = "rename or add the column"
) -> None:
    """Check that columns are there.

    Parameters
    ----------
    columns : sequence of str
        The columns of a table.
    required : sequence of str
        Those that are needed.
    where : str
        The file, for the message.
    do : str
        What the user can do about it.

    Raises
    ------
    TableError
        That names each missing column, and any near miss of it.
    """
    missing = [name for name in required if name not in columns]
    if missing:
        spare = [name for name in columns if name not in required]
        told = ", ".join(f"{name!r}{nearest(name, spare)}" for name in missing)
        raise TableError(
            f"column missing: {told}",
            where=where,
            got=", ".join(columns),
            expected=", ".join(required),
            do=do,
        )


def forbid_near_misses(columns: Sequence[str], optional: Sequence[str], where: str) -> None:
    """Check that no column is a mistyped optional key (``scanid``), which would silently be ignored.

    Parameters
    ----------
    columns : sequence of str
        The columns of a table.
    optional : sequence of str
        Keys that a table may lack.
    where : str
        The file, for the message.

    Raises
    ------
    TableError
        That names the column and the key.
    """
    for column in columns:
        folded = column.strip().casefold().replace("_", "").replace(" ", "").replace("-", "")
        for name in optional:
            if column != name and folded == name.replace("_", ""):
                raise TableError(
                    f"column {column!r} looks like the key {name!r}", where=where, do=f"rename it to {name!r}"
                )


def forbid_duplicates(table: pd.DataFrame, keys: Sequence[str], where: str, do: str) -> None:
    """Check that no two rows share their keys.

    Parameters
    ----------
    table : DataFrame
        With the columns ``keys``.
    keys : sequence of str
        The columns that together tell rows apart.
    where, do : str
        The file, and what the user can do about it, for the message.

    Raises
    ------
    TableError
        That lists up to five of the keys given twice.
    """
    twice = table.duplicated(keys, keep=False)
    if twice.any():
        copies = table.loc[twice, list(keys)].drop_duplicates().head(5)
        raise TableError(
            f"{int(twice.sum())} rows share the same {' + '.join(keys)}",
            where=where,
            got="; ".join(" + ".join(map(repr, row)) for row in copies.itertuples(index=False)),
            do=do,
        )


def sort_by_keys(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows ordered by patient, scan, VOI, vertebra from head to foot, and repeat.

    Parameters
    ----------
    table : DataFrame
        Rows of a feature table, in any order.

    Returns
    -------
    DataFrame
        The same rows, counted from 0.
    """
    keys = [name for name in FEATURE_KEYS if name in table.columns]

    def sort_key(row: tuple[str, ...]) -> tuple[object, ...]:
        return tuple(level_order(value) if name == LEVEL else value for name, value in zip(keys, row, strict=True))

    rows = list(table[keys].itertuples(index=False, name=None))
    order = sorted(range(len(rows)), key=lambda position: sort_key(rows[position]))
    return table.iloc[order].reset_index(drop=True)
