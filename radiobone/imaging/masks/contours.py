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
    contours = [(number, np.round(points, DIGITS)) for number, points in contours]
    numbers = [number for number, _ in contours]
    rows, columns = (other for other in range(3) if other != axis)
    low = np.floor(np.min([points.min(axis=0) for _, points in contours], axis=0)).astype(int)
    high = np.ceil(np.max([points.max(axis=0) for _, points in contours], axis=0)).astype(int) + 1
    low[axis], high[axis] = min(numbers), max(numbers) + 1
    start = np.clip(low, 0, grid.shape)
    stop = np.clip(high, start, grid.shape)
    inside = np.zeros(stop - start, dtype=bool)
    across = np.moveaxis(inside, axis, 0)
    for number, points in contours:
        _flip(across[number - start[axis]], points[:, [rows, columns]] - start[[rows, columns]])
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
    by_slice: dict[int, list[NDArray[np.float64]]] = {}
    for number, points in contours:
        by_slice.setdefault(number, []).append(np.round(np.delete(points, axis, axis=1), DIGITS))
    return [number for number, found in sorted(by_slice.items()) if _cross([_filled(points) for points in found])]


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


def _filled(points: NDArray[np.float64]) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
    """Return the first voxel of a polygon's box, and its inside."""
    start = np.floor(points.min(axis=0)).astype(int)
    plane = np.zeros(np.ceil(points.max(axis=0)).astype(int) + 1 - start, dtype=bool)
    _flip(plane, points - start)
    return start, plane


def _flip(plane: NDArray[np.bool_], points: NDArray[np.float64]) -> None:
    """Turn the voxels of a plane whose centres lie inside a polygon, in place.

    Along each row of centres, inside begins and ends where the row crosses the polygon. A centre on the polygon is
    inside at its low edges and outside at its high ones, so that regions that share an edge share no voxel.
    """
    start, end = points, np.roll(points, -1, axis=0)
    low, high = np.minimum(start, end)[:, 0], np.maximum(start, end)[:, 0]
    first, stop = np.ceil(low).astype(int), np.ceil(high).astype(int)
    counts = stop - first
    edge = np.repeat(np.arange(len(points)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)
    along = (row - start[edge, 0]) / (end - start)[edge, 0]
    column = np.ceil(np.round(start[edge, 1] + along * (end - start)[edge, 1], DIGITS)).astype(int)
    crossings = np.zeros((plane.shape[0], plane.shape[1] + 1), dtype=bool)
    seen = (row >= 0) & (row < plane.shape[0])
    places = row[seen], np.clip(column[seen], 0, plane.shape[1])
    np.logical_xor.at(crossings, places, True)
    plane ^= np.logical_xor.accumulate(crossings, axis=1)[:, :-1]
