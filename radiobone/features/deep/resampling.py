"""Linear interpolation along straight axes, in plain NumPy.

The planes and boxes that networks see lie along the scan's own axes, so that a picture is resampled one axis after
the other. Where pixels are finer than voxels this is linear interpolation, as that of ITK. Where they are coarser,
each pixel is the mean of its surroundings, weighted by a triangle as wide as two pixels: without it, fine
trabeculae would turn into false patterns (aliasing). It is what the pictures went through that ImageNet's networks
were trained on. Nothing else is smoothed.

A scan ends where its outermost voxels end, half a voxel beyond their centres; a pixel whose centre lies further
out is 0, which is the lower bound of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDING = 1e-9
"""A pixel whose centre lies on the very edge of the scan still belongs to it, on either side."""


@dataclass(frozen=True)
class Line:
    """Evenly spaced pixels along one axis of a scan.

    Parameters
    ----------
    middle : float
        Where the middle of the pixels lies, counted in voxels: 0.0 is the centre of the first voxel.
    step : float
        Distance of pixel centres, in voxels.
    size : int
        Number of pixels.
    """

    middle: float
    step: float
    size: int

    @property
    def centres(self) -> Floats:
        """Where the centres of the pixels lie, counted in voxels."""
        return self.middle + self.step * (np.arange(self.size, dtype=np.float64) - (self.size - 1) / 2)

    @property
    def reach(self) -> float:
        """How far a pixel looks to either side, in voxels."""
        return max(self.step, 1.0)

    def voxels(self, n_voxels: int) -> slice:
        """Return the voxels that the pixels are made of, as far as the scan reaches.

        Parameters
        ----------
        n_voxels : int
            Number of voxels of the scan along this axis.
        """
        centres = self.centres
        first = max(int(np.floor(centres[0] - self.reach)), 0)
        last = min(int(np.ceil(centres[-1] + self.reach)), n_voxels - 1)
        return slice(first, max(last + 1, first))

    def from_voxel(self, first: int) -> Line:
        """Return the same pixels, counted from another voxel.

        Parameters
        ----------
        first : int
            The voxel to count from.
        """
        return Line(self.middle - first, self.step, self.size)


def resample(array: NDArray[Any], lines: Sequence[Line]) -> Floats:
    """Resample an array along each of its axes.

    Parameters
    ----------
    array : ndarray of n dimensions
        Voxels, at least one along each axis.
    lines : sequence of n Line
        The pixels along each axis, counted from the array's first voxel.

    Returns
    -------
    ndarray of shape (line.size for line in lines)
        The pixels. They never leave the range of the voxels and 0.

    Examples
    --------
    >>> resample(np.array([0.0, 4.0]), [Line(middle=0.5, step=0.5, size=3)])
    array([0., 2., 4.])
    >>> resample(np.array([4.0, 4.0]), [Line(middle=0.5, step=1.0, size=4)])
    array([0., 4., 4., 0.])
    """
    result = np.asarray(array, dtype=np.float64)
    for axis, line in enumerate(lines):
        result = _along(result, axis, line)
    return result


def _along(array: Floats, axis: int, line: Line) -> Floats:
    """Resample one axis, tap by tap: each sum is added up in the same order on any machine."""
    size = array.shape[axis]
    centres = line.centres[:, None]
    nearby = np.floor(centres - line.reach).astype(np.intp) + 1 + np.arange(int(np.ceil(2 * line.reach)))
    weights = np.maximum(1.0 - np.abs(nearby - centres) / line.reach, 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    weights[np.abs(centres[:, 0] - (size - 1) / 2) > size / 2 + _ROUNDING] = 0.0
    result = np.zeros([line.size if number == axis else edge for number, edge in enumerate(array.shape)])
    across = [-1 if number == axis else 1 for number in range(array.ndim)]
    for voxels, shares in zip(nearby.clip(0, size - 1).T, weights.T, strict=True):
        result += array.take(voxels, axis=axis) * shares.reshape(across)
    return result
