"""Features of co-occurrence matrices.

Most are linear in the probabilities, so their mean over angles is their value on the mean of the matrices; and
most of these see the matrix only through the sum or the difference of the two levels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.correlation import maximal_correlation
from radiobone.features.radiomics.kernels.entropy import EPS, count_log, entropy
from radiobone.features.radiomics.kernels.information import add_information
from radiobone.features.radiomics.kernels.jit import jit
from radiobone.features.radiomics.kernels.level_pairs import classify
from radiobone.features.radiomics.kernels.size_features import load_matrix

N_FEATURES = 24

NO_CORRELATION = 1e-6
"""Where a maximal correlation is smaller, PyRadiomics' square of it is a rounding error."""

NO_INFORMATION = 1e-12
"""Where levels share less information than this (in bit), PyRadiomics' Imc2 is a root of rounding errors."""

LITTLE_INFORMATION = 1e-6
"""Where the levels themselves hold less (in bit), PyRadiomics' Imc1 is a rounding error divided by it."""

DOUBTFUL_MCC, DOUBTFUL_IMC1, DOUBTFUL_IMC2 = 1, 2, 4
"""Bits that tell which feature is a rounding error."""


@jit
def glcm_features(
    counts: NDArray[np.int32],
    weights: NDArray[np.float64],
    merge: bool,
    values: NDArray[np.int64],
    symmetrical: bool,
) -> tuple[NDArray[np.float64], int]:
    """Return the 24 features, and which of them are rounding errors in PyRadiomics at some angle.

    Parameters
    ----------
    counts : ndarray of int32, shape (A, G, G)
        Pairs of neighbours for each angle, not symmetrised.
    weights : ndarray of float64, shape (A,)
        Weights of the angles; used only where they are merged.
    merge : bool
        Whether the features are those of the weighted sum of the matrices.
    values : ndarray of int64, shape (G,)
        The grey levels, ascending.
    symmetrical : bool
        Whether pairs count in both orders.
    """
    n_angles, n, _ = counts.shape
    n_matrices = 1 if merge else n_angles
    opposite = np.empty(n, np.int64)
    for i in range(n):
        opposite[i] = -values[i]
    sum_class, sum_values = classify(values, values)
    difference_class, difference_values = classify(values, opposite)
    sums = np.empty(sum_values.size)
    differences = np.empty(difference_values.size)
    mean_sums = np.zeros(sum_values.size)
    mean_differences = np.zeros(difference_values.size)
    table = np.empty((n, n))
    deviation = np.empty((n, n))
    rows = np.empty(n)
    columns = np.empty(n)
    features = np.zeros(N_FEATURES)
    used, doubtful = 0, 0
    for a in range(n_matrices):
        load_matrix(counts, weights, merge, a, table)
        pairs = _walk_pairs(table, symmetrical, sum_class, difference_class, sums, differences)
        total = _margins(table, symmetrical, rows, columns)
        if total == 0.0:
            continue
        used += 1
        energy, largest, log_sum, filled = pairs
        features[17] += energy / (total * total)
        features[20] += largest / total
        joint_entropy = entropy(log_sum, total, filled)
        features[18] += joint_entropy
        tendency = _add_sums(sums, sum_values, total, features, mean_sums)
        _add_differences(differences, difference_values, total, features, mean_differences)
        _add_margins(table, rows, columns, values, total, symmetrical, tendency, features)
        shared, widest = add_information(table, deviation, rows, columns, total, joint_entropy, features)
        if widest < LITTLE_INFORMATION and filled > 1.0:
            doubtful |= DOUBTFUL_IMC1
        if shared < NO_INFORMATION and filled > 1.0:
            doubtful |= DOUBTFUL_IMC2
        if n > 1:
            correlation = maximal_correlation(deviation, rows, columns, total, symmetrical)
            features[19] += correlation
            if correlation < NO_CORRELATION and _count_positive(rows) > 1:
                doubtful |= DOUBTFUL_MCC
    if used == 0:
        features[:] = np.nan
        if n_matrices == 1 and values[n - 1] == 1:
            features[15] = 0.0
        if n_matrices != 1 and n == 1:
            features[19] = 1.0
        return features, 0
    for k in range(N_FEATURES):
        features[k] /= used
    for k in range(mean_sums.size):
        mean_sums[k] /= used
    for k in range(mean_differences.size):
        mean_differences[k] /= used
    _linear(mean_sums, sum_values, mean_differences, difference_values, values[n - 1], features)
    if n == 1:
        features[19] = 1.0
    return features, doubtful


