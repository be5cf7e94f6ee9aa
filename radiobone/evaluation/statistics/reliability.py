"""Calibration: whether of the patients given a probability of 0.3 three in ten belong to the positive class."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit

from radiobone.evaluation.statistics.estimates import (
    NAN,
    Interval,
    check_fraction,
    check_whole,
    normal_quantile,
    patient_codes,
    probabilities,
    two_sides,
)
from radiobone.evaluation.statistics.proportions import design_effect, wilson

# Probabilities nearer to 0 or 1 than this are moved here: their log odds would be infinite.
CLIPPED = 1e-6

ONE_CLASS = "one of the two classes is missing"
ALL_TIED = "all probabilities are the same: there is no slope"
SEPARATED = "the classes are separated completely: there is no slope"
ONE_PATIENT = "the rows of a single patient have no variance between patients"
NOT_CONVERGED = "the recalibration did not converge"

# Of statsmodels' lowess: share of the rows that each point of the smooth curve rests on, as in R's loess figures
# of calibration; and how many points are given.
SMOOTH_SHARE = 0.75
SMOOTH_POINTS = 101


@dataclass(frozen=True)
class Calibration:
    """How far probabilities agree with what came true.

    Parameters
    ----------
    n, n_positive : int
        Rows, and rows of the positive class.
    expected, observed : float
        Mean probability, and share of positive rows.
    in_the_large : Interval
        Log odds by which the probabilities are too low on the whole; ideal is 0.
    intercept, slope : Interval
        Of the logistic recalibration; ideal are 0 and 1. A slope below 1 tells of probabilities that are too
        extreme, as after overfitting.
    expected_error : float
        Expected calibration error: the mean distance of a bin's mean probability from its share of positive rows.
    hosmer_lemeshow, hosmer_lemeshow_p : float
        Statistic and p value of the Hosmer-Lemeshow test.
    degrees : int
        Its degrees of freedom.
    n_clipped : int
        Probabilities of (almost) 0 or 1 that were moved to `CLIPPED` from them, for the recalibration.
    """

    n: int
    n_positive: int
    expected: float
    observed: float
    in_the_large: Interval
    intercept: Interval
    slope: Interval
    expected_error: float
    hosmer_lemeshow: float
    hosmer_lemeshow_p: float
    degrees: int
    n_clipped: int


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """A calibration plot: bins of equal size, and a smooth curve.

    Parameters
    ----------
    probability, observed : ndarray of shape (n_bins,)
        Mean probability and share of positive rows in each bin.
    low, high : ndarray of shape (n_bins,)
        Wilson interval of that share.
    n : ndarray of shape (n_bins,), int
        Rows in each bin.
    level : float
        Nominal coverage of the intervals.
    smooth_probability, smooth_observed : ndarray of shape (n_points,)
        The smooth curve; without points where there are fewer than three different probabilities.
    """

    probability: NDArray[np.float64]
    observed: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.intp]
    level: float
    smooth_probability: NDArray[np.float64]
    smooth_observed: NDArray[np.float64]


def calibration(
    positive: ArrayLike,
    probability: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    bins: int = 10,
    level: float = 0.95,
    fitted_here: bool = False,
) -> Calibration:
    """Measure the calibration of probabilities.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    probability : array-like of shape (n_samples,)
        Probability of the positive class.
    groups : array-like of shape (n_samples,), optional
        Patient of each row, where patients give several: the intervals of the recalibration then rest on a
        variance clustered by patient. The Hosmer-Lemeshow test knows no clusters; read its p value as too small
        then.
    bins : int, default 10
        Bins of equal size for the expected calibration error and the Hosmer-Lemeshow test.
    level : float, default 0.95
        Nominal coverage of the intervals.
    fitted_here : bool, default False
        Whether the model was fitted to these very rows, as studies often test: the Hosmer-Lemeshow test then has
        two degrees of freedom fewer than bins, else as many as bins.

    Returns
    -------
    Calibration
        NaN, with a note in the interval, where the rows cannot show a figure.

    Notes
    -----
    The recalibration is the logistic regression ``logit P(positive) = intercept + slope logit(probability)``;
    calibration-in-the-large is its intercept with the slope held at 1 (Cox, Biometrika 1958;45:562; Steyerberg,
    Clinical Prediction Models, chapter 15), fitted by statsmodels. The Hosmer-Lemeshow statistic is the sum over
    bins of ``(O - E)² / (n p (1 - p))``, with the number of positive rows O, the sum E and the mean p of the
    probabilities (Commun Stat 1980;A9:1043). Its p value depends on the bins and on the number of rows, and says
    nothing of how bad a calibration is: prefer slope, intercept and curve.

    Examples
    --------
    >>> import numpy as np
    >>> found = calibration(np.repeat([1, 0, 1, 0], [20, 80, 80, 20]), np.repeat([0.1, 0.9], 100))
    >>> found.n, round(found.expected, 3), round(found.observed, 3), round(found.slope.estimate, 3)
    (200, 0.5, 0.5, 0.631)
    >>> round(found.expected_error, 3)
    0.1
    """
    check_fraction("level", level)
    check_whole("bins", bins, 1)
    side = two_sides(positive)
    given = probabilities(probability, len(side))
    of = None if groups is None else patient_codes(groups, len(side))
    clipped = np.clip(given, CLIPPED, 1 - CLIPPED)
    in_the_large, intercept, slope = _recalibrated(side, np.log(clipped / (1 - clipped)), of, level)
    error, statistic, degrees = _binned(side, given, bins)
    degrees -= 2 if fitted_here else 0
    return Calibration(
        n=len(side),
        n_positive=int(side.sum()),
        expected=float(given.mean()) if len(side) else NAN,
        observed=float(side.mean()) if len(side) else NAN,
        in_the_large=in_the_large,
        intercept=intercept,
        slope=slope,
        expected_error=error,
        hosmer_lemeshow=statistic,
        hosmer_lemeshow_p=_chi_square_tail(statistic, degrees),
        degrees=degrees,
        n_clipped=int((clipped != given).sum()),
    )


def calibration_curve(
    positive: ArrayLike,
    probability: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    bins: int = 10,
    level: float = 0.95,
) -> CalibrationCurve:
    """Draw up a calibration plot.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    probability : array-like of shape (n_samples,)
        Probability of the positive class.
    groups : array-like of shape (n_samples,), optional
        Patient of each row, where patients give several: the intervals then count as many independent rows as the
        spread between patients leaves.
    bins : int, default 10
        Bins between quantiles of the probabilities. Equal probabilities are never parted, so that there can be
        fewer bins.
    level : float, default 0.95
        Nominal coverage of the intervals.

    Returns
    -------
    CalibrationCurve
        Bins from low to high probabilities, and the smooth curve.

    Notes
    -----
    Intervals are those of `radiobone.evaluation.statistics.proportions.proportion_interval`. The smooth curve is
    statsmodels' lowess without its robustness steps, which would take the rarer class for outliers; it is cut at 0
    and 1.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    check_fraction("level", level)
    check_whole("bins", bins, 1)
    side = two_sides(positive)
    given = probabilities(probability, len(side))
    number = _bins(given, bins)
    n = np.bincount(number)
    share = np.bincount(number, side) / n
    of = None if groups is None else patient_codes(groups, len(side))
    bin_rows = [number == code for code in range(len(n))]
    effects = [1.0 if of is None else design_effect(side[rows], of[rows]) for rows in bin_rows]
    low, high = wilson(share, n / np.array(effects), level)
    smooth, grid = np.empty(0), np.empty(0)
    if np.unique(given).size > 2:
        grid = np.linspace(given.min(), given.max(), SMOOTH_POINTS)
        # Where many probabilities are equal, a point's neighbours can lie at one place: no line goes through it.
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            smooth = lowess(side.astype(float), given, frac=SMOOTH_SHARE, it=0, xvals=grid)
        grid, smooth = grid[np.isfinite(smooth)], np.clip(smooth[np.isfinite(smooth)], 0, 1)
    mean = np.bincount(number, given) / n
    return CalibrationCurve(mean, share, low, high, n, level, grid, smooth)


