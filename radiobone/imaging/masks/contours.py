"""Closed contours in slices to voxels: a voxel is inside if its centre is, by the even-odd rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging.geometry import Geometry
from radiobone.imaging.volumes import Mask


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


def _flip(plane: NDArray[np.bool_], points: NDArray[np.float64]) -> None:
    """Turn the voxels of a plane whose centres lie inside a polygon, in place."""
    from matplotlib.path import Path as Polygon

    first = np.clip(np.floor(points.min(axis=0)), 0, plane.shape).astype(int)
    last = np.clip(np.ceil(points.max(axis=0)) + 1, first, plane.shape).astype(int)
    box = plane[first[0] : last[0], first[1] : last[1]]
    if box.size:
        centres = np.argwhere(np.ones(box.shape, dtype=bool)) + first
        box ^= Polygon(points).contains_points(centres).reshape(box.shape)
