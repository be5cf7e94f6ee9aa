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

from radiobone.features.radiomics.kernels import bspline as kernels
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
    def ends(self) -> NDArray[np.float64]:
        """Where the lines of samples along x begin and end in the source, of shape (2, z, y, 3).

        Continuous source indices (z, y, x) of the first sample of each line, and of the place one step beyond its
        last: ITK computes these two, and spaces the samples between them.
        """
        nz, ny, nx = self.target.shape
        index = np.zeros((2, nz, ny, 3))
        index[1, ..., 0] = nx
        index[..., 1] = np.arange(ny)
        index[..., 2] = np.arange(nz)[:, None]
        world = _added(np.asarray(self.target.origin_mm), _to_world(self.target), index)
        offset = world - np.asarray(self.source.origin_mm)
        return np.ascontiguousarray(_added(np.zeros(3), _to_index(self.source), offset)[..., ::-1])

    @cached_property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
        """Source indices of the samples along (z, y, x), if no axis depends on another, to the last bit.

        None if the grids are turned against each other, or ITK's rounding makes it seem so.
        """
        start, end = self.ends
        line = np.empty(self.target.shape[2])
        kernels.line_positions(start[0, 0, 2], end[0, 0, 2], line)
        z, y = start[:, 0, 0].copy(), start[0, :, 1].copy()
        aligned = (
            (self.ends[..., 0] == z[:, None]).all()
            and (self.ends[..., 1] == y).all()
            and (start[..., 2] == start[0, 0, 2]).all()
            and (end[..., 2] == end[0, 0, 2]).all()
        )
        return (z, y, line) if aligned else None

    @cached_property
    def reach(self) -> Box:
        """The box of the source grid that holds all samples, at least one voxel along each axis."""
        low, high = self.ends.min(axis=(0, 1, 2)), self.ends.max(axis=(0, 1, 2))
        limit = np.asarray(self.source.shape) - 1
        start = np.clip(np.floor(low), 0, limit).astype(int)
        stop = np.clip(np.ceil(high), 0, limit).astype(int) + 1
        z, y, x = (slice(int(first), int(last)) for first, last in zip(start, stop, strict=True))
        return z, y, x

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
        labels = np.ascontiguousarray(mask.array != 0).view(np.uint8)
        kernels.nearest_on_lines(labels, np.asarray(mask.offset), np.asarray(self.source.shape), self.ends, result)
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


def _to_world(geometry: Geometry) -> NDArray[np.float64]:
    """Return the matrix from steps along the index axes (x, y, z) to world steps, as ITK makes it."""
    matrix: NDArray[np.float64] = np.asarray(geometry.direction).reshape(3, 3) * geometry.spacing_mm[::-1]
    return matrix


def _to_index(geometry: Geometry) -> NDArray[np.float64]:
    """Return the inverse of `_to_world`, with ITK's own rounding."""
    centred = Geometry(geometry.shape, geometry.spacing_mm, direction=geometry.direction)
    columns = map(header(centred).TransformPhysicalPointToContinuousIndex, np.eye(3).tolist())
    return np.transpose(list(columns))


def _added(
    start: NDArray[np.float64], matrix: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ``start + matrix @ steps`` along the last axis, added up from left to right as ITK does."""
    total = start + matrix[:, 0] * steps[..., 0, None]
    total += matrix[:, 1] * steps[..., 1, None]
    total += matrix[:, 2] * steps[..., 2, None]
    return total
