"""The variance of an AUC without a model of the scores (DeLong), its interval and tests.

All of it speaks of scores that are fixed: one model, judged on rows that took no part in making it. On out-of-fold
scores pooled over the folds of a cross-validation the same formulas describe the fitted models only, and their
intervals are too narrow for the procedure: under noise, with selection inside five folds, they were measured to
cover 0.82 of the time for a nominal 0.95 (``tests/evaluation/test_honest_coverage.py``). Use
`radiobone.evaluation.statistics.resampled` there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata

from radiobone.evaluation.statistics.estimates import (
    NAN,
    Comparison,
    Interval,
    check_choice,
    check_fraction,
    normal_p_value,
    normal_quantile,
    numbers,
    two_sides,
)

ONE_CLASS = "one of the two classes is missing"
TOO_FEW = "too few independent rows of a class for a variance"
ALL_TIED = "all scores are the same: the AUC is 0.5 whatever the rows"
SEPARATED = "the classes are separated completely, where DeLong's variance is 0: Newcombe's score interval instead"
NO_VARIANCE = "the AUCs differ, yet their estimated variance is 0: the test is undefined"


class Placements(NamedTuple):
    """How each row stands against the rows of the other class; a tie counts half.

    Parameters
    ----------
    auc : ndarray of shape (...)
        Mean of either.
    positive : ndarray of shape (..., n_positive)
        Share of negative rows that score below each positive one.
    negative : ndarray of shape (..., n_negative)
        Share of positive rows that score above each negative one.
    """

    auc: NDArray[np.float64]
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]


def placements(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> Placements:
    """Compare each row with all rows of the other class, by mid-ranks.

    Parameters
    ----------
    positive : ndarray of shape (..., n_positive)
        Scores of the positive rows; any leading axes are computed at once.
    negative : ndarray of shape (..., n_negative)
        Scores of the other rows.

    Returns
    -------
    Placements
        The AUC and the structural components behind it.

    Notes
    -----
    The rank of a positive row among all rows, less its rank among the positive ones, counts the negative rows
    below it (Sun and Xu, IEEE Signal Process Lett 2014;21:1389): n log n steps where comparing all pairs takes n
    squared.
    """
    n_positive, n_negative = positive.shape[-1], negative.shape[-1]
    ranks = rankdata(np.concatenate([positive, negative], axis=-1), axis=-1)
    above = (ranks[..., :n_positive] - rankdata(positive, axis=-1)) / n_negative
    below = 1 - (ranks[..., n_positive:] - rankdata(negative, axis=-1)) / n_positive
    return Placements(above.mean(axis=-1), above, below)


def auc_variance(positive: ArrayLike, score: ArrayLike) -> tuple[float, float]:
    """Estimate an AUC and the variance of that estimate.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    score : array-like of shape (n_samples,)
        Higher for the positive class.

    Returns
    -------
    auc : float
        NaN if a class is missing.
    variance : float
        NaN if a class has fewer than two rows.

    Notes
    -----
    ``S10 / n_positive + S01 / n_negative``, where S10 and S01 are the sample variances (divisor n - 1) of the
    placements of the positive and of the negative rows (DeLong, DeLong and Clarke-Pearson, Biometrics
    1988;44:837).

    Examples
    --------
    >>> auc_variance([True, True, False, False], [0.9, 0.4, 0.5, 0.1])
    (0.75, 0.125)
    """
    side = two_sides(positive)
    values = numbers(score, len(side), "score")
    if not side.any() or side.all():
        return NAN, NAN
    found = placements(values[side], values[~side])
    return float(found.auc), _variance(found.positive, found.negative)


def delong_interval(
    positive: ArrayLike, score: ArrayLike, *, level: float = 0.95, scale: str = "logit"
) -> Interval:
    """Give the AUC of fixed scores on independent rows an interval.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    score : array-like of shape (n_samples,)
        Higher for the positive class.
    level : float, default 0.95
        Nominal coverage.
    scale : {"logit", "wald"}, default "logit"
        Where the normal distribution is assumed: on the log odds of the AUC, or on the AUC itself (cut at 0 and
        1). The logit was chosen for its coverage: see Notes.

    Returns
    -------
    Interval
        With the standard error of the AUC itself.

    Notes
    -----
    On the logit scale the standard error is ``se / (auc (1 - auc))``. With 20 positive and 40 negative rows of
    binormal scores, 10,000 draws and a nominal 0.95, the logit interval held a true AUC of 0.60, 0.80, 0.90 and
    0.95 in 0.96, 0.95, 0.95 and 0.94 of the draws, and Wald's in 0.94, 0.93, 0.90 and 0.86.

    Where the classes are separated completely (AUC 0 or 1) DeLong's variance is 0 and says nothing. The interval
    is then Newcombe's score interval (method 5 of Stat Med 2006;25:559), whose variance rests on the true AUC and
    the numbers of rows only. Scores that are all the same have an AUC of 0.5 and an interval of no width. If a
    class is missing, all is NaN; if it has a single row, the interval is.

    Examples
    --------
    >>> found = delong_interval([True] * 3 + [False] * 4, [3, 5, 6, 1, 2, 4, 0])
    >>> f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"
    '0.917 (0.348 to 0.996)'
    >>> perfect = delong_interval([True] * 20 + [False] * 30, range(50, 0, -1))
    >>> f"{perfect.estimate:.3f} ({perfect.low:.3f} to {perfect.high:.3f})"
    '1.000 (0.916 to 1.000)'
    """
    check_fraction("level", level)
    check_choice("scale", scale, ("logit", "wald"))
    side = two_sides(positive)
    auc, variance = auc_variance(side, score)
    n_positive = int(side.sum())
    return auc_interval(auc, variance, n_positive, len(side) - n_positive, level, scale, "DeLong")


def auc_interval(
    auc: float, variance: float, n_positive: int, n_negative: int, level: float, scale: str, method: str
) -> Interval:
    """Make an interval of an AUC from its variance, with the rules for degenerate cases.

    Parameters
    ----------
    auc, variance : float
        The estimate and its variance.
    n_positive, n_negative : int
        Independent units of each class (rows, or patients), for complete separation.
    level : float
        Nominal coverage.
    scale : {"logit", "wald"}
        See `delong_interval`.
    method : str
        Name of the variance.

    Returns
    -------
    Interval
        See `delong_interval`.
    """
    if math.isnan(auc):
        return Interval(NAN, NAN, NAN, level, method, notes=(ONE_CLASS,))
    if math.isnan(variance):
        return Interval(auc, NAN, NAN, level, method, notes=(TOO_FEW,))
    error = math.sqrt(variance)
    if variance == 0 and auc in (0.0, 1.0):
        low, high = _separated(auc, n_positive, n_negative, level)
        return Interval(auc, low, high, level, f"{method} (Newcombe at an AUC of 0 or 1)", 0.0, 0, (SEPARATED,))
    reach = normal_quantile(level) * error
    method = f"{method} ({'logit' if scale == 'logit' else 'Wald'})"
    if variance == 0:
        return Interval(auc, auc, auc, level, method, 0.0, 0, (ALL_TIED,))
    if scale == "wald":
        return Interval(auc, max(auc - reach, 0.0), min(auc + reach, 1.0), level, method, error)
    centre, reach = float(logit(auc)), reach / (auc * (1 - auc))
    return Interval(auc, float(expit(centre - reach)), float(expit(centre + reach)), level, method, error)


def delong_test(positive: ArrayLike, score_a: ArrayLike, score_b: ArrayLike, *, level: float = 0.95) -> Comparison:
    """Compare the AUCs of two fixed scores on the same rows.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    score_a, score_b : array-like of shape (n_samples,)
        The scores to compare, each higher for the positive class.
    level : float, default 0.95
        Nominal coverage of the interval of the difference.

    Returns
    -------
    Comparison
        The statistic is standard normal under equal AUCs.

    Notes
    -----
    The variance of the difference is that of the differences of the placements, which is the contrast of DeLong's
    covariance matrix. Scores in the same order have a difference of 0 and a p value of 1. Where the AUCs differ
    and the variance is 0 (one of them separates the classes, the other is constant or reversed), the test is NaN.

    Examples
    --------
    >>> found = delong_test([True] * 4 + [False] * 4, [8, 7, 6, 3, 5, 4, 2, 1], [8, 2, 6, 3, 5, 7, 4, 1])
    >>> f"{found.difference:.4f}, z = {found.statistic:.3f}, p = {found.p_value:.3f}"
    '0.3125, z = 1.581, p = 0.114'
    """
    check_fraction("level", level)
    side = two_sides(positive)
    both = np.stack([numbers(score_a, len(side), "score_a"), numbers(score_b, len(side), "score_b")])
    if not side.any() or side.all():
        return _undefined(NAN, NAN, level, "DeLong, paired", ONE_CLASS)
    found = placements(both[:, side], both[:, ~side])
    variance = _variance(found.positive[0] - found.positive[1], found.negative[0] - found.negative[1])
    return auc_comparison(float(found.auc[0]), float(found.auc[1]), variance, level, "DeLong, paired")


def delong_test_unpaired(
    positive_a: ArrayLike, score_a: ArrayLike, positive_b: ArrayLike, score_b: ArrayLike, *, level: float = 0.95
) -> Comparison:
    """Compare the AUCs of two scores on two sets of rows that share no patient.

    Parameters
    ----------
    positive_a, positive_b : array-like of bool
        True for rows of the positive class, in each set.
    score_a, score_b : array-like of float
        Their scores.
    level : float, default 0.95
        Nominal coverage of the interval of the difference.

    Returns
    -------
    Comparison
        The statistic is the difference over ``sqrt(variance_a + variance_b)``, taken as standard normal (pROC
        takes it as t distributed, with nearly the same p value from some 30 rows on).

    Examples
    --------
    >>> one = [True] * 4 + [False] * 4
    >>> found = delong_test_unpaired(one, [8, 7, 6, 3, 5, 4, 2, 1], one, [8, 2, 6, 3, 5, 7, 4, 1])
    >>> round(found.difference, 4), round(found.standard_error, 4)
    (0.3125, 0.2841)
    """
    check_fraction("level", level)
    auc_a, variance_a = auc_variance(positive_a, score_a)
    auc_b, variance_b = auc_variance(positive_b, score_b)
    if math.isnan(auc_a) or math.isnan(auc_b):
        return _undefined(auc_a, auc_b, level, "DeLong, unpaired", ONE_CLASS)
    return auc_comparison(auc_a, auc_b, variance_a + variance_b, level, "DeLong, unpaired")


def auc_comparison(auc_a: float, auc_b: float, variance: float, level: float, method: str) -> Comparison:
    """Test the difference of two AUCs, with the rules for degenerate cases.

    Parameters
    ----------
    auc_a, auc_b : float
        The two AUCs.
    variance : float
        Of their difference.
    level : float
        Nominal coverage of the interval of the difference.
    method : str
        Name of the test.

    Returns
    -------
    Comparison
        See `delong_test`.
    """
    difference = auc_a - auc_b
    if math.isnan(variance):
        return _undefined(auc_a, auc_b, level, method, TOO_FEW)
    if variance == 0:
        if difference != 0:
            return _undefined(auc_a, auc_b, level, method, NO_VARIANCE)
        return Comparison(auc_a, auc_b, 0.0, 0.0, 0.0, level, 0.0, 1.0, method, 0.0)
    error = math.sqrt(variance)
    reach = normal_quantile(level) * error
    statistic = difference / error
    low, high = max(difference - reach, -1.0), min(difference + reach, 1.0)
    p_value = normal_p_value(statistic)
    return Comparison(auc_a, auc_b, difference, low, high, level, statistic, p_value, method, error)


def _variance(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    if len(positive) < 2 or len(negative) < 2:
        return NAN
    return float(np.var(positive, ddof=1) / len(positive) + np.var(negative, ddof=1) / len(negative))


def _separated(auc: float, n_positive: int, n_negative: int, level: float) -> tuple[float, float]:
    """Return Newcombe's score interval of an AUC of 0 or 1: the AUCs from which it is no farther than z errors."""
    z, others = normal_quantile(level), (n_positive + n_negative) / 2 - 1

    def beyond(true: float) -> float:
        spread = 1 + others * (1 - true) / (2 - true) + others * true / (1 + true)
        return (1 - true) - z * math.sqrt(true * (1 - true) * spread / (n_positive * n_negative))

    # The variance is the same for an AUC and one less it, so that the interval at 0 mirrors the one at 1.
    low = float(brentq(beyond, 0.0, 1 - 1e-12))
    return (low, 1.0) if auc == 1 else (0.0, 1 - low)


def _undefined(auc_a: float, auc_b: float, level: float, method: str, note: str) -> Comparison:
    return Comparison(auc_a, auc_b, auc_a - auc_b, NAN, NAN, level, NAN, NAN, method, notes=(note,))
