"""Decision curves: the net benefit of acting on a model, over the threshold at which one would act."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.bootstrap import patients_to_draw
from radiobone.evaluation.statistics.estimates import check_fraction, check_whole, probabilities, two_sides

THRESHOLDS = tuple(round(number / 100, 2) for number in range(1, 100))
ONE_CLASS = "a class is missing: sensitivity or specificity, and so the net benefit, is undefined"


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit over thresholds.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Probabilities above which one acts.
    net_benefit : ndarray of shape (n_thresholds,)
        Of acting on the model.
    low, high : ndarray of shape (n_thresholds,)
        Pointwise interval; NaN without draws.
    treat_all, treat_none : ndarray of shape (n_thresholds,)
        Net benefit of acting on everyone, and on nobody (0).
    prevalence : float
        Share of the positive class that all of these hold at.
    level : float
        Nominal coverage.
    method : str
        How the interval was made.
    notes : tuple of str
        What a reader should know.
    """

    thresholds: NDArray[np.float64]
    net_benefit: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    treat_all: NDArray[np.float64]
    treat_none: NDArray[np.float64]
    prevalence: float
    level: float
    method: str
    notes: tuple[str, ...] = ()


def decision_curve(
    positive: ArrayLike,
    probability: ArrayLike,
    *,
    thresholds: ArrayLike = THRESHOLDS,
    prevalence: float | None = None,
    groups: ArrayLike | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> DecisionCurve:
    """Compute the net benefit of acting on a model's probabilities.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool
        True for rows of the positive class, for whom acting is right.
    probability : array-like of shape (n_samples,)
        Probability of the positive class, calibrated: a decision curve takes it at its word.
    thresholds : array-like, default 0.01 to 0.99
        Probabilities above which one acts, between 0 and 1.
    prevalence : float, optional
        Share of the positive class among those to whom the model shall be applied; by default that of the rows,
        which a case-control design makes meaningless.
    groups : array-like of shape (n_samples,), optional
        Patient of each row, for the draws; by default every row is a patient.
    draws : int, default 1000
        Patients drawn anew for the interval; 0 for none. With a stated prevalence within each class, else from
        all, so that the chance in the prevalence counts too. Two models with the same rows, draws and seed are
        drawn alike.
    level : float, default 0.95
        Nominal coverage at each threshold, not of the whole curve.
    seed : int, default 0
        Of the random numbers.

    Returns
    -------
    DecisionCurve
        The curve, its interval and both default strategies.

    Raises
    ------
    UsageError
        If a number is out of range.
    DataError
        If the rows cannot be judged.

    Notes
    -----
    ``net benefit = sensitivity prevalence - (1 - specificity) (1 - prevalence) t / (1 - t)`` at the threshold t
    (Vickers and Elkin, Med Decis Making 2006;26:565), which at the rows' own prevalence is
    ``tp / n - fp / n t / (1 - t)``.

    Examples
    --------
    >>> curve = decision_curve([1, 1, 0, 0, 0], [0.9, 0.3, 0.4, 0.1, 0.2], thresholds=[0.25], draws=0)
    >>> curve.net_benefit.round(4).tolist(), curve.treat_all.round(4).tolist()
    ([0.3333], [0.2])
    """
    check_whole("draws", draws, 0)
    check_whole("seed", seed, 0)
    check_fraction("level", level)
    if prevalence is not None:
        check_fraction("prevalence", prevalence)
    at = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if at.ndim != 1 or not ((at > 0) & (at < 1)).all():
        raise UsageError("thresholds are out of range", got=at.tolist(), expected="numbers between 0 and 1")
    side = two_sides(positive)
    patients = patients_to_draw(len(side), groups, None if prevalence is None else side)
    called = probabilities(probability, len(side))[:, np.newaxis] > at
    share = float(side.mean()) if prevalence is None else float(prevalence)

    def net_benefit(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        true, false = weights @ (called & side[:, np.newaxis]), weights @ (called & ~side[:, np.newaxis])
        if prevalence is None:
            whole = weights.sum(axis=1, keepdims=True)
            return np.asarray(true / whole - false / whole * at / (1 - at))
        with np.errstate(invalid="ignore"):
            found, mistaken = true / (weights @ side)[:, np.newaxis], false / (weights @ ~side)[:, np.newaxis]
        return np.asarray(found * share - mistaken * (1 - share) * at / (1 - at))

    drawn = [net_benefit(weights) for weights in patients.weights(draws, seed)]
    ends = np.full((2, len(at)), np.nan)
    if drawn:
        ends = np.quantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2], axis=0)
    undefined = prevalence is not None and (not side.any() or bool(side.all()))
    return DecisionCurve(
        thresholds=at,
        net_benefit=net_benefit(np.ones((1, len(side))))[0],
        low=ends[0],
        high=ends[1],
        treat_all=share - (1 - share) * at / (1 - at),
        treat_none=np.zeros(len(at)),
        prevalence=share,
        level=level,
        method=f"bootstrap (percentile, pointwise, {draws} draws)" if draws else "no interval",
        notes=(ONE_CLASS,) if undefined else (),
    )
