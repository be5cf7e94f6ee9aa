"""Largest distances between points of a surface, from the few points that can be part of one.

Seen from any point, the farthest one of a set is a corner of the set's convex hull. So in each plane only the
corners of the points' outline count, and in space only points that are such corners in all three planes through
them. Outlines are found in whole numbers (half voxels), so that nothing is lost to rounding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit


@jit
def half_outline(
    tables: NDArray[np.int32],
    side: int,
    plane: int,
    lines: NDArray[np.int32],
    places: NDArray[np.int32],
    start: int,
) -> int:
    """Append one half of a convex outline, walking along the lines and dropping what a later point makes hollow.

    Parameters
    ----------
    tables : ndarray of int32, shape (2, planes, lines)
        Smallest and largest place on each line of each plane; the smallest is larger where there is none.
    side, plane : int
        Which of them to walk along.
    lines, places : ndarray of int32, shape (2 lines,)
        Are filled with corners, from `start` on.

    Returns
    -------
    int
        Where the corners end.
    """
    sign = 1 - 2 * side
    top = start
    for line in range(tables.shape[2]):
        if tables[0, plane, line] > tables[1, plane, line]:
            continue
        place = tables[side, plane, line]
        while top - start >= 2:
            ahead = np.int64(lines[top - 1] - lines[top - 2]) * (place - places[top - 2])
            aside = np.int64(places[top - 1] - places[top - 2]) * (line - lines[top - 2])
            if sign * (ahead - aside) > 0:
                break
            top -= 1
        lines[top] = line
        places[top] = place
        top += 1
    return top


@jit
def plane_diameter(
    lines: NDArray[np.int32], places: NDArray[np.int32], n: int, line_step: float, place_step: float
) -> float:
    """Return the largest squared distance between corners of one plane."""
    largest = 0.0
    for i in range(n):
        line = 0.5 * lines[i] * line_step
        place = 0.5 * places[i] * place_step
        for k in range(i):
            ahead = line - 0.5 * lines[k] * line_step
            aside = place - 0.5 * places[k] * place_step
            largest = max(largest, ahead * ahead + aside * aside)
    return largest


@jit
def planes_across(
    tables: NDArray[np.int32],
    line_step: float,
    place_step: float,
    corners: NDArray[np.uint8],
) -> float:
    """Find the outlines in a stack of planes, mark their corners, and return the largest squared distance.

    Parameters
    ----------
    tables : ndarray of int32, shape (2, planes, lines)
        Smallest and largest place on each line of each plane.
    line_step, place_step : float
        Size of a voxel across the lines, and along them.
    corners : ndarray of uint8, shape (2, planes, lines)
        1 is added where the smallest, or the largest, place is a corner of its plane's outline.
    """
    n_lines = tables.shape[2]
    lines = np.empty(2 * n_lines, np.int32)
    places = np.empty(2 * n_lines, np.int32)
    largest = 0.0
    low, high = (
        int(np.int64(0)),
        int(np.int64(1)),
    )  # a plain 0 or 1 would have `half_outline` compiled anew for itself
    for plane in range(tables.shape[1]):
        n_low = half_outline(tables, low, plane, lines, places, low)
        n_all = half_outline(tables, high, plane, lines, places, n_low)
        for i in range(n_all):
            corners[0 if i < n_low else 1, plane, lines[i]] += 1
        largest = max(largest, plane_diameter(lines, places, n_all, line_step, place_step))
    return largest


@jit
def common_corners(
    across_x: NDArray[np.int32],
    across_y: NDArray[np.int32],
    in_z: NDArray[np.uint8],
    in_y: NDArray[np.uint8],
    in_x: NDArray[np.uint8],
    points: NDArray[np.int32],
) -> int:
    """Find the points that are corners in all three planes through them.

    Parameters
    ----------
    across_x, across_y : ndarray of int32
        The outermost points of each line (see `mesh.count_cases`).
    in_z, in_y, in_x : ndarray of uint8
        The corners that `planes_across` marked in planes of equal Z, of shape (2, Z, Y), of equal Y, of shape
        (2, Y, Z), and of equal X, of shape (2, X, Z).
    points : ndarray of int32, shape (2 Z Y, 3)
        Is filled with these points, (Z, Y, X).

    Returns
    -------
    int
        Their number.
    """
    n = 0
    for z in range(across_x.shape[1]):
        for y in range(across_x.shape[2]):
            for side in range(2):
                if in_z[side, z, y] == 0 or in_y[side, y, z] == 0:
                    continue
                x = across_x[side, z, y]
                low = in_x[0, x, z] > 0 and across_y[0, z, x] == y
                high = in_x[1, x, z] > 0 and across_y[1, z, x] == y
                if low or high:
                    points[n, 0] = z
                    points[n, 1] = y
                    points[n, 2] = x
                    n += 1
    return n


@jit
def largest_distance(points: NDArray[np.float64], radii: NDArray[np.float64]) -> float:
    """Return the largest squared distance between points.

    Parameters
    ----------
    points : ndarray of float64, shape (k, 3)
        Ordered by falling distance from some centre.
    radii : ndarray of float64, shape (k,)
        These distances: two points are no farther apart than their radii together.
    """
    largest = 0.0
    reach = 0.0  # a little less than the root of the largest, so that rounding never ends a search too early
    for i in range(radii.size):
        if 2.0 * radii[i] < reach:
            break
        for k in range(i + 1, radii.size):
            if radii[i] + radii[k] < reach:
                break
            z = points[i, 0] - points[k, 0]
            y = points[i, 1] - points[k, 1]
            x = points[i, 2] - points[k, 2]
            square = z * z + y * y + x * x
            if square > largest:
                largest = square
                reach = np.sqrt(square) * (1.0 - 1e-9)
    return largest
