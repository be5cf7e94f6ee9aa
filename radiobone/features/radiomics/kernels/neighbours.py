"""Counting a voxel's neighbours: co-occurrence (GLCM), dependence (GLDM) and difference (NGTDM).

`ranks` is the padded box, flattened: 0 outside the VOI, 1..G inside. Its border is as wide as the longest
offset, so that no neighbour needs a check of bounds. Flat indices are made unsigned in the inner loops, which
spares the check for negative ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit
from radiobone.features.radiomics.kernels.stretches import LONGEST

TOGETHER = 4
"""So many offsets are counted at a time, each into a table of its own: what they share is read once."""


@jit
def pairs(
    ranks: NDArray[np.int32],
    inside: NDArray[np.int64],
    ahead: NDArray[np.int64],
    counts: NDArray[np.int32],
    tables: NDArray[np.int32],
) -> None:
    """Count pairs of ranks for each offset in `ahead` into `counts`: [offset, rank here - 1, rank there - 1].

    They are counted into the `tables` (TOGETHER of n + 1 by n + 1), which have a column for the outside, so that
    the loop needs no branch, and copied from there.
    """
    n = counts.shape[1]
    width = np.uint64(n + 1)
    one, two, three, four = tables[0].ravel(), tables[1].ravel(), tables[2].ravel(), tables[3].ravel()
    whole = ahead.size - ahead.size % TOGETHER
    for a in range(0, whole, TOGETHER):
        for i in range(one.size):
            one[i], two[i], three[i], four[i] = 0, 0, 0, 0
        step, step_2 = np.uint64(ahead[a]), np.uint64(ahead[a + 1])
        step_3, step_4 = np.uint64(ahead[a + 2]), np.uint64(ahead[a + 3])
        for k in range(inside.size):
            here = np.uint64(inside[k])
            row = np.uint64(ranks[here]) * width
            one[row + np.uint64(ranks[here + step])] += np.int32(1)
            two[row + np.uint64(ranks[here + step_2])] += np.int32(1)
            three[row + np.uint64(ranks[here + step_3])] += np.int32(1)
            four[row + np.uint64(ranks[here + step_4])] += np.int32(1)
        for b in range(TOGETHER):
            for i in range(n):
                for j in range(n):
                    counts[a + b, i, j] = tables[b, i + 1, j + 1]
    for a in range(whole, ahead.size):
        for i in range(one.size):
            one[i] = 0
        step = np.uint64(ahead[a])
        for k in range(inside.size):
            here = np.uint64(inside[k])
            one[np.uint64(ranks[here]) * width + np.uint64(ranks[here + step])] += np.int32(1)
        for i in range(n):
            for j in range(n):
                counts[a, i, j] = tables[0, i + 1, j + 1]


@jit
def spread(ranks: NDArray[np.int32], inside: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return a box like `ranks` that holds the values of the ranks; 0 outside."""
    box = np.zeros(ranks.size, np.int32)
    for k in range(inside.size):
        here = np.uint64(inside[k])
        box[here] = values[np.uint64(ranks[here]) - np.uint64(1)]
    return box


@jit
def neighbourhoods(
    ranks: NDArray[np.int32],
    levels: NDArray[np.int32],
    inside: NDArray[np.int64],
    firsts: NDArray[np.int64],
    ahead: NDArray[np.int64],
    alpha: int,
    n: int,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Compare each voxel with its neighbours at all offsets in `ahead` and their opposites.

    `levels` is like `ranks`, with the grey levels themselves; `firsts` are the VOI's stretches (see `stretches`).
    Returns the number of voxels for each rank and number of neighbours whose level differs by no more than
    `alpha`; and for each rank the sum, over its voxels in raster order, of the absolute difference from the mean
    of the neighbours.
    """
    low = np.empty(LONGEST, np.int32)
    high = np.empty(LONGEST, np.int32)
    like = np.empty(LONGEST, np.int32)
    present = np.empty(LONGEST, np.int32)
    total = np.empty(LONGEST, np.int32)
    apart = np.empty(LONGEST)
    dependence = np.zeros((n, 2 * ahead.size + 1), np.int32)
    difference = np.zeros(n)
    for s in range(firsts.size - 1):
        start = inside[firsts[s]]
        stop = inside[firsts[s + 1] - 1] + 1
        own = levels[start:stop]
        for i in range(own.size):
            low[i] = max(own[i] - alpha, 1)  # outside is 0, which is like nothing
            high[i] = own[i] + alpha
            like[i] = 0
            present[i] = 0
            total[i] = 0
        for a in range(ahead.size):
            after = levels[start + ahead[a] : stop + ahead[a]]
            before = levels[start - ahead[a] : stop - ahead[a]]
            for i in range(own.size):
                one, other = after[i], before[i]
                like[i] += np.int32((low[i] <= one) & (one <= high[i]))
                like[i] += np.int32((low[i] <= other) & (other <= high[i]))
                present[i] += np.int32(one > 0) + np.int32(other > 0)
                total[i] += one + other
        for i in range(own.size):
            mean = np.float64(total[i]) / np.float64(present[i])
            apart[i] = abs(np.float64(own[i]) - mean) if present[i] > 0 else 0.0
        for k in range(firsts[s], firsts[s + 1]):
            here = np.uint64(inside[k])
            place = here - np.uint64(start)
            rank = np.uint64(ranks[here]) - np.uint64(1)
            dependence[rank, np.uint64(like[place])] += np.int32(1)
            difference[rank] += apart[place]
    return dependence, difference