@jit
def _walk_pairs(
    table: NDArray[np.float64],
    symmetrical: bool,
    sum_class: NDArray[np.int32],
    difference_class: NDArray[np.int32],
    sums: NDArray[np.float64],
    differences: NDArray[np.float64],
) -> tuple[float, float, float, float]:
    """Symmetrise the matrix if asked, and count sums and differences.

    Returns
    -------
    tuple
        Sum of squared counts, largest count, sum of c log2(c), number of positive counts.
    """
    n = table.shape[0]
    for k in range(sums.size):
        sums[k] = 0.0
    for k in range(differences.size):
        differences[k] = 0.0
    energy, largest, log_sum, filled = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        for j in range(i, n):
            one, other = table[i, j], table[j, i]
            if one + other == 0.0:
                continue
            if symmetrical:
                one += other
                other = one
                table[i, j] = one
                table[j, i] = one
            if i == j:
                other = 0.0
            sums[sum_class[i, j]] += one + other
            differences[difference_class[i, j]] += one + other
            energy += one * one + other * other
            largest = max(largest, one, other)
            logged = 0.0
            if one > 0.0:
                logged = count_log(one)
                log_sum += logged
                filled += 1.0
            if other > 0.0:
                log_sum += logged if symmetrical else count_log(other)
                filled += 1.0
    return energy, largest, log_sum, filled


