"""Baselines of one number: a published threshold of HU that learns nothing, and a logistic model on HU alone."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags, check_array
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from radiobone.learning.data import DataError, rows_and_labels

Array = NDArray[np.float64]
Name = str | int

THRESHOLD_HU = 90.25
"""Below this median HU, TotalSegmentator's spine report (``totalseg_spine_report``) marks a lumbar vertebra."""

ARTERIAL_ADDON_HU, PORTAL_VENOUS_ADDON_HU = 20.0, 14.75
"""What the same report adds to the threshold in scans with contrast medium, by phase."""

EROSION_MM = 4.0
"""Depth of the erosion of the vertebral body in the same report."""

MEDIAN_HU, MEAN_HU = "density_median_hu", "density_mean_hu"
"""Columns of the density block, without the VOI and level before them."""

OSTEOPOROSIS = "osteoporosis"

# Distance from the threshold, in HU, over which the odds change about 2.4-fold; it moves no rank and no decision.
_SOFTNESS_HU = 20.0

# Keeps rows at the threshold itself clearly on its upper side, where probabilities would tie.
_MARGIN = 1e-9


class HuThresholdClassifier(ClassifierMixin, BaseEstimator):
    """Call osteoporosis where the HU of the vertebral body lie below a published threshold.

    Parameters
    ----------
    column : str, int or sequence of these, optional
        Column or columns of X, in HU; of several (one for each vertebra) the lowest counts. By default the columns
        of a DataFrame that end in ``density_median_hu``, which have to be of one VOI, and the first column of
        an array.
    threshold_hu : float, default=90.25
        Positive below it, in HU.
    positive : object, optional
        The class that is called below the threshold. By default ``osteoporosis``, where the classes have it, else
        the last class in sorted order (1 of 0 and 1).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    positive_ : object
        The class that is called below the threshold.
    priors_ : ndarray of shape (n_classes,)
        Shares of the classes among the training rows: all that is learned.
    columns_ : list of int
        Places of the columns.
    notes_ : list of str
        What a reader of the result should know.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str
        Names of the columns, where X had any.

    Notes
    -----
    The rule is that of TotalSegmentator's spine report: the median HU of the vertebral body, eroded by 4 mm, lies
    below 90.25 (110.25 in arterial and 105.0 in portal venous phase: pass ``threshold_hu``). That report marks
    a patient if any lumbar vertebra lies below, hence tables with one row for each patient should hold the
    *lowest* vertebra (``levels: min``) or one column for each. Such a table comes from
    ``radiobone extract --voi trabecular --erosion-mm 4``: the body, eroded by 4 mm, and of the result the largest
    connected part. The report erodes by an ellipsoid of voxels on a mask of its own, so that medians may
    differ by some HU.

    Probabilities rank rows by HU, and cross one half (or the point where the positive class becomes the most
    probable one, with three classes and more) at the threshold; they are not calibrated. The rest is shared among
    the other classes by their training shares, so that among these the most frequent one is always predicted.

    Examples
    --------
    >>> X = pd.DataFrame({"age": [70, 60, 50], "trabecular__density_median_hu": [60.0, 120.0, 180.0]})
    >>> model = HuThresholdClassifier().fit(X, ["osteoporosis", "normal", "normal"])
    >>> model.predict(X.assign(trabecular__density_median_hu=[90.0, 90.25, 300.0])).tolist()
    ['osteoporosis', 'normal', 'normal']
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "column": [str, Integral, "array-like", None],
        "threshold_hu": [Interval(Real, None, None, closed="neither")],
        "positive": "no_validation",
    }

    def __init__(
        self,
        *,
        column: Name | Sequence[Name] | None = None,
        threshold_hu: float = THRESHOLD_HU,
        positive: Any = None,
    ) -> None:
        self.column = column
        self.threshold_hu = threshold_hu
        self.positive = positive

    def fit(self, X: Any, y: ArrayLike) -> HuThresholdClassifier:
        """Find the column, and count the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Classes.

        Returns
        -------
        HuThresholdClassifier
            The fitted classifier.

        Raises
        ------
        DataError
            If the column is missing or not a single one, there is one class only, or ``positive`` is none of them.
        """
        self._validate_params()
        X, labels = rows_and_labels(self, _rows(X), y)
        self.classes_, counts = np.unique(labels, return_counts=True)
        self.notes_: list[str] = []
        self.columns_ = self._find_columns()
        self._values(X)  # rows without a value are told now
        self.priors_ = counts / counts.sum()
        self.positive_ = self._find_positive()
        return self

    def _find_columns(self) -> list[int]:
        names = getattr(self, "feature_names_in_", None)
        if self.column is None:
            if names is None:
                self.notes_.append("no column was named; the first is taken for HU")
                return [0]
            return [int(np.flatnonzero(names == name)[0]) for name in hu_columns(names, MEDIAN_HU)]
        given = [self.column] if isinstance(self.column, (str, int, np.integer)) else list(self.column)
        return [_place(name, names, self.n_features_in_) for name in given]

    def _find_positive(self) -> Any:
        known = self.classes_.tolist()
        if self.positive is None:
            return OSTEOPOROSIS if OSTEOPOROSIS in known else known[-1]
        if self.positive not in known:
            raise DataError("positive is none of the classes", got=repr(self.positive), expected=known)
        return self.positive

    def _values(self, X: Any) -> Array:
        """Return the HU of each row: the lowest of its columns that have a value."""
        chosen = X.iloc[:, self.columns_] if isinstance(X, pd.DataFrame) else X[:, self.columns_]
        several = len(self.columns_) > 1
        values = check_array(
            chosen, dtype=np.float64, estimator=self, ensure_all_finite="allow-nan" if several else True
        )
        empty = np.isnan(values).all(axis=1)
        if empty.any():
            raise DataError("rows without a value of HU", got=f"{int(empty.sum())} rows", do="leave them out")
        lowest: Array = np.nanmin(values, axis=1)
        return lowest

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities that rank rows by HU, the positive class the most probable one below the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``; not calibrated.
        """
        check_is_fitted(self)
        X = validate_data(self, _rows(X), skip_check_array=True, reset=False)
        values = self._values(X)
        positive = self.classes_.tolist().index(self.positive_)
        others = np.delete(self.priors_, positive)
        others = others / others.sum()
        # A hyperbolic sine's inverse grows without end: the highest HU still have ranks.
        below = (self.threshold_hu - values) / _SOFTNESS_HU
        odds = np.exp(np.arcsinh(below))
        odds = np.where(below > 0.0, np.maximum(odds, 1.0 + _MARGIN), np.minimum(odds, 1.0 - _MARGIN))
        odds *= others.max()
        probability = odds / (1.0 + odds)
        return np.insert((1.0 - probability)[:, None] * others, positive, probability, axis=1)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the positive class below the threshold, else the most frequent of the others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes.
        """
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[np.argmax(probabilities, axis=1)]
        return labels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # it looks at one column, and does not learn from it
        return tags


def hu_columns(names: Sequence[Any], statistic: str = MEAN_HU) -> list[str]:
    """Find the columns of one statistic of HU in one VOI: one, or one for each vertebra.

    Parameters
    ----------
    names : sequence of str
        Columns of a wide table, such as ``trabecular__density_mean_hu`` or ``L1.trabecular__density_mean_hu``.
    statistic : str, default="density_mean_hu"
        Name of the feature.

    Returns
    -------
    list of str
        The columns, in the order of the table.

    Raises
    ------
    DataError
        If there is none, or they are of several VOIs.

    Examples
    --------
    >>> hu_columns(["age", "L1.body__density_mean_hu", "L2.body__density_mean_hu"])
    ['L1.body__density_mean_hu', 'L2.body__density_mean_hu']
    """
    found = [str(name) for name in names if str(name).split("__")[-1] == statistic]
    if not found:
        raise DataError(
            f"no column {statistic}",
            got=f"{len(names)} columns, such as {', '.join(map(str, names[:3]))}",
            expected=f"a column that is called {statistic}, or ends in __{statistic}",
            do="extract the density block, or name the column",
        )
    vois = {name.removesuffix(statistic).split(".")[-1] for name in found}
    if len(vois) > 1:
        raise DataError(
            f"{statistic} stands in the table for {len(vois)} VOIs",
            got=", ".join(found),
            expected="one VOI",
            do="name the column",
        )
    return found


def hu_alone(column: Name | Sequence[Name]) -> Pipeline:
    """Return a logistic model on HU alone, not yet fitted: what any model of texture has to surpass.

    Parameters
    ----------
    column : str, int or sequence of these
        Column or columns of X, in HU (`hu_columns` finds them by their names).

    Returns
    -------
    Pipeline
        The column, standardised, and logistic regression (ridge penalty, ``C=1``), for any number of classes.

    Examples
    --------
    >>> X = pd.DataFrame({"trabecular__density_mean_hu": [70.0, 90.0, 150.0, 170.0], "age": [1, 2, 3, 4]})
    >>> hu_alone(hu_columns(X.columns)).fit(X, [1, 1, 0, 0]).predict(X).tolist()
    [1, 1, 0, 0]
    """
    columns = [column] if isinstance(column, (str, int, np.integer)) else list(column)
    return Pipeline(
        [
            ("hu", ColumnTransformer([("hu", "passthrough", columns)], verbose_feature_names_out=False)),
            ("scale", StandardScaler()),
            ("model", LogisticRegression()),
        ]
    )


def _rows(X: Any) -> Any:
    """Return a DataFrame as it is, and anything else as an array; other columns than HU may hold anything."""
    return X if isinstance(X, pd.DataFrame) else check_array(X, dtype=None, ensure_all_finite=False)


def _place(name: Name, names: NDArray[Any] | None, n_columns: int) -> int:
    if isinstance(name, (int, np.integer)):
        if 0 <= name < n_columns:
            return int(name)
        raise DataError("no such column of HU", got=name, expected=f"a place below {n_columns}")
    if names is None or name not in names:
        raise DataError(
            "the column of HU is no column of X",
            got=name,
            expected="no names: X is an array" if names is None else ", ".join(map(str, names[:5])),
            do="pass a DataFrame with this column, or give a place",
        )
    return int(np.flatnonzero(names == name)[0])
