"""Numbers for the sums and the differences of pairs of grey levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit


@jit
def classify(values: NDArray[np.int64], sign: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Give numbers to the sums (or, with sign -1, the sizes of differences) of all pairs of levels.

    Parameters
    ----------
    values : ndarray of int64, shape (G,)
        The grey levels, ascending.
    sign : int
        1 or -1.

    Returns
    -------
    numbers : ndarray of int32, shape (G, G)
        The number of the sum of each pair, on and above the diagonal.
    keys : ndarray of float64, shape (K,)
        The sum that a number stands for.
    """
    n = values.size
    numbers = np.empty((n, n), np.int32)
    lowest = 2 * values[0] if sign > 0 else 0
    span = (values[n - 1] - values[0]) * (2 if sign > 0 else 1) + 1
    if span <= 4 * n * n:
        for i in range(n):
            for j in range(i, n):
                numbers[i, j] = values[j] + sign * values[i] - lowest
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
            key = values[j] + sign * values[i]
            at = key & (size - 1)
            while number_at[at] >= 0 and keys[number_at[at]] != key:
                at = (at + 1) & (size - 1)
            if number_at[at] < 0:
                number_at[at] = used
                keys[used] = key
                used += 1
            numbers[i, j] = number_at[at]
    return numbers, keys[:used].copy()
