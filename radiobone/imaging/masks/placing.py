"""Whether the voxels of a mask lie on those of an image, in whatever order and box they are stored."""

from __future__ import annotations

import numpy as np

from radiobone.imaging.geometry import SAME_GRID_TOLERANCE, Geometry
from radiobone.imaging.volumes import Mask


def place_on(grid: Geometry, mask: Mask) -> Mask:
    """Return a mask on an image's grid, if its voxels are voxels of the image.

    A segmentation is often stored as a box of its image, or with its axes in another order or direction. That is
    undone without any resampling.

    Parameters
    ----------
    grid : Geometry
        The image's grid.
    mask : Mask
        A label map with its own grid.

    Returns
    -------
    Mask
        On the image's grid; or the same mask, if its voxels lie between those of the image, or labels lie outside.
    """
    mask = mask.tight()
    own = mask.geometry
    start = own.world(mask.offset)
    # Each axis of the mask in voxels of the image: a step of one along one of its axes, or it does not fit.
    steps = grid.index(own.world(np.eye(3) + mask.offset)) - grid.index(start)
    order = np.abs(steps).argmax(axis=1)
    signs = np.sign(steps[np.arange(3), order]).astype(int)
    whole = np.zeros((3, 3))
    whole[np.arange(3), order] = signs
    first = np.rint(grid.index(start)).astype(int)
    if sorted(order) != [0, 1, 2]:
        return mask
    ends = np.stack(np.meshgrid(*[(0, size - 1) for size in mask.array.shape], indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    found, expected = own.world(ends + mask.offset), grid.world(first + ends @ whole)
    if np.linalg.norm(found - expected, axis=1).max() > SAME_GRID_TOLERANCE * min(grid.spacing_mm):
        return mask
    lowest = (first + ends @ whole).min(axis=0).astype(int)
    array = np.flip(mask.array, axis=tuple(axis for axis in range(3) if signs[axis] < 0))
    array = np.ascontiguousarray(array.transpose(np.argsort(order)))
    if (lowest < 0).any() or (lowest + array.shape > grid.shape).any():
        return mask
    z, y, x = (int(value) for value in lowest)
    return Mask(array, grid, (z, y, x), mask.names, mask.notes)
