"""Cubic B-spline resampling of the part of an image that a grid needs, to ITK's last bit.

ITK turns the whole image into spline coefficients first, in double precision. The coefficients depend
on far voxels by a factor of ``sqrt(3) - 2 = -0.268`` for each voxel of distance, so a crop gives the same
ones, to the last bit, from some 30 voxels inside its border on. Where a region holds one single value the
rounding of the recursion can swing between two neighbouring numbers for ever, so the crop begins and ends
an even number of voxels from the image's border: then it swings in step with the whole image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from radiobone.features.radiomics.grid import ResamplingGrid
from radiobone.features.radiomics.kernels import bspline as kernels
from radiobone.imaging.volumes import Box, expand

MARGIN = 48
"""Voxels round the samples from which coefficients are computed: 0.268 ** 45 is 2e-26, far below the last bit."""

_AROUND = (2, 2, 2)
"""Voxels round the samples whose coefficients are summed up."""


def resample_bspline(read: Callable[[Box], NDArray[Any]], grid: ResamplingGrid, dtype: DTypeLike) -> NDArray[Any]:
    """Resample an image by cubic B-splines, as ITK does on the whole image.

    Parameters
    ----------
    read : callable
        Takes a `Box` of the source grid and gives its voxels, of shape (z, y, x).
    grid : ResamplingGrid
        Where the samples lie.
    dtype : dtype
        Pixel type of the result. For integers, decimals are cut off as ITK does.

    Returns
    -------
    ndarray of shape ``grid.target.shape``
        Samples outside the image are 0.
    """
    shape = grid.source.shape
    part = expand(grid.reach, _AROUND, shape)
    box = in_step(expand(grid.reach, (MARGIN, MARGIN, MARGIN), shape), shape)
    coefficients = _coefficients(read(box), _inside(part, box))
    offset = [edge.start for edge in part]
    values = np.empty(grid.target.shape)
    if grid.axes is None:
        kernels.sum_on_lines(coefficients, np.asarray(offset), np.asarray(shape), grid.ends, values)
    else:
        (iz, wz), (iy, wy), (ix, wx) = map(_support, grid.axes, shape, offset)
        kernels.sum_on_axes(coefficients, iz, iy, ix, wz, wy, wx, values)
    return _cast(values, np.dtype(dtype))


def in_step(box: Box, shape: tuple[int, int, int]) -> Box:
    """Widen a box so that it begins and ends an even number of voxels from the image's border.

    Parameters
    ----------
    box : Box
        The box, (z, y, x), inside the image.
    shape : tuple of int
        Number of voxels of the image along (z, y, x).

    Returns
    -------
    Box
        Wider by at most one voxel on each side, and still inside the image.
    """
    z, y, x = (
        slice(part.start - part.start % 2, part.stop + (size - part.stop) % 2)
        for part, size in zip(box, shape, strict=True)
    )
    return z, y, x


def _inside(part: Box, box: Box) -> Box:
    z, y, x = (slice(one.start - two.start, one.stop - two.start) for one, two in zip(part, box, strict=True))
    return z, y, x


def _coefficients(array: NDArray[Any], part: Box) -> NDArray[np.float64]:
    """Return the spline coefficients of a part of an array: filtered along x, then y, then z, as ITK does.

    Each filter runs over the whole array along its axis, but what the later ones do not need is left out.
    """
    z, y, x = part
    voxels = np.empty(array.shape[1:])
    coefficients = np.empty((array.shape[0], y.stop - y.start, x.stop - x.start))
    for plane, result in zip(array, coefficients, strict=True):
        np.copyto(voxels, plane)
        kernels.slice_coefficients(voxels, y.start, x.start, result)
    kernels.filter_slices(coefficients)
    return coefficients[z]


def _support(
    positions: NDArray[np.float64], size: int, offset: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the voxels of a part round each position along one axis, and their weights, each of shape (4, n)."""
    index, weight = np.empty((4, positions.size), np.int64), np.empty((4, positions.size))
    kernels.support(positions, size, offset, index, weight)
    return index, weight


def _cast(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        np.clip(values, limits.min, limits.max, out=values)
    return values.astype(dtype, copy=False)
