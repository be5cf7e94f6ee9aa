"""Closed contours in slices to voxels: a voxel is inside if its centre is, by the even-odd rule."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging.geometry import Geometry
from radiobone.imaging.volumes import Mask

DIGITS = 6
"""Digits of a voxel that count. Many programs draw contours through the centres of voxels; without rounding, the
last bits of a coordinate would decide whether these are inside."""


def fill(contours: Sequence[tuple[int, NDArray[np.float64]]], axis: int, grid: Geometry) -> Mask:
    """Fill contours.

    A voxel that lies inside an even number of contours of its slice is outside: so a contour inside another one is
    a hole, and contours beside each other are parts.

    Parameters
    ----------
    contours : sequence of tuple
        Number of the slice, and points of shape (n, 3) in voxels (z, y, x) of the grid.
    axis : int
        The axis across the slices.
    grid : Geometry
        The grid; what lies outside is cut off.

    Returns
    -------
    Mask
        The voxels inside, boolean, in their tight box.
    """
    slices = _by_slice(contours, axis)
    rows, columns = (other for other in range(3) if other != axis)
    low, high = np.zeros(3, dtype=int), np.zeros(3, dtype=int)
    low[axis], high[axis] = min(slices), max(slices) + 1
    corners = [(points.min(axis=0), points.max(axis=0)) for found in slices.values() for points in found]
    low[[rows, columns]] = np.floor(np.min([first for first, _ in corners], axis=0))
    high[[rows, columns]] = np.ceil(np.max([last for _, last in corners], axis=0)) + 1
    start = np.clip(low, 0, grid.shape)
    stop = np.clip(high, start, grid.shape)
    inside = np.zeros(stop - start, dtype=bool)
    across = np.moveaxis(inside, axis, 0)
    for number, found in slices.items():
        across[number - start[axis]] = _filled(found, start[[rows, columns]], across.shape[1:])
    z, y, x = (int(value) for value in start)
    return Mask(inside, grid, (z, y, x)).tight()


def crossed_slices(contours: Sequence[tuple[int, NDArray[np.float64]]], axis: int) -> list[int]:
    """Return the slices in which a contour lies neither inside nor outside another one.

    Parameters
    ----------
    contours, axis
        As for `fill`.

    Returns
    -------
    list of int
        Numbers of slices; by the even-odd rule, what both contours enclose is outside there.
    """
    slices = sorted(_by_slice(contours, axis).items())
    return [number for number, found in slices if _cross([_apart(points) for points in found])]


def _by_slice(
    contours: Sequence[tuple[int, NDArray[np.float64]]], axis: int
) -> dict[int, list[NDArray[np.float64]]]:
    """Return the points of contours inside each slice, rounded."""
    slices: dict[int, list[NDArray[np.float64]]] = {}
    for number, points in contours:
        slices.setdefault(number, []).append(np.round(np.delete(points, axis, axis=1), DIGITS))
    return slices


def _cross(parts: Sequence[tuple[NDArray[np.int_], NDArray[np.bool_]]]) -> bool:
    """Say whether any two planes, given with their first voxels, share a part of both and not the whole of one."""
    for (start, plane), (other_start, other) in itertools.combinations(parts, 2):
        low = np.maximum(start, other_start)
        high = np.minimum(start + plane.shape, other_start + other.shape)
        if (low >= high).any():
            continue
        cut, other_cut = (tuple(map(slice, low - first, high - first)) for first in (start, other_start))
        shared = np.count_nonzero(plane[cut] & other[other_cut])
        if 0 < shared < min(np.count_nonzero(plane), np.count_nonzero(other)):
            return True
    return False


def _apart(points: NDArray[np.float64]) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
    """Return the first voxel of a polygon's box, and its inside."""
    start = np.floor(points.min(axis=0)).astype(int)
    rows, columns = np.ceil(points.max(axis=0)).astype(int) + 1 - start
    return start, _filled([points], start, (rows, columns))


def _filled(
    polygons: Sequence[NDArray[np.float64]], start: NDArray[np.int_], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return the voxels of a plane whose centres lie inside an odd number of polygons.

    Along each row of centres, inside begins and ends where the row crosses a polygon. A centre on a polygon is
    inside at its low edges and outside at its high ones, so that regions that share an edge share no voxel.
    """
    crossings = np.zeros((shape[0], shape[1] + 1), dtype=bool)
    for points in polygons:
        row, column = _crossings(points - start)
        seen = (row >= 0) & (row < shape[0])
        np.logical_xor.at(crossings, (row[seen], np.clip(column[seen], 0, shape[1])), True)
    inside: NDArray[np.bool_] = np.logical_xor.accumulate(crossings, axis=1)[:, :-1]
    return inside


def _crossings(points: NDArray[np.float64]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return each row of centres that a polygon crosses, and the first column at or behind the crossing."""
    end = np.roll(points, -1, axis=0)
    low, high = np.minimum(points, end)[:, 0], np.maximum(points, end)[:, 0]
    first, stop = np.ceil(low).astype(int), np.ceil(high).astype(int)
    counts = stop - first
    edge = np.repeat(np.arange(len(points)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)
    along = (row - points[edge, 0]) / (end - points)[edge, 0]
    column = np.ceil(np.round(points[edge, 1] + along * (end - points)[edge, 1], DIGITS)).astype(int)
    return row, column
