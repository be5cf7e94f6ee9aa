"""The AUC of vertebrae: its variance where a patient gives several rows (Obuchowski).

Rows of one patient resemble one another, so that DeLong's variance, which takes every row for a patient, is too
small. Here a patient's rows count together; a patient may have rows of both classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.evaluation.statistics.delong import ONE_CLASS, auc_comparison, auc_interval, placements
from radiobone.evaluation.statistics.estimates import (
    NAN,
    Comparison,
    Interval,
    check_choice,
    check_fraction,
    numbers,
    patient_codes,
    two_sides,
)

METHOD = "Obuchowski"


def clustered_auc_variance(positive: ArrayLike, score: ArrayLike, groups: ArrayLike) -> tuple[float, float]:
    """Estimate an AUC of rows that belong to patients, and the variance of that estimate.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    score : array-like of shape (n_samples,)
        Higher for the positive class.
    groups : array-like of shape (n_samples,)
        Patient of each row.

    Returns
    -------
    auc : float
        That of all rows; NaN if a class is missing.
    variance : float
        NaN if a class has rows of fewer than two patients.

    Notes
    -----
    With M positive and N negative rows, of which patient i has m_i and n_i, and with A_i and B_i the sums of the
    placements of the patient's positive and negative rows, each less m_i or n_i times the AUC::

        variance = S10 / M + S01 / N + 2 S11 / (M N)
        S10 = I10 / ((I10 - 1) M) sum A_i²,   S01 = I01 / ((I01 - 1) N) sum B_i²,   S11 = I / (I - 1) sum A_i B_i

    where I10, I01 and I count the patients with positive, with negative and with any rows (Obuchowski, Biometrics
    1997;53:567). With one row for each patient it is DeLong's variance.

    Examples
    --------
    >>> groups = ["a", "a", "a", "b", "b", "c"]
    >>> auc, variance = clustered_auc_variance([1, 1, 0, 1, 0, 0], [5, 6, 4, 2, 3, 1], groups)
    >>> round(auc, 4), round(variance, 4)
    (0.7778, 0.1001)
    """
    side = two_sides(positive)
    values = numbers(score, len(side), "score")[np.newaxis]
    aucs, variance = _variance(side, values, patient_codes(groups, len(side)), np.ones(1))
    return float(aucs[0]), variance


def clustered_auc_interval(
    positive: ArrayLike, score: ArrayLike, groups: ArrayLike, *, level: float = 0.95, scale: str = "logit"
) -> Interval:
    """Give the AUC of fixed scores on rows that belong to patients an interval.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    score : array-like of shape (n_samples,)
        Higher for the positive class.
    groups : array-like of shape (n_samples,)
        Patient of each row.
    level : float, default 0.95
        Nominal coverage.
    scale : {"logit", "wald"}, default "logit"
        As in `radiobone.evaluation.statistics.delong.delong_interval`.

    Returns
    -------
    Interval
        The rules for degenerate cases are those of DeLong's interval, with patients in place of rows. For complete
        separation this is cautious: it takes a patient's rows for one.

    Examples
    --------
    >>> found = clustered_auc_interval([1, 1, 0, 1, 0, 0], [5, 6, 4, 2, 3, 1], [1, 1, 1, 2, 2, 3])
    >>> f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"
    '0.778 (0.088 to 0.992)'
    """
    check_fraction("level", level)
    check_choice("scale", scale, ("logit", "wald"))
    side = two_sides(positive)
    of = patient_codes(groups, len(side))
    auc, variance = clustered_auc_variance(side, score, of)
    n_positive, n_negative = (int(np.unique(of[rows]).size) for rows in (side, ~side))
    return auc_interval(auc, variance, n_positive, n_negative, level, scale, METHOD)


def clustered_auc_test(
    positive: ArrayLike, score_a: ArrayLike, score_b: ArrayLike, groups: ArrayLike, *, level: float = 0.95
) -> Comparison:
    """Compare the AUCs of two fixed scores on the same rows, which belong to patients.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class.
    score_a, score_b : array-like of shape (n_samples,)
        The scores to compare, each higher for the positive class.
    groups : array-like of shape (n_samples,)
        Patient of each row.
    level : float, default 0.95
        Nominal coverage of the interval of the difference.

    Returns
    -------
    Comparison
        As that of `radiobone.evaluation.statistics.delong.delong_test`, which it equals with one row for each
        patient.

    Notes
    -----
    The variance is that of `clustered_auc_variance`, of the differences of the placements.
    """
    check_fraction("level", level)
    side = two_sides(positive)
    both = np.stack([numbers(score_a, len(side), "score_a"), numbers(score_b, len(side), "score_b")])
    aucs, variance = _variance(side, both, patient_codes(groups, len(side)), np.array([1.0, -1.0]))
    method = f"{METHOD}, paired"
    if np.isnan(aucs).any():
        return Comparison(NAN, NAN, NAN, NAN, NAN, level, NAN, NAN, method, notes=(ONE_CLASS,))
    return auc_comparison(float(aucs[0]), float(aucs[1]), variance, level, method)


def _variance(
    side: NDArray[np.bool_], scores: NDArray[np.float64], of: NDArray[np.intp], contrast: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the AUC of each score, and the variance of their contrast."""
    n_positive, n_negative = int(side.sum()), int((~side).sum())
    if not n_positive or not n_negative:
        return np.full(len(scores), NAN), NAN
    found = placements(scores[:, side], scores[:, ~side])
    centre = found.auc[:, np.newaxis]
    n_patients = int(of.max()) + 1
    above = np.bincount(of[side], contrast @ (found.positive - centre), n_patients)
    below = np.bincount(of[~side], contrast @ (found.negative - centre), n_patients)
    with_positive, with_negative = np.unique(of[side]).size, np.unique(of[~side]).size
    if min(with_positive, with_negative) < 2:
        return found.auc, NAN
    s10 = with_positive / ((with_positive - 1) * n_positive) * np.sum(above**2)
    s01 = with_negative / ((with_negative - 1) * n_negative) * np.sum(below**2)
    s11 = n_patients / (n_patients - 1) * np.sum(above * below)
    variance = s10 / n_positive + s01 / n_negative + 2 * s11 / (n_positive * n_negative)
    # With factors of their own, the terms can sum to less than 0 in tiny sets: there is no variance then.
    return found.auc, float(variance) if variance >= 0 else NAN
