"""Cylinders and ellipsoids in the body's own axes.

Quantitative CT measures the spine in an elliptical VOI in the middle of each body (Engelke et al., Bone
2009;44:566), at first in single slices about 10 mm thick, angled so as to miss the end plates (PMC5986997). Sizes
are the user's; the defaults are radiobone's own choice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask
from radiobone.imaging.volumes import Box
from radiobone.voi.frame import BodyFrame, frame_body
from radiobone.voi.options import SIZES, VoiOptions
from radiobone.voi.source import Made, Source

Floats = NDArray[np.float64]
Shape = Callable[[Floats], NDArray[np.bool_]]
"""Says which points lie inside a solid; these are given as shares of its size from its middle."""

LARGEST_OUTSIDE = 0.5
"""A solid of which a larger share lies outside the body is refused."""

LARGEST_TIMES = 3.0
"""A solid so many times as wide, deep or high as the body lies outside it by more than half, whatever its form."""

TOLD_OUTSIDE = 0.02
"""A larger share outside the body is told."""


def build_cylinder(source: Source, options: VoiOptions) -> Made:
    """Take an elliptical cylinder that stands upright in the body.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        Width, depth and height, as a share of the body or in mm, and where the middle lies from back to front.

    Returns
    -------
    Made
        What of it lies inside the body, with a warning where some does not.

    Raises
    ------
    VoiError
        If the body or its axes cannot be told, or more than half of the cylinder lies outside the body.
    """
    return _build(source, options, lambda place: _round(place[..., :2]) & (np.abs(place[..., 2]) <= 0.5))


def build_ellipsoid(source: Source, options: VoiOptions) -> Made:
    """Take an ellipsoid along the axes of the body.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        Width, depth and height, as a share of the body or in mm, and where the middle lies from back to front.

    Returns
    -------
    Made
        What of it lies inside the body, with a warning where some does not.

    Raises
    ------
    VoiError
        If the body or its axes cannot be told, or more than half of the ellipsoid lies outside the body.
    """
    return _build(source, options, _round)


def _round(place: Floats) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (place**2).sum(axis=-1) <= 0.25
    return found


def solid_size_mm(frame: BodyFrame, options: VoiOptions) -> Floats:
    """Return width, depth and height of a solid in mm.

    Parameters
    ----------
    frame : BodyFrame
        The body.
    options : VoiOptions
        Sizes in mm, or as a share of the body.

    Returns
    -------
    ndarray of shape (3,)
        In mm.
    """
    shares = np.array([getattr(options, f"{size}_share") for size in SIZES]) * frame.size_mm
    given = [getattr(options, f"{size}_mm") for size in SIZES]
    return np.array([share if length is None else length for share, length in zip(shares, given, strict=True)])


def _build(source: Source, options: VoiOptions, shape: Shape) -> Made:
    framed = frame_body(source)
    frame, body = framed.frame, framed.body.mask
    size = solid_size_mm(frame, options)
    middle = np.array([0.0, (0.5 - options.centre_share) * frame.depth_mm, 0.0])
    if (size > LARGEST_TIMES * frame.size_mm).any():
        # Not drawn at all: of a size given in another unit, it might fill the memory.
        raise _misfit("the VOI lies outside the body", size, frame)
    solid = _rasterise(body, frame, middle, size, shape)
    inside = solid.array & body.within(solid.box)
    total, kept = solid.n_voxels, int(np.count_nonzero(inside))
    outside = 1.0 - kept / total if total else 1.0
    if outside > LARGEST_OUTSIDE:
        what = "the VOI lies outside the body" if total else "the VOI is smaller than a voxel"
        raise _misfit(what, size, frame, f", {kept} of {total} voxels inside the body")
    told = " x ".join(f"{length:.0f}" for length in size)
    warnings = (f"{outside:.0%} of the VOI ({told} mm) lay outside the body",) if outside > TOLD_OUTSIDE else ()
    mask = Mask(inside, solid.geometry, solid.offset).tight()
    return Made(mask, framed.body.body_source, (*framed.warnings, *warnings))


def _misfit(what: str, size: Floats, frame: BodyFrame, held: str = "") -> VoiError:
    return VoiError(
        what,
        got=f"{_sizes(size)} mm (width x depth x height){held}",
        expected=f"a body of {_sizes(frame.size_mm)} mm that holds it",
        do="choose another size",
    )


def _sizes(lengths: Floats) -> str:
    return " x ".join(f"{length:.3g}" if length < 1000 else f"{length:.0f}" for length in lengths)


def _rasterise(body: Mask, frame: BodyFrame, middle: Floats, size: Floats, shape: Shape) -> Mask:
    """Return the voxels of the body's grid whose centres lie inside a solid."""
    turn = frame.axes.directions
    signs = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    corners = body.geometry.index(frame.axes.origin_mm + (middle + signs * size) @ turn)
    box = _box(corners, body.geometry.shape)
    index = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij"), axis=-1)
    place = (frame.axes.coordinates(body.geometry.world(index)) - middle) / size
    z, y, x = (part.start for part in box)
    return Mask(shape(place), body.geometry, (z, y, x))


def _box(corners: Floats, shape: tuple[int, int, int]) -> Box:
    """Return the smallest box of a grid that holds points, as far as the grid reaches."""
    low = np.clip(np.floor(corners.min(axis=0)), 0, shape).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, low, shape).astype(int)
    z, y, x = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return z, y, x
