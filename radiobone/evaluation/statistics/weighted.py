"""The figures of a fixed test set as statistics of draws, for `radiobone.evaluation.statistics.bootstrap`.

A draw is a weight for each row: how often its patient was drawn. With weights of one the figures are those of
`radiobone.evaluation.statistics.metrics`, formula by formula.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from radiobone.evaluation.statistics.bootstrap import Statistic, auc_statistic
from radiobone.evaluation.statistics.metrics import AT_PREVALENCE

Array = NDArray[np.float64]


def binary_statistics(
    positive: NDArray[np.bool_], probability: Array, *, threshold: float = 0.5, prevalence: float | None = None
) -> dict[str, Statistic]:
    """Make every figure of two sides a statistic of draws.

    Parameters
    ----------
    positive : ndarray of shape (n_samples,), bool
        The truth.
    probability : ndarray of shape (n_samples,)
        Probability of the positive side.
    threshold : float, default 0.5
        A row is called positive above it.
    prevalence : float, optional
        As for `radiobone.evaluation.statistics.metrics.binary_metrics`.

    Returns
    -------
    dict of str to callable
        As `radiobone.evaluation.statistics.metrics.binary_metrics` names them, without its counts.
    """
    called = probability > threshold

    def sides(w: Array) -> tuple[Array, Array]:
        return _ratio(w @ (called & positive), w @ positive), _ratio(w @ ~(called | positive), w @ ~positive)

    found = _of_decision(positive, called) | {
        "auc": auc_statistic(positive, probability),
        "balanced_accuracy": lambda w: np.mean(sides(w), axis=0),
        "accuracy": lambda w: _ratio(w @ (called == positive), w.sum(axis=1)),
        "average_precision": lambda w: _average_precision(positive, probability, w),
        "brier": lambda w: _ratio(w @ (probability - positive) ** 2, w.sum(axis=1)),
    }
    if prevalence is None:
        return found

    def predictive(w: Array, ppv: bool) -> Array:
        se, sp = sides(w)
        right = se * prevalence if ppv else sp * (1 - prevalence)
        wrong = (1 - sp) * (1 - prevalence) if ppv else (1 - se) * prevalence
        return _ratio(right, right + wrong)

    return found | {
        AT_PREVALENCE[0]: lambda w: predictive(w, True),
        AT_PREVALENCE[1]: lambda w: predictive(w, False),
    }


def class_statistics(
    true: NDArray[np.intp], proba: Array, decided: NDArray[np.intp]
) -> tuple[dict[str, Statistic], list[dict[str, Statistic]]]:
    """Make every figure of several classes a statistic of draws.

    Parameters
    ----------
    true, decided : ndarray of shape (n_samples,)
        Numbers of the classes.
    proba : ndarray of shape (n_samples, n_classes)
        Probability of each class.

    Returns
    -------
    dict of str to callable, list of such dict
        As `radiobone.evaluation.statistics.metrics.class_metrics` names them, over all classes and for each.
    """
    n_classes = proba.shape[1]
    member = true[:, np.newaxis] == np.arange(n_classes)
    by_class: list[dict[str, Statistic]] = [
        _of_decision(member[:, code], decided == code) | {"auc": auc_statistic(member[:, code], proba[:, code])}
        for code in range(n_classes)
    ]
    pooled = auc_statistic(member.ravel(), proba.ravel())

    def macro(name: str) -> Statistic:
        return lambda w: np.mean([found[name](w) for found in by_class], axis=0)

    def micro(w: Array) -> Array:
        lacking = (w @ member == 0).any(axis=1)
        return np.where(lacking, np.nan, pooled(np.repeat(w, n_classes, axis=1)))

    overall = {
        "auc_macro": macro("auc"),
        "sensitivity_macro": macro("sensitivity"),
        "specificity_macro": macro("specificity"),
        "balanced_accuracy": macro("sensitivity"),
        "accuracy": lambda w: _ratio(w @ (true == decided), w.sum(axis=1)),
        "auc_micro": micro,
        "f1_macro": macro("f1"),
        "kappa_quadratic": lambda w: _kappa(true, decided, n_classes, w),
        "brier": lambda w: _ratio(w @ ((proba - member) ** 2).sum(axis=1), w.sum(axis=1)),
    }
    return overall, by_class


def _of_decision(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> dict[str, Statistic]:
    def part(rows: NDArray[np.bool_], of: NDArray[np.bool_]) -> Callable[[Array], Array]:
        return lambda w: _ratio(w @ (rows & of), w @ of)

    return {
        "sensitivity": part(called, positive),
        "specificity": part(~called, ~positive),
        "ppv": part(positive, called),
        "npv": part(~positive, ~called),
        "f1": lambda w: _ratio(2 * (w @ (called & positive)), w @ called + w @ positive),
    }


def _average_precision(positive: NDArray[np.bool_], score: Array, weights: Array) -> Array:
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    drawn, side = weights[:, order], positive[order]
    gained = np.add.reduceat(drawn * side, starts, axis=1)
    hits, called = np.cumsum(gained, axis=1), np.cumsum(np.add.reduceat(drawn, starts, axis=1), axis=1)
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    found = _ratio((gained * precision).sum(axis=1), hits[:, -1])
    return np.where(called[:, -1] > hits[:, -1], found, np.nan)


def _kappa(true: NDArray[np.intp], decided: NDArray[np.intp], n_classes: int, weights: Array) -> Array:
    codes = np.arange(n_classes)
    by_true, by_decided = weights @ (true[:, np.newaxis] == codes), weights @ (decided[:, np.newaxis] == codes)
    distance = (codes[:, np.newaxis] - codes) ** 2
    by_chance = np.einsum("di,dj,ij->d", by_true, by_decided, distance.astype(np.float64))
    found = weights @ ((true - decided) ** 2).astype(np.float64)
    return 1 - _ratio(found * weights.sum(axis=1), by_chance)


def _ratio(part: Array, whole: Array) -> Array:
    found = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
