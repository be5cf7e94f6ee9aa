"""Settings of a support vector machine on one fold: each kernel matrix is made once, and shared by all costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.svm import SVC
from sklearn.utils import assert_all_finite

Array = NDArray[np.float64]

_KERNELS = ("linear", "poly", "rbf")


def shares_kernels(model: Any, candidates: Sequence[dict[str, Any]]) -> bool:
    """Say whether `SharedKernels` can stand in for the model with each of these settings.

    Parameters
    ----------
    model : classifier
        Any.
    candidates : sequence of dict
        Its settings.

    Returns
    -------
    bool
        True for scikit-learn's ``SVC`` itself with linear, polynomial and RBF kernels, and several settings.
    """
    if type(model) is not SVC or len(candidates) < 2 or getattr(model, "probability", False) is True:
        return False
    kernels = [settings.get("kernel", model.kernel) for settings in candidates]
    return all(isinstance(kernel, str) and kernel in _KERNELS for kernel in kernels) and not any(
        settings.get("probability", False) is True for settings in candidates
    )


class SharedKernels:
    """The training and held-out rows of a fold, and the products of either with the training rows.

    Parameters
    ----------
    train : ndarray of shape (n_train, n_features)
        Rows to fit.
    codes : ndarray of shape (n_train,)
        Their classes.
    test : ndarray of shape (n_test, n_features)
        Held-out rows.

    Notes
    -----
    A machine fitted on a kernel matrix goes through the same steps as one that makes the same kernel itself. The
    products are added up pair by pair in one order, as libsvm does, and not in blocks that depend on the place of
    a row: equal rows have equal decision values, and so ties stay ties.
    """

    def __init__(self, train: Array, codes: NDArray[np.intp], test: Array) -> None:
        assert_all_finite(train)
        assert_all_finite(test)
        rows = np.concatenate([train, test])
        self._codes, self._n_train, self._n_features = codes, len(train), train.shape[1]
        self._variance = float(train.var())
        self._products: Array = np.einsum("ik,jk->ij", rows, train)
        squares = np.einsum("ik,ik->i", rows, rows)
        self._distances = squares[:, None] + squares[: len(train)] - 2.0 * self._products
        self._kernels: dict[tuple[Any, ...], Array] = {}

    def decisions(self, model: SVC, settings: dict[str, Any]) -> tuple[Array, Array]:
        """Return the decision values of the model with these settings, fitted on the training rows.

        Parameters
        ----------
        model : SVC
            Not changed.
        settings : dict
            What to set in its place.

        Returns
        -------
        on_train, on_test : ndarray
            Decision values of the training rows and of the held-out rows.
        """
        candidate = SVC(**{**model.get_params(deep=False), **settings})
        candidate._validate_params()
        kernel = self._kernel(candidate)
        candidate.kernel = "precomputed"
        with config_context(assume_finite=True, skip_parameter_validation=True):
            candidate.fit(kernel[: self._n_train], self._codes)
            values: Array = candidate.decision_function(kernel)
        return values[: self._n_train], values[self._n_train :]

    def _kernel(self, model: SVC) -> Array:
        if model.kernel == "linear":
            return self._products
        gamma = self._gamma(model.gamma)
        key = ("rbf", gamma) if model.kernel == "rbf" else ("poly", gamma, model.coef0, model.degree)
        if key not in self._kernels:
            if model.kernel == "rbf":
                self._kernels[key] = np.exp(-gamma * self._distances)
            else:
                self._kernels[key] = (gamma * self._products + model.coef0) ** model.degree
        return self._kernels[key]

    def _gamma(self, gamma: float | str) -> float:
        """Return the kernel width that ``SVC`` would take."""
        if gamma == "scale":
            spread = self._n_features * self._variance
            return 1.0 / spread if spread != 0.0 else 1.0
        return 1.0 / self._n_features if gamma == "auto" else float(gamma)


def area_under_curve(codes: NDArray[np.intp], values: Array) -> float:
    """Return the area under the ROC curve, to the last bit as ``sklearn.metrics.roc_auc_score`` gives it.

    Settings are compared by sums of such areas, where the last bit may decide between equals; hence the trapezoids
    over the corners of the curve, added up in the same order, and not a count of pairs. Nothing is checked here.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        0 and 1, both present.
    values : ndarray of shape (n_samples,)
        A larger one speaks for 1.

    Returns
    -------
    float
        The area.
    """
    order = np.argsort(-values, kind="stable")
    positive, values = codes[order], values[order]
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # of runs of equal values
    hits = np.cumsum(positive)[ends].astype(np.float64)
    alarms = 1.0 + ends - hits
    if len(ends) > 2:
        corner = np.ones(len(ends), dtype=bool)
        corner[1:-1] = (np.diff(hits, 2) != 0) | (np.diff(alarms, 2) != 0)
        hits, alarms = hits[corner], alarms[corner]
    hits, alarms = np.append(0.0, hits), np.append(0.0, alarms)
    return float(np.trapezoid(hits / hits[-1], alarms / alarms[-1]))
