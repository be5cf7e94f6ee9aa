"""A vertebra's own axes, found from its mask: the canal, the back wall of the body, left, back and head.

The spinal canal is the one straight passage through a vertebra. Looked at along the canal, the vertebra is a
closed ring (body, pedicles, laminae) round a hole; looked at from any other side, the hole closes. So the
direction in which the hole is widest is the direction of the canal, whatever the tilt of the vertebra and
the order of the image's axes. In front of the hole lies the body, whose back wall is fitted by a plane.

World coordinates are (x, y, z) in mm, LPS: to the patient's left, back and head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask

Floats = NDArray[np.float64]

PIXEL_MM = 1.5
"""Pixel of the view along the canal: wide enough that points 1 mm apart leave no gap."""

POINT_DISTANCE_MM = 1.0
"""Largest distance of the points that stand for a voxel."""

MIN_CANAL_MM2 = 50.0
"""A passage narrower than this is no canal; a stenotic lumbar canal is about 100 mm² across."""

SEARCH_DEG = (12.0, 4.0, 1.5)
"""Steps of the search for the canal's direction, each round the best direction of the one before."""

SEARCH_REACH = 3
"""Number of steps to each side: 36 degrees in all at first."""

WALL_CELL_MM = 2.0
"""Cell of the grid on which the back wall is sampled."""

TURNS = 3
"""How often the turn of the vertebra is taken anew from the middle of its body."""

WALL_WIDTH = 0.7
"""Share of the canal's width over which the back wall is sampled: the pedicles begin at its sides."""

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

    def coordinates(self, world: Floats) -> Floats:
        """Return (left, back, head) in mm, of shape (..., 3), of world points; the body has back < 0."""
        result: Floats = (world - self.origin_mm) @ np.stack([self.left, self.back, self.head]).T
        return result


def find_axes(vertebra: Mask, towards_head: Floats) -> VertebraAxes:
    """Find the axes of a vertebra from its mask.

    Parameters
    ----------
    vertebra : Mask
        The whole vertebra, boolean.
    towards_head : ndarray of shape (3,)
        The direction of the spine at this vertebra as far as known, in the world.

    Raises
    ------
    VoiError
        If no canal is found, or no body lies in front of it.
    """
    points = dense_points(vertebra)
    centre = points.mean(axis=0)
    head, passage = _find_canal(points - centre, towards_head)
    canal = centre + passage.mean(axis=0)
    passage = passage + centre
    # The geometry says where the back is; the middle of the body then says how the vertebra is turned.
    back = _across(np.array([0.0, 1.0, 0.0]), head)
    for _ in range(TURNS):
        edge = ((passage - canal) @ back).min()
        front = points[(points - canal) @ back < edge]
        if len(front) == 0:
            break
        back = _across(canal - front.mean(axis=0), head)
    axes = VertebraAxes(canal, np.cross(back, head), back, head)
    width = np.ptp(axes.coordinates(passage)[:, 0]) + PIXEL_MM
    return _set_on_wall(axes, axes.coordinates(points), width)


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
    front = points[(np.abs(points[:, 0]) < WALL_WIDTH * width / 2) & (points[:, 1] < 0)]
    height, wall, depth = _wall_cells(front)
    if len(wall) == 0 or np.median(depth) < MIN_DEPTH_MM:
        raise VoiError(
            "no vertebral body lies in front of the canal",
            got=f"bone {np.median(depth) if len(wall) else 0:.0f} mm deep",
            expected=f"at least {MIN_DEPTH_MM:.0f} mm",
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


def _wall_cells(front: Floats) -> tuple[Floats, Floats, Floats]:
    """Return height, position of the rearmost bone and depth of bone, in mm, of each cell of the back wall."""
    cell = np.floor(front / WALL_CELL_MM).astype(np.intp)
    _, column = np.unique(cell[:, [0, 2]], axis=0, return_inverse=True)
    number = int(column.max(initial=-1)) + 1
    wall = np.full(number, -np.inf)
    np.maximum.at(wall, column, front[:, 1])
    points = np.bincount(column, minlength=number)
    height = np.bincount(column, weights=front[:, 2], minlength=number) / points
    filled = np.unique(np.stack([column, cell[:, 1]]), axis=1)[0]
    depth = np.bincount(filled, minlength=number) * WALL_CELL_MM
    return height, wall, depth.astype(np.float64)


def dense_points(mask: Mask) -> Floats:
    """Return world points, of shape (n, 3), that fill a mask at most about 1 mm apart."""
    index = np.argwhere(mask.array).astype(np.float64) + mask.offset
    for axis, spacing in enumerate(mask.geometry.spacing_mm):
        parts = int(np.ceil(spacing / POINT_DISTANCE_MM - 1e-3))
        if parts > 1:
            steps = (np.arange(parts) + 0.5) / parts - 0.5
            index = np.repeat(index, parts, axis=0)
            index[:, axis] += np.tile(steps, len(index) // parts)
        else:
            stride = int(POINT_DISTANCE_MM / spacing + 1e-3)
            index = index[index[:, axis] % stride == 0]
    return mask.geometry.world(index)


def _find_canal(points: Floats, towards_head: Floats) -> tuple[Floats, Floats]:
    """Return the direction of the canal, and points, of shape (n, 3), that fill its passage seen along it."""
    best = towards_head / np.linalg.norm(towards_head)
    passage = np.empty((0, 3))
    for step in np.radians(SEARCH_DEG):
        centre = best
        one, other = _plane(centre)
        reach = np.tan(step) * np.arange(-SEARCH_REACH, SEARCH_REACH + 1)
        for tilt_one in reach:
            for tilt_other in reach:
                direction = centre + tilt_one * one + tilt_other * other
                direction /= np.linalg.norm(direction)
                found = _passage(points, direction)
                if len(found) > len(passage):
                    best, passage = direction, found
    if len(passage) * PIXEL_MM**2 < MIN_CANAL_MM2:
        raise VoiError(
            "no spinal canal found in this label, so its body cannot be told from its arch",
            got=f"a passage of {len(passage) * PIXEL_MM**2:.0f} mm²",
            expected="a whole vertebra: body, both pedicles and the arch that closes the canal",
            do="give a body mask; a label that holds nothing but the body may be given as its own body mask",
        )
    return best, passage


def _passage(points: Floats, direction: Floats) -> Floats:
    """Return points on a plane across the direction that fill the widest hole of its view."""
    from scipy import ndimage

    one, other = _plane(direction)
    seen = np.floor(np.stack([points @ one, points @ other], axis=1) / PIXEL_MM).astype(np.intp)
    low = seen.min(axis=0)
    view = np.zeros(seen.max(axis=0) - low + 1, dtype=bool)
    view[tuple((seen - low).T)] = True
    holes, number = ndimage.label(ndimage.binary_fill_holes(view) & ~view)
    if number == 0:
        return np.empty((0, 3))
    widest = np.argmax(np.bincount(holes.ravel())[1:]) + 1
    pixels = (np.argwhere(holes == widest) + low + 0.5) * PIXEL_MM
    result: Floats = pixels[:, :1] * one + pixels[:, 1:] * other
    return result


def _plane(direction: Floats) -> tuple[Floats, Floats]:
    """Return two unit vectors that span the plane across a direction."""
    one = _across(np.eye(3)[np.argmin(np.abs(direction))], direction)
    return one, np.cross(direction, one)


def _across(vector: Floats, direction: Floats) -> Floats:
    """Return the unit vector along the part of a vector at right angles to a direction."""
    part = vector - (vector @ direction) * direction
    result: Floats = part / np.linalg.norm(part)
    return result
