"""Rows with named columns on their way through steps: a table stays a table until a model takes its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, get_tags
from sklearn.utils.validation import check_consistent_length, validate_data

from radiobone.learning.data import DataError, check_names, check_no_label_missing

Array = NDArray[np.float64]
Rows = Any
"""An array of float64, or a DataFrame whose numeric columns are float64."""

# How many columns a message names.
_SHOWN = 5
# What pandas calls columns that hold numbers although they are of type object.
_NUMBERS = frozenset({"floating", "integer", "mixed-integer-float", "boolean", "decimal", "empty"})


def check_table(estimator: Any, X: Any, y: Any = None, *, reset: bool, gaps: bool) -> tuple[Rows, Any]:
    """Check rows at the door of an estimator, and record the names of its columns.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` and ``feature_names_in_``, or is asked for them.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,), optional
        Classes; needed where ``reset`` is true.
    reset : bool
        True in ``fit``; otherwise the columns must be those of the fit.
    gaps : bool
        Whether missing values may pass.

    Returns
    -------
    X : ndarray or DataFrame
        Numbers as float64; a DataFrame stays one, and its columns of text stay as they are.
    y : array-like or None
        As given.

    Raises
    ------
    DataError
        If two columns have the same name, or a table has missing values and they may not pass.
    ValueError
        From scikit-learn, for other columns than those of the fit, infinite values, and missing ones in an array.
    """
    check_names(X)
    if y is not None:
        check_no_label_missing(y)
    given = {"y": y} if reset else {}
    if not isinstance(X, pd.DataFrame):
        least = 2 if reset else 1
        checked = validate_data(
            estimator,
            X,
            **given,
            reset=reset,
            dtype=np.float64,
            ensure_all_finite="allow-nan" if gaps else True,
            ensure_min_samples=least,
        )
        if reset:
            return checked[0], checked[1]
        # scikit-learn has warned of the missing names by now; steps that were fitted on names need them.
        names = getattr(estimator, "feature_names_in_", None)
        return (checked if names is None else pd.DataFrame(checked, columns=names, copy=False)), None
    checked = validate_data(estimator, X, **given, reset=reset, skip_check_array=True)
    frame, y = checked if reset else (checked, None)
    if y is not None:
        check_consistent_length(frame, y)
    return _as_numbers(frame, estimator, gaps, 2 if reset else 1), y


def _check_no_gaps(numbers: pd.DataFrame, estimator: Any) -> None:
    empty = numbers.isna().sum()
    holed = empty[empty > 0]
    if len(holed):
        told = ", ".join(f"{name} ({count} of {len(numbers)} rows)" for name, count in holed.iloc[:_SHOWN].items())
        raise DataError(
            "Input X contains NaN, and no step fills missing values",
            where=type(estimator).__name__,
            got=told + (f" and {len(holed) - _SHOWN} more columns" if len(holed) > _SHOWN else ""),
            do="begin with a step that fills them (MissingValues), or leave these columns or rows out",
        )


def _as_numbers(frame: pd.DataFrame, estimator: Any, gaps: bool, least: int) -> pd.DataFrame:
    text = _text_places(frame)
    numbers = frame.loc[:, [not is_one for is_one in text]] if any(text) else frame
    if not gaps:
        _check_no_gaps(numbers, estimator)
    values = check_array(
        numbers,
        dtype=np.float64,
        ensure_all_finite="allow-nan" if gaps else True,
        ensure_min_samples=least,
        ensure_min_features=0 if any(text) else 1,
        estimator=estimator,
        input_name="X",
    )
    if not any(text):
        return pd.DataFrame(values, index=frame.index, columns=frame.columns, copy=False)
    places = iter(range(values.shape[1]))
    columns = [
        frame.iloc[:, place] if is_one else pd.Series(values[:, next(places)], index=frame.index)
        for place, is_one in enumerate(text)
    ]
    return pd.concat(columns, axis=1).set_axis(frame.columns, axis=1)


def is_text(column: pd.Series) -> bool:
    """Say whether a column holds anything but numbers.

    Parameters
    ----------
    column : Series
        One column of a table.

    Returns
    -------
    bool
        True for text, dates and categories of text.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return not pd.api.types.is_numeric_dtype(column.cat.categories.dtype)
    if column.dtype == object:
        return pd.api.types.infer_dtype(column, skipna=True) not in _NUMBERS
    return not pd.api.types.is_numeric_dtype(column.dtype)


def text_columns(X: Rows) -> list[str]:
    """List the columns of a table that hold anything but numbers.

    Parameters
    ----------
    X : ndarray or DataFrame
        Rows.

    Returns
    -------
    list of str
        Their names; none for an array.
    """
    if not isinstance(X, pd.DataFrame):
        return []
    return [str(name) for name, is_one in zip(X.columns, _text_places(X), strict=True) if is_one]


def _text_places(frame: pd.DataFrame) -> list[bool]:
    # Columns of NumPy's numbers are not looked at one by one: a table may have thousands.
    return [
        not (isinstance(kind, np.dtype) and kind.kind in "biuf") and is_text(frame.iloc[:, place])
        for place, kind in enumerate(frame.dtypes)
    ]


def rows_of(X: Rows, rows: NDArray[np.intp]) -> Rows:
    """Return some rows; numbers lie in memory as they do in the same rows of an array.

    Parameters
    ----------
    X : ndarray or DataFrame
        As `check_table` gives it.
    rows : ndarray of int
        Numbers of the rows wanted.

    Returns
    -------
    ndarray or DataFrame
        Those rows.
    """
    if not isinstance(X, pd.DataFrame):
        return X[rows]
    if (X.dtypes == np.float64).all():
        # Sums over rows depend on the order in memory: a table has to give the same numbers as an array.
        return pd.DataFrame(X.to_numpy()[rows], index=X.index[rows], columns=X.columns, copy=False)
    return X.iloc[rows]


def transform_step(step: Any, X: Rows) -> Rows:
    """Transform rows by one fitted step, and give a table its names back.

    Parameters
    ----------
    step : transformer
        Fitted.
    X : ndarray or DataFrame
        Rows.

    Returns
    -------
    ndarray or DataFrame
        A DataFrame if ``X`` is one, with the names that ``get_feature_names_out`` gives.
    """
    changed = step.transform(X)
    if not isinstance(X, pd.DataFrame) or isinstance(changed, pd.DataFrame):
        return changed
    names = step.get_feature_names_out(X.columns)
    return pd.DataFrame(np.asarray(changed), index=X.index, columns=names, copy=False)


def plain(X: Rows) -> Array:
    """Return the numbers of rows, as models take them.

    Parameters
    ----------
    X : ndarray or DataFrame
        Rows that have passed all steps.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        float64.

    Raises
    ------
    DataError
        If a column of text is left, which no step consumed.
    """
    text = text_columns(X)
    if text:
        raise DataError(
            "columns of text are left, and a model takes numbers only",
            got=", ".join(text[:_SHOWN]) + f" ({len(text)} columns)",
            do="leave them out of X, or put a step first that consumes them, such as ComBat",
        )
    # A table hands out its values read-only, which not every model takes.
    return np.array(X, dtype=np.float64) if isinstance(X, pd.DataFrame) else np.asarray(X, dtype=np.float64)


def lets_gaps_pass(steps: Sequence[Any], model: Any = None) -> bool:
    """Say whether missing values come through steps, or are filled, before anything refuses them.

    Parameters
    ----------
    steps : sequence of transformers
        In their order.
    model : classifier, optional
        What comes last.

    Returns
    -------
    bool
        True if a step that fills comes before any that takes no gaps, or if all down to the model take them.
    """
    for step in steps:
        if step is None or isinstance(step, str):  # "passthrough"
            continue
        if fills(step):
            return True
        if not get_tags(step).input_tags.allow_nan:
            return False
    return model is None or bool(get_tags(model).input_tags.allow_nan)


def fills(step: Any) -> bool:
    """Say whether a step leaves no missing value behind, or looks after that by itself.

    Parameters
    ----------
    step : transformer
        Fitted or not.

    Returns
    -------
    bool
        True for an imputer of scikit-learn, a Pipeline that takes gaps down to its end, a ColumnTransformer, whose
        parts take what comes, and whatever says so in an attribute ``fills_missing``.
    """
    if isinstance(step, Pipeline):
        return lets_gaps_pass([part for _, part in step.steps])
    known = isinstance(step, ColumnTransformer) or type(step).__module__.startswith("sklearn.impute.")
    return known or bool(getattr(step, "fills_missing", False))
