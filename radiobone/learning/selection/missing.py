"""What becomes of missing values: columns that lack many are dropped, gaps in the others are filled."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from radiobone.learning.selection.columns import SupportSelector

Array = NDArray[np.float64]


class MissingValues(SupportSelector):
    """Drop columns with many missing values and fill the gaps of the others, as the training rows say.

    Parameters
    ----------
    max_share : float, default=0.2
        A column is dropped if a larger share of the training rows lacks it. One that all of them lack is always
        dropped.
    strategy : {"median", "mean", "knn", "drop_columns"}, default="median"
        How gaps are filled: by the column's median or mean over training rows, or by the mean over the nearest
        training rows that have a value. ``drop_columns`` drops every column with a gap among the training rows; a
        gap of a later row in another column is filled by the median.
    n_neighbors : int, default=5
        Number of nearest rows for ``knn``.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept.
    missing_ : ndarray of shape (n_features_in_,), int
        Training rows that lack each column.
    fill_ : ndarray of shape (n_kept,) or None
        What fills the gaps of each column that is kept; None for ``knn``.
    imputer_ : KNNImputer or None
        For ``knn``, fitted on the columns that are kept, standardised.
    scaler_ : StandardScaler or None
        What standardises them.
    notes_ : list of str
        How many columns were dropped, and how many were filled.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    A missing value is NaN; an infinite one is an error, here and in later rows. Distances between rows are over
    standardised columns that both rows have, so that no unit counts more than another. Values that are not missing
    come out as they went in.

    Examples
    --------
    >>> nan = float("nan")
    >>> X = [[1, nan, 3], [2, nan, nan], [3, 5, 4], [4, nan, 5], [5, nan, 6]]
    >>> MissingValues().fit_transform(X)
    array([[1. , 3. ],
           [2. , 4.5],
           [3. , 4. ],
           [4. , 5. ],
           [5. , 6. ]])
    """

    fills_missing: ClassVar[bool] = True  # so that tables with gaps may enter a classifier that begins with it

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "max_share": [Interval(Real, 0, 1, closed="both")],
        "strategy": [StrOptions({"median", "mean", "knn", "drop_columns"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, max_share: float = 0.2, strategy: str = "median", n_neighbors: int = 5) -> None:
        self.max_share = max_share
        self.strategy = strategy
        self.n_neighbors = n_neighbors

    def fit(self, X: ArrayLike, y: object = None) -> MissingValues:
        """Find the columns to keep, and learn how to fill them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : ignored
            The class plays no part.

        Returns
        -------
        MissingValues
            The fitted transformer.
        """
        self._validate_params()
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        self.missing_ = np.isnan(values).sum(axis=0)
        max_share = 0.0 if self.strategy == "drop_columns" else self.max_share
        self.support_ = (self.missing_ / len(values) <= max_share) & (self.missing_ < len(values))
        self.fill_: Array | None = None
        self.imputer_: Any = None
        self.scaler_: Any = None
        if self.support_.any():
            self._learn(values[:, self.support_])
        self.notes_ = self._tell()
        return self

    def _learn(self, kept: Array) -> None:
        if self.strategy == "knn":
            # Arrays within, whatever output users set for all of scikit-learn when they fit or predict.
            self.scaler_ = StandardScaler().set_output(transform="default").fit(kept)
            self.imputer_ = KNNImputer(n_neighbors=self.n_neighbors).fit(self.scaler_.transform(kept))
        else:
            # The statistics alone: the imputer holds types that no saved model may.
            imputer = SimpleImputer(strategy="mean" if self.strategy == "mean" else "median")
            self.fill_ = imputer.fit(kept).statistics_

    def _tell(self) -> list[str]:
        dropped, gaps = int((~self.support_).sum()), self.missing_[self.support_]
        notes = []
        if dropped:
            share = "any" if self.strategy == "drop_columns" else f"more than {self.max_share:.0%} of"
            notes.append(f"{dropped} of {len(self.support_)} columns dropped: missing in {share} training rows")
        if gaps.any():
            notes.append(f"{int((gaps > 0).sum())} columns filled by {self.strategy}")
        return notes

    def transform(self, X: ArrayLike) -> Array:
        """Return the columns that are kept, without gaps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_kept)
            No value is missing.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        kept: Array = values[:, self.support_]
        if not np.isnan(kept).any():
            return kept
        filled = self.fill_
        if filled is None:
            filled = self.scaler_.inverse_transform(self.imputer_.transform(self.scaler_.transform(kept)))
        return np.where(np.isnan(kept), filled, kept)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
