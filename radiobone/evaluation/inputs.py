"""What a validation is given, checked once and put into an order of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.evaluation.input_columns import STRICT, ColumnRules, check_columns, row_name
from radiobone.learning.data import DataError, take_rows
from radiobone.learning.harmonisation.covariates import as_text

LabelsBy = Literal["patient", "row"]

# How many offenders a message names.
_SHOWN = 5

# Columns that predictions and folds have beside the identifiers; the last two are the beginnings of further ones.
_TAKEN = ("repeat", "fold", "group", "role", "test_set", "true_class", "decision_argmax", "decision_routed")
_TAKEN_BEGINNINGS = ("p_node_", "p_class_")


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
    attributes : DataFrame or None
        What else is known of each row (centre, date, sex, tube voltage): never seen by an estimator.
    """

    X: Any
    labels: NDArray[Any]
    codes: NDArray[np.intp]
    groups: NDArray[Any]
    ids: pd.DataFrame
    classes: tuple[Any, ...]
    attributes: pd.DataFrame | None = None

    def row_name(self, row: int) -> str:
        """Name a row by its identifiers.

        Parameters
        ----------
        row : int
            Its number.

        Returns
        -------
        str
            The identifiers, with commas.
        """
        return row_name(self.ids, row)


def prepare(
    X: Any,
    y: Any,
    groups: Any,
    ids: Any,
    classes: Sequence[Any] | None,
    attributes: pd.DataFrame | None = None,
    *,
    rules: ColumnRules = STRICT,
    labels_by: LabelsBy = "patient",
) -> StudyData:
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
    attributes : DataFrame, optional
        What else is known of each row.
    rules : ColumnRules
        Which gaps and text columns the estimator takes; by default none.
    labels_by : {"patient", "row"}, default "patient"
        Whose the class is: the patient's, on which all of a patient's rows must agree, or each row's own (of a
        vertebra). Patients stay whole on one side of every split either way.

    Returns
    -------
    StudyData
        The rows in order.

    Raises
    ------
    DataError
        For missing labels, one class only, unknown classes, duplicated identifiers, names of identifiers that the
        outputs need, patients whose rows disagree on a class that is the patient's, values that are not finite
        numbers, or pandas objects that name the rows differently.
    """
    _check_index({"X": X, "y": y, "groups": groups, "ids": ids, "attributes": attributes})
    labels = np.asarray(y)
    patients = _patients(groups)
    table = _id_table(groups, ids)
    if table.isna().any(axis=None):
        raise DataError("rows without an identifier", got=f"{int(table.isna().any(axis=1).sum())} rows")
    lengths = {"X": len(X), "y": len(labels), "groups": len(patients), "ids": len(table)}
    if attributes is not None:
        _check_attributes(attributes)
        lengths["attributes"] = len(attributes)
    if len(set(lengths.values())) > 1:
        raise DataError("inputs of different length", got=lengths)
    _check_ids(table)
    names = _check_labels(labels, table, classes)
    order = table.sort_values(list(table.columns), kind="stable").index.to_numpy()
    table, labels, patients = table.iloc[order].reset_index(drop=True), labels[order], patients[order]
    X = take_rows(X, order)
    if labels_by == "patient":
        _check_patients(labels, patients)
    check_columns(X, table, rules)
    number = {name: code for code, name in enumerate(names)}
    codes = np.array([number[label] for label in labels.tolist()], dtype=np.intp)
    if attributes is not None:
        attributes = attributes.iloc[order].reset_index(drop=True).rename(columns=str)
    return StudyData(X, labels, codes, patients, table, names, attributes)


def _check_attributes(attributes: Any) -> None:
    if not isinstance(attributes, pd.DataFrame):
        raise DataError("attributes must be a table", got=type(attributes).__name__, expected="a DataFrame")
    names = [str(name) for name in attributes.columns]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError("attributes under one name", where="attributes", got=", ".join(twice))


def _patients(groups: Any) -> NDArray[Any]:
    """Return the patient of each row as text; a missing one would be taken for a patient of that name."""
    if groups is None:
        raise DataError("groups are needed", got="None", expected="the patient of each row")
    # As objects: an array of text would turn a missing value into the text nan.
    given = np.asarray(groups, dtype=object)
    if given.ndim != 1:
        raise DataError("groups must be one patient for each row", got=f"shape {given.shape}")
    missing = _missing(given)
    if missing.any():
        raise DataError(
            "rows without a patient", got=f"{int(missing.sum())} rows", do="name it, or leave them out"
        )
    return as_text(given, "patient")


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which values are missing; blank text, as an empty cell of a file gives it, is no name either."""
    blank = np.array([isinstance(value, str) and not value.strip() for value in values.tolist()], dtype=bool)
    found: NDArray[np.bool_] = pd.isna(values) | blank
    return found


