"""What estimators need of their input: rows of anything, one patient id for each row, two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

from radiobone.core.errors import TableError

# How many columns a message names.
_SHOWN = 5


class DataError(TableError, ValueError):
    """The data given to an estimator cannot be learned from.

    It is a ValueError too, since scikit-learn's own tools expect one.
    """


class TooFewPatients(DataError):
    """A class has too few patients to be cross-validated: what has a rule for that, such as a node, catches it."""


def check_rows(X: Any) -> None:
    """Refuse what is not indexable by row: a sparse matrix, and a single row that lost its second axis.

    Parameters
    ----------
    X : anything
        What an estimator was given.

    Raises
    ------
    TypeError
        For a sparse matrix, as scikit-learn's own estimators do.
    DataError
        If there are fewer than two axes.
    """
    if issparse(X):
        raise TypeError("Sparse data was passed, but dense data is required. Use X.toarray().")
    n_axes = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    if n_axes < 2:
        raise DataError(
            f"X must have rows and columns, got {n_axes}D",
            do="Reshape your data: X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one row",
        )


def take_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return some rows of a table, an array or anything else that is indexable by row.

    Parameters
    ----------
    X : DataFrame, ndarray or anything indexable by row
        All rows.
    rows : ndarray of int
        Numbers of the rows wanted.

    Returns
    -------
    DataFrame, ndarray or what ``X[rows]`` gives
        Those rows, in the order asked for.
    """
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if hasattr(X, "__getitem__") and hasattr(X, "shape"):
        return X[rows]
    return np.asarray(X)[rows]


def check_names(X: Any) -> None:
    """Refuse a table in which two columns have the same name.

    Parameters
    ----------
    X : anything
        Only a DataFrame has names.

    Raises
    ------
    DataError
        That tells such names.
    """
    if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        again = X.columns[X.columns.duplicated()].unique().astype(str).tolist()
        raise DataError("columns of the same name cannot be told apart", got=", ".join(again[:_SHOWN]))


def check_labels(y: ArrayLike) -> NDArray[Any]:
    """Return class labels as a 1-D array, or raise a ValueError.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class of each row.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels.

    Raises
    ------
    DataError
        For missing labels.
    ValueError
        From scikit-learn, for numbers that are no classes.
    """
    check_no_label_missing(y)
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return np.asarray(labels)


def rows_and_labels(estimator: Any, X: Any, y: Any) -> tuple[Any, NDArray[Any]]:
    """Check rows of anything and their classes at the door of a classifier's ``fit``.

    Parameters
    ----------
    estimator : classifier
        Gets ``n_features_in_``, and ``feature_names_in_`` where X has names.
    X : anything indexable by row, of shape (n_samples, n_features)
        Training rows; the values are for the estimators inside to check.
    y : array-like of shape (n_samples,)
        Class of each row.

    Returns
    -------
    X : as given
        The rows.
    labels : ndarray of shape (n_samples,)
        The labels, of two classes or more.

    Raises
    ------
    DataError
        If there is no y, a row has no class, or all have the same.
    """
    check_rows(X)
    X, y = validate_data(estimator, X, y, skip_check_array=True)
    if y is None:
        raise DataError("requires y to be passed, but the target y is None")
    check_consistent_length(X, y)
    labels = check_labels(y)
    classes = np.unique(labels)
    if classes.size < 2:
        raise DataError(
            f"{type(estimator).__name__} needs at least two classes and got one class", got=classes.tolist()
        )
    return X, labels


def check_no_label_missing(y: Any) -> None:
    """Refuse rows without a class, whatever stands for it (NaN, None, pandas' NA).

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class of each row.

    Raises
    ------
    DataError
        With the number of such rows.
    """
    missing = pd.isna(np.asarray(y, dtype=object))
    if np.any(missing):
        raise DataError(
            "Input y contains NaN: rows without a class",
            got=f"{int(np.sum(missing))} rows",
            do="leave these rows out, so that they are counted",
        )


def check_groups(groups: ArrayLike | None, y: NDArray[Any]) -> NDArray[Any] | None:
    """Return the patient of each row as a 1-D array; None stays None (each row is a patient).

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
        Patient of each row.
    y : ndarray of shape (n_samples,)
        Class of each row, for the length.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        The patients.

    Raises
    ------
    DataError
        If groups have more than one axis, a row has no patient, or patients are text and numbers at once.
    """
    if groups is None:
        return None
    # As objects: an array of text would turn a missing value into the text nan.
    given = np.asarray(groups, dtype=object)
    if given.ndim != 1:
        raise DataError("groups must be one patient id for each row", got=f"shape {given.shape}")
    check_consistent_length(y, given)
    missing = pd.isna(given)
    if missing.any():
        # Rows without a patient would count as rows of one patient, or each as a patient of its own.
        raise DataError(
            "rows without a patient", got=f"{int(missing.sum())} rows", do="name the patient of each row"
        )
    if len({isinstance(patient, str) for patient in given.tolist()}) > 1:
        raise DataError("groups are text and numbers at once", do="make all of them text: groups.astype(str)")
    return np.asarray(groups)


def two_classes(y: NDArray[Any], who: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the two classes, sorted, and the code (0 or 1) of each row.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class of each row.
    who : str
        Name of the estimator, for the message.

    Returns
    -------
    classes : ndarray of shape (2,)
        The classes.
    codes : ndarray of shape (n_samples,)
        0 for rows of the first class, 1 for rows of the second.

    Raises
    ------
    DataError
        If there are not exactly two classes.
    """
    classes, codes = np.unique(y, return_inverse=True)
    if classes.size == 1:
        raise DataError(f"{who} needs two classes and got one class", got=classes.tolist())
    if classes.size != 2:
        raise DataError(
            f"Only binary classification is supported by {who}",
            got=f"{classes.size} classes",
            do="use HierarchicalClassifier, which splits several classes into binary nodes",
        )
    return classes, codes


def patients_by_class(codes: NDArray[np.intp], groups: NDArray[Any] | None) -> list[int]:
    """Count the patients of each class; a patient with rows in two classes counts in both.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class of each row as an integer.
    groups : ndarray of shape (n_samples,) or None
        Patient of each row; None if every row is a patient.

    Returns
    -------
    list of int
        Patients of class 0, 1, and so on.
    """
    n_classes = int(codes.max(initial=-1)) + 1
    if groups is None:
        return [int(count) for count in np.bincount(codes, minlength=n_classes)]
    return [int(np.unique(groups[codes == code]).size) for code in range(n_classes)]
