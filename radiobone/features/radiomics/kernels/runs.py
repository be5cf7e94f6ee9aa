"""Counting runs of like voxels along straight lines (GLRLM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit
from radiobone.features.radiomics.kernels.neighbours import TOGETHER

LANES = 32
"""So many voxels are measured at a time, where the offset is no shorter and none needs another of them."""


@jit
def runs(
    ranks: NDArray[np.int32],
    inside: NDArray[np.int64],
    firsts: NDArray[np.int64],
    ahead: NDArray[np.int64],
    n: int,
    longest: int,
) -> NDArray[np.int32]:
    """Count runs by offset, rank and length (column = length - 1).

    `ranks` is the padded box, flattened: 0 outside the VOI, 1..n inside; `firsts` are the VOI's stretches (see
    `stretches`). For each voxel it is measured how many voxels of its run come before it. Counting voxels by this
    number counts every run of length r once in each of the columns 0 to r - 1, and so the difference of two
    columns is the number of runs that end there. No step depends on a branch, so noise costs no more than a flat
    region.
    """
    counts = np.zeros((ahead.size, n, longest), np.int32)
    before = np.empty((TOGETHER, ranks.size), np.int32)
    one, two, three, four = before[0], before[1], before[2], before[3]
    width = np.uint64(longest)
    whole = ahead.size - ahead.size % TOGETHER
    for a in range(0, whole, TOGETHER):
        for b in range(TOGETHER):
            _measure(ranks, inside, firsts, ahead[a + b], before[b])
        of_one, of_two = counts[a].ravel(), counts[a + 1].ravel()
        of_three, of_four = counts[a + 2].ravel(), counts[a + 3].ravel()
        for k in range(inside.size):
            here = np.uint64(inside[k])
            row = (np.uint64(ranks[here]) - np.uint64(1)) * width
            of_one[row + np.uint64(one[here])] += np.int32(1)
            of_two[row + np.uint64(two[here])] += np.int32(1)
            of_three[row + np.uint64(three[here])] += np.int32(1)
            of_four[row + np.uint64(four[here])] += np.int32(1)
    for a in range(whole, ahead.size):
        _measure(ranks, inside, firsts, ahead[a], one)
        of_one = counts[a].ravel()
        for k in range(inside.size):
            here = np.uint64(inside[k])
            row = (np.uint64(ranks[here]) - np.uint64(1)) * width
            of_one[row + np.uint64(one[here])] += np.int32(1)
    for a in range(ahead.size):
        for rank in range(n):
            for length in range(longest - 1):
                counts[a, rank, length] -= counts[a, rank, length + 1]
    return counts


@jit
def _measure(
    ranks: NDArray[np.int32],
    inside: NDArray[np.int64],
    firsts: NDArray[np.int64],
    ahead: int,
    before: NDArray[np.int32],
) -> None:
    """Write for each voxel of the VOI how many voxels of its run come before it; anything outside.

    The last voxels of a stretch are measured together with some behind it. These are in the box, since the border
    behind the VOI is as wide as the offset; if they are in the VOI, they are measured again.
    """
    step, lanes = np.uint64(ahead), np.uint64(LANES)
    if step < lanes:
        last = np.int32(0)
        for k in range(inside.size):
            here = np.uint64(inside[k])
            known = last if ahead == 1 else before[here - step]  # what was just written is slow to read
            last = known + np.int32(1) if ranks[here - step] == ranks[here] else np.int32(0)
            before[here] = last
        return
    for s in range(firsts.size - 1):
        start = np.uint64(inside[firsts[s]])
        size = np.uint64(inside[firsts[s + 1] - 1] + 1) - start
        for block in range((size + lanes - np.uint64(1)) // lanes):
            here = start + block * lanes
            there = here - step
            for i in range(lanes):
                same = np.int32(ranks[there + i] == ranks[here + i])
                before[here + i] = (before[there + i] + np.int32(1)) * same
