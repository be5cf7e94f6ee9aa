"""Counting zones: connected voxels of one grey level (GLSZM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit


@jit
def zones(
    ranks: NDArray[np.int32],
    inside: NDArray[np.int64],
    firsts: NDArray[np.int64],
    angles: NDArray[np.int64],
    back: NDArray[np.int64],
    n: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Count zones by rank and size; voxels touch at the offsets in `angles` (16 at most) and their opposites.

    `ranks` is the padded box, flattened: 0 outside the VOI, 1..n inside; `firsts` are the VOI's stretches (see
    `stretches`). `back[a]` is how far the voxel at offset -angles[a] lies behind in it. Returns the counts, and
    the sizes that their columns stand for: those that occur, ascending.
    """
    like = _like_behind(ranks, inside, firsts, back)
    parent = _joined(inside, like, back, _apart(angles), _lowest_bits(back.size))
    sizes = np.empty(ranks.size, np.int32)
    for k in range(inside.size):
        sizes[inside[k]] = 0  # no more than that: a VOI may fill little of its box
    zone_ranks = np.empty(inside.size, np.int32)
    zone_sizes = np.empty(inside.size, np.int32)
    n_zones = 0
    for k in range(inside.size - 1, -1, -1):  # what stands behind a voxel has all been added to it
        here = np.uint64(inside[k])
        size = sizes[here] + np.int32(1)
        zone_ranks[n_zones] = ranks[here]
        zone_sizes[n_zones] = size
        n_zones += parent[here] == here
        sizes[parent[here]] += size
    return _tabulated(zone_ranks[:n_zones], zone_sizes[:n_zones], n)


@jit
def _like_behind(
    ranks: NDArray[np.int32], inside: NDArray[np.int64], firsts: NDArray[np.int64], back: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """Return for each voxel of the VOI a bit for each offset: set if the voxel behind has its rank."""
    like = np.empty(ranks.size, np.uint16)
    for s in range(firsts.size - 1):
        start = inside[firsts[s]]
        stop = inside[firsts[s + 1] - 1] + 1
        own, found = ranks[start:stop], like[start:stop]
        for i in range(own.size):
            found[i] = 0
        for a in range(back.size):
            there = ranks[start - back[a] : stop - back[a]]
            bit = np.uint16(1 << a)
            for i in range(own.size):
                found[i] |= bit if own[i] == there[i] else np.uint16(0)
    return like


@jit
def _apart(angles: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Return for each offset the bits of the later ones whose voxels do not touch its own; 0 in the end."""
    n = angles.shape[0]
    apart = np.empty(n + 1, np.uint16)
    apart[n] = 0
    for a in range(n):
        apart[a] = 0
        for b in range(a + 1, n):
            distance = 0
            for axis in range(3):
                distance = max(distance, abs(angles[a, axis] - angles[b, axis]))
            if distance > 1:
                apart[a] |= np.uint16(1 << b)
    return apart


@jit
def _lowest_bits(n: int) -> NDArray[np.uint16]:
    """Return the position of the lowest bit of each number of n bits; n for 0."""
    lowest = np.empty(1 << n, np.uint16)
    lowest[0] = n
    for bit in range(n):
        for number in range(1 << bit, 1 << n, 2 << bit):
            lowest[number] = bit
    return lowest


@jit
def _joined(
    inside: NDArray[np.int64],
    like: NDArray[np.uint16],
    back: NDArray[np.int64],
    apart: NDArray[np.uint16],
    lowest: NDArray[np.uint16],
) -> NDArray[np.uint32]:
    """Return a forest over the box: each voxel points at an earlier one of its zone, the first at itself.

    In raster order, each voxel joins the zones of its like neighbours behind it. Like neighbours that touch each
    other are in one zone already, so that after each one only those that do not touch it are looked at.
    """
    parent = np.empty(like.size, np.uint32)
    behind = np.zeros(back.size + 1, np.int64)  # a voxel without a like neighbour leads to itself
    for a in range(back.size):
        behind[a] = back[a]
    for k in range(inside.size):
        here = np.uint64(inside[k])
        first = np.uint64(lowest[like[here]])
        parent[here] = here
        root = parent[here - np.uint64(behind[first])]
        left = like[here] & apart[first]
        if left:
            root = _root(parent, root)
        while left:
            further = np.uint64(lowest[left])
            other = _root(parent, parent[here - np.uint64(behind[further])])
            if other < root:
                parent[root] = other
                root = other
            else:
                parent[other] = root
            left &= apart[further]
        parent[here] = root
    return parent


@jit
def _root(parent: NDArray[np.uint32], voxel: int) -> int:
    """Return the first voxel of a zone, and shorten the way to it."""
    while parent[voxel] != voxel:
        parent[voxel] = parent[parent[voxel]]
        voxel = parent[voxel]
    return voxel


@jit
def _tabulated(
    zone_ranks: NDArray[np.int32], zone_sizes: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Count zones by rank and size, with a column for each size that occurs."""
    largest = 0
    for k in range(zone_sizes.size):
        largest = max(largest, zone_sizes[k])
    column = np.zeros(largest + 1, np.int32)
    for k in range(zone_sizes.size):
        column[zone_sizes[k]] = 1
    n_sizes = 0
    for size in range(largest + 1):
        n_sizes += column[size]
    sizes = np.empty(n_sizes, np.int64)
    n_sizes = 0
    for size in range(largest + 1):
        if column[size] > 0:
            column[size] = n_sizes
            sizes[n_sizes] = size
            n_sizes += 1
    counts = np.zeros((n, n_sizes), np.int32)
    for k in range(zone_sizes.size):
        counts[zone_ranks[k] - 1, column[zone_sizes[k]]] += 1
    return counts, sizes
