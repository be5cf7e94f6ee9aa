"""The LASSO and elastic-net path for squared loss: found exactly, and certified by its duality gap."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import ElasticNet

from radiobone.learning.penalised.elastic_path import elastic_net_path
from radiobone.learning.penalised.tracked_path import tracked_path

Array = NDArray[np.float64]

# Penalty that stands for a table in which nothing is correlated with y; its solution is the empty model.
NO_SIGNAL = float(np.finfo(np.float64).resolution)


@dataclass(frozen=True)
class LassoPath:
    """Coefficients along a grid of penalties.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Penalties, descending.
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients for centred columns and centred y.
    gaps : ndarray of shape (n_alphas,)
        Duality gap of each solution, as a share of ``sum(y ** 2) / (2 n)``, the loss of the empty model.
    n_steps : int
        Number of steps of the active-set method.
    """

    alphas: Array
    coefs: Array
    gaps: Array
    n_steps: int


def penalty_grid(X: Array, y: Array, n_alphas: int, eps: float, l1_ratio: float = 1.0) -> Array:
    """Return penalties from the smallest that leaves nothing, downwards to ``eps`` times that, in even ratios.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Centred columns.
    y : ndarray of shape (n_samples,)
        Centred target.
    n_alphas : int
        Number of penalties.
    eps : float
        Smallest penalty as a share of the largest.
    l1_ratio : float, default 1.0
        Share of the L1 norm in the penalty, in (0, 1].

    Returns
    -------
    ndarray of shape (n_alphas,)
        Penalties, descending. If no column is correlated with y beyond rounding, each of them is `NO_SIGNAL`.
    """
    largest = float(np.abs(X.T @ y).max(initial=0.0)) / len(y)
    rounding = NO_SIGNAL * max(1.0, float(np.abs(X).max(initial=0.0)) * float(np.abs(y).max()))
    if largest <= rounding:
        return np.full(n_alphas, NO_SIGNAL)
    largest /= l1_ratio
    return np.geomspace(largest, largest * eps, n_alphas)


def lasso_path(X: Array, y: Array, alphas: Array, tol: float, max_iter: int, l1_ratio: float = 1.0) -> LassoPath:
    """Minimise ``|y - Xw|² / (2 n) + alpha (l1_ratio |w|₁ + (1 - l1_ratio) |w|² / 2)`` along descending penalties.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Centred columns.
    y : ndarray of shape (n_samples,)
        Centred target.
    alphas : ndarray of shape (n_alphas,)
        Penalties, descending.
    tol : float
        Largest gap (see `LassoPath`) at which a solution counts as found.
    max_iter : int
        Limit of steps, and of coordinate-descent sweeps, for each penalty.
    l1_ratio : float, default 1.0
        Share of the L1 norm in the penalty, in (0, 1]; 1 is the LASSO.

    Returns
    -------
    LassoPath
        Solutions and their duality gaps.

    Notes
    -----
    Signs and active columns are found exactly, from those of the penalty before: see
    `radiobone.learning.penalised.tracked_path`, and `radiobone.learning.penalised.elastic_path` for the elastic
    net and where columns are so nearly dependent that rounding spoils the former, as the duality gap tells. If
    it spoils both, coordinate descent goes on from there. What none certifies keeps a gap above ``tol``, for the
    caller to report.
    """
    if alphas[0] <= NO_SIGNAL:
        return LassoPath(alphas, np.zeros((X.shape[1], len(alphas))), np.zeros(len(alphas)), 1)
    if l1_ratio == 1.0:
        coefs, n_steps = tracked_path(X, y, alphas)
        gaps = duality_gaps(X, y, coefs, alphas)
    else:
        coefs, n_steps = np.zeros((X.shape[1], len(alphas))), 0
        gaps = np.full(len(alphas), np.inf)
    open_ = np.flatnonzero(gaps > tol)
    if open_.size:
        coefs[:, open_], more = elastic_net_path(X, y, alphas[open_], l1_ratio, max_iter)
        gaps[open_] = duality_gaps(X, y, coefs[:, open_], alphas[open_], l1_ratio)
        n_steps += more
    for index in np.flatnonzero(gaps > tol):
        # Where the exact way has gone astray, the solution of the penalty before is the better start.
        starts = np.column_stack([coefs[:, index], coefs[:, index - 1] if index else np.zeros(len(coefs))])
        start = starts[:, np.argmin(duality_gaps(X, y, starts, alphas[[index, index]], l1_ratio))]
        coefs[:, index] = _descend(X, y, float(alphas[index]), l1_ratio, start, tol, max_iter)
        gaps[index] = duality_gaps(X, y, coefs[:, [index]], alphas[[index]], l1_ratio)[0]
    return LassoPath(alphas, coefs, gaps, n_steps)


def _descend(X: Array, y: Array, alpha: float, l1_ratio: float, start: Array, tol: float, max_iter: int) -> Array:
    """Return the solution of coordinate descent for one penalty."""
    # scikit-learn measures its gap in another unit and rounds in other places: ask for a good deal less.
    model = ElasticNet(
        alpha=alpha, l1_ratio=l1_ratio, fit_intercept=False, tol=tol / 10, max_iter=max_iter, warm_start=True
    )
    model.coef_ = start.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the gap is measured and reported
        model.fit(X, y)
    coefs: Array = model.coef_
    return coefs


def duality_gaps(X: Array, y: Array, coefs: Array, alphas: Array, l1_ratio: float = 1.0) -> Array:
    """Return how far the loss of each column of ``coefs`` can lie above the smallest, as a share of the null loss.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Centred columns.
    y : ndarray of shape (n_samples,)
        Centred target.
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients, whatever gave them.
    alphas : ndarray of shape (n_alphas,)
        The penalty of each column of ``coefs``.
    l1_ratio : float, default 1.0
        Share of the L1 norm in the penalty.

    Returns
    -------
    ndarray of shape (n_alphas,)
        Gaps between the primal and the dual objective. The squared part of the penalty counts as further rows of
        X, one for each column, with a target of zero.
    """
    n_samples = len(y)
    null = float(y @ y) / (2 * n_samples)
    if null == 0.0:
        return np.zeros(len(alphas))
    ridges = alphas * (1.0 - l1_ratio)
    residuals = y[:, None] - X @ coefs
    steepest = np.abs(X.T @ residuals / n_samples - ridges * coefs).max(axis=0, initial=np.finfo(float).tiny)
    shrink = np.minimum(1.0, alphas * l1_ratio / steepest)
    squares = ridges * (coefs**2).sum(axis=0) / 2
    primal = (residuals**2).sum(axis=0) / (2 * n_samples) + alphas * l1_ratio * np.abs(coefs).sum(axis=0) + squares
    dual = null - ((y[:, None] - shrink * residuals) ** 2).sum(axis=0) / (2 * n_samples) - shrink**2 * squares
    gaps: Array = np.maximum(primal - dual, 0.0) / null
    return gaps
