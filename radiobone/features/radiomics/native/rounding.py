"""Features of co-occurrence matrices that are rounding errors in PyRadiomics, computed with its very roundings.

Where the levels of two neighbours are independent, or all neighbours have one level, PyRadiomics 3.0.1 takes the
root of a rounding error, or divides by one. Such a value says nothing of the image, but it stands in the table.
NumPy adds in an order that depends on how an array lies in memory, and so on how it was made; so matrices are made
here by the same steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.entropy import EPS

Values = NDArray[np.float64]


def has_constant_side(counts: NDArray[np.int32]) -> bool:
    """Tell whether at some angle all pairs begin, or all end, at one level.

    Parameters
    ----------
    counts : ndarray of int32, shape (A, G, G)
        Pairs of neighbours for each angle.
    """
    pairs = counts != 0
    return bool((pairs.any(axis=2).sum(axis=1) == 1).any() or (pairs.any(axis=1).sum(axis=1) == 1).any())


def probabilities(
    counts: NDArray[np.int32], levels: NDArray[np.int64], weights: Values | None, symmetrical: bool
) -> Values:
    """Return the probabilities of pairs as PyRadiomics holds them, angles without pairs left out.

    Parameters
    ----------
    counts : ndarray of int32, shape (A, G, G)
        Pairs of neighbours for each angle, not symmetrised, at least one of them.
    levels : ndarray of int64, shape (G,)
        Their grey levels.
    weights : ndarray of float64, shape (A,), or None
        Weights with which angles are summed.
    symmetrical : bool
        Whether each pair counts in both orders.

    Returns
    -------
    ndarray of float64, shape (1, G, G, A)
        In PyRadiomics' order in memory.
    """
    absent = int(levels[-1]) - levels.size
    pairs = np.ascontiguousarray(counts.astype(np.float64).transpose(1, 2, 0))[None]
    pairs = _deleted(_deleted(pairs, 1, absent), 2, absent)
    if symmetrical:
        pairs += pairs.transpose(0, 2, 1, 3).copy()
    if weights is not None:
        pairs = np.sum(pairs * weights, axis=3, keepdims=True)
    totals = np.sum(pairs, axis=(1, 2))
    if pairs.shape[3] > 1 and (totals == 0).any():
        empty = np.flatnonzero(totals[0] == 0)
        pairs, totals = np.delete(pairs, empty, 3), np.delete(totals, empty, 1)
    pairs /= totals[:, None, None, :]
    return pairs


def _deleted(pairs: Values, axis: int, n_absent: int) -> Values:
    """Return pairs in the order in which they lie after levels have been deleted: one is deleted otherwise."""
    return pairs.copy() if n_absent == 1 else np.delete(pairs, [], axis)


def correlation(shares: Values, levels: NDArray[np.int64]) -> float:
    """Return Correlation.

    Parameters
    ----------
    shares : ndarray of float64, shape (1, G, G, A)
        From `probabilities`.
    levels : ndarray of int64, shape (G,)
        The grey levels.
    """
    first, second = levels.astype(np.float64)[None, :, None, None], levels.astype(np.float64)[None, None, :, None]
    apart, beside = first - _added(first * shares), second - _added(second * shares)
    spread = _added(shares * apart**2) ** 0.5 * _added(shares * beside**2) ** 0.5
    found = _added(shares * apart * beside) / (spread + EPS)
    found[spread == 0] = 1
    return float(found.mean())


def imc1(shares: Values) -> float:
    """Return Imc1.

    Parameters
    ----------
    shares : ndarray of float64, shape (1, G, G, A)
        From `probabilities`.
    """
    rows, columns = shares.sum(axis=2, keepdims=True), shares.sum(axis=1, keepdims=True)
    joint = -1 * _added(shares * np.log2(shares + EPS))
    apart = -1 * _added(shares * np.log2(rows * columns + EPS))
    own = np.fmax(-1 * _added(rows * np.log2(rows + EPS)), -1 * _added(columns * np.log2(columns + EPS)))
    found = joint - apart
    found[own != 0] /= own[own != 0]
    found[own == 0] = 0
    return float(found.mean())


def imc2(shares: Values) -> float:
    """Return Imc2, angles left out at which the root is not a number; NaN if that leaves none.

    Parameters
    ----------
    shares : ndarray of float64, shape (1, G, G, A)
        From `probabilities`.
    """
    product = shares.sum(axis=2, keepdims=True) * shares.sum(axis=1, keepdims=True)
    joint = -1 * _added(shares * np.log2(shares + EPS))
    apart = -1 * _added(product * np.log2(product + EPS))
    with np.errstate(invalid="ignore"):
        found = (1 - np.e ** (-2 * (apart - joint))) ** 0.5
    found[apart == joint] = 0
    return _mean_of_numbers(found)


def mcc(shares: Values) -> float:
    """Return MCC by an unsymmetric eigenvalue solver, angles left out at which the root is not a number.

    Parameters
    ----------
    shares : ndarray of float64, shape (1, G, G, A)
        From `probabilities`; at least two levels.
    """
    rows, columns = shares.sum(axis=2), shares.sum(axis=1)
    product = np.zeros_like(shares)
    for k in range(shares.shape[1]):
        joint = shares[:, :, None, k] * shares[:, None, :, k]
        product += joint / (rows[:, :, None] * columns[:, None, k, None] + EPS)
    eigenvalues = np.sort(np.linalg.eigvals(product.transpose(0, 3, 1, 2)), axis=2)
    with np.errstate(invalid="ignore"):
        return _mean_of_numbers(np.sqrt(eigenvalues[:, :, -2]).real)


def _added(terms: Values) -> Values:
    return np.asarray(np.sum(terms, axis=(1, 2), keepdims=True))


def _mean_of_numbers(values: Values) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