def _recalibrated(
    side: NDArray[np.bool_], log_odds: NDArray[np.float64], of: NDArray[np.intp] | None, level: float
) -> tuple[Interval, Interval, Interval]:
    """Return calibration-in-the-large, and intercept and slope of the recalibration."""
    if not side.any() or side.all() or (of is not None and not of.any()):
        missing = _no_interval(level, ONE_CLASS if not side.any() or side.all() else ONE_PATIENT)
        return missing, missing, missing
    # The sum of the shifted probabilities must be the number of positive rows; statsmodels would start too far
    # away where some log odds are extreme.
    reach = float(np.abs(log_odds).max()) + math.log(len(side))
    start = brentq(lambda shift: float(np.sum(expit(log_odds + shift)) - side.sum()), -reach, reach)
    large = _fitted(side, np.ones((len(side), 1)), log_odds, of, level, [start])[0]
    note = ""
    if np.ptp(log_odds) == 0:
        note = ALL_TIED
    elif log_odds[side].min() >= log_odds[~side].max() or log_odds[side].max() <= log_odds[~side].min():
        note = SEPARATED
    if note:
        return large, _no_interval(level, note), _no_interval(level, note)
    design = np.stack([np.ones(len(side)), log_odds], axis=1)
    share = float(side.mean())
    intercept, slope = _fitted(side, design, None, of, level, [math.log(share / (1 - share)), 0.0])
    return large, intercept, slope


