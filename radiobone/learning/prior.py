"""The training prior, for nodes that too few patients reach."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator


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
