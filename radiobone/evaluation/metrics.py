"""Figures of one test fold. What a fold cannot show is NaN, never left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_auc_score

NAN = float("nan")

BINARY = ("auc", "sensitivity", "specificity", "balanced_accuracy", "accuracy")
COUNTS = ("tp", "fn", "fp", "tn")


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
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Score a decision among several classes.

    Parameters
    ----------
    true, decided : ndarray of shape (n_samples,)
        Numbers of the classes.
    proba : ndarray of shape (n_samples, n_classes)
        Probability of each class.

    Returns
    -------
    dict of str to float
        ``auc_macro`` (mean of the one-versus-rest AUCs), ``balanced_accuracy`` (mean sensitivity over all
        classes), ``accuracy``. The first two are NaN if any class is missing.
    ndarray of shape (n_classes,)
        One-versus-rest AUC of each class; NaN where it, or all others, is missing.
    """
    n_classes = proba.shape[1]
    by_class = np.full(n_classes, NAN)
    recalls = np.full(n_classes, NAN)
    for code in range(n_classes):
        here = true == code
        if here.any():
            recalls[code] = (decided[here] == code).mean()
            if not here.all():
                by_class[code] = roc_auc_score(here, proba[:, code])
    figures = {
        "auc_macro": float(by_class.mean()),
        "balanced_accuracy": float(recalls.mean()),
        "accuracy": _ratio(int((true == decided).sum()), len(true)),
    }
    return figures, by_class


def confusion(true: NDArray[np.intp], decided: NDArray[np.intp], n_classes: int) -> list[list[int]]:
    """Count rows by true class (rows) and decided class (columns)."""
    counts: list[list[int]] = confusion_matrix(true, decided, labels=np.arange(n_classes)).tolist()
    return counts


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else NAN