def _check_index(given: dict[str, Any]) -> None:
    """Refuse pandas objects whose indexes differ: rows go by their place, and would be another patient's."""
    indexes = {name: value.index for name, value in given.items() if isinstance(value, (pd.DataFrame, pd.Series))}
    for name, index in indexes.items():
        first, expected = next(iter(indexes.items()))
        if len(index) == len(expected) and not index.equals(expected):
            row = int(np.argmin([one == other for one, other in zip(index, expected, strict=True)]))
            raise DataError(
                f"{first} and {name} have different indexes",
                where=f"row {row + 1}",
                got=f"{index[row]} in {name}",
                expected=f"{expected[row]}, as in {first}",
                do=f"bring {name} into the order of {first} ({name}.loc[{first}.index]), or pass it as an array",
            )


def _id_table(groups: Any, ids: Any) -> pd.DataFrame:
    if isinstance(ids, pd.DataFrame):
        table = ids.set_axis([str(name) for name in ids.columns], axis=1)
        _check_id_names(list(table.columns))
    elif isinstance(ids, pd.Series) and ids.name is not None:
        table = ids.to_frame(str(ids.name))
        _check_id_names([str(ids.name)])
    else:
        values = groups if ids is None else ids
        name = (
            str(groups.name) if ids is None and isinstance(groups, pd.Series) and groups.name is not None else ""
        )
        # Patients alone may come from a column "group", which the outputs have already.
        table = pd.DataFrame({"patient_id" if not name or _is_taken(name) else name: np.asarray(values)})
    return table.astype(str).reset_index(drop=True)


def _is_taken(name: str) -> bool:
    return name in _TAKEN or name.startswith(_TAKEN_BEGINNINGS)


def _check_id_names(names: list[str]) -> None:
    taken = [name for name in names if _is_taken(name)]
    if taken:
        raise DataError(
            "columns of ids have names that the outputs use",
            where="ids",
            got=", ".join(taken),
            expected=f"other names than {', '.join(_TAKEN)}, p_node_... and p_class_...",
            do="rename them",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise DataError(
            "ids must have columns, each under a name of its own", where="ids", got=", ".join(twice) or "no column"
        )


def _check_ids(table: pd.DataFrame) -> None:
    twice = np.flatnonzero(table.duplicated().to_numpy())
    if twice.size:
        raise DataError(
            "rows with the same identifier",
            where=", ".join(table.columns),
            got="; ".join(row_name(table, row) for row in twice[:_SHOWN]) + f" ({twice.size} rows)",
            expected="one row for each",
            do="aggregate levels and scans to patients first, or pass ids that tell the rows apart",
        )


def _check_labels(labels: NDArray[Any], table: pd.DataFrame, classes: Sequence[Any] | None) -> tuple[Any, ...]:
    missing = np.flatnonzero(_missing(labels))
    if missing.size:
        raise DataError(
            "rows without a class",
            got="; ".join(row_name(table, row) for row in missing[:_SHOWN]) + f" ({missing.size} rows)",
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
            do="mend them, or pass labels_by='row' if each row (a vertebra) has a class of its own",
        )
