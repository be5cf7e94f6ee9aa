"""What a validation is given, checked once and put into an order of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.learning.data import DataError, take_rows

# How many offenders a message names.
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class StudyData:
    """Rows in the order of their identifiers, so that the caller's order plays no part.

    Parameters
    ----------
    X : anything indexable by row
        One arm.
    labels : ndarray of shape (n_samples,)
        Class of each row.
    codes : ndarray of shape (n_samples,)
        Its number in ``classes``.
    groups : ndarray of shape (n_samples,)
        Patient of each row, as text.
    ids : DataFrame
        Identifying columns as text, unique by row.
    classes : tuple
        In reporting order.
    """

    X: Any
    labels: NDArray[Any]
    codes: NDArray[np.intp]
    groups: NDArray[Any]
    ids: pd.DataFrame
    classes: tuple[Any, ...]


def prepare(X: Any, y: Any, groups: Any, ids: Any, classes: Sequence[Any] | None) -> StudyData:
    """Check the input of a validation and sort its rows by their identifiers.

    Parameters
    ----------
    X : DataFrame, ndarray or anything indexable by row
        Features.
    y : array-like of shape (n_samples,)
        Class of each row.
    groups : array-like of shape (n_samples,)
        Patient of each row.
    ids : DataFrame, Series, array-like or None
        What identifies a row; by default the patient.
    classes : sequence or None
        Reporting order of the classes; by default sorted.

    Returns
    -------
    StudyData
        The rows in order.

    Raises
    ------
    DataError
        For missing labels, one class only, unknown classes, duplicated identifiers, patients whose rows disagree
        on the class, or values that are not finite numbers.
    """
    labels = np.asarray(y)
    if pd.isna(np.asarray(groups)).any():
        raise DataError("rows without a patient", got=f"{int(pd.isna(np.asarray(groups)).sum())} rows")
    patients = np.asarray(groups).astype(str)
    table = _id_table(groups if ids is None else ids)
    lengths = {"X": len(X), "y": len(labels), "groups": len(patients), "ids": len(table)}
    if len(set(lengths.values())) > 1:
        raise DataError("inputs of different length", got=lengths)
    _check_ids(table)
    names = _check_labels(labels, table, classes)
    order = table.sort_values(list(table.columns), kind="stable").index.to_numpy()
    table, labels, patients = table.iloc[order].reset_index(drop=True), labels[order], patients[order]
    X = take_rows(X, order)
    _check_patients(labels, patients)
    _check_finite(X, table)
    number = {name: code for code, name in enumerate(names)}
    codes = np.array([number[label] for label in labels.tolist()], dtype=np.intp)
    return StudyData(X, labels, codes, patients, table, names)


def _id_table(ids: Any) -> pd.DataFrame:
    if isinstance(ids, pd.DataFrame):
        table = ids
    else:
        name = ids.name if isinstance(ids, pd.Series) and ids.name is not None else "patient_id"
        table = pd.DataFrame({str(name): np.asarray(ids)})
    return table.astype(str).reset_index(drop=True)


def _row_name(table: pd.DataFrame, row: int) -> str:
    return ", ".join(str(value) for value in table.iloc[row])


def _check_ids(table: pd.DataFrame) -> None:
    twice = np.flatnonzero(table.duplicated().to_numpy())
    if twice.size:
        raise DataError(
            "rows with the same identifier",
            where=", ".join(table.columns),
            got="; ".join(_row_name(table, row) for row in twice[:_SHOWN]) + f" ({twice.size} rows)",
            expected="one row for each",
            do="aggregate levels and scans to patients first, or pass ids that tell the rows apart",
        )


def _check_labels(labels: NDArray[Any], table: pd.DataFrame, classes: Sequence[Any] | None) -> tuple[Any, ...]:
    missing = np.flatnonzero(pd.isna(labels))
    if missing.size:
        raise DataError(
            "rows without a class",
            got="; ".join(_row_name(table, row) for row in missing[:_SHOWN]) + f" ({missing.size} rows)",
            do="exclude them beforehand, so that they are counted",
        )
    found = np.unique(labels).tolist()
    if len(found) < 2:
        raise DataError("one class only: there is nothing to tell apart", got=found)
    if classes is None:
        return tuple(found)
    if set(found) != set(classes):
        raise DataError("classes of the data differ from those expected", got=found, expected=list(classes))
    return tuple(classes)


def _check_patients(labels: NDArray[Any], patients: NDArray[Any]) -> None:
    pairs = pd.DataFrame({"patient": patients, "label": labels}).drop_duplicates()
    torn = pairs["patient"][pairs["patient"].duplicated()].unique()
    if len(torn):
        raise DataError(
            "patients whose rows disagree on the class",
            got="; ".join(torn[:_SHOWN]) + f" ({len(torn)} patients)",
            expected="one class for each patient",
        )


def _check_finite(X: Any, table: pd.DataFrame) -> None:
    """Refuse NaN and infinity in a table or a 2-D array; other kinds of X are their estimator's affair."""
    if isinstance(X, pd.DataFrame):
        names = [str(name) for name in X.columns]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        text = [str(name) for name, kind in X.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
        if twice or text:
            raise DataError(
                "feature columns must be numbers under names of their own",
                got="; ".join([f"{name} (twice)" for name in twice] + [f"{name} (text)" for name in text]),
            )
        values = X.to_numpy(dtype=np.float64)
    elif isinstance(X, np.ndarray) and X.ndim == 2 and np.issubdtype(X.dtype, np.number):
        values, names = X, [f"x{column}" for column in range(X.shape[1])]
    else:
        return
    wrong = ~np.isfinite(values)
    if not wrong.any():
        return
    columns, rows = np.flatnonzero(wrong.any(axis=0)), np.flatnonzero(wrong.any(axis=1))
    raise DataError(
        "missing or infinite values",
        where="columns " + ", ".join(names[column] for column in columns[:_SHOWN]) + f" ({columns.size} columns)",
        got="rows " + "; ".join(_row_name(table, row) for row in rows[:_SHOWN]) + f" ({rows.size} rows)",
        expected="finite numbers",
        do="exclude these rows, or columns that failed for many",
    )
