"""Columns chosen by name, pattern or place."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.learning.data import DataError
from radiobone.learning.frames import Rows

# How many names a message shows.
_SHOWN = 5


def column_names(X: Rows) -> list[Any]:
    """Return the names of columns, ``x0``, ``x1``, ... for an array.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    list
        One name for each column.
    """
    return list(X.columns) if isinstance(X, pd.DataFrame) else [f"x{column}" for column in range(X.shape[1])]


def choose_columns(chosen: Any, names: Sequence[Any], where: str) -> NDArray[np.intp]:
    """Find the places of chosen columns.

    Parameters
    ----------
    chosen : None, str, int, or sequence of these
        All columns; or names, patterns (``*`` stands for any characters, ``?`` for one) and places.
    names : sequence
        Names of all columns.
    where : str
        What the columns are for, for the message.

    Returns
    -------
    ndarray of int
        Places, in the order of the table, each once.

    Raises
    ------
    DataError
        If a name, pattern or place finds no column.
    """
    if chosen is None:
        return np.arange(len(names))
    # Looked up, not compared one by one: thousands of columns may be chosen among thousands.
    places: dict[Any, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    found: set[int] = set()
    for one in [chosen] if isinstance(chosen, (str, int, np.integer)) else list(chosen):
        if isinstance(one, (int, np.integer)) and one not in places:
            here = [int(one)] if 0 <= one < len(names) else []
        else:
            # A name with brackets or stars in it is first of all a name.
            here = places.get(one) or [
                place for place, name in enumerate(names) if fnmatchcase(str(name), str(one))
            ]
        if not here:
            raise DataError(
                "no column of this name or pattern",
                where=where,
                got=str(one),
                expected=", ".join(map(str, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else ""),
            )
        found.update(here)
    return np.array(sorted(found), dtype=np.intp)


def columns_of(X: Rows, places: NDArray[np.intp]) -> Rows:
    """Return some columns.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)
        Rows.
    places : ndarray of int
        Places of the columns.

    Returns
    -------
    ndarray or DataFrame
        Those columns.
    """
    if not isinstance(X, pd.DataFrame):
        return X[:, places]
    if (X.dtypes == np.float64).all():
        # As in `rows_of`: sums depend on the order in memory.
        return pd.DataFrame(
            np.ascontiguousarray(X.to_numpy()[:, places]), index=X.index, columns=X.columns[places], copy=False
        )
    return X.iloc[:, places]
