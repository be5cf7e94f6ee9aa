"""Quadratic problems with an L1 penalty, solved exactly on the coefficients that are not zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

Array = NDArray[np.float64]

# A gradient exceeds the penalty only if it does so by more than rounding.
_ROUNDING = 1e-11

_STEPS = 10

# Correlation from which on two columns count as the same.
_SAME = 1.0 - 1e-10


def minimise_quadratic(hessian: Array, linear: Array, penalty: float, start: Array, max_iter: int) -> Array:
    """Minimise ``wᵀHw / 2 - cᵀw + penalty |w|₁``.

    Parameters
    ----------
    hessian : ndarray of shape (n_coefs, n_coefs)
        H, symmetric and positive semidefinite.
    linear : ndarray of shape (n_coefs,)
        c.
    penalty : float
        Weight of the L1 norm.
    start : ndarray of shape (n_coefs,)
        Where to begin; the nearer the solution, the fewer steps. Not changed.
    max_iter : int
        Limit of the steps; the last point is returned when it is reached. No more than ten for each coefficient
        are taken: so many mean that rounding leads in a circle.

    Returns
    -------
    ndarray of shape (n_coefs,)
        The solution.

    Notes
    -----
    An active-set method (feature-sign search; Lee et al., NIPS 2006): with the signs of the nonzero coefficients
    given, the problem is a linear system. On the way to its solution a coefficient that meets zero is dropped;
    when none does, those enter whose gradient exceeds the penalty most. No step raises the objective, so that no
    set of signs comes twice, and the end is exact and not approached.
    """
    coefs = start.copy()
    signs = np.sign(coefs)
    for _ in range(min(max_iter, _STEPS * (len(start) + 10))):
        active = np.flatnonzero(signs)
        if active.size and _walk(hessian, linear, penalty, coefs, signs, active):
            continue
        gradient = linear - hessian[:, active] @ coefs[active]
        gradient[active] = 0.0
        steep = np.abs(gradient)
        most = float(steep.max(initial=0.0))
        if most <= penalty * (1.0 + _ROUNDING):
            break
        enter = _unlike(hessian, np.flatnonzero(steep > penalty + 0.5 * (most - penalty)))
        signs[enter] = np.sign(gradient[enter])
    return coefs


def _walk(
    hessian: Array, linear: Array, penalty: float, coefs: Array, signs: Array, active: NDArray[np.intp]
) -> bool:
    """Go to the best point for the given signs, or to the first zero on the way; say whether one was met."""
    target = solve(hessian[np.ix_(active, active)], linear[active] - penalty * signs[active])
    here = coefs[active]
    meets = target * signs[active] <= 0.0
    if not meets.any():
        coefs[active] = target
        return False
    shares = here[meets] / (here[meets] - target[meets])
    share = float(np.nan_to_num(shares).min())
    coefs[active] = here + share * (target - here)
    # Those that stand at zero and would have to pass it are dropped all at once.
    dropped = active[np.flatnonzero(meets)[np.nan_to_num(shares) <= share]]
    coefs[dropped] = signs[dropped] = 0.0
    return True


def _unlike(hessian: Array, columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Leave out each column that is the same as one before it: between equal ones the first one stands for all."""
    scale = np.sqrt(hessian[columns, columns])
    same = np.abs(hessian[np.ix_(columns, columns)]) >= _SAME * np.outer(scale, scale)
    return columns[~np.triu(same, 1).any(axis=0)]


def solve(matrix: Array, right: Array) -> Array:
    """Solve a symmetric positive system; one that rounding leaves indefinite gets a larger diagonal.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        Symmetric.
    right : ndarray of shape (n,)
        Right-hand side.

    Returns
    -------
    ndarray of shape (n,)
        The solution.
    """
    _, solution, failed = lapack.dposv(matrix, right)
    more = 1e-14 * float(np.trace(matrix)) / len(matrix)
    while failed:
        more = max(more * 100.0, np.finfo(float).tiny)
        _, solution, failed = lapack.dposv(matrix + more * np.eye(len(matrix)), right)
    result: Array = solution
    return result
