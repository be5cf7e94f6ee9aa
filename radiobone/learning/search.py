"""The search inside a training set: selection fitted once for each fold, every setting scored on it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline

from radiobone.core.errors import RadioboneError, RadioboneWarning
from radiobone.learning.data import DataError
from radiobone.learning.folds import Split
from radiobone.learning.frames import Rows, plain, rows_of, text_columns, transform_step
from radiobone.learning.routing import fit_with_groups
from radiobone.learning.selection.columns import ROUNDING
from radiobone.learning.svm_grid import SharedKernels, area_under_curve, shares_kernels

Array = NDArray[np.float64]

# How many columns a message names.
_SHOWN = 5


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
        """Measure the decision values of a model's own training rows.

        Parameters
        ----------
        values : ndarray of shape (n_samples,)
            Decision values.

        Returns
        -------
        Alignment
            Their mean and standard deviation.
        """
        mean, spread = float(values.mean()), float(values.std())
        # The mean of equal values may miss them by rounding, which is no spread.
        return Alignment(mean, spread if spread > ROUNDING * abs(mean) else 0.0)

    def apply(self, values: Array) -> Array:
        """Take the mean from decision values, and divide them by the spread.

        Parameters
        ----------
        values : ndarray of shape (n_samples,)
            Decision values of the same model, for any rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Aligned values; 0 throughout for a constant model.
        """
        return (values - self.mean) / self.spread if self.spread > 0.0 else np.zeros_like(values)


@dataclass(frozen=True, eq=False)
class FoldScores:
    """What one inner fold says of all settings.

    Parameters
    ----------
    scores : ndarray of shape (n_settings,)
        Scores; NaN if the held-out part lacks a class.
    decisions : ndarray of shape (n_test, n_settings)
        Aligned decision values of the held-out rows; 0 where nothing survives.
    n_selected : int
        Number of columns that survived.
    notes : tuple of str
        What the selection steps note, with the name of each.
    """

    scores: Array
    decisions: Array
    n_selected: int
    notes: tuple[str, ...]


def fit_steps(
    selection: Pipeline, X: Rows, codes: NDArray[np.intp], groups: NDArray[Any] | None
) -> tuple[Pipeline, Array]:
    """Fit transformers one after another, as far as any column is left.

    Parameters
    ----------
    selection : Pipeline
        The steps; copied, not changed.
    X : ndarray or DataFrame of shape (n_samples, n_features)
        Training rows; of a DataFrame every step sees the columns by name.
    codes : ndarray of shape (n_samples,)
        Their classes, 0 and 1.
    groups : ndarray of shape (n_samples,) or None
        Patient of each row.

    Returns
    -------
    Pipeline
        The fitted steps; those after the one that left nothing are missing.
    ndarray of shape (n_samples, n_selected)
        The transformed rows; no column if nothing is left.
    """
    fitted = []
    for name, step in selection.steps:
        if step is None or isinstance(step, str):  # "passthrough"
            continue
        part = clone(step)
        _fit_step(name, part, X, codes, groups)
        fitted.append((name, part))
        if hasattr(part, "get_support") and not part.get_support().any():
            return Pipeline(fitted), np.empty((len(codes), 0))
        X = transform_step(part, X)
        if not X.shape[1]:
            break
    return Pipeline(fitted), plain(X)


def _fit_step(name: str, step: Any, X: Rows, codes: NDArray[np.intp], groups: NDArray[Any] | None) -> None:
    text = text_columns(X)
    try:
        fit_with_groups(step, X, codes, groups)
    except (TypeError, ValueError) as error:
        if not text or isinstance(error, RadioboneError):
            raise
        # scikit-learn's steps show a value that is no number, and not where it stands.
        raise DataError(
            "columns of text among the features, and the step takes numbers only",
            where=f"step {name}",
            got=", ".join(text[:_SHOWN]) + f" ({len(text)} columns)",
            do="leave them out of X, write them as numbers, or put a step first that consumes them (ComBat)",
        ) from error


def transform_steps(selection: Pipeline, X: Rows) -> Array:
    """Send rows through fitted steps.

    Parameters
    ----------
    selection : Pipeline
        As `fit_steps` gives it.
    X : ndarray or DataFrame of shape (n_samples, n_features)
        Rows, with names if the steps were fitted on names.

    Returns
    -------
    ndarray of shape (n_samples, n_selected)
        The transformed rows.
    """
    for _, step in selection.steps:
        X = transform_step(step, X)
    return plain(X)


def step_notes(selection: Pipeline) -> tuple[str, ...]:
    """Collect what fitted selection steps note.

    Parameters
    ----------
    selection : Pipeline
        Fitted steps.

    Returns
    -------
    tuple of str
        The notes, each after the name of its step.
    """
    return tuple(f"{name}: {note}" for name, step in selection.steps for note in getattr(step, "notes_", ()))


def fold_notes(folds: Sequence[FoldScores]) -> list[str]:
    """Gather the notes of inner folds, equal ones together.

    Parameters
    ----------
    folds : sequence of FoldScores
        All folds of a search.

    Returns
    -------
    list of str
        Each note after the number of folds that it comes from.
    """
    counts = Counter(note for fold in folds for note in fold.notes)
    return [f"in {count} of {len(folds)} inner folds, {note}" for note, count in counts.items()]


def score_fold(
    selection: Pipeline,
    model: Any,
    candidates: list[dict[str, Any]],
    scoring: str,
    X: Rows,
    codes: NDArray[np.intp],
    groups: NDArray[Any] | None,
    split: Split,
) -> FoldScores:
    """Fit the selection once, and every setting of the model on what survives.

    Parameters
    ----------
    selection : Pipeline
        Steps before the model; copied, not changed.
    model : classifier
        Copied, not changed.
    candidates : list of dict
        Settings of the model.
    scoring : str
        Name of the scikit-learn score.
    X : ndarray or DataFrame of shape (n_samples, n_features)
        All training rows.
    codes : ndarray of shape (n_samples,)
        Their classes, 0 and 1.
    groups : ndarray of shape (n_samples,) or None
        Patient of each row.
    split : (ndarray of int, ndarray of int)
        Row numbers of the training part and of the held-out part.

    Returns
    -------
    FoldScores
        Scores and held-out decision values of every setting.
    """
    train, test = split
    patients = None if groups is None else groups[train]
    fitted, kept = fit_steps(selection, rows_of(X, train), codes[train], patients)
    scores = np.full(len(candidates), np.nan)
    scorable = np.unique(codes[test]).size == 2
    scorer = get_scorer(scoring)
    if not kept.shape[1]:
        constant = DummyClassifier(strategy="prior").fit(codes[train][:, None], codes[train])
        if scorable:
            scores[:] = scorer(constant, codes[test][:, None], codes[test])
        return FoldScores(scores, np.zeros((len(test), len(candidates))), 0, step_notes(fitted))
    held_out = transform_steps(fitted, rows_of(X, test))
    decisions = np.empty((len(test), len(candidates)))
    by_ranks = scoring == "roc_auc"
    kernels = (
        SharedKernels(kept, codes[train], held_out) if by_ranks and shares_kernels(model, candidates) else None
    )
    for column, settings in enumerate(candidates):
        if kernels is not None:
            on_train, on_test = kernels.decisions(model, settings)
        else:
            with warnings.catch_warnings():
                # What a model that chooses inside has to say is said by its fit on all rows.
                warnings.simplefilter("ignore", RadioboneWarning)
                candidate = fit_with_groups(clone(model).set_params(**settings), kept, codes[train], patients)
            on_train, on_test = decision_values(candidate, kept), decision_values(candidate, held_out)
        decisions[:, column] = Alignment.of(on_train).apply(on_test)
        if scorable:
            scores[column] = (
                area_under_curve(codes[test], on_test) if by_ranks else scorer(candidate, held_out, codes[test])
            )
    return FoldScores(scores, decisions, kept.shape[1], step_notes(fitted))


def decision_values(model: Any, X: Array) -> Array:
    """Return decision values of the second class, or its probabilities where the model has only these.

    Parameters
    ----------
    model : classifier
        Fitted on two classes.
    X : ndarray of shape (n_samples, n_selected)
        Rows.

    Returns
    -------
    ndarray of shape (n_samples,)
        One value for each row; a larger one speaks for the second class.
    """
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(X), dtype=np.float64)
    return np.asarray(model.predict_proba(X)[:, 1], dtype=np.float64)
