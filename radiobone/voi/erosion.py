"""Shapes of VOIs: depth under the surface on the true spacing, and the largest connected part."""

from __future__ import annotations

import math

import numpy as np

from radiobone.imaging import Mask

ROUNDING_MM = 1e-4
"""Depths are compared with this tolerance, so that 3 layers of 1 mm are 3 mm in every rounding."""


def erode(mask: Mask, erosion_mm: float) -> Mask:
    """Keep the voxels whose centre lies at least so deep under the surface of a mask.

    The world outside the image counts as background: what a mask's image cuts off is unknown, and a VOI that
    keeps clear of the border is kept clear of filter artefacts as well.

    Parameters
    ----------
    mask : Mask
        The VOI.
    erosion_mm : float
        Depth in mm.

    Returns
    -------
    Mask
        What is left, in its tight box; it may be empty.

    Notes
    -----
    The depth of a voxel is the distance from its centre to the nearest background centre, less half of the
    longest projection of a voxel edge on that way: the surface lies half a voxel before the background centre.
    The same must hold along each axis alone, since in thick slices the nearest centre often lies in the slice
    while the nearest surface is its face. A ball of 16 mm eroded by 3 mm so has the volume of a ball of 13 mm
    within 3 % at 0.5 mm, 5 % at 1 to 2 mm and 10 % at 3 mm.
    """
    from scipy import ndimage

    spacing = mask.geometry.spacing_mm
    array = np.pad(mask.array.astype(bool), 1)
    limit = erosion_mm - ROUNDING_MM
    distance, nearest = ndimage.distance_transform_edt(array, sampling=spacing, return_indices=True)
    place = np.indices(array.shape, sparse=True)
    half = np.zeros(array.shape)
    for axis, edge in enumerate(spacing):
        way = np.abs(nearest[axis] - place[axis]) * edge
        half = np.maximum(half, 0.5 * edge * way / np.maximum(distance, edge))
    kept = array & (distance - half >= limit)
    for axis, edge in enumerate(spacing):
        layers = max(0, math.ceil(limit / edge - 0.5))
        kept &= ndimage.minimum_filter1d(array.view(np.uint8), 2 * layers + 1, axis, mode="constant") > 0
    return Mask(kept[1:-1, 1:-1, 1:-1], mask.geometry, mask.offset).tight()


def largest_component(mask: Mask) -> Mask:
    """Return the largest part of a mask that is connected through faces; the first of equal ones.

    Parameters
    ----------
    mask : Mask
        Boolean.

    Returns
    -------
    Mask
        That part, in its tight box.
    """
    from scipy import ndimage

    parts, number = ndimage.label(mask.array)
    if number <= 1:
        return mask.tight()
    largest = int(np.argmax(np.bincount(parts.ravel())[1:])) + 1
    return Mask(parts == largest, mask.geometry, mask.offset).tight()


def part_sizes(mask: Mask) -> list[int]:
    """Return the sizes of the parts of a mask that are connected through faces.

    Parameters
    ----------
    mask : Mask
        Boolean.

    Returns
    -------
    list of int
        Number of voxels of each.
    """
    from scipy import ndimage

    parts, _ = ndimage.label(mask.array)
    return [int(size) for size in np.bincount(parts.ravel())[1:]]


def touches_border(mask: Mask) -> bool:
    """Say whether a mask reaches the outermost voxels of its image.

    Parameters
    ----------
    mask : Mask
        Boolean.

    Returns
    -------
    bool
        False for an empty mask.
    """
    tight = mask.tight()
    return tight.array.size > 0 and any(
        part.start == 0 or part.stop == size for part, size in zip(tight.box, tight.geometry.shape, strict=True)
    )
