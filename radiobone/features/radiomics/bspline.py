"""Cubic B-spline resampling of the part of an image that a grid needs, to ITK's last bit.

ITK turns the whole image into spline coefficients first, in double precision. The coefficients depend
on far voxels by a factor of ``sqrt(3) - 2 = -0.268`` for each voxel of distance, so a crop gives the same
ones, to the last bit, from some 30 voxels inside its border on. Where a region holds one single value the
rounding of the recursion can swing between two neighbouring numbers for ever, so the crop begins and ends
an even number of voxels from the image's border: then it swings in step with the whole image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.grid import ResamplingGrid
from radiobone.features.radiomics.kernels import bspline as kernels
from radiobone.imaging.volumes import Box, box_size, expand, relative, union

MARGIN = 48
"""Voxels round the samples from which coefficients are computed: 0.268 ** 45 is 2e-26, far below the last bit."""

_AROUND = (2, 2, 2)
"""Voxels round the samples whose coefficients are summed up."""

SHARED_BYTES = 128 * 2**20
"""Most that coefficients which serve several VOIs may take."""


class Splines:
    """Spline coefficients of one scan, computed once for boxes that overlap, as those of neighbours do.

    Parameters
    ----------
    read : callable
        Takes a `Box` of the scan and gives its voxels, of shape (z, y, x).
    shape : tuple of int
        Number of voxels of the scan along (z, y, x).
    planned : iterable of Box
        The parts (see `needed`) that will be asked for. They are put together for as long as that is less work
        than one after the other, and takes no more than `SHARED_BYTES`.

    Notes
    -----
    Only the last coefficients are kept. They do not depend on what is computed with them: see `MARGIN`.
    """

    def __init__(
        self, read: Callable[[Box], NDArray[Any]], shape: tuple[int, int, int], planned: Iterable[Box] = ()
    ) -> None:
        self._read, self._shape = read, shape
        self._groups: list[Box] = []
        for part in sorted(planned, key=lambda box: box[0].start):
            fitting = next((index for index, group in enumerate(self._groups) if self._saves(group, part)), None)
            if fitting is None:
                self._groups.append(part)
            else:
                self._groups[fitting] = union(self._groups[fitting], part)
        self._kept: tuple[Box, NDArray[np.float64]] | None = None

    def coefficients(self, part: Box) -> tuple[NDArray[np.float64], tuple[int, int, int]]:
        """Return coefficients that cover a part of the scan, and where their first voxel lies.

        Parameters
        ----------
        part : Box
            In voxels of the scan.

        Raises
        ------
        EngineError
            If the scan is not finite where it is read.
        """
        if self._kept is None or not _holds(self._kept[0], part):
            group = next((box for box in self._groups if _holds(box, part)), part)
            try:
                self._kept = group, self._computed(group)
            except EngineError:
                # What cannot be read may lie beside another VOI.
                self._groups = [box for box in self._groups if box != group]
                self._kept = part, self._computed(part)
        (z, y, x), array = self._kept
        return array, (z.start, y.start, x.start)

    def _computed(self, part: Box) -> NDArray[np.float64]:
        box = self._filtered(part)
        return _coefficients(self._read(box), relative(part, box))

    def _filtered(self, part: Box) -> Box:
        """Return the voxels that have to be read and filtered for a part."""
        return in_step(expand(part, (MARGIN, MARGIN, MARGIN), self._shape), self._shape)

    def _saves(self, first: Box, second: Box) -> bool:
        joined = union(first, second)
        work = [box_size(self._filtered(box)) for box in (joined, first, second)]
        return work[0] <= work[1] + work[2] and box_size(joined) * 8 <= SHARED_BYTES


def needed(grid: ResamplingGrid) -> Box:
    """Return the voxels of the scan whose coefficients the samples of a grid need.

    Parameters
    ----------
    grid : ResamplingGrid
        Where the samples lie.
    """
    return expand(grid.reach, _AROUND, grid.source.shape)


def resample_bspline(splines: Splines, grid: ResamplingGrid, dtype: DTypeLike) -> NDArray[Any]:
    """Resample an image by cubic B-splines, as ITK does on the whole image.

    Parameters
    ----------
    splines : Splines
        Coefficients of the image.
    grid : ResamplingGrid
        Where the samples lie.
    dtype : dtype
        Pixel type of the result. For integers, decimals are cut off as ITK does.

    Returns
    -------
    ndarray of shape ``grid.target.shape``
        Samples outside the image are 0.

    Raises
    ------
    EngineError
        If the image is not finite where it is read.
    """
    shape = grid.source.shape
    coefficients, offset = splines.coefficients(needed(grid))
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


def _holds(outer: Box, inner: Box) -> bool:
    return all(one.start <= two.start and two.stop <= one.stop for one, two in zip(outer, inner, strict=True))


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
        highest = float(limits.max)
        if int(highest) > limits.max:  # no double is 2**63 - 1, and the next one overflows
            highest = math.nextafter(highest, 0.0)
        np.clip(values, limits.min, highest, out=values)
    return values.astype(dtype, copy=False)
