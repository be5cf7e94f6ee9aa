"""The shape of a lumbar vertebra as signed distances, in mm, in the vertebra's own axes.

Axes of a vertebra: ``u`` to the left, ``v`` to the back, ``w`` to the head, with the origin in the
middle of the body. A distance is negative inside bone, and is exact enough near a surface to
blur it; far away it only has the right sign.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Points = tuple[Array, Array, Array]
"""Coordinates u, v and w of the same shape, in mm."""

BODY_ROUNDNESS = 2.4  # Exponent of the body's outline seen from above: 2 is an ellipse.
BODY_WAIST = 0.09  # Share by which the body is narrower in its middle than at its endplates.
POSTERIOR_CONCAVITY = 0.12  # Share by which the back wall is drawn in at the midline.
ENDPLATE_CONCAVITY_MM = 1.6
RIM_MM = 2.0  # Rounding of the edge between side and endplate.
JOINT_MM = 2.5  # Rounding where two parts of the arch, or the arch and the body, meet.


@dataclass(frozen=True)
class VertebraShape:
    """Measures of one vertebra in mm.

    Parameters
    ----------
    width, depth, height : float
        Of the body: left to right, front to back at the endplates, and endplate to endplate.
    canal_width, canal_depth : float
        Of the spinal canal at its widest.
    transverse_span : float
        From tip to tip of the transverse processes.
    spinous_length : float
        From the canal to the tip of the spinous process.
    """

    width: float
    depth: float
    height: float
    canal_width: float
    canal_depth: float
    transverse_span: float
    spinous_length: float

    def scaled(self, factor: float) -> VertebraShape:
        """Return the same shape in another size.

        Parameters
        ----------
        factor : float
            By which every measure is multiplied.
        """
        return VertebraShape(*(factor * getattr(self, field.name) for field in fields(self)))

    @property
    def back_wall(self) -> float:
        """Coordinate v of the back wall at the midline."""
        return 0.5 * self.depth / (1.0 + POSTERIOR_CONCAVITY) * (1.0 - 0.5 * BODY_WAIST)

    @property
    def canal_centre(self) -> float:
        """Coordinate v of the middle of the canal."""
        return self.back_wall + 0.5 * self.canal_depth

    @property
    def spinous_tip(self) -> float:
        """Coordinate v of the tip of the spinous process."""
        return self.canal_centre + 0.5 * self.canal_depth + self.spinous_length

    @property
    def pedicle_u(self) -> float:
        """Coordinate u of the axis of the left pedicle."""
        return 0.5 * self.canal_width + 3.5


def outline(points: Points, shape: VertebraShape) -> Array:
    """Return the place within the body's outline seen from above: 0 on the axis, 1 on the surface.

    Parameters
    ----------
    points : Points
        Places in the vertebra's own axes u, v and w, in mm, of one shape or to be broadcast.
    shape : VertebraShape
        Measures of the vertebra.

    Returns
    -------
    ndarray of float32
        Without unit; above 1 outside. Beyond the endplates the outline stays what it is there.
    """
    u, v, w = points
    level = np.minimum(np.abs(w) * (2.0 / shape.height), 1.0)
    waist = (1.0 - BODY_WAIST) + BODY_WAIST * level**2
    drawn_in = POSTERIOR_CONCAVITY * np.exp(-((u * (4.0 / shape.width)) ** 2)) * np.clip(v * 0.25, 0.0, 1.0)
    across = np.abs(u) * (2.0 / shape.width)
    along = np.abs(v) * (2.0 / shape.depth) * (1.0 + drawn_in)
    radius = (across**BODY_ROUNDNESS + along**BODY_ROUNDNESS) ** (1.0 / BODY_ROUNDNESS)
    return np.asarray(radius / waist, dtype=np.float32)


def body_distance(points: Points, shape: VertebraShape) -> Array:
    """Return the signed distance to the surface of the vertebral body.

    Parameters
    ----------
    points : Points
        Places in the vertebra's own axes u, v and w, in mm, of one shape or to be broadcast.
    shape : VertebraShape
        Measures of the vertebra.

    Returns
    -------
    ndarray of float32
        In mm at each point, negative inside.
    """
    u, v, w = points
    radius = outline(points, shape)
    # Along the ray from the axis; near the axis, where a ray has no direction, any radius of the body will do.
    reach = np.where(radius > 0.1, np.hypot(u, v) / np.maximum(radius, 0.1), 0.5 * shape.depth)
    side = (radius - 1.0) * reach
    dome = ENDPLATE_CONCAVITY_MM * np.clip(1.0 - radius**2, 0.0, 1.0)
    end = np.abs(w) - (0.5 * shape.height - dome)
    return -_blend(-side, -end, RIM_MM)


def canal_distance(points: Points, shape: VertebraShape) -> Array:
    """Return the signed distance to the wall of the canal, which narrows to the back like a rounded triangle.

    Parameters
    ----------
    points : Points
        Places in the vertebra's own axes u, v and w, in mm, of one shape or to be broadcast.
    shape : VertebraShape
        Measures of the vertebra.

    Returns
    -------
    ndarray of float32
        In mm at each point, negative inside the canal; it has no ends along w.
    """
    u, v, _ = points
    behind = (v - shape.canal_centre) * (2.0 / shape.canal_depth)
    half_width = 0.5 * shape.canal_width * (1.0 - 0.22 * np.clip(behind, -1.0, 1.0))
    radius = np.hypot(u / half_width, behind)
    return np.asarray((radius - 1.0) * 0.5 * shape.canal_depth, dtype=np.float32)


def arch_distance(points: Points, shape: VertebraShape) -> Array:
    """Return the signed distance to the posterior arch with its processes, outside the canal.

    Parameters
    ----------
    points : Points
        Places in the vertebra's own axes u, v and w, in mm, of one shape or to be broadcast.
    shape : VertebraShape
        Measures of the vertebra.

    Returns
    -------
    ndarray of float32
        In mm at each point, negative inside.
    """
    half = np.abs(points[0]), points[1], points[2]
    parts = [_bar(half, *part) for part in _arch_parts(shape)]
    union = functools.reduce(lambda one, other: _blend(one, other, JOINT_MM), parts)
    return np.maximum(union, -canal_distance(points, shape))


def vertebra_distance(points: Points, shape: VertebraShape) -> tuple[Array, Array, Array]:
    """Return the signed distances to the whole vertebra, its body, and its arch.

    Parameters
    ----------
    points : Points
        Places in the vertebra's own axes u, v and w, in mm, of one shape or to be broadcast.
    shape : VertebraShape
        Measures of the vertebra.

    Returns
    -------
    whole, body, arch : ndarray of float32
        In mm at each point, negative inside. The whole is rounded where body and arch meet.
    """
    body, arch = body_distance(points, shape), arch_distance(points, shape)
    whole = np.maximum(_blend(body, arch, JOINT_MM), -canal_distance(points, shape))
    return whole, body, arch


Place = tuple[float, float, float]


def _arch_parts(shape: VertebraShape) -> tuple[tuple[Place, Place, float, float], ...]:
    """List the left half of the arch as bars: start, end, radius, and height along w."""
    side, canal, behind = shape.pedicle_u, shape.canal_centre, shape.canal_centre + 0.5 * shape.canal_depth
    half, tip = 0.5 * shape.height, 0.5 * shape.transverse_span
    return (
        # pedicle, from the upper half of the body to the back
        ((side, 0.55 * shape.back_wall, 0.3 * half), (side, canal + 3.0, 0.3 * half), 4.0, 14.0),
        # pars interarticularis
        ((side, canal + 4.0, 0.3 * half), (side - 1.0, canal + 10.0, -0.6 * half), 4.2, 0.0),
        # superior articular process
        ((side + 1.0, canal + 5.0, 0.4 * half), (side + 4.5, canal + 7.0, half + 5.0), 3.8, 0.0),
        # inferior articular process
        ((side - 2.0, canal + 10.0, -0.6 * half), (side - 4.5, canal + 13.0, -half - 10.0), 3.6, 0.0),
        # transverse process
        ((side + 2.0, canal + 2.0, 1.0), (tip - 2.5, canal + 9.0, 3.0), 2.8, 9.0),
        # lamina
        ((side - 1.0, canal + 7.0, -2.0), (0.0, behind + 4.0, -5.0), 3.0, 17.0),
        # spinous process
        ((0.0, behind + 4.0, -5.0), (0.0, shape.spinous_tip - 3.0, -11.0), 3.0, 18.0),
    )


def _bar(points: Points, start: Place, end: Place, radius: float, height: float) -> Array:
    """Return the signed distance to a rounded bar round a line, drawn out along w to a height."""
    along = np.subtract(end, start)
    offsets = [axis - np.float32(begin) for axis, begin in zip(points, start, strict=True)]
    share = sum(offset * np.float32(step) for offset, step in zip(offsets, along / (along @ along), strict=True))
    share = np.clip(share, 0.0, 1.0)
    u, v, w = (offset - share * np.float32(step) for offset, step in zip(offsets, along, strict=True))
    w = np.maximum(np.abs(w) - np.float32(max(0.5 * height - radius, 0.0)), 0.0)
    return np.asarray(np.sqrt(u * u + v * v + w * w) - np.float32(radius), dtype=np.float32)


def _blend(one: Array, other: Array, rounding: float) -> Array:
    """Return the distance to the union of two shapes, rounded where they meet (polynomial smooth minimum)."""
    near = np.maximum(np.float32(rounding) - np.abs(one - other), 0.0)
    return np.asarray(np.minimum(one, other) - near * near * np.float32(0.25 / rounding), dtype=np.float32)
