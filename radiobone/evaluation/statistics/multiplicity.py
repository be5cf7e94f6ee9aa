"""p values adjusted for the number of comparisons in a family."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.learning.data import DataError
from radiobone.learning.selection.univariate import adjust


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values so that the chance of any false finding in the family stays below the level.

    Parameters
    ----------
    p_values : array-like of shape (n_comparisons,)
        All comparisons of the family, also those that came out undefined (NaN).

    Returns
    -------
    ndarray of shape (n_comparisons,)
        Adjusted p values in the given order. An undefined one stays NaN and still counts in the size of the
        family, as if its p value were 1: a test that failed makes no other easier to pass.

    Notes
    -----
    The i-th smallest of m is multiplied by m - i + 1, and no adjusted value is smaller than that of a smaller p
    (Holm, Scand J Stat 1979;6:65). It holds under any dependence.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    return _adjusted(p_values, "holm")


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values so that the expected share of false findings among the findings stays below the level.

    Parameters
    ----------
    p_values : array-like of shape (n_comparisons,)
        All comparisons of the family, also those that came out undefined (NaN).

    Returns
    -------
    ndarray of shape (n_comparisons,)
        Adjusted p values in the given order. An undefined one stays NaN and counts in the size of the family.

    Notes
    -----
    The i-th smallest of m is multiplied by m / i, and no adjusted value is larger than that of a larger p
    (Benjamini and Hochberg, J R Stat Soc B 1995;57:289). It holds for independent or positively dependent tests.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    return _adjusted(p_values, "fdr_bh")


def _adjusted(p_values: ArrayLike, correction: str) -> NDArray[np.float64]:
    given = np.asarray(p_values, dtype=np.float64)
    undefined = np.isnan(given)
    if given.ndim != 1 or (given[~undefined] < 0).any() or (given[~undefined] > 1).any():
        raise DataError("p values are not valid", got=given.tolist(), expected="one list of numbers from 0 to 1")
    if not given.size:
        return given
    adjusted = adjust(np.where(undefined, 1.0, given), correction)
    adjusted[undefined] = np.nan
    return adjusted
