"""Counting zones: connected voxels of one grey level (GLSZM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit


@jit
def zones(
    ranks: NDArray[np.int32], inside: NDArray[np.int64], ahead: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Count zones by rank and size; voxels touch at the offsets in `ahead` and their opposites.

    `ranks` is the padded box, flattened: 0 outside the VOI, 1..n inside. Returns the counts, and the sizes that
    their columns stand for: those that occur, ascending.
    """
    left = ranks.copy()
    stack = np.empty(inside.size, np.int64)
    zone_rank = np.empty(inside.size, np.int32)
    zone_size = np.empty(inside.size, np.int64)
    column = np.zeros(inside.size + 1, np.int64)
    n_zones = 0
    for k in range(inside.size):
        rank = left[inside[k]]
        if rank == 0:
            continue
        left[inside[k]] = 0
        stack[0] = inside[k]
        height = 1
        size = 0
        while height > 0:
            height -= 1
            size += 1
            here = np.uint64(stack[height])
            for a in range(ahead.size):
                step = np.uint64(ahead[a])
                if left[here + step] == rank:
                    left[here + step] = 0
                    stack[height] = np.int64(here + step)
                    height += 1
                if left[here - step] == rank:
                    left[here - step] = 0
                    stack[height] = np.int64(here - step)
                    height += 1
        zone_rank[n_zones] = rank
        zone_size[n_zones] = size
        column[size] = 1
        n_zones += 1
    n_sizes = 0
    for size in range(column.size):
        if column[size] > 0:
            column[size] = n_sizes
            n_sizes += 1
    sizes = np.empty(n_sizes, np.int64)
    counts = np.zeros((n, n_sizes), np.int32)
    for zone in range(n_zones):
        at = column[zone_size[zone]]
        sizes[at] = zone_size[zone]
        counts[zone_rank[zone] - 1, at] += 1
    return counts, sizes
