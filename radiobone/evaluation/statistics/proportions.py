"""Shares of rows, such as a sensitivity or a bin of a calibration plot, and their interval by patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.evaluation.statistics.estimates import NAN, Interval, check_fraction, patient_codes, two_sides

METHOD = "Wilson"
NO_ROWS = "there are no rows"


def proportion_interval(right: ArrayLike, *, groups: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """Give a share of rows an interval; unlike a bootstrap's, it has a width where all or none are right.

    Parameters
    ----------
    right : array-like of shape (n_samples,), bool
        The rows that the share is of, and which of them count: for a sensitivity the positive rows, and whether
        each was called positive.
    groups : array-like of shape (n_samples,), optional
        Patient of each row, where patients give several.
    level : float, default 0.95
        Nominal coverage.

    Returns
    -------
    Interval
        NaN without rows.

    Notes
    -----
    Wilson's score interval (J Am Stat Assoc 1927;22:209), by statsmodels. With patients of several rows the number
    of rows is divided by the design effect: the variance of the share over patients over that of independent rows,
    if that is above 1. Where all or none are right, each patient counts once.

    Examples
    --------
    >>> found = proportion_interval([True] * 10)
    >>> f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})"
    '1.00 (0.72 to 1.00)'
    """
    check_fraction("level", level)
    counted = two_sides(right)
    if not len(counted):
        return Interval(NAN, NAN, NAN, level, METHOD, notes=(NO_ROWS,))
    share = float(counted.mean())
    n = np.array([len(counted) / (1.0 if groups is None else design_effect(counted, groups))])
    low, high = wilson(np.array([share]), n, level)
    error = float(np.sqrt(share * (1 - share) / n[0]))
    method = METHOD if groups is None else f"{METHOD}, clustered by patient"
    return Interval(share, float(low[0]), float(high[0]), level, method, error)


def wilson(
    share: NDArray[np.float64], n: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's score intervals.

    Parameters
    ----------
    share : ndarray of shape (n_shares,)
        The shares.
    n : ndarray of shape (n_shares,)
        Rows that each rests on; need not be whole.
    level : float
        Nominal coverage.

    Returns
    -------
    low, high : ndarray of shape (n_shares,)
        Their ends.
    """
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(share * n, n, alpha=1 - level, method="wilson")
    # At 0 and 1 the ends are these, but for a rounding error.
    return np.where(share == 0, 0.0, np.asarray(low)), np.where(share == 1, 1.0, np.asarray(high))


def design_effect(right: NDArray[np.bool_], groups: ArrayLike) -> float:
    """Return how many rows tell as much as one independent row would.

    Parameters
    ----------
    right : ndarray of shape (n_samples,), bool
        Which rows count; at least one row.
    groups : array-like of shape (n_samples,)
        Patient of each row.

    Returns
    -------
    float
        At least 1. With a single patient, or where all or none count, rows for each patient.

    Notes
    -----
    ``k / (k - 1) sum(d_i²) / (n p (1 - p))`` with d_i the sum over patient i of the differences to the share p,
    for k patients with n rows: Kish's design effect, for a ratio of totals (Rao and Scott, Biometrics
    1992;48:577).
    """
    of = patient_codes(groups, len(right))
    n_patients, share = int(np.unique(of).size), right.mean()
    if n_patients == 1 or share in (0, 1):
        return len(right) / n_patients
    of_patient = np.bincount(of, right - share)
    spread = n_patients / (n_patients - 1) * float(np.sum(of_patient**2))
    return max(1.0, spread / float(len(right) * share * (1 - share)))
