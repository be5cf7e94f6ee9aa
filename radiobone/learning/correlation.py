"""A filter that keeps one of several columns that say the same."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

# Columns compared at a time: memory stays linear in the number of columns.
_BLOCK = 512

# Rank correlations are fractions and do meet a threshold exactly; rounding must not decide then.
_ROUNDING = 1e-12


class CorrelationFilter(SelectorMixin, BaseEstimator):
    """Drop each column that is strongly correlated with a column to its left.

    Parameters
    ----------
    method : {"spearman", "pearson"}, default="spearman"
        Rank correlation (ties share their mean rank) or linear correlation.
    threshold : float, default=0.9
        A column is dropped if the absolute correlation exceeds this value, in (0, 1].

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept.
    constant_ : ndarray of shape (n_features_in_,), bool
        The columns that hold a single value. They are dropped: their correlation is not defined.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    The rule: walk the columns from left to right; keep a column if its absolute correlation with every column
    kept so far is at most the threshold. It depends on the order of the columns, which in a feature table is
    fixed and puts plain features before filtered ones, and never on the class.

    Examples
    --------
    >>> X = [[1, 2, 5], [2, 4, 1], [3, 6, 4], [4, 9, 2]]
    >>> CorrelationFilter().fit(X).get_support()
    array([ True, False,  True])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "method": [StrOptions({"spearman", "pearson"})],
        "threshold": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, *, method: str = "spearman", threshold: float = 0.9) -> None:
        self.method = method
        self.threshold = threshold

    def fit(self, X: ArrayLike, y: object = None) -> CorrelationFilter:
        """Find the columns to keep.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : ignored
            The class plays no part.

        Returns
        -------
        CorrelationFilter
            The fitted filter.
        """
        self._validate_params()
        values = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self.constant_ = np.ptp(values, axis=0) == 0
        columns = np.flatnonzero(~self.constant_)
        varying = values[:, columns]
        if self.method == "spearman":
            varying = rankdata(varying, axis=0)
        self.support_ = np.zeros(values.shape[1], dtype=bool)
        self.support_[columns[_keep(_unit(varying), self.threshold)]] = True
        return self

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return self.support_


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre columns and give them length 1, so that products of columns are correlations."""
    # Scaled first, lest squares of huge or tiny values leave the range of floats.
    centred = values - values.mean(axis=0)
    centred /= np.abs(centred).max(axis=0, initial=np.finfo(float).tiny)
    unit: NDArray[np.float64] = centred / np.maximum(np.linalg.norm(centred, axis=0), np.finfo(float).tiny)
    return unit


def _keep(unit: NDArray[np.float64], threshold: float) -> list[int]:
    """Walk from left to right; return the columns that are kept."""
    kept: list[int] = []
    for start in range(0, unit.shape[1], _BLOCK):
        block = unit[:, start : start + _BLOCK]
        within = _exceeds(block.T @ block, threshold)
        free = np.flatnonzero(~_exceeds(block.T @ unit[:, kept], threshold).any(axis=1))
        while free.size:
            kept.append(start + int(free[0]))
            free = free[1:][~within[free[0], free[1:]]]
    return kept


def _exceeds(correlations: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    exceeds: NDArray[np.bool_] = np.abs(correlations) > threshold + _ROUNDING
    return exceeds
