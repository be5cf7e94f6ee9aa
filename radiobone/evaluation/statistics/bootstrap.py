"""The bootstrap of patients: intervals of any figure of fixed predictions on independent rows.

Patients are drawn, not rows, and all rows of a drawn patient come along; within the strata given (usually the
classes) as many are drawn as there are. Like DeLong's interval these speak of a model that is fixed. Of
out-of-fold predictions pooled over folds they describe the fitted models only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from radiobone.evaluation.statistics.estimates import (
    NAN,
    Comparison,
    Interval,
    check_choice,
    check_fraction,
    check_whole,
    normal_p_value,
    numbers,
    patient_codes,
    two_sides,
)
from radiobone.learning.data import DataError

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A figure for each line of weights of shape (n_draws, n_samples), which say how often each row was drawn."""

METHODS = ("bca", "percentile")
MOST_UNDEFINED = 0.05
"""Share of draws that may be without the figure before there is no interval."""

NO_SPREAD = "every draw gave the same value, so that drawing again shows no uncertainty: there is no interval"
ONE_SIDED = "all draws lie on one side of the estimate: there is no bias-corrected interval"
NO_ACCELERATION = "leaving out one patient leaves the figure undefined: bias corrected without acceleration"

# Cells of weights that are held at a time.
_CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class Patients:
    """Who is drawn, and from which strata.

    Parameters
    ----------
    of : ndarray of shape (n_samples,), int
        Number of the patient of each row.
    stratum : ndarray of shape (n_patients,), int
        Number of the stratum of each patient.
    """

    of: NDArray[np.intp]
    stratum: NDArray[np.intp]

    def weights(self, draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
        """Draw patients with replacement, within each stratum.

        Parameters
        ----------
        draws : int
            How many samples.
        seed : int
            Of the random numbers; the same seed gives the same patients, so that figures can be compared.

        Yields
        ------
        ndarray of shape (some_draws, n_samples)
            How often each row stands in each sample.
        """
        random = np.random.default_rng(seed)
        members = [np.flatnonzero(self.stratum == number) for number in range(int(self.stratum.max()) + 1)]
        size = max(1, _CELLS // len(self.of))
        for start in range(0, draws, size):
            some = min(size, draws - start)
            counts = np.empty((some, len(self.stratum)))
            for of_stratum in members:
                n = len(of_stratum)
                cells = random.integers(0, n, (some, n)) + n * np.arange(some)[:, np.newaxis]
                counts[:, of_stratum] = np.bincount(cells.ravel(), minlength=some * n).reshape(some, n)
            yield counts[:, self.of]

    def left_out(self) -> Iterator[NDArray[np.float64]]:
        """Leave out one patient after the other.

        Yields
        ------
        ndarray of shape (some_patients, n_samples)
            1 for rows that stay, 0 for those of the patient.
        """
        size = max(1, _CELLS // len(self.of))
        for start in range(0, len(self.stratum), size):
            gone = np.arange(start, min(start + size, len(self.stratum)))
            yield (self.of != gone[:, np.newaxis]).astype(np.float64)


def patients_to_draw(n_samples: int, groups: ArrayLike | None, strata: ArrayLike | None) -> Patients:
    """Sort rows by patient, and patients by stratum.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    groups : array-like of shape (n_samples,) or None
        Patient of each row; None if every row is a patient.
    strata : array-like of shape (n_samples,) or None
        Class of each row; None draws from all patients alike. A patient with rows of several classes belongs to a
        stratum of those who have just these.

    Returns
    -------
    Patients
        Who is drawn.

    Raises
    ------
    DataError
        If a length differs, or there are no rows.
    """
    if not n_samples:
        raise DataError("there are no rows to draw from", got=0, expected="at least one")
    of = patient_codes(groups, n_samples)
    n_patients = int(of.max()) + 1
    if strata is None:
        return Patients(of, np.zeros(n_patients, dtype=np.intp))
    codes = patient_codes(strata, n_samples)
    holds = np.zeros((n_patients, int(codes.max()) + 1), dtype=bool)
    holds[of, codes] = True
    return Patients(of, np.unique(holds, axis=0, return_inverse=True)[1].ravel())


def auc_statistic(positive: ArrayLike, score: ArrayLike) -> Statistic:
    """Make the AUC a statistic of many draws at once.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    score : array-like of shape (n_samples,)
        Higher for the positive class.

    Returns
    -------
    callable
        From weights to AUCs; NaN for a draw that lacks a class. A tie counts half.
    """
    side = two_sides(positive)
    values = numbers(score, len(side), "score")
    positives, negatives = np.flatnonzero(side), np.flatnonzero(~side)
    negatives = negatives[np.argsort(values[negatives], kind="stable")]
    # Numbers of the negative rows that score below each positive one, and not above it.
    below = np.searchsorted(values[negatives], values[positives], side="left")
    level = np.searchsorted(values[negatives], values[positives], side="right")

    def aucs(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = weights[:, positives]
        counts = np.zeros((len(weights), len(negatives) + 1))
        np.cumsum(weights[:, negatives], axis=1, out=counts[:, 1:])
        won = np.einsum("ij,ij->i", drawn, counts[:, below] + counts[:, level]) / 2
        with np.errstate(invalid="ignore"):
            found: NDArray[np.float64] = won / (drawn.sum(axis=1) * counts[:, -1])
        return found

    return aucs


def metric_statistic(metric: Callable[..., float], *arrays: ArrayLike) -> Statistic:
    """Make any figure of rows a statistic of draws.

    Parameters
    ----------
    metric : callable
        Takes the arrays, row for row, and gives a number; NaN where the rows cannot show it.
    *arrays : array-like of shape (n_samples, ...)
        What the metric takes, such as truth and probabilities.

    Returns
    -------
    callable
        From weights to figures; rows drawn twice stand there twice.
    """
    columns = [np.asarray(array) for array in arrays]

    def figures(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = np.arange(weights.shape[1])
        drawn = (np.repeat(rows, line) for line in weights.astype(np.intp))
        return np.array([float(metric(*(column[chosen] for column in columns))) for chosen in drawn])

    return figures


def bootstrap_interval(
    statistic: Statistic,
    n_samples: int,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    draws: int = 2000,
    level: float = 0.95,
    method: str = "bca",
    seed: int = 0,
) -> Interval:
    """Give a figure an interval by drawing patients anew.

    Parameters
    ----------
    statistic : callable
        `auc_statistic` (all draws at once), or `metric_statistic` of any function.
    n_samples : int
        Number of rows.
    groups : array-like of shape (n_samples,), optional
        Patient of each row; by default every row is a patient.
    strata : array-like of shape (n_samples,), optional
        Class of each row: then no draw lacks one that the rows have.
    draws : int, default 2000
        How often.
    level : float, default 0.95
        Nominal coverage.
    method : {"bca", "percentile"}, default "bca"
        Quantiles of the draws, corrected for bias and skewness or as they are.
    seed : int, default 0
        Of the random numbers.

    Returns
    -------
    Interval
        Its standard error is the SD of the draws. Draws without the figure (that lack a class) are counted in
        ``n_undefined`` and left out; above one in twenty there is no interval. Nor is there one where all draws
        are alike, as for an AUC of 1.

    Raises
    ------
    UsageError
        If a number is out of range.
    DataError
        If lengths differ.

    Notes
    -----
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 14. The acceleration is that of
    the jackknife over patients; with strata the sums over each are divided by their sizes (Davison and Hinkley,
    Bootstrap Methods and their Application, 1997, section 5.3).

    Examples
    --------
    >>> import numpy as np
    >>> truth, score = np.arange(60) < 20, np.sin(np.arange(60)) + (np.arange(60) < 20)
    >>> found = bootstrap_interval(auc_statistic(truth, score), 60, strata=truth)
    >>> f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})"
    '0.81 (0.65 to 0.90)'
    """
    check_whole("draws", draws, 2)
    check_whole("seed", seed, 0)
    check_fraction("level", level)
    check_choice("method", method, METHODS)
    patients = patients_to_draw(n_samples, groups, strata)
    estimate = float(statistic(np.ones((1, n_samples)))[0])
    values = np.concatenate([statistic(weights) for weights in patients.weights(draws, seed)])
    name = f"bootstrap ({'BCa' if method == 'bca' else 'percentile'}, {draws} draws)"
    undefined = int(np.isnan(values).sum())
    notes: tuple[str, ...] = (f"undefined in {undefined} of {draws} draws",) if undefined else ()
    values = values[~np.isnan(values)]
    error = float(np.std(values, ddof=1)) if len(values) > 1 else NAN
    if math.isnan(estimate) or undefined > MOST_UNDEFINED * draws:
        return Interval(estimate, NAN, NAN, level, name, error, undefined, notes)
    if np.ptp(values) == 0:
        return Interval(estimate, NAN, NAN, level, name, 0.0, undefined, (*notes, NO_SPREAD))
    shares = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "bca":
        shares, note = _corrected(shares, statistic, patients, estimate, values)
        notes += note
    low, high = np.quantile(values, shares).tolist() if np.isfinite(shares).all() else (NAN, NAN)
    return Interval(estimate, low, high, level, name, error, undefined, notes)


def bootstrap_difference(
    statistic_a: Statistic,
    statistic_b: Statistic,
    n_samples: int,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    draws: int = 2000,
    level: float = 0.95,
    method: str = "bca",
    seed: int = 0,
) -> Comparison:
    """Compare two figures of the same rows by drawing patients anew.

    Parameters
    ----------
    statistic_a, statistic_b : callable
        As for `bootstrap_interval`; each draw gives both the same patients.
    n_samples : int
        Number of rows.
    groups, strata, draws, level, method, seed
        As for `bootstrap_interval`.

    Returns
    -------
    Comparison
        The statistic is the difference over the SD of its draws, taken as standard normal; the interval is made of
        the draws, so that the two can disagree near the level. Without a difference in any draw the p value is 1.
    """
    whole = np.ones((1, n_samples))
    a, b = float(statistic_a(whole)[0]), float(statistic_b(whole)[0])
    found = bootstrap_interval(
        lambda weights: statistic_a(weights) - statistic_b(weights),
        n_samples,
        groups=groups,
        strata=strata,
        draws=draws,
        level=level,
        method=method,
        seed=seed,
    )
    low, high, notes = found.low, found.high, found.notes
    if found.standard_error > 0 and not math.isnan(found.low):
        ratio = found.estimate / found.standard_error
        p_value = normal_p_value(ratio)
    elif found.standard_error == 0 and found.estimate == 0:
        ratio, p_value, low, high, notes = 0.0, 1.0, 0.0, 0.0, ()
    else:
        ratio, p_value = NAN, NAN
    return Comparison(
        a,
        b,
        found.estimate,
        low,
        high,
        found.level,
        ratio,
        p_value,
        f"{found.method}, paired",
        found.standard_error,
        found.n_undefined,
        notes,
    )


def _corrected(
    shares: NDArray[np.float64],
    statistic: Statistic,
    patients: Patients,
    estimate: float,
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return which quantiles of the draws end the BCa interval; NaN if there are none."""
    below = (np.mean(values < estimate) + np.mean(values <= estimate)) / 2
    if below in (0.0, 1.0):
        return np.full(2, NAN), (ONE_SIDED,)
    acceleration = _acceleration(statistic, patients)
    undefined = math.isnan(acceleration)
    if undefined:
        acceleration = 0.0
    bias = ndtri(below)
    shifted = bias + ndtri(shares)
    corrected: NDArray[np.float64] = ndtr(bias + shifted / (1 - acceleration * shifted))
    return corrected, (NO_ACCELERATION,) if undefined else ()


def _acceleration(statistic: Statistic, patients: Patients) -> float:
    left = np.concatenate([statistic(weights) for weights in patients.left_out()])
    cubes = squares = 0.0
    for number in range(int(patients.stratum.max()) + 1):
        here = left[patients.stratum == number]
        influence = (len(here) - 1) * (here.mean() - here) / len(here)
        cubes += float(np.sum(influence**3))
        squares += float(np.sum(influence**2))
    # NaN passes through; without any influence there is no skewness.
    return cubes / (6 * squares**1.5) if squares != 0 else 0.0
