"""The informational measures of correlation of a co-occurrence matrix."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.correlation import deviation_matrix
from radiobone.features.radiomics.kernels.entropy import EPS_BITS, count_log
from radiobone.features.radiomics.kernels.jit import jit


@jit
def add_information(
    table: NDArray[np.float64],
    deviation: NDArray[np.float64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    total: float,
    joint: float,
    features: NDArray[np.float64],
) -> tuple[float, float]:
    """Add Imc1 and Imc2, fill `deviation`, and return the information that levels share and their own, in bit.

    The logarithm of a product is a sum of logarithms, so HXY1 and HXY2 follow from HX and HY; what is left of
    PyRadiomics' eps in them is of first order in HXY2, and is summed over the pairs in HXY1.
    """
    of_rows, n_rows = _shannon(rows, total)
    of_columns, n_columns = _shannon(columns, total)
    nats = deviation_matrix(table, rows, columns, total, deviation)
    widest = max(of_rows - n_rows * EPS_BITS, of_columns - n_columns * EPS_BITS)
    first = of_rows + of_columns - nats / math.log(2.0)
    if n_rows * n_columns > 1.0:  # of a single pair both entropies are the same, to the last bit
        features[13] += (joint - first) / widest
    shared = of_rows + of_columns - n_rows * n_columns * EPS_BITS - joint
    if shared > 0.0:
        features[14] += math.sqrt(1.0 - math.exp(-2.0 * shared))
    return shared, widest


@jit
def _shannon(sums: NDArray[np.float64], total: float) -> tuple[float, float]:
    """Return the entropy of sums without eps, and how many are positive."""
    log_sum, filled = 0.0, 0.0
    for i in range(sums.size):
        if sums[i] > 0.0:
            log_sum += count_log(sums[i])
            filled += 1.0
    return (0.0 if filled == 1.0 else math.log2(total) - log_sum / total), filled
