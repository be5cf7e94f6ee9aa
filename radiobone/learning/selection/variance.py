"""A filter that drops columns which hardly vary."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from radiobone.learning.selection.columns import SupportSelector


class VarianceFilter(SupportSelector):
    """Drop columns whose variance is at most a threshold; constant columns always.

    Parameters
    ----------
    threshold : float, default=0
        Largest variance (of the training rows, in the column's own unit, divided by n) of a column that is
        dropped. After standardisation every variance is 1, so a threshold above 0 belongs before it.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept; there may be none.
    variances_ : ndarray of shape (n_features_in_,)
        Their variances; 0 for a column of a single value, NaN for one without any.
    notes_ : list of str
        How many columns were dropped, and how many of these hold a single value or none.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    It does what `sklearn.feature_selection.VarianceThreshold` does, but that ends with an error where no column
    varies enough; here such a selection is empty, as that of any other filter may be. Missing values do not count.

    Examples
    --------
    >>> VarianceFilter().fit([[0.1, 1], [0.1, 2], [0.1, 3]]).get_support()
    array([False,  True])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"threshold": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, *, threshold: float = 0.0) -> None:
        self.threshold = threshold

    def fit(self, X: ArrayLike, y: object = None) -> VarianceFilter:
        """Find the columns to keep.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : ignored
            The class plays no part.

        Returns
        -------
        VarianceFilter
            The fitted filter.
        """
        self._validate_params()
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        empty = np.isnan(values).all(axis=0)
        known = np.where(empty, 0.0, values)
        single = np.nanmin(known, axis=0) == np.nanmax(known, axis=0)
        # The computed variance of a column of equal values need not be 0: its mean is rounded.
        with np.errstate(over="ignore"):
            variances = np.nanvar(known, axis=0)
        self.variances_ = np.where(empty, np.nan, np.where(single, 0.0, variances))
        self.support_ = ~single & (self.variances_ > self.threshold)
        dropped, constant = int((~self.support_).sum()), int(single.sum())
        self.notes_ = [f"{dropped} columns dropped: {constant} of a single value or none"] if dropped else []
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
