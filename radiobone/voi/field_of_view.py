"""A vertebra with its surroundings: a label or body widened by a distance, or scaled about its middle."""

from __future__ import annotations

import numpy as np

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask
from radiobone.imaging.volumes import expand
from radiobone.voi.erosion import ROUNDING_MM, touches_border
from radiobone.voi.frame import sample
from radiobone.voi.options import VoiOptions
from radiobone.voi.slices import take_region
from radiobone.voi.source import Made, Source
from radiobone.voi.spine import centroid_mm


def build_field_of_view(source: Source, options: VoiOptions) -> Made:
    """Take a region as it is, smaller or larger: first scaled about its centroid, then widened on all sides.

    What surrounds a vertebra becomes part of the VOI, discs and neighbours as well. The fields of view "fit",
    "half" and "large" that Kuo et al. (Int J Med Inform 2025;199) compare are scales of 1, 0.5 and 1.2.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        The region, its scale, and the margin in mm.

    Returns
    -------
    Made
        The field of view, with a warning where the image ends before it does.

    Raises
    ------
    VoiError
        If the region cannot be made, or nothing is left of it so small.
    """
    region = take_region(source, options)
    scaled = scale_mask(region.mask, options.scale)
    if scaled.n_voxels == 0:
        box = np.multiply(region.mask.tight().array.shape, region.mask.geometry.spacing_mm)
        size = " x ".join(f"{length:.3g}" for length in box)
        raise VoiError(
            "the field of view is smaller than a voxel",
            got=f"{options.scale:g} times a {options.region} in a box of {size} mm (z, y, x)",
            expected="room for the centre of a voxel",
            do="choose a larger scale",
        )
    voi = dilate(scaled, options.margin_mm)
    cut = ("the field of view is cut by the image border",) if touches_border(voi) else ()
    return Made(voi, region.body_source, (*region.warnings, *cut))


def scale_mask(mask: Mask, scale: float) -> Mask:
    """Scale a mask about its centroid.

    Parameters
    ----------
    mask : Mask
        Boolean, not empty.
    scale : float
        Factor of every length.

    Returns
    -------
    Mask
        In its tight box, as far as the image reaches.
    """
    if scale == 1.0:
        return mask.tight()
    tight = mask.tight()
    middle = centroid_mm(tight)
    reach = [int(np.ceil(max(scale - 1.0, 0.0) * size)) + 1 for size in tight.array.shape]
    box = expand(tight.box, (reach[0], reach[1], reach[2]), tight.geometry.shape)
    index = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij"), axis=-1)
    found = sample(tight, middle + (tight.geometry.world(index) - middle) / scale)
    z, y, x = (part.start for part in box)
    return Mask(found, tight.geometry, (z, y, x)).tight()


def dilate(mask: Mask, margin_mm: float) -> Mask:
    """Add the voxels whose centre lies less than a distance beyond the surface of a mask.

    Parameters
    ----------
    mask : Mask
        Boolean.
    margin_mm : float
        The distance in mm.

    Returns
    -------
    Mask
        In its tight box, as far as the image reaches.

    Notes
    -----
    The distance of a voxel is that from its centre to the nearest centre in the mask, less half of the longest
    projection of a voxel edge on that way, where the surface lies. A ball of 14 mm so becomes one of 19 mm within
    3 % of its volume at 0.8 to 1 mm, and 6 % in slices of 3 mm.
    """
    from scipy import ndimage

    tight = mask.tight()
    if margin_mm == 0:
        return tight
    spacing = tight.geometry.spacing_mm
    z, y, x = (int(np.ceil(margin_mm / edge)) + 1 for edge in spacing)
    box = expand(tight.box, (z, y, x), tight.geometry.shape)
    outside = ~tight.within(box)
    distance, nearest = ndimage.distance_transform_edt(outside, sampling=spacing, return_indices=True)
    place = np.indices(outside.shape, sparse=True)
    half = np.zeros(outside.shape)
    for axis, edge in enumerate(spacing):
        way = np.abs(nearest[axis] - place[axis]) * edge
        half = np.maximum(half, 0.5 * edge * way / np.maximum(distance, edge))
    start = (box[0].start, box[1].start, box[2].start)
    return Mask(distance - half < margin_mm + ROUNDING_MM, tight.geometry, start).tight()
