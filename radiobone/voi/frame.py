"""The frame of a vertebral body: its own axes, the middle of it, and its width, depth and height.

The whole vertebra tells where its back is (`radiobone.voi.axes`), the end plates what is upright: the back wall of
a lordotic vertebra leans by half of its wedge, up to 9 degrees in the spines of the test suite. A label that holds
nothing but a body has no canal, so that its back is that of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask
from radiobone.voi.axes import VertebraAxes
from radiobone.voi.canal import across, dense_points
from radiobone.voi.erosion import touches_border
from radiobone.voi.source import Made, Source
from radiobone.voi.trabecular import build_body

Floats = NDArray[np.float64]

BACK: Floats = np.array([0.0, 1.0, 0.0])
"""World direction to the patient's back (LPS)."""

RAY_STEP_MM = 0.25
"""Step along a ray on which a chord of the body is measured."""

RAY_DISTANCE_MM = 2.0
"""Distance of neighbouring rays."""

CORE = 1.0 / 3.0
"""Chords are measured in this middle share of the other two extents, away from lips and osteophytes."""

FITS = 3
"""How often the middle, the extents and the end plates are measured anew."""

END_PLATE_CORE = 0.6
"""End plates are fitted over this middle share of width and depth: their rims turn up."""

LARGEST_WEDGE_DEG = 30.0
"""End plates that meet at a larger angle are no end plates: the label is cut, no body, or the sacrum's.

In the spines of the test suite they meet at 1 to 18 degrees.
"""


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """A body in its own axes.

    Parameters
    ----------
    axes : VertebraAxes
        With the origin in the middle of the body.
    width_mm, depth_mm, height_mm : float
        Extents to the left, back and head: medians of chords through the middle of the body.
    """

    axes: VertebraAxes
    width_mm: float
    depth_mm: float
    height_mm: float

    @property
    def size_mm(self) -> Floats:
        """Width, depth and height."""
        return np.array([self.width_mm, self.depth_mm, self.height_mm])

    @property
    def lines_mm(self) -> list[tuple[Floats, Floats]]:
        """Width, depth and height as lines through the middle: start and end of each in the world."""
        halves = self.size_mm[:, None] / 2 * self.axes.directions
        return [(self.axes.origin_mm - half, self.axes.origin_mm + half) for half in halves]

    def shares(self, world: Floats) -> Floats:
        """Return world points as shares of the body from its middle: its faces lie at -0.5 and 0.5.

        Parameters
        ----------
        world : ndarray of shape (..., 3)
            World coordinates in mm.

        Returns
        -------
        ndarray of shape (..., 3)
            To the left, back and head.
        """
        found: Floats = self.axes.coordinates(world) / self.size_mm
        return found


@dataclass(frozen=True, eq=False)
class FramedBody:
    """A body with its frame.

    Parameters
    ----------
    body : Made
        The body, and where it came from.
    frame : BodyFrame
        Its frame.
    warnings : tuple of str
        What makes the frame less certain.
    """

    body: Made
    frame: BodyFrame
    warnings: tuple[str, ...]


def frame_body(source: Source) -> FramedBody:
    """Find the body of a level and its frame.

    Parameters
    ----------
    source : Source
        One level of one scan.

    Returns
    -------
    FramedBody
        With a warning where the label is cut by the image border (the axes may lean), holds no arch, or the body
        has no two end plates, so that it stands as its canal does.

    Raises
    ------
    VoiError
        If the body cannot be told apart, is itself cut by the image border, or has neither a canal nor two end
        plates.

    Notes
    -----
    In the spines of the test suite, cut off behind or beside the body on purpose, the upright axis stays within 1
    degree and the middle within 1.1 mm; the body turns about that axis by up to 3 degrees, and by 9 where the
    laminae are cut off.
    """
    axes = _axes_of_canal(source)
    body = source.once(build_body)
    if touches_border(body.mask):
        raise VoiError(
            "the body reaches the image border, so its axes and size are not known",
            expected="a body that lies inside the image",
            do="leave this level out, or use a recipe without a frame, such as trabecular",
        )
    warnings = []
    if axes is None:
        warnings.append("axes from the body alone: its left and right are those of the patient")
    try:
        frame = set_upright(body.mask, axes or _patient_axes(source.towards_head))
    except VoiError:
        if axes is None:
            raise
        frame = measure_frame(body.mask, axes)
        warnings.append("no two end plates found: the axis of the body is that of its canal")
    if touches_border(source.label):
        warnings.append("axes may lean, since the label reaches the image border")
    return FramedBody(body, frame, tuple(warnings))


def _axes_of_canal(source: Source) -> VertebraAxes | None:
    """Return the axes of the whole vertebra; None where a body mask says what is body, but no canal is seen."""
    try:
        return source.axes()
    except VoiError:
        if source.body_mask is None:
            raise
        return None


def _patient_axes(towards_head: Floats) -> VertebraAxes:
    """Return the axes of a vertebra whose back is that of the patient."""
    head = towards_head / np.linalg.norm(towards_head)
    back = across(BACK, head)
    return VertebraAxes(np.zeros(3), np.cross(back, head), back, head)


