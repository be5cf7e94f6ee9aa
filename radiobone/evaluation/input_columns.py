"""Which columns of X a validation takes: numbers under names of their own; gaps and text where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from radiobone.learning.data import DataError
from radiobone.learning.flat import FlatClassifier
from radiobone.learning.frames import lets_gaps_pass
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.selective import SelectiveClassifierCV

# How many offenders a message names.
_SHOWN = 5


@dataclass(frozen=True)
class ColumnRules:
    """What an estimator takes besides finite numbers.

    Parameters
    ----------
    gaps : bool
        Whether NaN may stand in X, since a step of the estimator fills it.
    named : frozenset of str
        Columns that a parameter of the estimator names, such as the batch of a harmonisation: they may be text.
    """

    gaps: bool = False
    named: frozenset[str] = frozenset()

    @staticmethod
    def of(estimator: Any) -> ColumnRules:
        """Read from an estimator what it takes.

        Parameters
        ----------
        estimator : classifier
            Its tag ``allow_nan`` and its parameters are asked, those of its parts too.

        Returns
        -------
        ColumnRules
            The rules.
        """
        return ColumnRules(takes_gaps(estimator), frozenset(_texts(estimator)))


STRICT = ColumnRules()


def takes_gaps(estimator: Any) -> bool:
    """Say whether an estimator takes NaN, by its tag ``allow_nan``.

    Parameters
    ----------
    estimator : estimator
        A pipeline takes gaps if every step does up to one that fills them; a tree if every node does.

    Returns
    -------
    bool
        The answer.
    """
    if isinstance(estimator, (HierarchicalClassifier, FlatClassifier)):
        parts = SelectiveClassifierCV() if estimator.estimator is None else estimator.estimator
        return all(takes_gaps(part) for part in (parts.values() if isinstance(parts, dict) else [parts]))
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        return lets_gaps_pass(steps[:-1], steps[-1])
    return bool(get_tags(estimator).input_tags.allow_nan)


def check_columns(X: Any, ids: pd.DataFrame, rules: ColumnRules) -> None:
    """Refuse columns that the estimator does not take; other kinds of X are its own affair.

    Parameters
    ----------
    X : DataFrame, ndarray or anything indexable by row
        Features.
    ids : DataFrame
        Identifiers of the rows, for messages.
    rules : ColumnRules
        What the estimator takes.

    Raises
    ------
    DataError
        For equal names, text columns that no parameter names, infinite values, and gaps that nothing fills.
    """
    if isinstance(X, pd.DataFrame):
        names = [str(name) for name in X.columns]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        numeric = np.array([pd.api.types.is_numeric_dtype(kind) for kind in X.dtypes], dtype=bool)
        text = [
            name for name, number in zip(names, numeric, strict=True) if not number and name not in rules.named
        ]
        if twice or text:
            raise DataError(
                "feature columns must be numbers under names of their own",
                got="; ".join([f"{name} (twice)" for name in twice] + [f"{name} (text)" for name in text]),
            )
        values = X.loc[:, numeric].to_numpy(dtype=np.float64, na_value=np.nan)
        names = [name for name, number in zip(names, numeric, strict=True) if number]
    elif isinstance(X, np.ndarray) and X.ndim == 2 and np.issubdtype(X.dtype, np.number):
        values, names = X, [f"x{column}" for column in range(X.shape[1])]
    else:
        return
    wrong = np.isinf(values) if rules.gaps else ~np.isfinite(values)
    if wrong.any():
        _refuse(wrong, names, ids, rules)


def _refuse(wrong: NDArray[np.bool_], names: list[str], ids: pd.DataFrame, rules: ColumnRules) -> None:
    columns, rows = np.flatnonzero(wrong.any(axis=0)), np.flatnonzero(wrong.any(axis=1))
    empty = [names[column] for column in columns if wrong[:, column].all()]
    raise DataError(
        "infinite values" if rules.gaps else "missing or infinite values",
        where="columns " + ", ".join(names[column] for column in columns[:_SHOWN]) + f" ({columns.size} columns)",
        got="rows "
        + "; ".join(row_name(ids, row) for row in rows[:_SHOWN])
        + f" ({rows.size} rows)"
        + (f"; no value at all in {', '.join(empty[:_SHOWN])} ({len(empty)} columns)" if empty else ""),
        expected="finite numbers",
        do="exclude these rows, or columns that failed for many, or put a step that fills gaps into the estimator",
    )


def row_name(ids: pd.DataFrame, row: int) -> str:
    """Name a row by its identifiers.

    Parameters
    ----------
    ids : DataFrame
        Identifiers of all rows.
    row : int
        Number of the row.

    Returns
    -------
    str
        The identifiers, with commas.
    """
    return ", ".join(str(value) for value in ids.iloc[row])


def _texts(value: Any) -> Iterator[str]:
    """All texts among the parameters of an estimator and of its parts: names of columns are among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif hasattr(value, "get_params") and not isinstance(value, type):
        yield from _texts(list(value.get_params(deep=False).values()))
