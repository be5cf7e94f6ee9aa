"""A filter that tests each column on its own for a difference between the classes."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from radiobone.learning.data import DataError, check_labels
from radiobone.learning.selection.columns import SupervisedSelector, constant_columns

Array = NDArray[np.float64]

_OF_TWO = ("t", "welch", "mannwhitney")


class UnivariateFilter(SupervisedSelector):
    """Keep the columns in which a test finds a difference between the classes.

    Parameters
    ----------
    test : {"auto", "t", "welch", "mannwhitney", "anova", "kruskal"}, default="auto"
        Which test. ``t``, ``welch`` and ``mannwhitney`` compare two classes, ``anova`` and ``kruskal`` any number.
    alpha : float, default=0.05
        A column is kept if its p-value, corrected or not, lies below this.
    correction : {"fdr_bh", "holm", "bonferroni"} or None, default=None
        Correction for the number of columns: of the false discovery rate (Benjamini and Hochberg), or of the
        family-wise error. With None, this share of columns without any difference is kept, too.
    normality : float, default=0.05
        For ``auto``: p-value of the Shapiro-Wilk test below which values of a class do not count as normal.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept; there may be none.
    p_values_, adjusted_p_values_ : ndarray of shape (n_features_in_,)
        P-values before and after the correction; NaN for a constant column.
    tests_ : ndarray of shape (n_features_in_,)
        Which test each column had; ``none`` for a constant column.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    notes_ : list of str
        How many columns are constant: these are dropped and do not count in the correction.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    The rule of ``auto``: a column whose values pass for normal in every class (Shapiro-Wilk, three values or more)
    is tested by Welch's test if there are two classes, and by analysis of variance if there are more; any other
    column by Mann and Whitney's test, or Kruskal and Wallis'. Equal variances are never tested for: Welch's test
    does not need them.

    Rank tests use the normal (chi-squared) approximation with the correction for ties, and for continuity with two
    classes, whatever the size, so that the p-value of a column does not depend on other columns. All tests are
    two-sided and take rows for independent: where patients have several rows, p-values are too small.

    Examples
    --------
    >>> X = [[1, 5], [2, 9], [3, 1], [4, 4], [15, 8], [16, 2], [17, 6], [18, 5]]
    >>> UnivariateFilter(test="welch").fit(X, [0, 0, 0, 0, 1, 1, 1, 1]).get_support()
    array([ True, False])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "test": [StrOptions({"auto", "t", "welch", "mannwhitney", "anova", "kruskal"})],
        "alpha": [Interval(Real, 0, 1, closed="right")],
        "correction": [StrOptions({"fdr_bh", "holm", "bonferroni"}), None],
        "normality": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        test: str = "auto",
        alpha: float = 0.05,
        correction: str | None = None,
        normality: float = 0.05,
    ) -> None:
        self.test = test
        self.alpha = alpha
        self.correction = correction
        self.normality = normality

    def fit(self, X: ArrayLike, y: ArrayLike) -> UnivariateFilter:
        """Test every column.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Two classes or more.

        Returns
        -------
        UnivariateFilter
            The fitted filter.

        Raises
        ------
        DataError
            If there is one class, or more than two for a test that compares two.
        """
        self._validate_params()
        values, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        self.classes_, codes = np.unique(check_labels(labels), return_inverse=True)
        self._check_classes()
        constant = constant_columns(values)
        samples = [values[codes == code][:, ~constant] for code in range(self.classes_.size)]
        tests = self._tests(samples)
        self.tests_ = np.full(values.shape[1], "none", dtype="<U11")
        self.tests_[~constant] = tests
        found = np.full(len(tests), np.nan)
        for name in np.unique(tests):
            columns = tests == name
            found[columns] = p_values(str(name), [sample[:, columns] for sample in samples])
        self.p_values_, self.adjusted_p_values_ = (np.full(values.shape[1], np.nan) for _ in range(2))
        self.p_values_[~constant] = found
        self.adjusted_p_values_[~constant] = adjust(found, self.correction)
        self.support_ = self.adjusted_p_values_ < self.alpha
        self.notes_ = [f"{constant.sum()} constant columns dropped"] if constant.any() else []
        return self

    def _check_classes(self) -> None:
        if self.classes_.size == 1:
            raise DataError("UnivariateFilter needs two classes and got one class", got=self.classes_.tolist())
        if self.classes_.size > 2 and self.test in _OF_TWO:
            raise DataError(
                f"the test {self.test} compares two classes",
                where="UnivariateFilter",
                got=f"{self.classes_.size} classes",
                do="use auto, anova or kruskal",
            )

    def _tests(self, samples: list[Array]) -> NDArray[np.str_]:
        """Return the test of each column."""
        if self.test != "auto":
            return np.full(samples[0].shape[1], self.test)
        two = len(samples) == 2
        normal = np.all([_passes_for_normal(sample, self.normality) for sample in samples], axis=0)
        return np.where(normal, "welch" if two else "anova", "mannwhitney" if two else "kruskal")


def _passes_for_normal(sample: Array, least: float) -> NDArray[np.bool_]:
    if len(sample) < 3 or not sample.shape[1]:
        return np.zeros(sample.shape[1], dtype=bool)
    with warnings.catch_warnings():
        # Values that are all equal (W is 1 then), and more than 5,000 rows (p is approximate then).
        warnings.simplefilter("ignore")
        p = stats.shapiro(sample, axis=0).pvalue
    passes: NDArray[np.bool_] = p >= least
    return passes


def p_values(test: str, samples: list[Array]) -> Array:
    """Test all columns for a difference between samples.

    Parameters
    ----------
    test : {"t", "welch", "mannwhitney", "anova", "kruskal"}
        Which test.
    samples : list of ndarray of shape (n_rows, n_columns)
        The rows of each class; no column holds a single value throughout.

    Returns
    -------
    ndarray of shape (n_columns,)
        Two-sided p-values; 1 where a test is not defined (a class of one row, for Welch's): nothing was shown.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Columns that are constant within the classes: the statistic is infinite, and p is 0.
        warnings.simplefilter("ignore")
        if test in ("t", "welch"):
            p = stats.ttest_ind(*samples, axis=0, equal_var=test == "t").pvalue
        elif test == "mannwhitney":
            p = stats.mannwhitneyu(*samples, axis=0, method="asymptotic").pvalue
        elif test == "anova":
            p = stats.f_oneway(*samples, axis=0).pvalue
        else:
            p = stats.kruskal(*samples, axis=0).pvalue
    return np.nan_to_num(np.asarray(p, dtype=np.float64), nan=1.0)


def adjust(p: Array, correction: str | None) -> Array:
    """Correct p-values for their number.

    Parameters
    ----------
    p : ndarray of shape (n_tests,)
        P-values.
    correction : {"fdr_bh", "holm", "bonferroni"} or None
        Which correction.

    Returns
    -------
    ndarray of shape (n_tests,)
        Adjusted p-values, at most 1.
    """
    if correction is None or not p.size:
        return p
    if correction == "fdr_bh":
        return np.asarray(stats.false_discovery_control(p, method="bh"))
    if correction == "bonferroni":
        return np.minimum(p * p.size, 1.0)
    order = np.argsort(p, kind="stable")
    falling = np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * falling), 1.0)
    return adjusted
