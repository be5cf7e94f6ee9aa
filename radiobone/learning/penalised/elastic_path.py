"""The elastic-net path: the active set at each penalty, found from that of the penalty before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.learning.penalised.active_set import minimise_quadratic

Array = NDArray[np.float64]

# Columns whose gradient comes this near to the penalty are looked at together with those that exceed it.
_NEAR = 0.9

# A gradient exceeds the penalty only if it does so by more than rounding.
_ROUNDING = 1e-11


def elastic_net_path(X: Array, y: Array, alphas: Array, l1_ratio: float, max_iter: int) -> tuple[Array, int]:
    """Minimise ``|y - Xw|² / (2 n) + alpha (l1_ratio |w|₁ + (1 - l1_ratio) |w|² / 2)`` along descending penalties.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Centred columns.
    y : ndarray of shape (n_samples,)
        Centred target.
    alphas : ndarray of shape (n_alphas,)
        Penalties, descending.
    l1_ratio : float
        Share of the L1 norm, in (0, 1].
    max_iter : int
        Limit of the steps for each penalty.

    Returns
    -------
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients.
    n_steps : int
        Number of problems that were solved.

    Notes
    -----
    With a fixed ``l1_ratio`` the path is not linear between knots, as that of the LASSO is, so that each penalty
    is a quadratic problem of its own, over the few columns that have mattered so far; the gradient of all columns
    says whether others are needed.
    """
    products = X.T @ y / len(y)
    working = _WorkingSet(X)
    coefs = np.zeros((X.shape[1], len(alphas)))
    here = np.zeros(0)
    pull, n_steps = products, 0
    for index, alpha in enumerate(alphas):
        penalty, ridge = float(alpha) * l1_ratio, float(alpha) * (1.0 - l1_ratio)
        solved = False
        while working.take(pull, penalty) or not solved:
            here = np.concatenate([here, np.zeros(len(working.columns) - len(here))])
            hessian = working.gram + ridge * np.eye(len(here))
            here = minimise_quadratic(hessian, products[working.columns], penalty, here, max_iter)
            pull = X.T @ (y - working.X @ here) / len(y)
            solved, n_steps = True, n_steps + 1
        coefs[working.columns, index] = here
    return coefs, n_steps


class _WorkingSet:
    """The columns looked at so far, and their products with one another."""

    def __init__(self, X: Array) -> None:
        self._all = X
        self.columns = np.zeros(0, dtype=np.intp)
        self.X = X[:, :0]
        self.gram = np.zeros((0, 0))

    def take(self, pull: Array, penalty: float) -> bool:
        """Take in more columns if one outside has a gradient beyond the penalty; say whether one had."""
        steep = np.abs(pull)
        steep[self.columns] = 0.0
        if steep.max(initial=0.0) <= penalty * (1.0 + _ROUNDING):
            return False
        new = np.flatnonzero(steep > _NEAR * penalty)
        added, known = self._all[:, new], len(self.columns)
        self.columns = np.concatenate([self.columns, new])
        self.X = np.hstack([self.X, added])
        gram = np.empty((len(self.columns), len(self.columns)))
        gram[:known, :known] = self.gram
        gram[known:] = added.T @ self.X / len(self.X)
        gram[:known, known:] = gram[known:, :known].T
        self.gram = gram
        return True
