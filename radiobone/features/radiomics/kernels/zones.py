"""Counting zones: connected voxels of one grey level (GLSZM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit


@jit
def zones(
    ranks: NDArray[np.int32], inside: NDArray[np.int64], angles: NDArray[np.int64], back: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Count zones by rank and size; voxels touch at the offsets in `angles` and their opposites.

    `ranks` is the padded box, flattened: 0 outside the VOI, 1..n inside. `back[a]` is how far the voxel at offset
    -angles[a] lies behind in it. Returns the counts, and the sizes that their columns stand for: those that occur,
    ascending.
    """
    zone = _joined(ranks, inside, back, _apart(angles, back))
    sizes = np.zeros(inside.size, np.int32)
    zone_ranks = np.empty(inside.size, np.int32)
    n_zones = 0
    for k in range(inside.size):
        here = np.uint64(inside[k])
        first = zone[here]
        if first == here:
            zone_ranks[n_zones] = ranks[here]
            zone[here] = n_zones
            n_zones += 1
        else:
            zone[here] = zone[first]
        sizes[zone[here]] += 1
    return _tabulated(zone_ranks[:n_zones], sizes[:n_zones], n)


@jit
def _apart(angles: NDArray[np.int64], back: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each offset how far back the later ones lead whose voxels do not touch its own; 0 ends a row."""
    apart = np.zeros((back.size, back.size + 1), np.int64)
    for a in range(back.size):
        found = 0
        for b in range(a + 1, back.size):
            distance = 0
            for axis in range(3):
                distance = max(distance, abs(angles[a, axis] - angles[b, axis]))
            if distance > 1:
                apart[a, found] = back[b]
                found += 1
    return apart


@jit
def _joined(
    ranks: NDArray[np.int32], inside: NDArray[np.int64], back: NDArray[np.int64], apart: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """Return a forest over the box: each voxel points at an earlier one of its zone, the first at itself.

    In raster order, each voxel joins the zones of its like neighbours behind it. Like neighbours that touch each
    other are in one zone already, so that after the first one only those that do not touch it are looked at.
    """
    parent = np.empty(ranks.size, np.uint32)
    for k in range(inside.size):
        here = np.uint64(inside[k])
        rank = ranks[here]
        first = 0
        while first < back.size and ranks[here - np.uint64(back[first])] != rank:
            first += 1
        if first == back.size:
            parent[here] = here
            continue
        root = _root(parent, parent[here - np.uint64(back[first])])
        i = 0
        while apart[first, i] > 0:
            there = here - np.uint64(apart[first, i])
            if ranks[there] == rank:
                other = _root(parent, parent[there])
                if other < root:
                    parent[root] = other
                    root = other
                else:
                    parent[other] = root
            i += 1
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
