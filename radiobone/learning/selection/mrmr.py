"""Columns that say much about the class and little about one another (mRMR)."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from radiobone.learning.data import DataError, check_labels
from radiobone.learning.selection.columns import (
    ROUNDING,
    SupervisedSelector,
    class_share,
    constant_columns,
    first_best,
    unit_columns,
)

Array = NDArray[np.float64]

_STATES = 3


class MRMRSelector(SupervisedSelector):
    """Keep k columns of maximum relevance to the class and minimum redundancy among themselves.

    Parameters
    ----------
    k : int, default=20
        Number of columns kept; all that are not constant, where there are fewer.
    form : {"FCD", "FCQ", "MID", "MIQ"}, default="FCQ"
        Relevance by the F statistic and redundancy by absolute Pearson correlation (F, C), or both by mutual
        information (MI); redundancy is subtracted (difference, D) or divided by (quotient, Q).

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept.
    order_ : ndarray of int
        Their numbers, in the order in which they were chosen.
    scores_ : ndarray of float
        The score of each when it was chosen; of the first, its relevance.
    relevance_ : ndarray of shape (n_features_in_,)
        Relevance of each column; 0 for a constant one. Mutual information is in nats.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    notes_ : list of str
        Whether there were fewer than ``k`` columns, or constant ones.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    The first column is the most relevant one. Then, one after another, the column is taken whose relevance, less
    its mean redundancy with the columns taken so far, or divided by that, is largest. Ties go to the left. A mean
    redundancy below 1e-12 counts as that in the quotient.

    FCD and FCQ as in Z. Zhao, R. Anand and M. Wang, IEEE DSAA (2019), 442-452; MID and MIQ as in C. Ding and
    H. Peng, J Bioinform Comput Biol 3:185-205 (2005) and H. Peng, F. Long and C. Ding, IEEE TPAMI 27:1226-1238
    (2005). For mutual information each column takes three states, as in the last: at least one standard deviation
    below its mean over the training rows, at least one above, or between.

    Examples
    --------
    >>> X = [[1, 1, 5], [3, 3, 2], [2, 2, 7], [4, 5, 6], [6, 6, 7], [5, 4, 9]]
    >>> MRMRSelector(k=2, form="MIQ").fit(X, [0, 0, 0, 1, 1, 1]).order_
    array([0, 2])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "form": [StrOptions({"FCD", "FCQ", "MID", "MIQ"})],
    }

    def __init__(self, *, k: int = 20, form: str = "FCQ") -> None:
        self.k = k
        self.form = form

    def fit(self, X: ArrayLike, y: ArrayLike) -> MRMRSelector:
        """Choose the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Two classes or more.

        Returns
        -------
        MRMRSelector
            The fitted selector.

        Raises
        ------
        DataError
            If there is one class.
        """
        self._validate_params()
        values, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        self.classes_, codes = np.unique(check_labels(labels), return_inverse=True)
        if self.classes_.size == 1:
            raise DataError("MRMRSelector needs two classes and got one class", got=self.classes_.tolist())
        constant = constant_columns(values)
        columns = np.flatnonzero(~constant)
        relevance, redundancy = _MEASURES[self.form[:2]](values[:, columns], codes)
        order, scores = _choose(relevance, redundancy, min(self.k, columns.size), self.form[2] == "Q")
        self.relevance_ = np.zeros(values.shape[1])
        self.relevance_[columns] = relevance
        self.order_, self.scores_ = columns[order], scores
        self.support_ = np.zeros(values.shape[1], dtype=bool)
        self.support_[self.order_] = True
        self.notes_ = [f"{constant.sum()} constant columns left out"] if constant.any() else []
        if columns.size < self.k:
            self.notes_.append(f"k={self.k} columns were asked for, and there are {columns.size}: all are kept")
        return self


Redundancy = Callable[[int], Array]
"""From the number of a column to its redundancy with every column."""


def _choose(relevance: Array, redundancy: Redundancy, k: int, quotient: bool) -> tuple[NDArray[np.intp], Array]:
    """Return the columns in the order in which they are taken, and their scores."""
    order: list[int] = []
    found: list[float] = []
    total = np.zeros_like(relevance)
    scores = relevance.astype(np.float64)
    while len(order) < k:
        best = first_best(scores)
        order.append(best)
        found.append(float(scores[best]))
        total += redundancy(best)
        mean = total / len(order)
        scores = relevance / np.maximum(mean, ROUNDING) if quotient else relevance - mean
        scores[order] = -np.inf
    return np.array(order, dtype=np.intp), np.array(found)


def _f_and_correlation(values: Array, codes: NDArray[np.intp]) -> tuple[Array, Redundancy]:
    unit = unit_columns(values)
    share = class_share(unit, codes)
    n_classes = int(codes.max()) + 1
    # The largest float instead of infinity, which would stay infinite whatever its redundancy.
    within = np.maximum(1.0 - share, np.finfo(float).eps)
    f = share / within * (len(codes) - n_classes) / (n_classes - 1)
    return f, lambda column: np.abs(unit[:, column] @ unit)


def _mutual_information(values: Array, codes: NDArray[np.intp]) -> tuple[Array, Redundancy]:
    scaled = unit_columns(values) * np.sqrt(len(values))
    # Both ends inclusive: a column of two equally frequent values lies one standard deviation from its mean.
    beyond = np.abs(scaled) >= 1 - ROUNDING
    states = np.where(beyond, 1 + np.sign(scaled), 1).astype(np.intp)
    # One row of ones and zeros for each state: products of such rows count pairs of states.
    indicators = np.stack([(states == state).T for state in range(_STATES)]).astype(np.float64)
    classes = (codes == np.arange(int(codes.max()) + 1)[:, np.newaxis]).astype(np.float64)
    return _information(indicators, classes), lambda column: _information(indicators, indicators[:, column])


def _information(indicators: Array, other: Array) -> Array:
    """Return the mutual information, in nats, of each column with one variable."""
    joint = np.einsum("spn,on->pso", indicators, other, optimize=True) / other.shape[1]
    independent = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    ratio = np.divide(joint, independent, out=np.ones_like(joint), where=joint > 0)
    information: Array = np.maximum(xlogy(joint, ratio).sum(axis=(1, 2)), 0.0)
    return information


_MEASURES = {"FC": _f_and_correlation, "MI": _mutual_information}
