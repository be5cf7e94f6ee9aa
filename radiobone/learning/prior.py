"""The training prior, where a class has too few patients to be cross-validated."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from radiobone.core.errors import RadioboneWarning
from radiobone.learning.data import TooFewPatients, patients_by_class
from radiobone.learning.routing import fit_with_groups


class PriorClassifier(BaseEstimator):
    """Give every row the share of the positive side among the training rows.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        0 and 1.
    prior_ : float
        That share; 0.5 without rows.
    """

    predicts_prior_ = True

    @property
    def selected_features_(self) -> NDArray[Any]:
        """No feature."""
        return np.array([], dtype=object)

    def fit(self, codes: NDArray[np.intp]) -> PriorClassifier:
        """Count the training rows.

        Parameters
        ----------
        codes : ndarray of shape (n_samples,)
            1 for rows of the positive side, 0 for the others.

        Returns
        -------
        PriorClassifier
            The fitted classifier.
        """
        self.classes_ = np.array([0, 1])
        self.prior_ = float(codes.mean()) if codes.size else 0.5
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the same probabilities for every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Probabilities of either side.
        """
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        return np.tile([1.0 - self.prior_, self.prior_], (n_rows, 1))


def fit_or_prior(
    estimator: Any, X: Any, codes: NDArray[np.intp], groups: NDArray[Any] | None
) -> tuple[Any, list[str]]:
    """Fit a copy of a binary classifier, or the training prior where one side has too few patients.

    A side needs two patients, and three if steps inside the classifier cross-validate once more within its inner
    folds. A small node must not stop a study, so the prior stands in, and says so.

    Parameters
    ----------
    estimator : classifier
        Copied, not changed.
    X : anything indexable by row
        Training rows.
    codes : ndarray of shape (n_samples,)
        1 for rows of the positive side, 0 for the others.
    groups : ndarray of shape (n_samples,) or None
        Patient of each row; None if every row is a patient.

    Returns
    -------
    classifier
        The fitted copy, or a `PriorClassifier`.
    list of str
        Why it is the prior; empty if it is not.
    """
    patients = patients_by_class(codes, groups)
    if len(patients) < 2 or min(patients) < 2:
        why = "fewer than two training patients on one side"
    else:
        try:
            return fit_with_groups(clone(estimator), X, codes, groups), []
        except TooFewPatients:
            why = "fewer than two training patients on one side of an inner fold"
    return PriorClassifier().fit(codes), [why]


def fit_part(
    estimator: Any, X: Any, codes: NDArray[np.intp], groups: NDArray[Any] | None, *, name: str, what: str
) -> tuple[Any, list[str]]:
    """Fit one of a classifier's classifiers as `fit_or_prior` does, and warn where it is the prior.

    Parameters
    ----------
    estimator, X, codes, groups
        As `fit_or_prior` takes them.
    name : str
        Name of the part.
    what : str
        What it is called, such as ``node``.

    Returns
    -------
    classifier
        The fitted copy, or a `PriorClassifier`.
    list of str
        What a reader should know of it.

    Warns
    -----
    RadioboneWarning
        If it is the prior.
    """
    part, why = fit_or_prior(estimator, X, codes, groups)
    notes = [f"{reason}; the {what} predicts the training prior" for reason in why]
    for note in notes:
        # For the line that calls `fit`, which calls a method that calls this.
        warnings.warn(f"{name}: {note}", RadioboneWarning, stacklevel=4)
    return part, [*notes, *getattr(part, "notes_", [])]
