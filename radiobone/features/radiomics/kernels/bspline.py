"""Cubic B-splines as ITK evaluates them, operation by operation: coefficients, weights, sums at samples.

M. Unser, Splines: a perfect fit for signal and image processing, IEEE Signal Processing Magazine 16(6), 1999. The
order of all sums and products is ITK's, so that the results have its last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit

POLE = math.sqrt(3.0) - 2.0
"""Of the recursion: what a coefficient owes to one so many voxels away falls by this factor for each voxel."""

HORIZON = math.ceil(math.log(1e-10) / math.log(-POLE))
"""Voxels that ITK sums up for the first coefficient of a line, for its tolerance of 1e-10."""

_GAIN = (1.0 - POLE) * (1.0 - 1.0 / POLE)
_LAST = POLE / (POLE * POLE - 1.0)
_LANES = 16


@jit
def _filter(lines: NDArray[np.float64]) -> None:
    """Turn samples into coefficients along the first axis, each column being a line of its own."""
    size, lanes = lines.shape
    if size == 1:
        return
    # The first coefficient takes in the line and its mirror images, or what of them ITK's tolerance asks for.
    short = size <= HORIZON
    near = POLE
    far = math.pow(POLE, size - 1.0) if short else 0.0
    for lane in range(lanes):
        lines[0, lane] = _GAIN * lines[0, lane] + far * (_GAIN * lines[size - 1, lane])
    far *= far * (1.0 / POLE)
    for n in range(1, size - 1 if short else HORIZON):
        for lane in range(lanes):
            lines[0, lane] += (near + far) * (_GAIN * lines[n, lane])
        near *= POLE
        far *= 1.0 / POLE
    divisor = 1.0 - near * near if short else 1.0
    for lane in range(lanes):
        lines[0, lane] /= divisor
    for n in range(1, size):
        for lane in range(lanes):
            lines[n, lane] = _GAIN * lines[n, lane] + POLE * lines[n - 1, lane]
    for lane in range(lanes):
        lines[size - 1, lane] = _LAST * (POLE * lines[size - 2, lane] + lines[size - 1, lane])
    for n in range(size - 2, -1, -1):
        for lane in range(lanes):
            lines[n, lane] = POLE * (lines[n + 1, lane] - lines[n, lane])


@jit
def slice_coefficients(
    voxels: NDArray[np.float64], y_first: int, x_first: int, result: NDArray[np.float64]
) -> None:
    """Filter one slice along x, then along y, and keep a part of it.

    Parameters
    ----------
    voxels : ndarray of float64 of shape (y, x)
        The slice.
    y_first, x_first : int
        Where the part begins in the slice.
    result : ndarray of float64 of shape (y_kept, x_kept)
        The part, to be filled.
    """
    ny, nx = voxels.shape
    y_kept, x_kept = result.shape
    block = np.empty((nx, _LANES))
    narrow = np.empty((ny, x_kept))
    for begin in range(0, ny, _LANES):
        lanes = min(_LANES, ny - begin)
        for lane in range(_LANES):
            # The last block repeats its last line, whose copies are not kept.
            y = begin + min(lane, lanes - 1)
            for x in range(nx):
                block[x, lane] = voxels[y, x]
        _filter(block)
        for lane in range(lanes):
            for x in range(x_kept):
                narrow[begin + lane, x] = block[x_first + x, lane]
    _filter(narrow)
    for y in range(y_kept):
        for x in range(x_kept):
            result[y, x] = narrow[y_first + y, x]


@jit
def filter_slices(volume: NDArray[np.float64]) -> None:
    """Filter a volume along z, in place.

    Parameters
    ----------
    volume : ndarray of float64 of shape (z, y, x)
        Already filtered along x and y.
    """
    nz, ny, nx = volume.shape
    lines = np.empty((nz, nx))
    for y in range(ny):
        for z in range(nz):
            for x in range(nx):
                lines[z, x] = volume[z, y, x]
        _filter(lines)
        for z in range(nz):
            for x in range(nx):
                volume[z, y, x] = lines[z, x]


@jit
def support(
    positions: NDArray[np.float64],
    size: int,
    offset: int,
    index: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> None:
    """Find the four voxels round each position along one axis, and their weights.

    Parameters
    ----------
    positions : ndarray of float64 of shape (n,)
        Continuous indices of the image.
    size : int
        Number of voxels of the image along this axis; beyond its first and last voxel it is mirrored.
    offset : int
        Index, in the image, of the first voxel of the part that is held.
    index : ndarray of int64 of shape (4, n)
        The voxels, in the part, to be filled.
    weight : ndarray of float64 of shape (4, n)
        Their weights, to be filled. All are 0 for a position outside the image, whose lower edge belongs to it and
        whose upper one does not.
    """
    for n in range(positions.size):
        position = positions[n]
        inside = -0.5 <= position < size - 0.5
        # ITK looks at the position in single precision when it asks for the voxel below.
        below = math.floor(np.float32(position))
        for k in range(4):
            voxel = abs(below - 1 + k)
            if voxel >= size - 1:
                # The second mirror is for images of two voxels, where ITK would read beyond the first.
                voxel = abs(2 * (size - 1) - voxel)
            index[k, n] = voxel - offset if inside and size > 1 else 0
        w = position - below
        last = (1.0 / 6.0) * w * w * w
        first = (1.0 / 6.0) + 0.5 * w * (w - 1.0) - last
        third = w + first - 2.0 * last
        weight[0, n] = first if inside else 0.0
        weight[1, n] = 1.0 - first - third - last if inside else 0.0
        weight[2, n] = third if inside else 0.0
        weight[3, n] = last if inside else 0.0


@jit
def sum_on_axes(
    coefficients: NDArray[np.float64],
    iz: NDArray[np.int64],
    iy: NDArray[np.int64],
    ix: NDArray[np.int64],
    wz: NDArray[np.float64],
    wy: NDArray[np.float64],
    wx: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    """Evaluate the spline at all combinations of positions along the three axes.

    Parameters
    ----------
    coefficients : ndarray of float64 of shape (z, y, x)
        Of the part of the image that is needed.
    iz, iy, ix : ndarray of int64 of shape (4, n)
        Voxels of the part along each axis, from `support`.
    wz, wy, wx : ndarray of float64 of shape (4, n)
        Their weights.
    result : ndarray of float64 of shape (nz, ny, nx)
        To be filled.
    """
    nz, ny, nx = result.shape
    depth = coefficients.shape[0]
    # Of the four rows round a row of samples, the coefficients that each sample takes are laid side by side. Rows
    # of samples share rows of coefficients: row y stays in slot y % 4 until another one takes it.
    taken = np.empty((4, depth, 4, nx))
    held = np.full(4, -1)
    plane = np.empty((4, 4, nx))
    for y in range(ny):
        for j in range(4):
            row = iy[j, y]
            if held[row % 4] != row:
                held[row % 4] = row
                for k in range(depth):
                    for i in range(4):
                        for x in range(nx):
                            taken[row % 4, k, i, x] = coefficients[k, row, ix[i, x]]
            for i in range(4):
                for x in range(nx):
                    plane[j, i, x] = wx[i, x] * wy[j, y]
        for z in range(nz):
            for x in range(nx):
                result[z, y, x] = 0.0
            for k in range(4):
                depth_weight = wz[k, z]
                for j in range(4):
                    line = taken[iy[j, y] % 4, iz[k, z]]
                    for x in range(nx):
                        value = result[z, y, x]
                        value += plane[j, 0, x] * depth_weight * line[0, x]
                        value += plane[j, 1, x] * depth_weight * line[1, x]
                        value += plane[j, 2, x] * depth_weight * line[2, x]
                        value += plane[j, 3, x] * depth_weight * line[3, x]
                        result[z, y, x] = value


@jit
def sum_on_lines(
    coefficients: NDArray[np.float64],
    offset: NDArray[np.int64],
    size: NDArray[np.int64],
    ends: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    """Evaluate the spline along straight lines of any direction.

    Parameters
    ----------
    coefficients : ndarray of float64 of shape (z, y, x)
        Of the part of the image that is needed.
    offset, size : ndarray of int64 of shape (3,)
        Where the part begins in the image, and the size of the image, along (z, y, x).
    ends : ndarray of float64 of shape (2, nz, ny, 3)
        Continuous indices (z, y, x) of the first sample of each line and of the place one step beyond its last.
    result : ndarray of float64 of shape (nz, ny, nx)
        To be filled.
    """
    nz, ny, nx = result.shape
    _, rows, columns = coefficients.shape
    flat = coefficients.ravel()
    positions = np.empty(nx)
    index = np.empty((3, 4, nx), np.int64)
    weight = np.empty((3, 4, nx))
    for z in range(nz):
        for y in range(ny):
            for axis in range(3):
                line_positions(ends[0, z, y, axis], ends[1, z, y, axis], positions)
                support(positions, size[axis], offset[axis], index[axis], weight[axis])
            line = result[z, y]
            for x in range(nx):
                line[x] = 0.0
            for k in range(4):
                for j in range(4):
                    for x in range(nx):
                        first = (index[0, k, x] * rows + index[1, j, x]) * columns
                        value = line[x]
                        for i in range(4):
                            product = weight[2, i, x] * weight[1, j, x] * weight[0, k, x]
                            value += product * flat[first + index[2, i, x]]
                        line[x] = value


@jit
def line_positions(start: float, end: float, positions: NDArray[np.float64]) -> None:
    """Fill in continuous indices from ``start`` on, as ITK spaces them; ``end`` is one step beyond the last."""
    for n in range(positions.size):
        positions[n] = start + n / float(positions.size) * (end - start)


@jit
def nearest_on_lines(
    labels: NDArray[np.uint8],
    offset: NDArray[np.int64],
    size: NDArray[np.int64],
    ends: NDArray[np.float64],
    result: NDArray[np.uint8],
) -> None:
    """Take the nearest voxel of a part of a mask along straight lines of any direction.

    Parameters
    ----------
    labels : ndarray of uint8 of shape (z, y, x)
        The part; beyond it, all is 0.
    offset, size, ends
        As for `sum_on_lines`.
    result : ndarray of uint8 of shape (nz, ny, nx)
        To be filled.
    """
    nz, ny, nx = result.shape
    positions = np.empty((3, nx))
    voxel = np.empty(3, np.int64)
    for z in range(nz):
        for y in range(ny):
            for axis in range(3):
                line_positions(ends[0, z, y, axis], ends[1, z, y, axis], positions[axis])
            for x in range(nx):
                held = True
                for axis in range(3):
                    voxel[axis] = nearest(positions[axis, x], size[axis]) - offset[axis]
                    held = held and 0 <= voxel[axis] < labels.shape[axis]
                result[z, y, x] = labels[voxel[0], voxel[1], voxel[2]] if held else 0


@jit
def nearest(position: float, size: int) -> int:
    """Return the voxel nearest to a position, halves upwards, or -1 outside the image; see `support`."""
    if not -0.5 <= position < size - 0.5:
        return -1
    return int(np.rint(2.0 * position + 0.5)) >> 1