def measure_frame(body: Mask, axes: VertebraAxes) -> BodyFrame:
    """Measure the middle and the extents of a body.

    Parameters
    ----------
    body : Mask
        The body, boolean.
    axes : VertebraAxes
        Its axes, with any origin.

    Returns
    -------
    BodyFrame
        The frame; its axes have the origin in the middle.

    Raises
    ------
    VoiError
        If the middle of what was called a body is empty.
    """
    points = axes.coordinates(dense_points(body))
    low, high = points.min(axis=0), points.max(axis=0)
    middle, size = (low + high) / 2, high - low
    for _ in range(FITS):
        measured = [_chord(body, axes, middle, size, along) for along in range(3)]
        middle = np.array([centre for centre, _ in measured])
        size = np.array([length for _, length in measured])
    origin = axes.origin_mm + middle @ axes.directions
    width, depth, height = (float(length) for length in size)
    return BodyFrame(replace(axes, origin_mm=origin), width, depth, height)


def _chord(body: Mask, axes: VertebraAxes, middle: Floats, size: Floats, along: int) -> tuple[float, float]:
    """Return the middle and the length of the usual chord along one axis (0 left, 1 back, 2 head)."""
    rays = [_rays(middle[axis], CORE * size[axis]) for axis in range(3) if axis != along]
    steps = np.arange(-0.75 * size[along], 0.75 * size[along], RAY_STEP_MM) + middle[along]
    grid = np.stack(np.meshgrid(*rays, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    points = np.insert(np.broadcast_to(grid, (len(grid), len(steps), 2)), along, steps, axis=-1)
    inside = sample(body, axes.origin_mm + points @ axes.directions)
    hit = inside.any(axis=1)
    if not hit.any():
        raise VoiError("the middle of the body is empty", do="check the label")
    first = np.argmax(inside[hit], axis=1)
    last = inside.shape[1] - 1 - np.argmax(inside[hit][:, ::-1], axis=1)
    ends = steps[first] + steps[last]
    return float(np.median(ends)) / 2, float(np.median(last - first) + 1) * RAY_STEP_MM


def _rays(middle: float, span: float) -> Floats:
    """Return places of rays over a span, one of them in the middle."""
    count = int(span / 2 / RAY_DISTANCE_MM)
    rays: Floats = middle + RAY_DISTANCE_MM * np.arange(-count, count + 1, dtype=np.float64)
    return rays


def sample(mask: Mask, world: Floats) -> NDArray[np.bool_]:
    """Say which world points lie inside the voxels of a mask.

    Parameters
    ----------
    mask : Mask
        Boolean.
    world : ndarray of shape (..., 3)
        World coordinates in mm.

    Returns
    -------
    ndarray of shape (...)
        True inside.
    """
    index = np.rint(mask.geometry.index(world)).astype(np.intp) - mask.offset
    within = ((index >= 0) & (index < mask.array.shape)).all(axis=-1)
    found = np.zeros(within.shape, dtype=bool)
    found[within] = mask.array[tuple(index[within].T)]
    return found


def set_upright(body: Mask, axes: VertebraAxes) -> BodyFrame:
    """Turn axes until they stand upright between both end plates, and measure the body in them.

    Parameters
    ----------
    body : Mask
        The body, boolean.
    axes : VertebraAxes
        Its axes as far as known, with any origin. How the body is turned about its upright axis stays.

    Returns
    -------
    BodyFrame
        The upright axis halves the angle between the normals of the end plates.

    Raises
    ------
    VoiError
        If no two end plates are found.
    """
    frame = measure_frame(body, axes)
    for _ in range(FITS):
        upper, lower = (_end_plate(body, frame, side) for side in (1.0, -1.0))
        wedge = float(np.degrees(np.arccos(np.clip(upper @ lower, -1.0, 1.0))))
        if wedge > LARGEST_WEDGE_DEG:
            raise VoiError(
                "no two end plates found, so the axes of the body are not known",
                got=f"planes that meet at {wedge:.0f} degrees",
                expected=f"at most {LARGEST_WEDGE_DEG:.0f} degrees",
                do="check the label",
            )
        head = (upper + lower) / np.linalg.norm(upper + lower)
        back = across(axes.back, head)
        frame = measure_frame(body, VertebraAxes(frame.axes.origin_mm, np.cross(back, head), back, head))
    return frame


def _end_plate(body: Mask, frame: BodyFrame, side: float) -> Floats:
    """Return the upright unit vector on the upper (1) or lower (-1) end plate."""
    half = END_PLATE_CORE * frame.size_mm / 2
    side_mm, back_mm = (np.arange(-half[axis], half[axis], RAY_DISTANCE_MM) for axis in (0, 1))
    steps = side * np.arange(0.0, 1.5 * frame.height_mm, RAY_STEP_MM)
    grid = np.stack(np.meshgrid(side_mm, back_mm, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    points = np.insert(np.broadcast_to(grid, (len(grid), len(steps), 2)), 2, steps, axis=-1)
    turn = frame.axes.directions
    inside = sample(body, frame.axes.origin_mm + points @ turn)
    hit = inside.any(axis=1)
    last = inside.shape[1] - 1 - np.argmax(inside[hit][:, ::-1], axis=1)
    plane = np.column_stack([grid[hit, 0], np.ones(np.count_nonzero(hit))])
    slope = np.linalg.lstsq(plane, steps[last], rcond=None)[0]
    normal = np.array([-slope[0], -slope[1], 1.0]) @ turn
    length = float(np.linalg.norm(normal))
    upright: Floats = normal / length
    return upright
