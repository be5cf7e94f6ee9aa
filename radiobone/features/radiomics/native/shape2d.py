"""Shape features of a VOI of one slice: from its mask alone.

Area, perimeter and diameter belong to the outline of marching squares, which runs through the middle between
inner and outer pixels; axes belong to the centres of the pixels. Definitions are those of PyRadiomics 3.0.1.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.kernels.diameters import planes_across
from radiobone.features.radiomics.kernels.mesh import coordinate_sums
from radiobone.features.radiomics.kernels.outline import count_squares
from radiobone.features.radiomics.native.shape import axis_length, bordered, principal_spreads, root_of_ratio

IN_PLANE = [0, 2, 3, 5, 6, 9]
"""What `coordinate_sums` says about y and x: the number of voxels, then y, x, yy, xx, yx."""


def shape_2d_features(
    mask: NDArray[Any], spacing_mm: tuple[float, float, float], axis: int = 0
) -> dict[str, float]:
    """Compute all 2D shape features of a VOI of one slice.

    Parameters
    ----------
    mask : ndarray of shape (z, y, x)
        Not 0 inside the VOI, which is one voxel thick along `axis`.
    spacing_mm : tuple of float
        Size of a voxel along (z, y, x).
    axis : {0, 1, 2}, default 0
        The axis across the slice (PyRadiomics' ``force2Ddimension``).

    Returns
    -------
    dict of str to float
        By the names of `catalogue.FEATURES`, in its order. Elongation is NaN for a single pixel.

    Raises
    ------
    ValueError
        If the mask is not 3D, or the VOI is more than one voxel thick along `axis`.
    EngineError
        If the mask is empty.

    Examples
    --------
    >>> found = shape_2d_features(np.ones((1, 1, 1)), (5.0, 1.0, 1.0))
    >>> found["PixelSurface"], found["MeshSurface"]
    (1.0, 0.5)
    """
    return dict(zip(FEATURES["shape2D"], shape_2d_vector(mask, spacing_mm, axis=axis).tolist(), strict=True))


def shape_2d_vector(
    mask: NDArray[Any], spacing_mm: tuple[float, float, float], axis: int = 0
) -> NDArray[np.float64]:
    """Compute all 2D shape features of a VOI of one slice.

    Parameters
    ----------
    mask : ndarray of shape (z, y, x)
        Not 0 inside the VOI, which is one voxel thick along `axis`.
    spacing_mm : tuple of float
        Size of a voxel along (z, y, x).
    axis : {0, 1, 2}, default 0
        The axis across the slice (PyRadiomics' ``force2Ddimension``).

    Returns
    -------
    ndarray of float64, shape (10,)
        In the order of ``catalogue.FEATURES["shape2D"]``.

    Raises
    ------
    ValueError
        If the mask is not 3D, or the VOI is more than one voxel thick along `axis`.
    EngineError
        If the mask is empty.
    """
    padded = bordered(mask)
    thickness = padded.shape[axis] - 2
    if thickness > 1:
        raise ValueError(f"needs a mask one voxel thick along axis {axis}, got {thickness} voxels")
    flat = np.ascontiguousarray(padded.take(1, axis=axis))
    spacing = np.delete(np.array(spacing_mm, dtype=np.float64), axis)
    sums = coordinate_sums(flat[None])[IN_PLANE]
    surface, perimeter, diameter = _outline(flat, spacing)
    minor, major = principal_spreads(flat, spacing, sums)
    sphericity = 2 * math.sqrt(math.pi * surface) / perimeter
    y, x = spacing.tolist()
    return np.array(
        [
            root_of_ratio(minor, major),
            axis_length(major),
            diameter,
            surface,
            axis_length(minor),
            perimeter,
            perimeter / surface,
            int(sums[0]) * (x * y),
            1 / sphericity,
            sphericity,
        ]
    )


def _outline(flat: NDArray[np.uint8], spacing: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the area inside the outline, its length, and the longest distance of two of its points.

    As with the mesh in space (`shape`), each case has its own length and its own share of the area.
    """
    across_x = np.empty((2, 1, 2 * flat.shape[0]), dtype=np.int32)
    counts, places = count_squares(flat[None], across_x)
    starts, ends = _lines()
    steps = ends - starts
    offsets = (starts[..., 0] * ends[..., 1] - ends[..., 0] * starts[..., 1]).sum(axis=1)
    along = steps.sum(axis=1)
    moved = 2 * (places[:, 0] * along[:, 1] - places[:, 1] * along[:, 0])
    surface_8 = int((counts * offsets + moved).sum())  # in half pixels, and twice too large
    y, x = spacing.tolist()
    lengths = np.sqrt(((steps * (spacing / 2)) ** 2).sum(axis=2)).sum(axis=1)
    corners = np.zeros(across_x.shape, dtype=np.uint8)
    diameter = math.sqrt(planes_across(across_x, y, x, corners))
    return surface_8 / 8 * (y * x), float((counts * lengths).sum()), diameter


@cache
def _lines() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last points of the lines of each case, (y, x) in half pixels, of shape (16, 2, 2).

    Corners 0 to 3 are walked round as (0, 0), (0, 1), (1, 1), (1, 0), with edge k between corners k and k + 1.
    Each run of inner corners is cut off by a line from the edge before it to the edge behind it; so opposite
    corners alone are two runs, and do not touch. Missing lines start and end in the same point.
    """
    middles = np.array([(0, 1), (1, 2), (2, 1), (1, 0)])
    starts = np.zeros((16, 2, 2), dtype=np.int64)
    ends = np.zeros((16, 2, 2), dtype=np.int64)
    for case in range(16):
        inner = [bool(case >> corner & 1) for corner in range(4)]
        openings = [corner for corner in range(4) if inner[corner] and not inner[corner - 1]]
        for line, first in enumerate(openings):
            last = first
            while inner[(last + 1) % 4]:
                last += 1
            starts[case, line], ends[case, line] = middles[first - 1], middles[last % 4]
    return starts, ends
