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
from radiobone.imaging.volumes import Box, expand

MARGIN = 48
"""Voxels round the samples from which coefficients are computed: 0.268 ** 45 is 2e-26, far below the last bit."""

_ORDER = 3


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
    box = in_step(expand(grid.reach, (MARGIN, MARGIN, MARGIN), grid.source.shape), grid.source.shape)
    coefficients = _coefficients(read(box))
    offset = np.asarray([part.start for part in box])
    result = np.zeros(grid.target.shape, dtype=dtype)
    for z in range(grid.target.shape[0]):
        positions = grid.positions(z)
        inside = grid.inside(positions)
        values = _evaluate(coefficients, positions[:, inside], offset, grid.source.shape)
        result[z, inside] = _cast(values, result.dtype)
    return result


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


def _coefficients(array: NDArray[Any]) -> NDArray[np.float64]:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array.astype(np.float64))
    coefficients: NDArray[np.float64] = sitk.GetArrayFromImage(sitk.BSplineDecomposition(image, _ORDER))
    return coefficients


def _evaluate(
    coefficients: NDArray[np.float64],
    positions: NDArray[np.float64],
    offset: NDArray[np.int64],
    size: tuple[int, int, int],
) -> NDArray[np.float64]:
    """Return the spline's values at positions of shape (3, n), given as indices of the whole image.

    The order of all sums and products is ITK's: x runs fastest, and the weights of x, y and z are
    multiplied in this order.
    """
    support = [_support(positions[axis], size[axis]) for axis in range(3)]
    weights = [_weights(positions[axis]) for axis in range(3)]
    index = [support[axis] - offset[axis] for axis in range(3)]
    _, ny, nx = coefficients.shape
    flat = coefficients.reshape(-1)
    values = np.zeros(positions.shape[1])
    for k in range(_ORDER + 1):
        for j in range(_ORDER + 1):
            line = (index[0][k] * ny + index[1][j]) * nx
            for i in range(_ORDER + 1):
                weight = weights[2][i] * weights[1][j] * weights[0][k]
                values += weight * flat[line + index[2][i]]
    return values


def _support(position: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Return the four voxels along one axis round each position, mirrored at the image's border."""
    first = _floor(position).astype(np.int64) - _ORDER // 2
    index = first[None, :] + np.arange(_ORDER + 1)[:, None]
    if size == 1:
        return np.zeros_like(index)
    index = np.abs(index)
    mirrored: NDArray[np.int64] = np.where(index >= size - 1, 2 * (size - 1) - index, index)
    return mirrored


def _weights(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the four weights of a cubic B-spline for each position, of shape (4, n)."""
    w = position - _floor(position)
    last = (1.0 / 6.0) * w * w * w
    first = (1.0 / 6.0) + 0.5 * w * (w - 1.0) - last
    third = w + first - 2.0 * last
    second = 1.0 - first - third - last
    return np.stack([first, second, third, last])


def _cast(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.clip(values, limits.min, limits.max)
    return values.astype(dtype)


def _floor(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the voxel below each position; ITK looks at the position in single precision here."""
    return np.floor(position.astype(np.float32)).astype(np.float64)
