"""The grid on which PyRadiomics resamples a VOI, computed from the whole header.

PyRadiomics anchors its grid at the origin of the whole image and computes only the part round the VOI.
Cropping the image first would move the grid, and every sample with it; so the grid is found here from the
whole header, and only the voxels that it needs are read (`bspline`, `region`).

The positions of the samples are found as ITK finds them, operation by operation. That is more than
pedantry: where a sample falls on a voxel edge, the last bit of its position decides which voxel a mask
takes, and where it falls on a voxel centre, the last bit of its value decides the integer, since ITK cuts
decimals off.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Geometry, Mask
from radiobone.imaging.volumes import Box

if TYPE_CHECKING:
    import SimpleITK as sitk


@dataclass(frozen=True)
class ResamplingGrid:
    """Where the samples of a resampled region lie in an image or mask.

    Parameters
    ----------
    source : Geometry
        The whole grid of the image or mask.
    target : Geometry
        The grid of the resampled region; its direction is that of the mask.
    """

    source: Geometry
    target: Geometry

    @cached_property
    def _lines(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Source indices (x, y, z) of both ends of each line of samples, each of shape (z, y, 3)."""
        source, target = header(self.source), header(self.target)
        nz, ny, nx = self.target.shape
        ends = np.empty((2, nz, ny, 3))
        for end, x in enumerate((0, nx)):
            for z in range(nz):
                for y in range(ny):
                    point = target.TransformIndexToPhysicalPoint((x, y, z))
                    ends[end, z, y] = source.TransformPhysicalPointToContinuousIndex(point)
        return ends[0], ends[1]

    def positions(self, z: int) -> NDArray[np.float64]:
        """Return where the samples of one slice lie in the source grid.

        Parameters
        ----------
        z : int
            Slice of the target grid.

        Returns
        -------
        ndarray of shape (3, y, x)
            Continuous source indices (z, y, x) of each sample.

        Notes
        -----
        ITK transforms both ends of a line and interpolates between them, the far end being one step
        beyond the last sample; the same is done here.
        """
        start, end = self._lines
        nx = self.target.shape[2]
        share = np.arange(nx) / float(nx)
        low, high = start[z, :, None, :], end[z, :, None, :]
        indices: NDArray[np.float64] = low + share[None, :, None] * (high - low)
        return np.moveaxis(indices[..., ::-1], -1, 0)

    @cached_property
    def reach(self) -> Box:
        """The box of the source grid that holds all samples, at least one voxel along each axis."""
        low = np.min([end.min(axis=(0, 1)) for end in self._lines], axis=0)[::-1]
        high = np.max([end.max(axis=(0, 1)) for end in self._lines], axis=0)[::-1]
        limit = np.asarray(self.source.shape) - 1
        start = np.clip(np.floor(low), 0, limit).astype(int)
        stop = np.clip(np.ceil(high), 0, limit).astype(int) + 1
        z, y, x = (slice(int(first), int(last)) for first, last in zip(start, stop, strict=True))
        return z, y, x

    def inside(self, positions: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which positions lie inside the image, its voxels' outer edges being its border.

        Parameters
        ----------
        positions : ndarray of shape (3, y, x)
            Continuous source indices (z, y, x), from `positions`.

        Returns
        -------
        ndarray of bool of shape (y, x)
            The lower edge belongs to the image, the upper one does not.
        """
        size = np.asarray(self.source.shape, dtype=np.float64).reshape(3, 1, 1)
        within = (positions >= -0.5) & (positions < size - 0.5)
        return np.asarray(within.all(axis=0), dtype=np.bool_)

    def resample_mask(self, mask: Mask) -> NDArray[np.uint8]:
        """Return a VOI on the target grid, each sample taking the nearest voxel.

        Parameters
        ----------
        mask : Mask
            The VOI on the source grid; every voxel that is not 0 belongs to it.

        Returns
        -------
        ndarray of uint8 of shape ``target.shape``
            1 inside the VOI, 0 outside.
        """
        result = np.zeros(self.target.shape, dtype=np.uint8)
        offset = np.asarray(mask.offset).reshape(3, 1, 1)
        size = np.asarray(mask.array.shape).reshape(3, 1, 1)
        for z in range(self.target.shape[0]):
            positions = self.positions(z)
            # ITK's rounding: to the nearest integer, halves upwards.
            index = (np.rint(2.0 * positions + 0.5).astype(np.int64) >> 1) - offset
            held = ((index >= 0) & (index < size)).all(axis=0) & self.inside(positions)
            iz, iy, ix = index[:, held]
            result[z, held] = mask.array[iz, iy, ix] != 0
        return result


def resampling_grid(
    geometry: Geometry, box: Box, spacing_mm: tuple[float, float, float], pad_distance: int
) -> ResamplingGrid | None:
    """Return the grid on which PyRadiomics resamples, or None where it leaves the image as it is.

    Parameters
    ----------
    geometry : Geometry
        Grid of the whole mask, whose header PyRadiomics goes by.
    box : Box
        Bounding box of the VOI, (z, y, x).
    spacing_mm : tuple of float
        Wanted spacing along (z, y, x) in mm; 0 keeps the image's.
    pad_distance : int
        Number of new voxels round the VOI.

    Notes
    -----
    Along an axis on which the VOI is one voxel thick, PyRadiomics does not resample. If then no spacing
    changes (to 1e-5 relative), nothing is resampled and the image is cropped to the VOI and its padding.
    """
    own = np.asarray(geometry.spacing_mm)
    start = np.asarray([part.start for part in box])
    size = np.asarray([part.stop - part.start for part in box])
    wanted = np.asarray(spacing_mm, dtype=np.float64)
    wanted = np.where(wanted == 0, own, wanted)
    wanted = np.where(size != 1, wanted, own)
    if np.allclose(own, wanted):
        return None
    ratio = own / wanted
    low = np.maximum(np.floor((start - 0.5) * ratio - pad_distance), 0)
    last = np.ceil(np.asarray(geometry.shape) * ratio) - 1
    high = np.minimum(np.ceil((start + size - 0.5) * ratio + pad_distance), last)
    nz, ny, nx = (int(count) for count in high - low + 1)
    origin = 0.5 * (wanted - own) / own + low / ratio
    world = header(geometry).TransformContinuousIndexToPhysicalPoint(origin[::-1].tolist())
    dz, dy, dx = (float(step) for step in wanted)
    target = Geometry((nz, ny, nx), (dz, dy, dx), tuple(world), geometry.direction)
    return ResamplingGrid(geometry, target)


def header(geometry: Geometry) -> sitk.Image:
    """Return an image of one voxel that carries a grid's geometry: ITK's own arithmetic, without the voxels.

    Parameters
    ----------
    geometry : Geometry
        The grid; its shape is left out.
    """
    import SimpleITK as sitk

    image = sitk.Image(1, 1, 1, sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing_mm[::-1])
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction)
    return image