@jit
def _margins(
    table: NDArray[np.float64], symmetrical: bool, rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> float:
    """Sum rows and columns; return the sum of all."""
    n = table.shape[0]
    for j in range(n):
        columns[j] = 0.0
    for i in range(n):
        for j in range(n):
            columns[j] += table[i, j]
    total = 0.0
    for i in range(n):
        total += columns[i]
        rows[i] = columns[i]
    if not symmetrical:
        for i in range(n):
            row = 0.0
            for j in range(n):
                row += table[i, j]
            rows[i] = row
    return total


@jit
def _add_sums(
    sums: NDArray[np.float64],
    keys: NDArray[np.float64],
    total: float,
    features: NDArray[np.float64],
    mean_sums: NDArray[np.float64],
) -> float:
    """Add cluster features and SumEntropy; return the angle's ClusterTendency."""
    mean, log_sum, filled = 0.0, 0.0, 0.0
    for k in range(sums.size):
        if sums[k] > 0.0:
            mean += sums[k] * keys[k]
            log_sum += count_log(sums[k])
            filled += 1.0
            mean_sums[k] += sums[k] / total
    mean /= total
    second, third, fourth = 0.0, 0.0, 0.0
    for k in range(sums.size):
        if sums[k] > 0.0:
            apart = keys[k] - mean
            square = apart * apart
            second += sums[k] * square
            third += sums[k] * square * apart
            fourth += sums[k] * square * square
    features[1] += fourth / total
    features[2] += third / total
    features[3] += second / total
    features[22] += entropy(log_sum, total, filled)
    return second / total


@jit
def _add_differences(
    differences: NDArray[np.float64],
    keys: NDArray[np.float64],
    total: float,
    features: NDArray[np.float64],
    mean_differences: NDArray[np.float64],
) -> None:
    """Add DifferenceEntropy and DifferenceVariance."""
    mean, log_sum, filled = 0.0, 0.0, 0.0
    for k in range(differences.size):
        if differences[k] > 0.0:
            mean += differences[k] * keys[k]
            log_sum += count_log(differences[k])
            filled += 1.0
            mean_differences[k] += differences[k] / total
    mean /= total
    variance = 0.0
    for k in range(differences.size):
        variance += differences[k] * (keys[k] - mean) ** 2
    features[7] += entropy(log_sum, total, filled)
    features[8] += variance / total


@jit
def _add_margins(
    table: NDArray[np.float64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    values: NDArray[np.int64],
    total: float,
    symmetrical: bool,
    tendency: float,
    features: NDArray[np.float64],
) -> None:
    """Add JointAverage, SumSquares and Correlation."""
    mean, variance = _mean_and_variance(rows, values, total)
    features[16] += mean
    features[23] += variance
    if symmetrical:
        # A sum of two levels with the same variance has twice that variance and twice the covariance.
        features[5] += 1.0 if variance == 0.0 else (0.5 * tendency - variance) / (variance + EPS)
    else:
        features[5] += _correlation(table, values, total)


@jit
def _mean_and_variance(
    counts: NDArray[np.float64], values: NDArray[np.int64], total: float
) -> tuple[float, float]:
    """Return mean and variance of the grey levels with the given counts."""
    mean = 0.0
    for i in range(counts.size):
        mean += counts[i] / total * values[i]  # weighted or not, exact where there is one level
    variance = 0.0
    for i in range(counts.size):
        variance += counts[i] * (values[i] - mean) ** 2
    return mean, variance / total


@jit
def _correlation(table: NDArray[np.float64], values: NDArray[np.int64], total: float) -> float:
    """Return Correlation, summed in PyRadiomics' order: where one spread is zero, rounding decides on its 1."""
    n = values.size
    mean_x, mean_y = 0.0, 0.0
    for i in range(n):
        for j in range(n):
            share = table[i, j] / total
            mean_x += values[i] * share
            mean_y += values[j] * share
    variance_x, variance_y, covariance = 0.0, 0.0, 0.0
    for i in range(n):
        for j in range(n):
            share = table[i, j] / total
            variance_x += share * (values[i] - mean_x) ** 2
            variance_y += share * (values[j] - mean_y) ** 2
            covariance += share * (values[i] - mean_x) * (values[j] - mean_y)
    spread = math.sqrt(variance_x) * math.sqrt(variance_y)
    return 1.0 if spread == 0.0 else covariance / (spread + EPS)


@jit
def _count_positive(sums: NDArray[np.float64]) -> int:
    """Return how many sums are positive."""
    filled = 0
    for i in range(sums.size):
        filled += sums[i] > 0.0
    return filled


@jit
def _linear(
    sums: NDArray[np.float64],
    sum_values: NDArray[np.float64],
    differences: NDArray[np.float64],
    difference_values: NDArray[np.float64],
    highest: int,
    features: NDArray[np.float64],
) -> None:
    """Write the features that are linear in the probabilities, from their means over angles."""
    sum_average, sum_square = 0.0, 0.0
    for k in range(sums.size):
        sum_average += sums[k] * sum_values[k]
        sum_square += sums[k] * sum_values[k] ** 2
    average, square = 0.0, 0.0
    inverse, inverse_square, inverse_share, inverse_square_share, beyond = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(differences.size):
        apart = difference_values[k]
        share = apart / highest
        average += differences[k] * apart
        square += differences[k] * apart * apart
        inverse += differences[k] / (1.0 + apart)
        inverse_square += differences[k] / (1.0 + apart * apart)
        inverse_share += differences[k] / (1.0 + share)
        inverse_square_share += differences[k] / (1.0 + share * share)
        if apart > 0.0:
            beyond += differences[k] / (apart * apart)
    features[0] = 0.25 * (sum_square - square)  # (i + j)² - (i - j)² = 4 i j
    features[4] = square
    features[6] = average
    features[9] = inverse
    features[10] = inverse_square
    features[11] = inverse_square_share
    features[12] = inverse_share
    features[15] = beyond
    features[21] = sum_average
