"""Figures of one test fold. What a fold cannot show is NaN, never left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_auc_score

NAN = float("nan")

BINARY = ("auc", "sensitivity", "specificity", "balanced_accuracy", "accuracy")
COUNTS = ("tp", "fn", "fp", "tn")
OVERALL = ("auc_macro", "sensitivity_macro", "specificity_macro", "balanced_accuracy", "accuracy")
BY_CLASS = ("auc", "sensitivity", "specificity")


def binary_metrics(
    positive: NDArray[np.bool_], probability: NDArray[np.float64], *, threshold: float = 0.5
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

    Returns
    -------
    dict of str to float
        ``auc``, ``sensitivity``, ``specificity``, ``balanced_accuracy``, ``accuracy`` (NaN where one side, or any
        row, is missing) and the counts ``tp``, ``fn``, ``fp``, ``tn``.

    Examples
    --------
    >>> import numpy as np
    >>> figures = binary_metrics(np.array([True, True, False]), np.array([0.9, 0.4, 0.2]))
    >>> figures["auc"], figures["sensitivity"], figures["specificity"]
    (1.0, 0.5, 1.0)
    """
    called = probability > threshold
    tp, fn = int((called & positive).sum()), int((~called & positive).sum())
    fp, tn = int((called & ~positive).sum()), int((~called & ~positive).sum())
    sensitivity, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    both = tp + fn > 0 and fp + tn > 0
    return {
        "auc": float(roc_auc_score(positive, probability)) if both else NAN,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "accuracy": _ratio(tp + tn, len(positive)),
        "tp": float(tp),
        "fn": float(fn),
        "fp": float(fp),
        "tn": float(tn),
    }


def class_metrics(
    true: NDArray[np.intp], proba: NDArray[np.float64], decided: NDArray[np.intp]
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Score a decision among several classes, each against the rest.

    Parameters
    ----------
    true, decided : ndarray of shape (n_samples,)
        Numbers of the classes.
    proba : ndarray of shape (n_samples, n_classes)
        Probability of each class.

    Returns
    -------
    dict of str to float
        ``auc_macro``, ``sensitivity_macro``, ``specificity_macro`` (means over the classes; NaN if any of them
        is), ``balanced_accuracy`` (which is the mean sensitivity) and ``accuracy``.
    list of dict of str to float
        For each class ``auc``, ``sensitivity`` (share of its rows decided as it) and ``specificity`` (share of all
        others decided as another); NaN where the rows that a figure needs are missing.
    """
    by_class = []
    for code in range(proba.shape[1]):
        here, called = true == code, decided == code
        n_here, n_rest = int(here.sum()), int((~here).sum())
        by_class.append(
            {
                "auc": float(roc_auc_score(here, proba[:, code])) if n_here and n_rest else NAN,
                "sensitivity": _ratio(int((called & here).sum()), n_here),
                "specificity": _ratio(int((~called & ~here).sum()), n_rest),
            }
        )
    macro = {metric: float(np.mean([figures[metric] for figures in by_class])) for metric in BY_CLASS}
    overall = {
        "auc_macro": macro["auc"],
        "sensitivity_macro": macro["sensitivity"],
        "specificity_macro": macro["specificity"],
        "balanced_accuracy": macro["sensitivity"],
        "accuracy": _ratio(int((true == decided).sum()), len(true)),
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


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else NAN
