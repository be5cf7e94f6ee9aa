"""The maximal correlation coefficient of a co-occurrence matrix, without a full eigenvalue problem.

PyRadiomics takes the second largest eigenvalue of ``Q[i, j] = sum_k p[i, k] p[j, k] / (px[i] py[k] + eps)``.
The eigenvalues of Q are the squared singular values of ``S[i, k] = p[i, k] / sqrt(px[i] py[k] + eps)``: without
eps by similarity, with it to first order in eps / (px py). The largest is 1, with the vectors ``sqrt(px)`` and
``sqrt(py)``. So the coefficient is the largest eigenvalue, by size, of the symmetric S beside that vector
(of ``[[0, S], [S', 0]]`` beside two such vectors where S is not symmetric). Lanczos' iteration finds it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.entropy import EPS
from radiobone.features.radiomics.kernels.jit import jit

RESIDUAL = 1e-7
"""Largest residual of an accepted eigenvalue. It bounds the error, which is about its square over the gap."""

SMALL_EPS = 1e-4
"""Up to this eps / (px py), its effect is expanded in a series."""

CEILING = 1.0 + 1e-3
"""No eigenvalue is larger: they are at most 1, but for rounding."""

ROOT_ERROR, MOST_STEPS = 1e-12, 100
"""Last step, cubed in its error, of the search for a root, and a number of steps that it does not come near."""

CANCELLED = 0.01
"""A new direction shorter than this is made orthogonal once more, lest its rounding errors be blown up."""

FIRST_CHECK, CHECK_EVERY = 5, 2
"""Steps of the iteration after which convergence is looked at."""


@jit
def scale_matrix(
    table: NDArray[np.float64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    total: float,
    scaled: NDArray[np.float64],
) -> float:
    """Fill `scaled` with S of the counts in `table`; return ``sum(p log2(1 + eps / (px py)))`` in nats."""
    n = rows.size
    eps = EPS * total * total
    row_root, row_inverse, smallest_row = _inverse_roots(rows)
    column_root, column_inverse, smallest_column = _inverse_roots(columns)
    rounding = np.zeros(n)
    if eps < SMALL_EPS * smallest_row * smallest_column:
        for i in range(n):
            root, part = row_root[i], eps * row_inverse[i]
            for j in range(n):
                small = part * column_inverse[j]
                scaled[i, j] = table[i, j] * (root * column_root[j]) * (1.0 - small * (0.5 - 0.375 * small))
                rounding[j] += table[i, j] * small
    else:
        for i in range(n):
            for j in range(n):
                scaled[i, j] = 0.0
                if table[i, j] > 0.0:
                    product = rows[i] * columns[j]
                    scaled[i, j] = table[i, j] / math.sqrt(product + eps)
                    rounding[j] += table[i, j] * math.log1p(eps / product)
    nats = 0.0
    for j in range(n):
        nats += rounding[j]
    return nats / total


@jit
def _inverse_roots(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return 1 / sqrt(x) and 1 / x, zero where x is zero, and the smallest positive x."""
    root = np.zeros(sums.size)
    inverse = np.zeros(sums.size)
    smallest = np.inf
    for i in range(sums.size):
        if sums[i] > 0.0:
            root[i] = 1.0 / math.sqrt(sums[i])
            inverse[i] = 1.0 / sums[i]
            smallest = min(smallest, sums[i])
    return root, inverse, smallest


