"""Covariates as numbers: dummy variables and standardised columns, coded as the training rows were."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.core.config import nearest
from radiobone.learning.data import DataError

Array = NDArray[np.float64]

# How many names a message shows.
_SHOWN = 5


def as_text(values: Any, what: str) -> NDArray[np.str_]:
    """Return the names in a column as text, numbers without needless decimals.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        Text, numbers or categories.
    what : str
        What the column is, for the message.

    Returns
    -------
    ndarray of str, shape (n_samples,)
        The names.

    Raises
    ------
    DataError
        If a row has none.

    Examples
    --------
    >>> as_text([1.0, 2, "x"], "batch").tolist()
    ['1', '2', 'x']
    """
    cells = np.asarray(values, dtype=object)
    missing = pd.isna(cells)
    if missing.any():
        raise DataError(
            f"rows without a {what}", got=f"{int(missing.sum())} rows", do="name it, or leave them out"
        )
    return np.array([_text(cell) for cell in cells.tolist()], dtype=np.str_)


def _text(cell: Any) -> str:
    if isinstance(cell, bool) or not isinstance(cell, Real) or not float(cell).is_integer():
        return str(cell)
    return str(round(cell))


def as_numbers(values: Any) -> Array | None:
    """Return a column as floats, or None if it holds names.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        Numbers; or text, categories or booleans, which are names.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        The numbers, missing ones as NaN.
    """
    cells = np.asarray(values, dtype=object)
    given = ~pd.isna(cells)
    if any(isinstance(cell, bool) or not isinstance(cell, Real) for cell in cells[given].tolist()):
        return None
    numbers = np.full(len(cells), np.nan)
    numbers[given] = cells[given].astype(np.float64)
    return numbers


@dataclass(frozen=True)
class Coding:
    """How one covariate becomes numbers.

    Parameters
    ----------
    name : str
        The column, for messages.
    levels : tuple of str or None
        The levels of a categorical covariate, the first of which is the reference; None for numbers.
    centre, width : float
        Mean and standard deviation of a numeric covariate among the training rows; the width is zero for
        a constant one, which has no effect.
    """

    name: str
    levels: tuple[str, ...] | None = None
    centre: float = 0.0
    width: float = 1.0

    @staticmethod
    def of(values: Any, name: str) -> Coding:
        """Learn the coding from the training rows.

        Parameters
        ----------
        values : array-like of shape (n_samples,)
            The covariate: numbers, or text, categories or booleans.
        name : str
            Its name.

        Returns
        -------
        Coding
            Of this covariate.

        Raises
        ------
        DataError
            If a row has no value.
        """
        numbers = as_numbers(values)
        if numbers is None:
            return Coding(name, tuple(np.unique(as_text(values, f"value of covariate {name!r}")).tolist()))
        _check_finite(numbers, name)
        width = float(numbers.std())
        centre = float(numbers.mean())
        return Coding(name, None, centre, width if width > 1e-12 * abs(centre) else 0.0)

    def apply(self, values: Any) -> Array:
        """Code rows.

        Parameters
        ----------
        values : array-like of shape (n_samples,)
            The covariate.

        Returns
        -------
        ndarray of shape (n_samples, n_dummies)
            One standardised column, one dummy for each level after the first, or none for a constant.

        Raises
        ------
        DataError
            If a row has no value, or a level that the training rows had not.
        """
        if self.levels is None:
            numbers = as_numbers(values)
            if numbers is None:
                raise DataError("the covariate was numbers, and is text now", where=self.name)
            _check_finite(numbers, self.name)
            return ((numbers - self.centre) / self.width)[:, None] if self.width else np.empty((len(numbers), 0))
        names = as_text(values, f"value of covariate {self.name!r}")
        unknown = sorted(set(names.tolist()) - set(self.levels))
        if unknown:
            raise DataError(
                "a covariate has a level that the training rows had not" + nearest(unknown[0], list(self.levels)),
                where=self.name,
                got=", ".join(unknown[:_SHOWN]),
                expected=", ".join(self.levels),
            )
        later = np.array(self.levels[1:], dtype=np.str_)
        return np.asarray(names[:, None] == later, dtype=np.float64)


def _check_finite(numbers: Array, name: str) -> None:
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise DataError(
            f"rows without a value of covariate {name!r}",
            got=f"{int(bad.sum())} rows",
            do="fill or leave out these rows, or leave out the covariate",
        )


def check_no_text(features: Any) -> None:
    """Refuse columns of text among features.

    Parameters
    ----------
    features : DataFrame or array
        Columns that are neither batch nor covariate; only those of a DataFrame have types of their own.

    Raises
    ------
    DataError
        That names such columns.
    """
    if not isinstance(features, pd.DataFrame):
        return
    odd = [str(name) for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    odd = [name for name in odd if as_numbers(features[name]) is None]
    if odd:
        raise DataError(
            "columns of text that are neither batch nor covariate",
            got=", ".join(odd[:_SHOWN]),
            do="name them as batch_column or covariates, or leave them out of X",
        )
