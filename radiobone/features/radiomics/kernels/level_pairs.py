"""Numbers for the sums and the differences of pairs of grey levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit


@jit
def classify(
    values: NDArray[np.int64], others: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Give numbers to the sums of all pairs of levels, or to their differences.

    Parameters
    ----------
    values : ndarray of int64, shape (G,)
        The grey levels, ascending.
    others : ndarray of int64, shape (G,)
        The same for sums; their negatives for differences.

    Returns
    -------
    numbers : ndarray of int32, shape (G, G)
        The number of ``values[j] + others[i]``, for j ≥ i.
    keys : ndarray of float64, shape (K,)
        The sum that a number stands for.
    """
    n = values.size
    numbers = np.empty((n, n), np.int32)
    lowest = values[0] + others[0]
    span = values[n - 1] + max(others[0], others[n - 1]) - lowest + 1
    if span <= 4 * n * n:
        for i in range(n):
            for j in range(i, n):
                numbers[i, j] = values[j] + others[i] - lowest
        keys = np.empty(span)
        for k in range(span):
            keys[k] = lowest + k
        return numbers, keys
    # Levels lie far apart: numbers are given in the order of meeting, and found again by open addressing.
    size = 1
    while size < n * n + n:
        size *= 2
    number_at = np.full(size, -1, np.int32)
    keys = np.empty(n * (n + 1) // 2)
    used = 0
    for i in range(n):
        for j in range(i, n):
            key = values[j] + others[i]
            at = key & (size - 1)
            while number_at[at] >= 0 and keys[number_at[at]] != key:
                at = (at + 1) & (size - 1)
            if number_at[at] < 0:
                number_at[at] = used
                keys[used] = key
                used += 1
            numbers[i, j] = number_at[at]
    return numbers, keys[:used].copy()
