"""What selectors share: which columns are kept, the constant ones, correlations, the relation to the class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

Array = NDArray[np.float64]

# Equal columns must tie, and columns at a threshold must not be decided by rounding.
ROUNDING = 1e-12


class SupportSelector(SelectorMixin, BaseEstimator):
    """A selector whose fit says in ``support_`` which columns are kept."""

    support_: NDArray[np.bool_]

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return self.support_


class SupervisedSelector(SupportSelector):
    """A selector whose fit needs the class of each row."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def constant_columns(values: Array) -> NDArray[np.bool_]:
    """Tell which columns hold a single value.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
        Rows without missing values.

    Returns
    -------
    ndarray of shape (n_columns,), bool
        True where all values of a column are equal.
    """
    constant: NDArray[np.bool_] = values.min(axis=0) == values.max(axis=0)
    return constant


def unit_columns(values: Array) -> Array:
    """Centre columns and give them length 1, so that products of columns are correlations.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
        Rows; columns of a single value come out as 0.

    Returns
    -------
    ndarray of shape (n_samples, n_columns)
        Such columns.
    """
    # Scaled first, lest squares of huge or tiny values leave the range of floats.
    centred = values - values.mean(axis=0)
    centred /= np.abs(centred).max(axis=0, initial=np.finfo(float).tiny)
    unit: Array = centred / np.maximum(np.linalg.norm(centred, axis=0), np.finfo(float).tiny)
    return unit


def class_share(unit: Array, codes: NDArray[np.intp]) -> Array:
    """Return the share of each column's variance that lies between the classes.

    For two classes this is the square of the point-biserial correlation; on ranks it is Kruskal and Wallis'
    statistic divided by n - 1.

    Parameters
    ----------
    unit : ndarray of shape (n_samples, n_columns)
        As `unit_columns` returns them.
    codes : ndarray of shape (n_samples,)
        Class of each row, from 0 on.

    Returns
    -------
    ndarray of shape (n_columns,)
        Shares from 0 to 1.
    """
    sums = np.vstack([unit[codes == code].sum(axis=0) for code in range(int(codes.max()) + 1)])
    share: Array = np.clip((sums**2 / np.bincount(codes)[:, np.newaxis]).sum(axis=0), 0.0, 1.0)
    return share


def first_best(scores: Array) -> int:
    """Return the place of the largest score; of scores that differ by rounding only, the first.

    Parameters
    ----------
    scores : ndarray of shape (n_columns,)
        Scores, none of them NaN; ``-inf`` for those out of question.

    Returns
    -------
    int
        The place.
    """
    best = float(scores.max())
    margin = abs(best) * ROUNDING if np.isfinite(best) else 0.0
    return int(np.flatnonzero(scores >= best - margin)[0])
