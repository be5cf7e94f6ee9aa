"""Figures of one test fold. What a fold cannot show is NaN, never left out.

Every figure of two sides is that of the side called positive; whoever prints one says which that is. Each metric's
formula stands with the function that gives it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from radiobone.evaluation.statistics.estimates import NAN, check_fraction

BINARY = (
    "auc",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "accuracy",
    "ppv",
    "npv",
    "f1",
    "average_precision",
    "brier",
)
AT_PREVALENCE = ("ppv_at_prevalence", "npv_at_prevalence")
COUNTS = ("tp", "fn", "fp", "tn")
OVERALL = (
    "auc_macro",
    "sensitivity_macro",
    "specificity_macro",
    "balanced_accuracy",
    "accuracy",
    "auc_micro",
    "f1_macro",
    "kappa_quadratic",
    "brier",
)
BY_CLASS = ("auc", "sensitivity", "specificity", "ppv", "npv", "f1")


def binary_metrics(
    positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    *,
    threshold: float = 0.5,
    prevalence: float | None = None,
) -> dict[str, float]:
    """Score probabilities of the positive side against the truth.

    Parameters
    ----------
    positive : ndarray of shape (n_samples,)
        True for rows that belong to the positive side.
    probability : ndarray of shape (n_samples,)
        Probability of the positive side.
    threshold : float, default 0.5
        A row is called positive above it.
    prevalence : float, optional
        Share of the positive side among those to whom the predictive values shall apply, between 0 and 1.

    Returns
    -------
    dict of str to float
        The figures named in `BINARY` and the counts ``tp``, ``fn``, ``fp``, ``tn``; with a prevalence those named
        in `AT_PREVALENCE` too. NaN where the rows that a figure needs are missing: the AUC, the balanced accuracy,
        the average precision and the predictive values at a prevalence need both sides, ``ppv`` and ``npv`` a row
        called so.

    Raises
    ------
    UsageError
        If the prevalence is not between 0 and 1.

    Notes
    -----
    ``ppv = tp / (tp + fp)`` and ``npv = tn / (tn + fn)`` hold at the prevalence of these very rows, which is that
    of the study's design and seldom that of a clinic. ``f1 = 2 tp / (2 tp + fp + fn)``. ``brier`` is the mean
    squared difference of probability and truth, from 0 to 1. ``average_precision`` is the step-wise area under the
    precision-recall curve; a model without skill has the share of positive rows.

    Examples
    --------
    >>> import numpy as np
    >>> figures = binary_metrics(np.array([True, True, False]), np.array([0.9, 0.4, 0.2]), prevalence=0.1)
    >>> figures["auc"], figures["sensitivity"], figures["specificity"]
    (1.0, 0.5, 1.0)
    >>> figures["npv"], round(figures["npv_at_prevalence"], 3)
    (0.5, 0.947)
    """
    called = probability > threshold
    tp, fn = int((called & positive).sum()), int((~called & positive).sum())
    fp, tn = int((called & ~positive).sum()), int((~called & ~positive).sum())
    sensitivity, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    both = tp + fn > 0 and fp + tn > 0
    figures = {
        "auc": float(roc_auc_score(positive, probability)) if both else NAN,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "accuracy": _ratio(tp + tn, len(positive)),
        "ppv": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "average_precision": float(average_precision_score(positive, probability)) if both else NAN,
        "brier": float(np.mean((probability - positive) ** 2)) if len(positive) else NAN,
        "tp": float(tp),
        "fn": float(fn),
        "fp": float(fp),
        "tn": float(tn),
    }
    if prevalence is not None:
        figures |= zip(AT_PREVALENCE, predictive_values(sensitivity, specificity, prevalence), strict=True)
    return figures


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """Carry sensitivity and specificity over to a stated prevalence.

    Parameters
    ----------
    sensitivity, specificity : float
        Shares of the positive and of the negative rows that are called rightly.
    prevalence : float
        Share of the positive side, between 0 and 1 exclusively.

    Returns
    -------
    ppv, npv : float
        NaN where sensitivity or specificity is, or where nobody would be called so.

    Raises
    ------
    UsageError
        If the prevalence is not between 0 and 1.

    Notes
    -----
    Bayes' rule: ``ppv = se p / (se p + (1 - sp) (1 - p))`` and ``npv = sp (1 - p) / (sp (1 - p) + (1 - se) p)``.
    It takes for granted that sensitivity and specificity stay what they are, though the spectrum of patients
    changes.

    Examples
    --------
    >>> ppv, npv = predictive_values(sensitivity=0.9, specificity=0.8, prevalence=0.1)
    >>> round(ppv, 3), round(npv, 3)
    (0.333, 0.986)
    """
    check_fraction("prevalence", prevalence)
    true_positive, false_positive = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    true_negative, false_negative = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return (
        _ratio(true_positive, true_positive + false_positive),
        _ratio(true_negative, true_negative + false_negative),
    )


def class_metrics(
    true: NDArray[np.intp], proba: NDArray[np.float64], decided: NDArray[np.intp]
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Score a decision among several classes, each against the rest.

    Parameters
    ----------
    true, decided : ndarray of shape (n_samples,)
        Numbers of the classes, in their natural order (for the kappa).
    proba : ndarray of shape (n_samples, n_classes)
        Probability of each class.

    Returns
    -------
    dict of str to float
        The figures named in `OVERALL`: ``..._macro`` are means over the classes, NaN if any of them is;
        ``balanced_accuracy`` is the mean sensitivity.
    list of dict of str to float
        For each class the figures named in `BY_CLASS`: ``auc``, ``sensitivity`` (share of its rows decided as it),
        ``specificity`` (share of all others decided as another), ``ppv`` (share of rows decided as it that are),
        ``npv`` and ``f1``; NaN where the rows that a figure needs are missing.

    Notes
    -----
    ``auc_micro`` is the AUC of all pairs of a row and a class, whose scores are the probabilities; NaN like
    ``auc_macro`` where a class is missing. ``kappa_quadratic`` weighs a disagreement by the squared distance of
    the classes' numbers (Cohen, Psychol Bull 1968;70:213) and has a meaning for ordered classes only; NaN where
    chance leaves nothing to agree on. ``brier`` is the mean over rows of the sum over classes of the squared
    differences of probability and truth (Brier, Mon Weather Rev 1950;78:1), from 0 to 2: for two classes twice
    that of `binary_metrics`.
    """
    by_class = [_one_class(true == code, decided == code, proba[:, code]) for code in range(proba.shape[1])]
    macro = {metric: float(np.mean([figures[metric] for figures in by_class])) for metric in BY_CLASS}
    member = true[:, np.newaxis] == np.arange(proba.shape[1])
    overall = {
        "auc_macro": macro["auc"],
        "sensitivity_macro": macro["sensitivity"],
        "specificity_macro": macro["specificity"],
        "balanced_accuracy": macro["sensitivity"],
        "accuracy": _ratio(int((true == decided).sum()), len(true)),
        "auc_micro": NAN if np.isnan(macro["auc"]) else float(roc_auc_score(member.ravel(), proba.ravel())),
        "f1_macro": macro["f1"],
        "kappa_quadratic": _quadratic_kappa(np.array(confusion(true, decided, proba.shape[1]))),
        "brier": float(np.mean(((proba - member) ** 2).sum(axis=1))) if len(true) else NAN,
    }
    return overall, by_class


