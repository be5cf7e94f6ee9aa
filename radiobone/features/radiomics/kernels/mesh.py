"""One walk over a VOI's box: the cases of marching cubes, and the outermost points of the surface on each line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit

NOWHERE = 1 << 30
"""Stands in the tables of outermost points where a line has none."""


@jit
def count_cases(
    mask: NDArray[np.uint8],
    across_x: NDArray[np.int32],
    across_y: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the cases of all cubes of eight voxels, and find the outermost surface points of each line.

    Points stand in the middle between an inner and an outer voxel; their coordinates are in half voxels, with
    Z, Y, X up to ``2 n - 1`` for n voxels.

    Parameters
    ----------
    mask : ndarray of uint8, shape (z, y, x)
        1 inside the VOI, 0 outside and in a border of at least one voxel.
    across_x : ndarray of int32, shape (2, 2 z, 2 y)
        Is filled with the smallest and the largest X of the points at each (Z, Y).
    across_y : ndarray of int32, shape (2, 2 z, 2 x)
        Is filled with the smallest and the largest Y of the points at each (Z, X).

    Returns
    -------
    counts : ndarray of int64, shape (256,)
        Number of cubes of each case (see `mesh_tables`).
    places : ndarray of int64, shape (256, 3)
        Sums of the first corners (z, y, x) of these cubes.
    """
    depth, height, width = mask.shape
    clear(across_x)
    clear(across_y)
    counts = np.zeros(256, np.int64)
    places = np.zeros((256, 3), np.int64)
    fours = np.empty(width, np.uint8)
    cases = np.empty(width, np.uint8)
    for z in range(depth - 1):
        for y in range(height - 1):
            filled = 0
            for x in range(width):
                fours[x] = (
                    mask[z, y, x]
                    | (mask[z, y + 1, x] << 2)
                    | (mask[z + 1, y, x] << 4)
                    | (mask[z + 1, y + 1, x] << 6)
                )
                filled |= fours[x]
            if filled == 0:
                continue
            for x in range(width - 1):
                cases[x] = (fours[x] << 1) | fours[x + 1]
            for x in range(width - 1):
                case = cases[x]
                if case == 0 or case == 255:
                    continue
                counts[case] += 1
                places[case, 0] += z
                places[case, 1] += y
                places[case, 2] += x
                note_points(case, 2 * z, 2 * y, 2 * x, across_x, across_y)
    return counts, places


@jit
def note_points(
    case: int, z: int, y: int, x: int, across_x: NDArray[np.int32], across_y: NDArray[np.int32]
) -> None:
    """Note the surface points on the three edges of a cube that meet in its corner (1, 1, 0)."""
    if case & 128:
        case ^= 255
    if case & 64:
        note(z + 2, y + 2, x + 1, across_x, across_y)
    if case & 32:
        note(z + 2, y + 1, x, across_x, across_y)
    if case & 8:
        note(z + 1, y + 2, x, across_x, across_y)


@jit
def note(z: int, y: int, x: int, across_x: NDArray[np.int32], across_y: NDArray[np.int32]) -> None:
    """Widen both tables so that they hold a point."""
    across_x[0, z, y] = min(across_x[0, z, y], x)
    across_x[1, z, y] = max(across_x[1, z, y], x)
    across_y[0, z, x] = min(across_y[0, z, x], y)
    across_y[1, z, x] = max(across_y[1, z, x], y)


@jit
def clear(table: NDArray[np.int32]) -> None:
    """Empty a table of outermost points."""
    for i in range(table.shape[1]):
        for k in range(table.shape[2]):
            table[0, i, k] = NOWHERE
            table[1, i, k] = -1


@jit
def coordinate_sums(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Sum the coordinates of the voxels of a VOI and their products.

    Parameters
    ----------
    mask : ndarray of uint8, shape (z, y, x)
        1 inside the VOI, 0 outside.

    Returns
    -------
    ndarray of int64, shape (10,)
        Number of voxels, then the sums of z, y, x, zz, yy, xx, zy, zx, yx.
    """
    sums = np.zeros(10, np.int64)
    for z in range(mask.shape[0]):
        for y in range(mask.shape[1]):
            n = np.int64(0)
            sum_x = np.int64(0)
            sum_xx = np.int64(0)
            for x in range(mask.shape[2]):
                inside = np.int64(mask[z, y, x])
                n += inside
                sum_x += inside * x
                sum_xx += inside * x * x
            sums[0] += n
            sums[1] += n * z
            sums[2] += n * y
            sums[3] += sum_x
            sums[4] += n * z * z
            sums[5] += n * y * y
            sums[6] += sum_xx
            sums[7] += n * z * y
            sums[8] += sum_x * z
            sums[9] += sum_x * y
    return sums
