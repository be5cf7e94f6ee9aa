"""Counting runs of like voxels along straight lines (GLRLM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit


@jit
def runs(
    ranks: NDArray[np.int32], inside: NDArray[np.int64], ahead: NDArray[np.int64], n: int, longest: int
) -> NDArray[np.int32]:
    """Count runs by offset, rank and length (column = length - 1).

    `ranks` is the padded box, flattened: 0 outside the VOI, 1..n inside. One pass in raster order counts, for
    each voxel, how many voxels of its run come before it: every run of length r is counted once in each of the
    columns 0 to r - 1, and so the difference of two columns is the number of runs that end there. No step depends
    on a branch, so noise costs no more than a flat region.
    """
    counts = np.zeros((ahead.size, n, longest), np.int32)
    flat = counts.reshape(-1)
    before = np.zeros(ranks.size, np.int32)
    width = np.uint64(longest)
    places = np.empty(inside.size, np.uint32)  # read once for each offset: half as wide is faster
    for k in range(inside.size):
        places[k] = inside[k]
    for a in range(ahead.size):
        step = np.uint64(ahead[a])
        first = np.uint64(a * n * longest) - width  # ranks count from 1
        for k in range(places.size):
            here = np.uint64(places[k])
            rank = ranks[here]
            length = (before[here - step] + np.int32(1)) * np.int32(ranks[here - step] == rank)
            before[here] = length
            flat[first + np.uint64(rank) * width + np.uint64(length)] += np.int32(1)
        for rank in range(n):
            for length in range(longest - 1):
                counts[a, rank, length] -= counts[a, rank, length + 1]
    return counts
