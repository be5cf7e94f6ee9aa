"""The LASSO and elastic-net path for squared loss: found exactly, and certified by its duality gap."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import ElasticNet, lars_path

from radiobone.learning.elastic_path import elastic_net_path

Array = NDArray[np.float64]

# Penalty that stands for a table in which nothing is correlated with y; its solution is the empty model.
NO_SIGNAL = float(np.finfo(np.float64).resolution)

# Coefficients that enter at a penalty or leave at it are rounding noise there instead of zero.
_ROUNDING = 1e-12


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
        Number of knots that homotopy went through, or of problems that were solved.
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
        Limit of coordinate-descent sweeps for each penalty.
    l1_ratio : float, default 1.0
        Share of the L1 norm in the penalty, in (0, 1]; 1 is the LASSO.

    Returns
    -------
    LassoPath
        Solutions and their duality gaps.

    Notes
    -----
    The path of the LASSO is linear between a few knots, which least angle regression finds one by one (Efron et
    al., Ann Stat 2004;32:407), so that between them nothing is iterated; that of the elastic net is found penalty
    by penalty (`radiobone.learning.elastic_path`). Where columns are so nearly dependent that rounding spoils it,
    the duality gap says so, and coordinate descent goes on from there. What neither certifies keeps a gap above
    ``tol``, for the caller to report.
    """
    if alphas[0] <= NO_SIGNAL:
        return LassoPath(alphas, np.zeros((X.shape[1], len(alphas))), np.zeros(len(alphas)), 1)
    if l1_ratio == 1.0:
        coefs, n_steps = _homotopy(X, y, alphas)
    else:
        coefs, n_steps = elastic_net_path(X, y, alphas, l1_ratio, max_iter)
    gaps = duality_gaps(X, y, coefs, alphas, l1_ratio)
    for index in np.flatnonzero(gaps > tol):
        # Where the exact way has gone astray, the solution of the penalty before is the better start.
        starts = np.column_stack([coefs[:, index], coefs[:, index - 1] if index else np.zeros(len(coefs))])
        start = starts[:, np.argmin(duality_gaps(X, y, starts, alphas[[index, index]], l1_ratio))]
        coefs[:, index] = _descend(X, y, float(alphas[index]), l1_ratio, start, tol, max_iter)
        gaps[index] = duality_gaps(X, y, coefs[:, [index]], alphas[[index]], l1_ratio)[0]
    return LassoPath(alphas, coefs, gaps, n_steps)


def _homotopy(X: Array, y: Array, alphas: Array) -> tuple[Array, int]:
    n_samples, n_features = X.shape
    # Tolerances inside are absolute: in units of the smallest penalty, walked a little beyond, they do no harm.
    unit = float(alphas[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nearly dependent columns: the gap is measured and reported
        knots, _, at_knots = lars_path(
            X, y / unit, method="lasso", alpha_min=0.99, Gram=None, max_iter=10 * (n_samples + n_features)
        )
    knots, at_knots = knots * unit, at_knots * unit
    if not np.isfinite(at_knots).all():
        return np.zeros((n_features, len(alphas))), len(knots)
    if len(knots) == 1:
        return np.repeat(at_knots, len(alphas), axis=1), 1
    # Knots descend: look up the segment of each penalty and walk along it.
    after = np.clip(np.searchsorted(-knots, -alphas), 1, len(knots) - 1)
    width = knots[after - 1] - knots[after]
    share = np.divide(knots[after - 1] - alphas, width, out=np.ones_like(width), where=width > 0)
    share = np.clip(share, 0.0, 1.0)
    coefs: Array = at_knots[:, after - 1] * (1.0 - share) + at_knots[:, after] * share
    coefs[np.abs(coefs) <= _ROUNDING * np.abs(at_knots).max(initial=0.0)] = 0.0
    return coefs, len(knots)


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
