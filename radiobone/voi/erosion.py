"""Shapes of VOIs: depth under the surface on the true spacing, and the largest connected part."""

from __future__ import annotations

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

    Notes
    -----
    The surface lies half-way between a voxel and its nearest background voxel, so half a voxel edge (in that
    direction) is taken from the distance of the centres. Slices thicker than wide are divided first, for a
    nearest centre is the nearest surface only where voxels are about as long as wide.
    """
    from scipy import ndimage

    spacing = np.asarray(mask.geometry.spacing_mm)
    parts = [_odd(edge / spacing.min()) for edge in spacing]
    array = np.pad(mask.array.astype(bool), 1)
    for axis, number in enumerate(parts):
        array = np.repeat(array, number, axis=axis)
    fine = spacing / parts
    distance, nearest = ndimage.distance_transform_edt(array, sampling=fine, return_indices=True)
    z, y, x = (slice(number + number // 2, -number, number) for number in parts)
    place = np.indices(array.shape, sparse=True)
    steps = np.sqrt(sum((nearest[axis] - place[axis])[z, y, x].astype(np.float64) ** 2 for axis in range(3)))
    depth = distance[z, y, x] * (1.0 - 0.5 / np.maximum(steps, 1.0))
    return Mask((depth >= erosion_mm - ROUNDING_MM) & mask.array.astype(bool), mask.geometry, mask.offset).tight()


def largest_component(mask: Mask) -> Mask:
    """Return the largest part of a mask that is connected through faces; the first of equal ones."""
    from scipy import ndimage

    parts, number = ndimage.label(mask.array)
    if number <= 1:
        return mask.tight()
    largest = int(np.argmax(np.bincount(parts.ravel())[1:])) + 1
    return Mask(parts == largest, mask.geometry, mask.offset).tight()


def count_components(mask: Mask) -> int:
    """Return the number of parts of a mask that are connected through faces."""
    from scipy import ndimage

    return int(ndimage.label(mask.array)[1])


def touches_border(mask: Mask) -> bool:
    """Say whether a mask reaches the outermost voxels of its image."""
    tight = mask.tight()
    return tight.array.size > 0 and any(
        part.start == 0 or part.stop == size for part, size in zip(tight.box, tight.geometry.shape, strict=True)
    )


def _odd(ratio: float) -> int:
    """Return the odd number nearest to a ratio, so that the middle part holds the voxel's centre."""
    return max(1, 2 * round((ratio - 1) / 2) + 1)