def _fitted(
    side: NDArray[np.bool_],
    design: NDArray[np.float64],
    offset: NDArray[np.float64] | None,
    of: NDArray[np.intp] | None,
    level: float,
    start: list[float],
) -> list[Interval]:
    """Return the interval of each coefficient of a logistic regression."""
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    cluster: dict[str, Any] = {} if of is None else {"cov_type": "cluster", "cov_kwds": {"groups": of}}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Whether it converged is asked below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = GLM(side.astype(float), design, family=Binomial(), offset=offset).fit(start_params=start, **cluster)
    if not fit.converged or not np.isfinite([fit.params, fit.bse]).all():
        return [_no_interval(level, NOT_CONVERGED)] * design.shape[1]
    method = "logistic recalibration" + ("" if of is None else ", clustered by patient")
    z = normal_quantile(level)
    return [
        Interval(float(value), float(value - z * error), float(value + z * error), level, method, float(error))
        for value, error in zip(fit.params, fit.bse, strict=True)
    ]


def _no_interval(level: float, note: str) -> Interval:
    return Interval(NAN, NAN, NAN, level, "logistic recalibration", notes=(note,))


def _bins(values: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    """Return the bin of each row, from 0 without gaps; equal values share a bin."""
    if not len(values):
        return np.empty(0, dtype=np.intp)
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    found: NDArray[np.intp] = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)[1]
    return found


def _binned(side: NDArray[np.bool_], given: NDArray[np.float64], bins: int) -> tuple[float, float, int]:
    """Return the expected calibration error, the Hosmer-Lemeshow statistic and the number of bins."""
    number = _bins(given, bins)
    n = np.bincount(number)
    if not len(n):
        return NAN, NAN, 0
    gap = np.bincount(number, side) - np.bincount(number, given)
    mean = np.bincount(number, given) / n
    variance = n * mean * (1 - mean)
    # A bin of certainties adds nothing when all came true, and refutes them when one did not.
    parts = np.where(gap == 0, 0.0, np.inf)
    np.divide(gap**2, variance, out=parts, where=variance > 0)
    return float(np.abs(gap).sum() / n.sum()), float(parts.sum()), len(n)


def _chi_square_tail(statistic: float, degrees: int) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(statistic, degrees)) if degrees > 0 and not math.isnan(statistic) else NAN
