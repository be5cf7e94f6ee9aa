"""The search inside a training set: selection fitted once for each fold, every setting scored on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline

from radiobone.learning.folds import Split
from radiobone.learning.routing import fit_with_groups

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Alignment:
    """The place and spread of a model's decision values on its own training rows.

    Aligned values of models that were fitted on different rows can be pooled.

    Parameters
    ----------
    mean, spread : float
        Mean and standard deviation; a spread of 0 stands for a constant model.
    """

    mean: float
    spread: float

    @staticmethod
    def of(values: Array) -> Alignment:
        """Measure the decision values of a model's own training rows."""
        return Alignment(float(values.mean()), float(values.std()))

    def apply(self, values: Array) -> Array:
        """Return values without the mean, in units of the spread; 0 throughout for a constant model."""
        return (values - self.mean) / self.spread if self.spread > 0.0 else np.zeros_like(values)


def fit_steps(
    selection: Pipeline, X: Array, codes: NDArray[np.intp], groups: NDArray[Any] | None
) -> tuple[Pipeline, Array]:
    """Fit transformers one after another, as far as any column is left.

    Returns
    -------
    Pipeline
        The fitted steps; those after the one that left nothing are missing.
    ndarray of shape (n_samples, n_selected)
        The transformed rows; no column if nothing is left.
    """
    fitted = []
    for name, step in selection.steps:
        part = clone(step)
        fit_with_groups(part, X, codes, groups)
        fitted.append((name, part))
        if hasattr(part, "get_support") and not part.get_support().any():
            return Pipeline(fitted), X[:, :0]
        X = part.transform(X)
    return Pipeline(fitted), X


def score_fold(
    selection: Pipeline,
    model: Any,
    candidates: list[dict[str, Any]],
    scoring: str,
    X: Array,
    codes: NDArray[np.intp],
    groups: NDArray[Any] | None,
    split: Split,
) -> tuple[Array, Array, int]:
    """Fit the selection once; return score and held-out decisions of every setting.

    Returns
    -------
    ndarray of shape (n_settings,)
        Scores; NaN if the held-out part lacks a class.
    ndarray of shape (n_test, n_settings)
        Aligned decision values of the held-out rows; 0 where nothing survives.
    int
        Number of columns that survived.
    """
    train, test = split
    fitted, kept = fit_steps(selection, X[train], codes[train], None if groups is None else groups[train])
    scores = np.full(len(candidates), np.nan)
    scorable = np.unique(codes[test]).size == 2
    scorer = get_scorer(scoring)
    if not kept.shape[1]:
        constant = DummyClassifier(strategy="prior").fit(X[train], codes[train])
        if scorable:
            scores[:] = scorer(constant, X[test], codes[test])
        return scores, np.zeros((len(test), len(candidates))), 0
    held_out = fitted.transform(X[test])
    decisions = np.empty((len(test), len(candidates)))
    for column, settings in enumerate(candidates):
        candidate = clone(model).set_params(**settings).fit(kept, codes[train])
        alignment = Alignment.of(decision_values(candidate, kept))
        decisions[:, column] = alignment.apply(decision_values(candidate, held_out))
        if scorable:
            scores[column] = scorer(candidate, held_out, codes[test])
    return scores, decisions, kept.shape[1]


def decision_values(model: Any, X: Array) -> Array:
    """Return decision values of the second class, or its probabilities where the model has only these."""
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(X), dtype=np.float64)
    return np.asarray(model.predict_proba(X)[:, 1], dtype=np.float64)
