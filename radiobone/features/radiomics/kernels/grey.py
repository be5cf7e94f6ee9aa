"""Gather the voxels of a VOI, number their grey levels, and lay them out for the texture kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit


@jit
def gather(voxels: NDArray[np.float64], indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the voxels at the given flat indices.

    Parameters
    ----------
    voxels : ndarray of float64, shape (m,)
        A flattened image.
    indices : ndarray of int64, shape (n,)
        Where to look in it.
    """
    found = np.empty(indices.size)
    for i in range(indices.size):
        found[i] = voxels[indices[i]]
    return found


@jit
def first_edge_above(value: float, edges: NDArray[np.float64]) -> int:
    """Return the index of the first edge that is larger than a value, or the number of edges."""
    low = 0
    high = edges.size
    while low < high:
        middle = (low + high) // 2
        if edges[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def rank_levels(
    values: NDArray[np.float64],
    edges: NDArray[np.float64],
    per_unit: float,
    inside: NDArray[np.int64],
    padded: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write the rank of each voxel's grey level into a padded box.

    The level of a value is the number of edges that are not above it, as `numpy.digitize` counts. It is first
    guessed by multiplication and then held against the edges themselves, so that rounding never moves a voxel.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        The voxels of the VOI.
    edges : ndarray of float64, shape (m,)
        Ascending.
    per_unit : float
        Bins for each unit of intensity, for the guess; any finite number gives the same levels.
    inside : ndarray of int64, shape (n,)
        Where each voxel stands in `padded`.
    padded : ndarray of int32
        A flattened box of zeros, which is filled.

    Returns
    -------
    levels : ndarray of int64, shape (g,)
        The grey levels that occur, ascending.
    counts : ndarray of int64, shape (g,)
        The number of voxels of each.
    """
    n_edges = edges.size
    first = edges[0] if n_edges > 0 else 0.0
    level_of = np.empty(values.size, np.int32)
    count_of = np.zeros(n_edges + 1, np.int32)
    for i in range(values.size):
        value = values[i]
        guess = (value - first) * per_unit
        if guess < 0.0:
            level = 0
        elif guess < n_edges:
            level = int(guess) + 1
        else:
            level = n_edges
        if (level > 0 and edges[level - 1] > value) or (level < n_edges and edges[level] <= value):
            level = first_edge_above(value, edges)
        level_of[i] = level
        count_of[level] += 1

    n_present = 0
    for level in range(n_edges + 1):
        if count_of[level] > 0:
            n_present += 1
    levels = np.empty(n_present, np.int64)
    counts = np.empty(n_present, np.int64)
    rank = 0
    for level in range(n_edges + 1):
        if count_of[level] > 0:
            levels[rank] = level
            counts[rank] = count_of[level]
            rank += 1
            count_of[level] = rank  # from here on the table turns a level into its rank
    for i in range(values.size):
        padded[inside[i]] = count_of[level_of[i]]
    return levels, counts
