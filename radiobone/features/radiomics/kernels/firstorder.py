"""Order statistics without a sort, and sums of powers in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit

BUCKETS = 1024
SMALL = 48  # so few values are sorted by insertion
LANES = 8  # sums run side by side: faster, and each has fewer roundings


@jit
def order_statistics(
    values: NDArray[np.float64], low: float, high: float, ranks: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the values that would stand at the given places if all were sorted.

    All values are dealt into buckets, and only buckets that hold a wanted place are looked into, in the same
    way. Smallest and largest value fall into different buckets, so that each step leaves fewer values.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite.
    low, high : float
        Smallest and largest of them.
    ranks : ndarray of int64, shape (k,)
        Places, counted from 0, ascending.
    """
    found = np.empty(ranks.size)
    per_unit = BUCKETS / (high - low)
    if values.size <= SMALL or not 0.0 < per_unit < np.inf:
        ordered = values.copy()
        if low < high:
            insertion_sort(ordered)
        for k in range(ranks.size):
            found[k] = ordered[ranks[k]]
        return found

    bucket_of = np.empty(values.size, np.int16)
    count_of = np.zeros(BUCKETS, np.int64)
    for i in range(values.size):
        bucket = min(int((values[i] - low) * per_unit), BUCKETS - 1)
        bucket_of[i] = bucket
        count_of[bucket] += 1

    start_of = np.full(BUCKETS, -1)
    pool = np.empty(wanted_buckets(count_of, ranks, start_of))
    next_of = start_of.copy()
    for i in range(values.size):
        bucket = bucket_of[i]
        if next_of[bucket] >= 0:
            pool[next_of[bucket]] = values[i]
            next_of[bucket] += 1

    k = 0
    before = 0
    for bucket in range(BUCKETS):
        first = k
        while k < ranks.size and ranks[k] < before + count_of[bucket]:
            k += 1
        if k > first:
            part = np.empty(count_of[bucket])
            for i in range(part.size):
                part[i] = pool[start_of[bucket] + i]
            places = np.empty(k - first, np.int64)
            for i in range(places.size):
                places[i] = ranks[first + i] - before
            smallest, largest = bounds(part)
            chosen = order_statistics(part, smallest, largest, places)
            for i in range(places.size):
                found[first + i] = chosen[i]
        before += count_of[bucket]
    return found


@jit
def wanted_buckets(count_of: NDArray[np.int64], ranks: NDArray[np.int64], start_of: NDArray[np.int64]) -> int:
    """Give each bucket that holds a wanted place a stretch of a pool, and return the pool's size."""
    bucket = 0
    before = 0
    n_pool = 0
    for k in range(ranks.size):
        while before + count_of[bucket] <= ranks[k]:
            before += count_of[bucket]
            bucket += 1
        if start_of[bucket] < 0:
            start_of[bucket] = n_pool
            n_pool += count_of[bucket]
    return n_pool


@jit
def bounds(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the smallest and the largest value."""
    low = values[0]
    high = values[0]
    for i in range(1, values.size):
        low = min(low, values[i])
        high = max(high, values[i])
    return low, high


@jit
def insertion_sort(values: NDArray[np.float64]) -> None:
    """Sort a few values in place."""
    for i in range(1, values.size):
        value = values[i]
        k = i - 1
        while k >= 0 and values[k] > value:
            values[k + 1] = values[k]
            k -= 1
        values[k + 1] = value


@jit
def power_sums(values: NDArray[np.float64], mean: float, shift: float) -> NDArray[np.float64]:
    """Sum powers of the distances from the mean, and the squares of the shifted values.

    Returns
    -------
    ndarray of float64, shape (5,)
        Sums of |d|, d², d³, d⁴ with d = value - mean, and of (value + shift)².
    """
    sums = np.zeros((5, LANES))
    whole = values.size - values.size % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            add_powers(values[start + lane], mean, shift, sums, lane)
    for i in range(whole, values.size):
        add_powers(values[i], mean, shift, sums, i - whole)
    total = np.zeros(5)
    for k in range(5):
        for lane in range(LANES):
            total[k] += sums[k, lane]
    return total


@jit
def add_powers(value: float, mean: float, shift: float, sums: NDArray[np.float64], lane: int) -> None:
    """Add what one value brings to each sum."""
    distance = value - mean
    square = distance * distance
    shifted = value + shift
    sums[0, lane] += abs(distance)
    sums[1, lane] += square
    sums[2, lane] += square * distance
    sums[3, lane] += square * square
    sums[4, lane] += shifted * shifted


@jit
def keep_between(values: NDArray[np.float64], low: float, high: float) -> tuple[NDArray[np.float64], int]:
    """Return a copy with 0 in place of what lies outside two bounds, and the number of values inside."""
    kept = np.empty(values.size)
    n_kept = 0
    for i in range(values.size):
        inside = low <= values[i] <= high
        kept[i] = values[i] if inside else 0.0
        n_kept += inside
    return kept, n_kept


@jit
def deviation_between(values: NDArray[np.float64], low: float, high: float, centre: float) -> float:
    """Return the sum of the distances from a centre, over values inside two bounds."""
    sums = np.zeros(LANES)
    whole = values.size - values.size % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            value = values[start + lane]
            sums[lane] += abs(value - centre) if low <= value <= high else 0.0
    for i in range(whole, values.size):
        sums[i - whole] += abs(values[i] - centre) if low <= values[i] <= high else 0.0
    total = 0.0
    for lane in range(LANES):
        total += sums[lane]
    return total
