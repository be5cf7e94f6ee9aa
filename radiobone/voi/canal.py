"""The spinal canal of one vertebra: the one direction in which it can be looked through.

Seen along the canal, a vertebra is a closed ring (body, pedicles, laminae) round a hole; seen from any other
side the hole narrows and closes. So the direction in which the hole is widest is the direction of the canal,
whatever the tilt of the vertebra and the order of the image's axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PIXEL_MM = 1.5
"""Pixel of the view along the canal: wide enough that points 1 mm apart leave no gap."""

POINT_DISTANCE_MM = 1.0
"""Largest distance of the points that stand for a voxel."""

MIN_CANAL_MM2 = 50.0
"""A passage narrower than this is no canal: in the scans of the test suite, T9 to S1 leave 114 to 283 mm²."""

SEARCH = ((12.0, 3), (4.0, 2), (1.5, 2), (0.75, 1))
"""Search for the canal: step in degrees, and steps to each side, round the best direction so far."""

BRIDGES = (0, 1, 2, 3)
"""Half the gap in pixels that is bridged, one after the other: an arch with a cleft leaves the ring open."""


def dense_points(mask: Mask) -> Floats:
    """Return world points that fill a mask at most about 1 mm apart.

    Parameters
    ----------
    mask : Mask
        The mask.

    Returns
    -------
    ndarray of shape (n, 3)
        World coordinates in mm.
    """
    index = np.argwhere(mask.array).astype(np.float64) + mask.offset
    for axis, spacing in enumerate(mask.geometry.spacing_mm):
        parts = int(np.ceil(spacing / POINT_DISTANCE_MM - 1e-3))
        if parts > 1:
            steps = (np.arange(parts) + 0.5) / parts - 0.5
            index = np.repeat(index, parts, axis=0)
            index[:, axis] += np.tile(steps, len(index) // parts)
        else:
            stride = int(POINT_DISTANCE_MM / spacing + 1e-3)
            index = index[(index[:, axis] - index[:, axis].min()) % stride == 0]
    return mask.geometry.world(index)


def find_canal(points: Floats, towards_head: Floats) -> tuple[Floats, Floats]:
    """Find the direction of the canal.

    Parameters
    ----------
    points : ndarray of shape (n, 3)
        World points that fill the vertebra, from their middle.
    towards_head : ndarray of shape (3,)
        The direction round which to search.

    Returns
    -------
    direction : ndarray of shape (3,)
        Unit vector along the canal, to the head.
    passage : ndarray of shape (m, 3)
        Points on a plane across the canal that fill what can be seen through it.

    Raises
    ------
    VoiError
        If the label cannot be looked through.
    """
    widest = 0.0
    for bridge in BRIDGES:
        direction, passage = _search(points, towards_head, bridge)
        area = len(passage) * PIXEL_MM**2
        if area >= MIN_CANAL_MM2:
            return direction, passage
        widest = max(widest, area)
    raise VoiError(
        "no spinal canal found in this label, so its body cannot be told from its arch",
        got=f"a passage of {widest:.0f} mm²",
        expected=f"a body, both pedicles and an arch that enclose at least {MIN_CANAL_MM2:.0f} mm²",
        do="give a body mask; a label that holds nothing but the body may be given as its own body mask",
    )


def _search(points: Floats, towards_head: Floats, bridge: int) -> tuple[Floats, Floats]:
    """Return the direction with the widest passage, and that passage."""
    best = towards_head / np.linalg.norm(towards_head)
    widest = np.zeros((0, 0), dtype=bool)
    columns = np.ascontiguousarray(points.T)
    reach_mm = float(np.linalg.norm(points, axis=1).max())
    half = int(np.ceil(reach_mm / PIXEL_MM)) + 1 + bridge
    for step_deg, steps in SEARCH:
        centre = best
        one, other = _plane(centre)
        tilts = np.tan(np.radians(step_deg)) * np.arange(-steps, steps + 1)
        for tilt_one in tilts:
            for tilt_other in tilts:
                direction = centre + tilt_one * one + tilt_other * other
                direction /= np.linalg.norm(direction)
                hole = _widest_hole(_view(columns, direction, half), bridge)
                if np.count_nonzero(hole) > np.count_nonzero(widest):
                    best, widest = direction, hole
    pixels = (np.argwhere(widest) - half + 0.5) * PIXEL_MM
    one, other = _plane(best)
    return best, pixels[:, :1] * one + pixels[:, 1:] * other


def _view(columns: Floats, direction: Floats, half: int) -> Bools:
    """Return the pixels that hold a point, seen along a direction: ``2 * half`` each way, the outermost free."""
    pixels = np.stack(_plane(direction)) @ columns
    pixels /= PIXEL_MM
    np.floor(pixels, out=pixels)
    pixels += half
    view = np.zeros((2 * half, 2 * half), dtype=bool)
    view.ravel()[(pixels[0] * (2 * half) + pixels[1]).astype(np.intp)] = True
    return view


def _widest_hole(view: Bools, bridge: int) -> Bools:
    """Return the pixels of the widest hole of a view; none, if there is no hole."""
    from scipy import ndimage

    if bridge:
        view = ndimage.binary_closing(view, iterations=bridge)
    empty, _ = ndimage.label(~view)
    sizes = np.bincount(empty.ravel())
    # Neither what is filled nor what lies round it all, to which the outermost pixels belong, is a hole.
    sizes[[0, empty[0, 0]]] = 0
    widest = np.argmax(sizes)
    return np.asarray(empty == widest if sizes[widest] else np.zeros_like(view))


def _plane(direction: Floats) -> tuple[Floats, Floats]:
    """Return two unit vectors that span the plane across a direction."""
    one = across(np.eye(3)[np.argmin(np.abs(direction))], direction)
    return one, np.cross(direction, one)


def across(vector: Floats, direction: Floats) -> Floats:
    """Return the unit vector along the part of a vector that is at right angles to a unit direction.

    Parameters
    ----------
    vector : ndarray of shape (3,)
        Not along the direction.
    direction : ndarray of shape (3,)
        Unit vector.

    Returns
    -------
    ndarray of shape (3,)
        Unit vector.
    """
    part = vector - (vector @ direction) * direction
    result: Floats = part / np.linalg.norm(part)
    return result
