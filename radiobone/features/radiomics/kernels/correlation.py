"""The maximal correlation coefficient of a co-occurrence matrix, without a full eigenvalue problem.

PyRadiomics takes the second largest eigenvalue of ``Q[i, j] = sum_k p[i, k] p[j, k] / (px[i] py[k] + eps)``.
The eigenvalues of Q are the squared singular values of ``S[i, k] = p[i, k] / sqrt(px[i] py[k] + eps)``: without
eps by similarity, with it to first order in eps / (px py). The largest is 1, with the vectors ``sqrt(px)`` and
``sqrt(py)``. So the coefficient is the largest singular value of ``S - sqrt(px) sqrt(py)'``: of what the pairs
of levels deviate from independence. Lanczos' iteration finds it, as the largest eigenvalue by size: of the
matrix if it is symmetric, and otherwise of the matrix and its transpose beside the diagonal.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.entropy import EPS
from radiobone.features.radiomics.kernels.jit import jit

RESIDUAL = 3e-7
"""Largest residual of an accepted eigenvalue. It bounds the error, which is about its square over the gap."""

SMALL_EPS = 1e-4
"""Up to this eps / (px py), its effect is expanded in a series."""

CEILING = 1.0 + 1e-3
"""No eigenvalue is larger: they are at most 1, but for rounding."""

ROOT_ERROR, MOST_STEPS = 1e-9, 100
"""Last step (its cube is about the error) of the search for a root, and more steps than it ever takes."""

FIRST_CHECK = 6
"""Steps of the iteration after which convergence is looked at for the first time."""

NOISE = 0.02
"""Share of digits without structure in the first vector."""


@jit
def deviation_matrix(
    table: NDArray[np.float64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    total: float,
    deviation: NDArray[np.float64],
) -> float:
    """Fill `deviation` from the counts in `table`; return ``sum(p log(1 + eps / (px py)))``.

    Parameters
    ----------
    table : ndarray of float64, shape (G, G)
        Counts of pairs.
    rows, columns : ndarray of float64, shape (G,)
        Their sums.
    total : float
        The sum of all.
    deviation : ndarray of float64, shape (G, G)
        Receives ``S - sqrt(px) sqrt(py)'``.
    """
    n = rows.size
    eps = EPS * total * total
    row_root, row_inverse, smallest_row = _inverse_roots(rows)
    column_root, column_inverse, smallest_column = _inverse_roots(columns)
    rounding = np.zeros(n)
    if eps < SMALL_EPS * smallest_row * smallest_column:
        for i in range(n):
            root, part, own = row_root[i], eps * row_inverse[i], rows[i] * row_root[i] / total
            for j in range(n):
                small = part * column_inverse[j]
                scaled = table[i, j] * (root * column_root[j]) * (1.0 - small * (0.5 - 0.375 * small))
                deviation[i, j] = scaled - own * (columns[j] * column_root[j])
                rounding[j] += table[i, j] * small
    else:
        for i in range(n):
            for j in range(n):
                product = rows[i] * columns[j]
                deviation[i, j] = table[i, j] / math.sqrt(product + eps) - math.sqrt(product) / total
                if table[i, j] > 0.0:
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
    deviation: NDArray[np.float64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    total: float,
    symmetrical: bool,
) -> float:
    """Return the largest singular value of the deviation from independence.

    Parameters
    ----------
    deviation : ndarray of float64, shape (G, G)
        From `deviation_matrix`.
    rows, columns : ndarray of float64, shape (G,)
        Sums of the counts over rows and columns.
    total : float
        The sum of all counts.
    symmetrical : bool
        Whether the matrix is its own transpose.
    """
    n = rows.size
    if symmetrical:
        start = np.empty(n)
        _first_vector(rows, total, start)
        return _largest_eigenvalue(deviation, start)
    both = np.zeros((2 * n, 2 * n))
    for i in range(n):
        for j in range(n):
            both[i, n + j] = deviation[i, j]
            both[n + j, i] = deviation[i, j]
    start = np.empty(2 * n)
    _first_vector(rows, total, start[:n])
    _first_vector(columns, total, start[n:])
    return _largest_eigenvalue(both, start)


@jit
def _first_vector(sums: NDArray[np.float64], total: float, vector: NDArray[np.float64]) -> None:
    """Write a vector that is near the one sought, and has a part in every other direction.

    Neighbours mostly have similar levels, so the vector sought is near sqrt(p) times a rising line. On it lie
    the digits of a linear congruential generator, which no structure of the matrix is orthogonal to.
    """
    middle, spread = 0.0, 0.0
    for i in range(sums.size):
        middle += sums[i] / total * i
    for i in range(sums.size):
        spread += sums[i] / total * (i - middle) ** 2
    slope = 1.0 / math.sqrt(spread) if spread > 0.0 else 0.0
    digits = 12345
    for i in range(sums.size):
        digits = (1103515245 * digits + 12345) % 2147483648
        noise = NOISE * (digits / 1073741824.0 - 1.0)
        vector[i] = math.sqrt(sums[i] / total) * slope * (i - middle) + noise


@jit
def _largest_eigenvalue(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> float:
    """Return the size of the largest eigenvalue of a symmetric matrix, by Lanczos' iteration.

    Directions are orthogonal to the last two only. Rounding brings found eigenvectors back, as copies of their
    eigenvalues: this does not change the largest, and the iteration ends when that is found.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n, n)
        A symmetric matrix.
    vector : ndarray of float64, shape (n,)
        The vector to start with; it is overwritten.
    """
    n = vector.size
    steps = 4 * n + FIRST_CHECK
    previous = np.zeros(n)
    product = np.empty(n)
    alpha = np.empty(steps)
    beta = np.empty(steps)
    _normalise(vector, math.sqrt(_dot(vector, vector)))
    largest, residual, length, check = 0.0, CEILING, 0.0, FIRST_CHECK
    for k in range(steps):
        _multiply(matrix, vector, product)
        alpha[k] = _dot(product, vector)
        for i in range(n):
            product[i] -= alpha[k] * vector[i] + length * previous[i]
        length = math.sqrt(_dot(product, product))
        beta[k] = length
        if k + 1 == check or length < RESIDUAL:
            largest, residual = _largest_of_tridiagonal(alpha, beta, k + 1, largest + 2.0 * residual)
            if residual < RESIDUAL:
                break
            check += max(1, int(0.5 * math.log(residual / RESIDUAL)))
        for i in range(n):
            previous[i] = vector[i]
            vector[i] = product[i]
        _normalise(vector, length)
    return largest


@jit
def _normalise(vector: NDArray[np.float64], length: float) -> None:
    """Divide a vector by its length."""
    for i in range(vector.size):
        vector[i] /= length


@jit
def _dot(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the dot product; four sums at a time."""
    n = one.size
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(0, n - 3, 4):
        a += one[i] * other[i]
        b += one[i + 1] * other[i + 1]
        c += one[i + 2] * other[i + 2]
        d += one[i + 3] * other[i + 3]
    for i in range(n - n % 4, n):
        a += one[i] * other[i]
    return (a + b) + (c + d)


