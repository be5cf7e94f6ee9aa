"""A filter that keeps one of several columns that say the same."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from radiobone.learning.data import check_labels
from radiobone.learning.selection.columns import (
    ROUNDING,
    SupportSelector,
    class_share,
    constant_columns,
    unit_columns,
)

# Columns compared at a time: memory stays linear in the number of columns.
_BLOCK = 512


class CorrelationFilter(SupportSelector):
    """Drop each column that is strongly correlated with one that is kept.

    Parameters
    ----------
    method : {"spearman", "pearson"}, default="spearman"
        Rank correlation (ties share their mean rank) or linear correlation.
    threshold : float, default=0.9
        A column is dropped if the absolute correlation exceeds this value, in (0, 1].
    keep : {"first", "largest_univariate", "smallest_mean_correlation"}, default="first"
        Which of two such columns is kept: the one to the left; the one more closely related to the class; or the
        one with the smaller mean absolute correlation with all other columns. Ties go to the left.

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
    The rule: bring the columns in order (as they stand; by falling relation to the class; by rising mean absolute
    correlation), and walk along them; keep a column if its absolute correlation with every column kept so far is
    at most the threshold. So no two kept columns exceed it, and every dropped one exceeds it with a kept one that
    comes before it. By default the class plays no part, and the order of a feature table is fixed and puts plain
    features before filtered ones.

    The relation to the class is the share of a column's variance (of its ranks, with ``spearman``) that lies
    between the classes; for two classes it orders columns as the absolute point-biserial correlation does.

    The mean correlations are computed once, over all columns that vary. R's ``caret::findCorrelation`` decides
    pairs by the same means; its ``exact`` form recomputes them after each removal, which this does not.

    Examples
    --------
    >>> X = [[1, 2, 5], [2, 4, 1], [3, 6, 4], [4, 9, 2]]
    >>> CorrelationFilter().fit(X).get_support()
    array([ True, False,  True])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "method": [StrOptions({"spearman", "pearson"})],
        "threshold": [Interval(Real, 0, 1, closed="right")],
        "keep": [StrOptions({"first", "largest_univariate", "smallest_mean_correlation"})],
    }

    def __init__(self, *, method: str = "spearman", threshold: float = 0.9, keep: str = "first") -> None:
        self.method = method
        self.threshold = threshold
        self.keep = keep

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> CorrelationFilter:
        """Find the columns to keep.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,), optional
            Class of each row; plays a part only with ``keep="largest_univariate"``, and is needed there.

        Returns
        -------
        CorrelationFilter
            The fitted filter.
        """
        self._validate_params()
        if self.keep == "largest_univariate":
            values, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
            codes = np.unique(check_labels(labels), return_inverse=True)[1]
        else:
            values, codes = validate_data(self, X, dtype=np.float64, ensure_min_samples=2), None
        self.constant_ = constant_columns(values)
        columns = np.flatnonzero(~self.constant_)
        varying = values[:, columns]
        if self.method == "spearman":
            varying = rankdata(varying, axis=0)
        self.support_ = np.zeros(values.shape[1], dtype=bool)
        unit = unit_columns(varying)
        if self.keep != "first":
            order = np.argsort(self._rank(unit, codes), kind="stable")
            columns, unit = columns[order], unit[:, order]
        self.support_[columns[_keep(unit, self.threshold)]] = True
        return self

    def _rank(self, unit: NDArray[np.float64], codes: NDArray[np.intp] | None) -> NDArray[np.float64]:
        """Return what columns are ordered by, rounded so that equal columns tie."""
        wanted = -class_share(unit, codes) if codes is not None else _mean_correlation(unit)
        return np.round(wanted / ROUNDING)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.keep == "largest_univariate"
        return tags


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


def _mean_correlation(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean absolute correlation of each column with all columns, a block at a time."""
    total: NDArray[np.float64] = np.zeros(unit.shape[1])
    for start in range(0, unit.shape[1], _BLOCK):
        total += np.abs(unit[:, start : start + _BLOCK].T @ unit).sum(axis=0)
    mean: NDArray[np.float64] = total / max(unit.shape[1], 1)
    return mean


def _exceeds(correlations: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    exceeds: NDArray[np.bool_] = np.abs(correlations) > threshold + ROUNDING
    return exceeds
