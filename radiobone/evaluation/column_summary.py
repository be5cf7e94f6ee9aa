"""What was seen of the columns of X: those that carry nothing, gaps, and columns that stand there twice."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_SHOWN = 5

RULE = (
    "columns are passed on as they are; whatever drops or fills them stands inside the folds. Gaps and empty "
    "columns pass only to an estimator that fills them; two columns of one name are refused"
)


def column_summary(X: Any) -> dict[str, Any] | None:
    """Count columns that a reader should know of.

    Parameters
    ----------
    X : anything indexable by row
        Features.

    Returns
    -------
    dict or None
        ``n_columns``; ``constant`` (one value in all rows), ``empty`` (no value in any), ``with_gaps`` (some
        values missing), ``duplicate`` (equal to an earlier column), ``text``: for each ``n`` and up to five
        ``names``; and ``rule``. None for what is no table of columns.
    """
    if isinstance(X, pd.DataFrame):
        names = [str(name) for name in X.columns]
        numeric = np.array([pd.api.types.is_numeric_dtype(kind) for kind in X.dtypes], dtype=bool)
        values = X.loc[:, numeric].to_numpy(dtype=np.float64, na_value=np.nan)
    elif isinstance(X, np.ndarray) and X.ndim == 2 and np.issubdtype(X.dtype, np.number):
        values, names = X, [f"x{column}" for column in range(X.shape[1])]
        numeric = np.ones(len(names), dtype=bool)
    else:
        return None
    gaps = np.isnan(values)
    empty = gaps.all(axis=0)
    filled = np.where(gaps, np.inf, values).min(axis=0), np.where(gaps, -np.inf, values).max(axis=0)
    found = {
        "constant": ~empty & (filled[0] == filled[1]),
        "empty": empty,
        "with_gaps": gaps.any(axis=0) & ~empty,
        "duplicate": _duplicates(values),
    }
    of_numbers = np.array(names, dtype=object)[numeric]
    text = np.array(names, dtype=object)[~numeric]
    return {
        "n_columns": len(names),
        **{kind: _told(of_numbers[seen]) for kind, seen in found.items()},
        "text": _told(text),
        "rule": RULE,
    }


def _told(names: NDArray[Any]) -> dict[str, Any]:
    return {"n": int(names.size), "names": names[:_SHOWN].tolist()}


def _duplicates(values: NDArray[Any]) -> NDArray[np.bool_]:
    seen: set[bytes] = set()
    found = np.zeros(values.shape[1], dtype=bool)
    for column in range(values.shape[1]):
        key = hashlib.sha256(np.ascontiguousarray(values[:, column]).tobytes()).digest()
        found[column] = key in seen
        seen.add(key)
    return found