def confusion(true: NDArray[np.intp], decided: NDArray[np.intp], n_classes: int) -> list[list[int]]:
    """Count rows by true class (rows) and decided class (columns).

    Parameters
    ----------
    true, decided : ndarray of shape (n_samples,)
        Numbers of the classes.
    n_classes : int
        Number of classes.

    Returns
    -------
    list of list of int
        The counts; also of classes that are missing.
    """
    counts: list[list[int]] = confusion_matrix(true, decided, labels=np.arange(n_classes)).tolist()
    return counts


def _one_class(
    here: NDArray[np.bool_], called: NDArray[np.bool_], probability: NDArray[np.float64]
) -> dict[str, float]:
    """Score one class against the rest, by the decision and not by a threshold of its own."""
    n_here, n_rest = int(here.sum()), int((~here).sum())
    hits, rejected = int((called & here).sum()), int((~called & ~here).sum())
    n_called = int(called.sum())
    return {
        "auc": float(roc_auc_score(here, probability)) if n_here and n_rest else NAN,
        "sensitivity": _ratio(hits, n_here),
        "specificity": _ratio(rejected, n_rest),
        "ppv": _ratio(hits, n_called),
        "npv": _ratio(rejected, len(here) - n_called),
        "f1": _ratio(2 * hits, n_here + n_called),
    }


def _quadratic_kappa(counts: NDArray[np.intp]) -> float:
    codes = np.arange(len(counts))
    weights = (codes[:, np.newaxis] - codes) ** 2
    by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0))
    disagreement = _ratio(float((weights * by_chance).sum()), float(counts.sum()))
    return 1 - _ratio(float((weights * counts).sum()), disagreement)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else NAN
