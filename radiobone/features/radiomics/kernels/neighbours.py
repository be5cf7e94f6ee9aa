"""Counting a voxel's neighbours: co-occurrence (GLCM), dependence (GLDM) and difference (NGTDM).

`ranks` is the padded box, flattened: 0 outside the VOI, 1..G inside. Its border is as wide as the longest
offset, so that no neighbour needs a check of bounds. Flat indices are made unsigned in the inner loops, which
spares the check for negative ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit

STRETCH = 1024
"""Longest stretch of the padded box that `neighbourhoods` works on at a time, so that it stays in fast memory."""

GAP = 32
"""Voxels of the VOI that are no farther apart than this belong to one stretch."""


@jit
def pairs(
    ranks: NDArray[np.int32],
    inside: NDArray[np.int64],
    ahead: NDArray[np.int64],
    counts: NDArray[np.int32],
    tables: NDArray[np.int32],
) -> None:
    """Count pairs of ranks for each offset in `ahead` into `counts`: [offset, rank here - 1, rank there - 1].

    Two offsets are counted at a time, which halves what is read twice. They are counted into the two `tables`
    (n + 1 by n + 1), which have a column for the outside, so that the loop needs no branch, and copied from there.
    """
    n = counts.shape[1]
    width = np.uint64(n + 1)
    flat = tables[0].reshape(-1)
    flat_2 = tables[1].reshape(-1)
    for a in range(0, ahead.size, 2):
        a_2 = min(a + 1, ahead.size - 1)
        step = np.uint64(ahead[a])
        step_2 = np.uint64(ahead[a_2])
        for i in range(flat.size):
            flat[i] = 0
            flat_2[i] = 0
        for k in range(inside.size):
            here = np.uint64(inside[k])
            row = np.uint64(ranks[here]) * width
            flat[row + np.uint64(ranks[here + step])] += np.int32(1)
            flat_2[row + np.uint64(ranks[here + step_2])] += np.int32(1)
        for i in range(n):
            for j in range(n):
                counts[a, i, j] = tables[0, i + 1, j + 1]
                counts[a_2, i, j] = tables[1, i + 1, j + 1]


@jit
def spread(ranks: NDArray[np.int32], inside: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return a box like `ranks` that holds the values of the ranks; 0 outside."""
    box = np.zeros(ranks.size, np.int32)
    for k in range(inside.size):
        box[inside[k]] = values[ranks[inside[k]] - 1]
    return box


@jit
def neighbourhoods(
    ranks: NDArray[np.int32],
    levels: NDArray[np.int32],
    inside: NDArray[np.int64],
    around: NDArray[np.int64],
    alpha: int,
    n: int,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Compare each voxel with its neighbours at all offsets in `around`.

    `levels` is like `ranks`, with the grey levels themselves. Returns the number of voxels for each rank and
    number of neighbours whose level differs by no more than `alpha`; and for each rank the sum, over its voxels in
    raster order, of the absolute difference from the mean of the neighbours.

    Voxels are worked on in stretches of the box, outside ones included: over a stretch, one offset is a plain loop
    over neighbouring numbers, which processors do many at a time.
    """
    like = np.empty(STRETCH, np.int32)
    present = np.empty(STRETCH, np.int32)
    total = np.empty(STRETCH, np.int32)
    dependence = np.zeros((n, around.size + 1), np.int32)
    difference = np.zeros(n, np.float64)
    k = 0
    while k < inside.size:
        start = inside[k]
        end = k + 1
        while end < inside.size and inside[end] - inside[end - 1] <= GAP and inside[end] - start < STRETCH:
            end += 1
        size = np.uint64(inside[end - 1] - start + 1)
        own = np.uint64(start)
        for i in range(size):
            like[i] = 0
            present[i] = 0
            total[i] = 0
        for a in range(around.size):
            other = np.uint64(start + around[a])
            for i in range(size):
                level = levels[other + i]
                there = level > 0
                like[i] += there & (abs(levels[own + i] - level) <= alpha)
                present[i] += there
                total[i] += level
        while k < end:
            i = inside[k] - start
            rank = ranks[inside[k]] - 1
            dependence[rank, like[i]] += 1
            if present[i] > 0:
                mean = np.float64(total[i]) / np.float64(present[i])
                difference[rank] += abs(np.float64(levels[inside[k]]) - mean)
            k += 1
    return dependence, difference