@jit
def maximal_correlation(
    scaled: NDArray[np.float64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    total: float,
    symmetrical: bool,
) -> float:
    """Return the second largest singular value of S.

    Parameters
    ----------
    scaled : ndarray of float64, shape (G, G)
        S, from `scale_matrix`.
    rows, columns : ndarray of float64, shape (G,)
        Sums of the counts over rows and columns.
    total : float
        The sum of all counts.
    symmetrical : bool
        Whether the matrix is its own transpose.
    """
    n = rows.size
    if symmetrical:
        basis = np.empty((n + 1, n))
        _start(rows, total, basis[0], basis[1])
        return _largest_beside(scaled, basis, 1)
    both = np.zeros((2 * n, 2 * n))
    for i in range(n):
        for j in range(n):
            both[i, n + j] = scaled[i, j]
            both[n + j, i] = scaled[i, j]
    basis = np.empty((2 * n + 1, 2 * n))
    _start(rows, 2.0 * total, basis[0, :n], basis[2, :n])
    _start(columns, 2.0 * total, basis[0, n:], basis[2, n:])
    for i in range(n):
        basis[1, i] = basis[0, i]
        basis[1, n + i] = -basis[0, n + i]
    return _largest_beside(both, basis, 2)


@jit
def _start(
    sums: NDArray[np.float64], total: float, known: NDArray[np.float64], start: NDArray[np.float64]
) -> None:
    """Write the leading vector sqrt(p), and one that has a part in every other direction.

    Neighbours mostly have similar levels, so the vector sought is near sqrt(p) times a rising line; on it lie
    the digits of a linear congruential generator, which no structure of the matrix can be orthogonal to.
    """
    digits = 12345
    for i in range(sums.size):
        digits = (1103515245 * digits + 12345) % 2147483648
        noise = digits / 1073741824.0 - 1.0
        known[i] = math.sqrt(sums[i] / total)
        start[i] = known[i] * (i - 0.5 * sums.size) / sums.size + 0.1 * noise if sums[i] > 0.0 else 0.0


@jit
def _largest_beside(matrix: NDArray[np.float64], basis: NDArray[np.float64], known: int) -> float:
    """Return the size of the largest eigenvalue of a symmetric matrix beside known eigenvectors.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n, n)
        A symmetric matrix.
    basis : ndarray of float64, shape (n + 1, n)
        Its first rows hold the known eigenvectors, orthonormal, and then the vector to start with; the others
        are written here.
    known : int
        Number of known eigenvectors.
    """
    n = matrix.shape[0]
    transposed = np.zeros((n, n + 1))  # the basis by columns: dot products with all of it run along rows
    for k in range(known):
        for i in range(n):
            transposed[i, k] = basis[k, i]
    work = basis[known].copy()
    whole = math.sqrt(_squares(work))
    parts = np.empty(n + 1)
    alpha = np.empty(n + 1)
    beta = np.empty(n + 1)
    _orthogonalise(work, basis, transposed, known, parts)
    _orthogonalise(work, basis, transposed, known, parts)
    length = math.sqrt(_squares(work))
    if length <= RESIDUAL * whole:
        return 0.0  # there is no other direction
    largest = 0.0
    steps = n - known
    for k in range(steps):
        at = known + k
        for i in range(n):
            basis[at, i] = work[i] / length
            transposed[i, at] = basis[at, i]
        _multiply(matrix, basis, at, work)
        _orthogonalise(work, basis, transposed, at + 1, parts)
        length = math.sqrt(_squares(work))
        alpha[k] = parts[at]
        if length < CANCELLED:
            _orthogonalise(work, basis, transposed, at + 1, parts)
            length = math.sqrt(_squares(work))
        beta[k] = length
        last = k + 1 == steps or length < RESIDUAL
        if last or (k + 1 >= FIRST_CHECK and (k + 1 - FIRST_CHECK) % CHECK_EVERY == 0):
            largest, slope = _top_root(alpha, beta, k + 1, 1.0)
            if _reaches(alpha, beta, k + 1, largest):
                largest, slope = _top_root(alpha, beta, k + 1, -1.0)
            if last or length < RESIDUAL * math.sqrt(slope):
                break
    return largest


@jit
def _multiply(
    matrix: NDArray[np.float64], basis: NDArray[np.float64], at: int, product: NDArray[np.float64]
) -> None:
    """Multiply a symmetric matrix with one row of the basis; four of its rows at a time."""
    n = matrix.shape[0]
    for i in range(n):
        product[i] = 0.0
    for j in range(0, n - 3, 4):
        a, b, c, d = basis[at, j], basis[at, j + 1], basis[at, j + 2], basis[at, j + 3]
        for i in range(n):
            product[i] += a * matrix[j, i] + b * matrix[j + 1, i] + (c * matrix[j + 2, i] + d * matrix[j + 3, i])
    for j in range(n - n % 4, n):
        a = basis[at, j]
        for i in range(n):
            product[i] += a * matrix[j, i]


@jit
def _orthogonalise(
    vector: NDArray[np.float64],
    basis: NDArray[np.float64],
    transposed: NDArray[np.float64],
    size: int,
    parts: NDArray[np.float64],
) -> None:
    """Take from a vector its parts along the first vectors of the basis, and write these parts."""
    n = vector.size
    for k in range(size):
        parts[k] = 0.0
    for i in range(n):
        value = vector[i]
        for k in range(size):
            parts[k] += value * transposed[i, k]
    for k in range(size):
        part = parts[k]
        for i in range(n):
            vector[i] -= part * basis[k, i]


@jit
def _squares(vector: NDArray[np.float64]) -> float:
    """Return the sum of squares."""
    total = 0.0
    for i in range(vector.size):
        total += vector[i] * vector[i]
    return total


@jit
def _top_root(
    alpha: NDArray[np.float64], beta: NDArray[np.float64], size: int, sign: float
) -> tuple[float, float]:
    """Return the largest eigenvalue of a tridiagonal matrix times `sign`, and the slope of its last pivot there.

    Laguerre's method comes down on the largest root of the characteristic polynomial p from above: p'/p and
    its derivative follow from the pivots of x - T. 1 / sqrt(slope) is the last component of the eigenvector,
    which gives the residual; seen from above the root, the slope is rather too small.

    Parameters
    ----------
    alpha, beta : ndarray of float64
        Diagonal, and the elements beside it.
    size : int
        Number of rows.
    sign : float
        1 or -1.
    """
    x, slope = CEILING, 1.0
    for _ in range(MOST_STEPS):
        pivot, rising, bend = x - sign * alpha[0], 1.0, 0.0
        first, second = 0.0, 0.0
        for k in range(size):
            if k > 0:
                ratio = beta[k - 1] * beta[k - 1] / pivot
                bend = ratio * (bend / pivot - 2.0 * (rising / pivot) ** 2)
                rising = 1.0 + ratio * (rising / pivot)
                pivot = x - sign * alpha[k] - ratio
            if pivot <= 0.0:
                return x, slope  # on the root, but for rounding
            part = rising / pivot
            first += part
            second += part * part - bend / pivot
        slope = rising
        spread = max((size - 1) * (size * second - first * first), 0.0)
        step = size / (first + math.sqrt(spread))
        x -= step
        if step <= ROOT_ERROR:
            break
    return x, slope


@jit
def _reaches(alpha: NDArray[np.float64], beta: NDArray[np.float64], size: int, x: float) -> bool:
    """Return whether a tridiagonal matrix has an eigenvalue of -x or below: whether x + T has a pivot below 0."""
    pivot = x + alpha[0]
    for k in range(1, size):
        if pivot <= 0.0:
            return True
        pivot = x + alpha[k] - beta[k - 1] * beta[k - 1] / pivot
    return bool(pivot < 0.0)