@jit
def _multiply(matrix: NDArray[np.float64], vector: NDArray[np.float64], product: NDArray[np.float64]) -> None:
    """Multiply a symmetric matrix with a vector; four of its rows at a time."""
    n = vector.size
    for i in range(n):
        product[i] = 0.0
    for j in range(0, n - 3, 4):
        a, b, c, d = vector[j], vector[j + 1], vector[j + 2], vector[j + 3]
        for i in range(n):
            product[i] += (a * matrix[j, i] + b * matrix[j + 1, i]) + (c * matrix[j + 2, i] + d * matrix[j + 3, i])
    for j in range(n - n % 4, n):
        a = vector[j]
        for i in range(n):
            product[i] += a * matrix[j, i]


@jit
def _largest_of_tridiagonal(
    alpha: NDArray[np.float64], beta: NDArray[np.float64], size: int, guess: float
) -> tuple[float, float]:
    """Return the largest eigenvalue, by size, of a tridiagonal matrix, and the residual of its vector.

    Parameters
    ----------
    alpha, beta : ndarray of float64
        Diagonal, and the elements beside it; the last of these leads out of the matrix.
    size : int
        Number of rows.
    guess : float
        Probably more than the eigenvalue.
    """
    highest = CEILING if _exceeds(alpha, beta, size, guess, 1.0) else guess
    largest, sign = _top_root(alpha, beta, size, highest, 1.0), 1.0
    if largest < 0.0 or _exceeds(alpha, beta, size, largest, -1.0):
        largest, sign = _top_root(alpha, beta, size, CEILING, -1.0), -1.0
    return largest, beta[size - 1] * _last_component(alpha, beta, size, largest, sign)


@jit
def _exceeds(alpha: NDArray[np.float64], beta: NDArray[np.float64], size: int, x: float, sign: float) -> bool:
    """Return whether a tridiagonal matrix times `sign` has an eigenvalue above x: a pivot of x - T below 0."""
    pivot = x - sign * alpha[0]
    for k in range(1, size):
        if pivot <= 0.0:
            return True
        pivot = x - sign * alpha[k] - beta[k - 1] * beta[k - 1] / pivot
    return bool(pivot < 0.0)


@jit
def _last_component(
    alpha: NDArray[np.float64], beta: NDArray[np.float64], size: int, x: float, sign: float
) -> float:
    """Return the size of the last component of the unit eigenvector for the largest eigenvalue x.

    The pivots of x - T from below are the ratios of neighbouring components. This is accurate however small the
    last one is, since the first is not: the iteration began with a vector that has a part in this direction.
    """
    last, squares, pivot = 1.0, 1.0, x - sign * alpha[size - 1]
    for k in range(size - 2, -1, -1):
        pivot = max(pivot, EPS)
        ratio = beta[k] / pivot
        squares = 1.0 + ratio * ratio * squares
        last *= ratio
        pivot = x - sign * alpha[k] - beta[k] * ratio
    return last / math.sqrt(squares)


@jit
def _top_root(alpha: NDArray[np.float64], beta: NDArray[np.float64], size: int, x: float, sign: float) -> float:
    """Return the largest eigenvalue of a tridiagonal matrix times `sign`.

    Laguerre's method comes down on the largest root of the characteristic polynomial p from above: p'/p and
    its derivative follow from the pivots of x - T.

    Parameters
    ----------
    alpha, beta : ndarray of float64
        Diagonal, and the elements beside it.
    size : int
        Number of rows.
    x : float
        Where to begin, above all eigenvalues.
    sign : float
        1 or -1.
    """
    for _ in range(MOST_STEPS):
        pivot, rising, bend = x - sign * alpha[0], 1.0, 0.0
        first, second = 0.0, 0.0
        for k in range(1, size + 1):
            if pivot <= 0.0:
                return x  # on the root, but for rounding
            inverse = 1.0 / pivot
            part = rising * inverse
            first += part
            second += part * part - bend * inverse
            if k < size:
                ratio = beta[k - 1] * beta[k - 1] * inverse
                bend = ratio * (bend * inverse - 2.0 * part * part)
                rising = 1.0 + ratio * part
                pivot = x - sign * alpha[k] - ratio
        spread = max((size - 1) * (size * second - first * first), 0.0)
        step = size / (first + math.sqrt(spread))
        x -= step
        if step <= ROOT_ERROR:
            break
    return x
