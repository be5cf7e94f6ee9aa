"""A vertebra's own axes, found from its mask: the canal, the back wall of the body, left, back and head.

In front of the canal lies the body. A plane is fitted to its back wall: all bone before that plane is body, and
pedicles, arch and processes lie behind it.

World coordinates are (x, y, z) in mm, LPS: to the patient's left, back and head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask
from radiobone.voi.canal import PIXEL_MM, across, dense_points, find_canal

Floats = NDArray[np.float64]

MAX_TILT_DEG = 60.0
"""A vertebra leans less than this from the line of its spine; S1 leans about 55 degrees from the vertical."""

WALL_CELL_MM = 2.0
"""Cell of the grid on which the back wall is sampled."""

TURNS = 3
"""How often the turn of the vertebra is taken anew from the middle of its body."""

WALL_WIDTH = 0.7
"""Share of the canal's width over which the back wall is sampled: the pedicles begin at its sides."""

MIDLINE = 0.3
"""Share of the canal's width that the spinous process may take."""

WALL_FITS = 4
"""How often the plane of the back wall is fitted anew without the cells that lie off it."""

MIN_DEPTH_MM = 10.0
"""A body is deeper than this: lumbar ones measure about 35 mm, cervical ones 15, the front arch of C1 6."""


@dataclass(frozen=True, eq=False)
class VertebraAxes:
    """The axes of one vertebra, with their origin in the middle of the back wall of its body.

    Parameters
    ----------
    origin_mm : ndarray of shape (3,)
        World coordinates of the origin.
    left, back, head : ndarray of shape (3,)
        Unit vectors in the world, at right angles to each other.
    """

    origin_mm: Floats
    left: Floats
    back: Floats
    head: Floats

    @property
    def directions(self) -> Floats:
        """Left, back and head as rows, of shape (3, 3)."""
        return np.stack([self.left, self.back, self.head])

    def coordinates(self, world: Floats) -> Floats:
        """Return world points in these axes; the body has back < 0.

        Parameters
        ----------
        world : ndarray of shape (..., 3)
            World coordinates in mm.

        Returns
        -------
        ndarray of shape (..., 3)
            Left, back and head in mm.
        """
        result: Floats = (world - self.origin_mm) @ self.directions.T
        return result


def find_axes(vertebra: Mask, towards_head: Floats) -> VertebraAxes:
    """Find the axes of a vertebra from its mask.

    Parameters
    ----------
    vertebra : Mask
        The whole vertebra, boolean.
    towards_head : ndarray of shape (3,)
        The direction of the spine at this vertebra as far as known, in the world.

    Returns
    -------
    VertebraAxes
        With the origin on the back wall of the body.

    Raises
    ------
    VoiError
        If no canal is found, or no body lies in front of it.
    """
    points = dense_points(vertebra)
    centre = points.mean(axis=0)
    head, passage = find_canal(points - centre, towards_head)
    canal = centre + passage.mean(axis=0)
    passage = passage + centre
    # The geometry says where the back is; the middle of the body then says how the vertebra is turned.
    back = across(np.array([0.0, 1.0, 0.0]), head)
    for _ in range(TURNS):
        edge = ((passage - canal) @ back).min()
        front = points[(points - canal) @ back < edge]
        if len(front) == 0:
            break
        back = across(canal - front.mean(axis=0), head)
    axes = VertebraAxes(canal, np.cross(back, head), back, head)
    width = np.ptp(axes.coordinates(passage)[:, 0]) + PIXEL_MM
    axes = _set_on_wall(axes, axes.coordinates(points), width)
    tilt = np.degrees(np.arccos(np.clip(axes.head @ towards_head / np.linalg.norm(towards_head), -1.0, 1.0)))
    if tilt > MAX_TILT_DEG:
        raise VoiError(
            "the back wall of the body could not be found: the label is probably cut off",
            got=f"a wall that leans {tilt:.0f} degrees from the spine",
            expected=f"at most {MAX_TILT_DEG:.0f} degrees",
        )
    return axes


def _set_on_wall(axes: VertebraAxes, points: Floats, width: float) -> VertebraAxes:
    """Move the axes from the canal to the back wall of the body, and tilt them until the wall is upright.

    Parameters
    ----------
    axes : VertebraAxes
        With the origin in the canal.
    points : ndarray of shape (n, 3)
        Points of the vertebra in these axes.
    width : float
        Width of the canal in mm.
    """
    side, height, wall, depth = _wall_cells(points, width)
    bulk = _bulk_mm(side, depth, width)
    behind = _bulk_mm(*_wall_cells(points * [1.0, -1.0, 1.0], width)[::3], width)
    if bulk < max(MIN_DEPTH_MM, behind):
        raise VoiError(
            "no vertebral body lies in front of the canal",
            got=f"bone {bulk:.0f} mm deep in front of it and {behind:.0f} mm behind it",
            expected=f"at least {MIN_DEPTH_MM:.0f} mm in front of it, and less behind it",
            do="check the label, and that the directions in the mask's header are those of the patient",
        )
    body = depth > np.median(depth) / 2  # leaves out the lips of the end plates
    height, wall = height[body], wall[body]
    kept = np.ones(len(wall), dtype=bool)
    for _ in range(WALL_FITS):
        slope, offset = _line(height[kept], wall[kept])
        residual = np.abs(wall - offset - slope * height)
        kept = residual <= max(2.0 * float(np.median(residual)), WALL_CELL_MM / 2)
    middle = float(height.min() + height.max()) / 2
    origin = axes.origin_mm + middle * axes.head + (offset + slope * middle) * axes.back
    head = axes.head + slope * axes.back
    head /= np.linalg.norm(head)
    return VertebraAxes(origin, axes.left, np.cross(head, axes.left), head)


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return slope and offset of the least-squares line; level if all points have one x."""
    spread = x - x.mean()
    variance = float(spread @ spread)
    slope = float(spread @ y) / variance if variance > 0 else 0.0
    return slope, float(y.mean() - slope * x.mean())


def _wall_cells(points: Floats, width: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Cut the bone in front of the canal into small columns that run from the canal to the front.

    Returns
    -------
    tuple of four ndarrays of shape (n,)
        Of each column, in mm: how far it lies to the side, its height, where its bone begins, and how deep it is.
    """
    cell = np.floor(points / WALL_CELL_MM).astype(np.intp)
    beside = np.abs(cell[:, 0] + 0.5) * WALL_CELL_MM
    chosen = (beside < WALL_WIDTH * width / 2) & (points[:, 1] < 0)
    cell, points = cell[chosen], points[chosen]
    low = cell.min(axis=0, initial=0)
    place = tuple((cell - low).T)
    filled = np.zeros(cell.max(axis=0, initial=0) - low + 1, dtype=bool)
    filled[place] = True
    wall = np.full(filled.shape[::2], -np.inf)
    np.maximum.at(wall, place[::2], points[:, 1])
    depth = np.count_nonzero(filled, axis=1)
    columns = np.nonzero(depth)
    side, height = ((index + start + 0.5) * WALL_CELL_MM for index, start in zip(columns, low[::2], strict=True))
    return side, height, wall[columns], depth[columns] * WALL_CELL_MM


def _bulk_mm(side: Floats, depth: Floats, width: float) -> float:
    """Return the usual depth of the columns beside the midline, where there is no spinous process."""
    beside = depth[np.abs(side) > MIDLINE * width / 2]
    return float(np.median(beside)) if len(beside) else 0.0
