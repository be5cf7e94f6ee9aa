"""Rows that stand for a vertebra: one for each patient x level, by names that hold both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from radiobone.core.errors import TableError
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable
from radiobone.tables.keys import LEVEL, PATIENT, REASON, STATUS

if TYPE_CHECKING:
    import pandas as pd

NO_ROW = "not in the feature table"


def unit_name(patient: str, level: str) -> str:
    """Name a level of a patient; names of levels hold no space, so that no two have one name.

    Parameters
    ----------
    patient, level : str
        The two.

    Returns
    -------
    str
        Such as ``0012 L1``.
    """
    return f"{patient} {level}"


def unit_keys(patients: Sequence[str], levels: Sequence[str]) -> pd.DataFrame:
    """List patient and level of every unit.

    Parameters
    ----------
    patients, levels : sequence of str
        Every level of every patient is a unit.

    Returns
    -------
    DataFrame
        Columns ``patient_id`` and ``level``; index their names.
    """
    import pandas as pd

    pairs = [(patient, level) for patient in patients for level in levels]
    return pd.DataFrame(pairs, columns=[PATIENT, LEVEL], index=[unit_name(*pair) for pair in pairs])


def cohort_of_levels(cohort: Cohort, levels: Sequence[str]) -> Cohort:
    """Repeat a cohort's rows for every level, named by patient and level.

    Parameters
    ----------
    cohort : Cohort
        Rows of patients. A column such as ``bmd_mg_cm3.L1`` holds values of one level; it becomes the column
        ``bmd_mg_cm3``, empty at levels that have no such column. All others are the patient's at every level.
    levels : sequence of str
        The levels.

    Returns
    -------
    Cohort
        With units in place of patients.

    Raises
    ------
    TableError
        If a column is there for the patient and for a level, too.
    """
    import pandas as pd

    table = cohort.table
    endings = {level: f".{level}" for level in levels}
    own = {
        level: {name.removesuffix(end): name for name in table.columns if name.endswith(end)}
        for level, end in endings.items()
    }
    names = list(dict.fromkeys(name for columns in own.values() for name in columns))
    both = [name for name in names if name in table.columns]
    if both:
        raise TableError(
            f"column {both[0]!r} is there for patients and for levels",
            where=str(cohort.path),
            got=", ".join(name for columns in own.values() for base, name in columns.items() if base == both[0]),
            do="keep one of both",
        )
    common = [name for name in table.columns if not any(name.endswith(end) for end in endings.values())]
    parts = []
    for level, columns in own.items():
        part = table[common].copy()
        for name in names:
            part[name] = table[columns[name]] if name in columns else ""
        part[PATIENT] = [unit_name(patient, level) for patient in table[PATIENT]]
        parts.append(part)
    return replace(cohort, table=pd.concat(parts, ignore_index=True))


def features_of_levels(features: FeatureTable, levels: Sequence[str]) -> FeatureTable:
    """Name the rows of a feature table by patient and level.

    Parameters
    ----------
    features : FeatureTable
        The long table.
    levels : sequence of str
        The levels; a row without a level, which stands for a scan that failed as a whole, counts for each of them.

    Returns
    -------
    FeatureTable
        The rows of these levels, with units in place of patients.
    """
    import pandas as pd

    table = features.table
    whole = table[table[LEVEL] == ""]
    parts = [table[table[LEVEL].isin(list(levels))], *(whole.assign(**{LEVEL: level}) for level in levels)]
    rows = pd.concat(parts, ignore_index=True)
    names = [unit_name(patient, level) for patient, level in zip(rows[PATIENT], rows[LEVEL], strict=True)]
    return replace(features, table=rows.assign(**{PATIENT: names}))


def with_level(table: pd.DataFrame) -> pd.DataFrame:
    """Part the names of units into patient and level.

    Parameters
    ----------
    table : DataFrame
        With units in the column ``patient_id``, its first.

    Returns
    -------
    DataFrame
        With patients there, and the column ``level`` after it.
    """
    parted = table[PATIENT].str.rpartition(" ")
    found = table.assign(**{PATIENT: parted[0]})
    found.insert(1, LEVEL, parted[2])
    return found


def rows_of_units(features: FeatureTable, units: Sequence[str]) -> pd.DataFrame:
    """List every unit with what became of it, so that levels without a row are counted as well.

    Parameters
    ----------
    features : FeatureTable
        From `features_of_levels`.
    units : sequence of str
        All of them.

    Returns
    -------
    DataFrame
        Columns ``patient_id`` (the unit), ``status`` and ``reason``.
    """
    import pandas as pd

    rows = features.table[[PATIENT, STATUS, REASON]]
    missing = sorted(set(units) - set(rows[PATIENT]))
    lost = pd.DataFrame({PATIENT: missing, STATUS: "failed", REASON: NO_ROW})
    return pd.concat([rows, lost], ignore_index=True)
