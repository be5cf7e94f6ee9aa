"""Features of counts over (grey level, size): run lengths, zone sizes and dependences share their formulas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.entropy import count_log, entropy
from radiobone.features.radiomics.kernels.jit import jit

N_FEATURES = 16


@jit
def size_features(
    counts: NDArray[np.int32],
    weights: NDArray[np.float64],
    merge: bool,
    values: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the 16 features of GLRLM, in its order, as means over the angles that hold anything.

    Parameters
    ----------
    counts : ndarray of int32, shape (A, G, S)
        How many runs (zones, voxels) of each level and size there are, one matrix for each angle.
    weights : ndarray of float64, shape (A,)
        Weights of the angles; used only where they are merged.
    merge : bool
        Whether the features are those of the weighted sum of the matrices.
    values : ndarray of int64, shape (G,)
        Grey levels of the rows.
    sizes : ndarray of int64, shape (S,)
        Sizes of the columns.
    """
    n_angles, n_levels, n_sizes = counts.shape
    n_matrices = 1 if merge else n_angles
    table = np.empty((n_levels, n_sizes))
    by_level = np.empty(n_levels)
    by_size = np.empty(n_sizes)
    squares = np.empty(n_sizes)
    inverses = np.empty(n_sizes)
    for j in range(n_sizes):
        squares[j] = float(sizes[j]) * sizes[j]
        inverses[j] = 1.0 / squares[j]
    total = np.zeros(N_FEATURES)
    used = 0
    for a in range(n_matrices):
        load_matrix(counts, weights, merge, a, table)
        n, n_used = _sum_columns(table, by_size)
        if n == 0.0:
            continue
        used += 1
        _add_joint(table, n_used, values, squares, inverses, n, by_level, total)
        _add_margins(by_level, by_size, values, sizes, n, total)
    if used == 0:
        total[:] = np.nan
        if n_matrices == 1:
            # The one matrix is not dropped although it is empty: sums over its columns, of which none is
            # left, are zero, and these two are not divided by the number of runs.
            total[8] = 0.0
            total[12] = 0.0
        return total
    for k in range(N_FEATURES):
        total[k] /= used
    return total


@jit
def load_matrix(
    counts: NDArray[np.int32], weights: NDArray[np.float64], merge: bool, angle: int, table: NDArray[np.float64]
) -> None:
    """Fill `table` with the counts of one angle, or with the weighted sum over all."""
    n_angles, n_rows, n_columns = counts.shape
    if not merge:
        for i in range(n_rows):
            for j in range(n_columns):
                table[i, j] = counts[angle, i, j]
        return
    for i in range(n_rows):
        for j in range(n_columns):
            table[i, j] = 0.0
    for a in range(n_angles):
        for i in range(n_rows):
            for j in range(n_columns):
                table[i, j] += counts[a, i, j] * weights[a]


@jit
def _sum_columns(table: NDArray[np.float64], by_size: NDArray[np.float64]) -> tuple[float, int]:
    """Sum the columns; return the sum of all, and the number of columns up to the last that holds anything."""
    n_levels, n_sizes = table.shape
    for j in range(n_sizes):
        by_size[j] = 0.0
    for i in range(n_levels):
        for j in range(n_sizes):
            by_size[j] += table[i, j]
    n, n_used = 0.0, 0
    for j in range(n_sizes):
        n += by_size[j]
        if by_size[j] > 0.0:
            n_used = j + 1
    return n, n_used


@jit
def _add_joint(
    table: NDArray[np.float64],
    n_used: int,
    values: NDArray[np.int64],
    squares: NDArray[np.float64],
    inverses: NDArray[np.float64],
    n: float,
    by_level: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    """Add the features that need level and size together, and sum the rows."""
    log_sum, filled = 0.0, 0.0
    large_high, large_low, small_high, small_low = 0.0, 0.0, 0.0, 0.0
    for i in range(values.size):
        row, large, small = 0.0, 0.0, 0.0
        for j in range(n_used):
            count = table[i, j]
            if count > 0.0:
                row += count
                large += count * squares[j]
                small += count * inverses[j]
                log_sum += count_log(count)
                filled += 1.0
        by_level[i] = row
        level = float(values[i]) * values[i]
        large_high += large * level
        large_low += large / level
        small_high += small * level
        small_low += small / level
    total[5] += large_high / n
    total[6] += large_low / n
    total[8] += entropy(log_sum, n, filled)
    total[14] += small_high / n
    total[15] += small_low / n


@jit
def _add_margins(
    by_level: NDArray[np.float64],
    by_size: NDArray[np.float64],
    values: NDArray[np.int64],
    sizes: NDArray[np.int64],
    n: float,
    total: NDArray[np.float64],
) -> None:
    """Add the features of the levels alone and of the sizes alone."""
    _, unevenness, high, low, variance = _margin(by_level, values, n)
    total[0] += unevenness / n
    total[1] += unevenness / (n * n)
    total[2] += variance
    total[3] += high
    total[7] += low
    mean, unevenness, high, low, variance = _margin(by_size, sizes, n)
    total[4] += high
    total[9] += unevenness / n
    total[10] += unevenness / (n * n)
    total[11] += 1.0 / mean  # the voxels in all runs are n times the mean length
    total[12] += variance
    total[13] += low


@jit
def _margin(
    counts: NDArray[np.float64], values: NDArray[np.int64], n: float
) -> tuple[float, float, float, float, float]:
    """Return mean, sum of squared counts, mean square, mean inverse square and variance of the values."""
    total, unevenness, high, low = 0.0, 0.0, 0.0, 0.0
    for k in range(counts.size):
        count, value = counts[k], float(values[k])
        if count > 0.0:
            total += count * value
            unevenness += count * count
            high += count * value * value
            low += count / (value * value)
    mean = total / n
    variance = 0.0
    for k in range(counts.size):
        variance += counts[k] * (values[k] - mean) ** 2
    return mean, unevenness, high / n, low / n, variance / n
