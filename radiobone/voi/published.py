"""The inside of a body as published studies draw it: without cortex, end plates, basivertebral vein and islands.

Studies that draw this VOI by hand name what they leave out and give no distances: the body without cortex and
venous plexus (Wang J et al., Acad Radiol 2024;31:4159), cancellous bone (Wang S et al., Quant Imaging Med Surg
2024;14:2816). How deep the vein goes and how dense an island is was measured elsewhere: see ``VEIN_DEPTH_SHARE``
and ``ISLAND_HU``. All other numbers are radiobone's own choice, made on pictures of real spines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import VoiError
from radiobone.imaging import Image, Mask
from radiobone.voi.erosion import erode, largest_component
from radiobone.voi.frame import BodyFrame, frame_body, sample
from radiobone.voi.options import VoiOptions
from radiobone.voi.source import Made, Source
from radiobone.voi.trabecular import within_bounds

Bools = NDArray[np.bool_]

VEIN_WIDTH_SHARE = 1 / 3
"""Width of the region of the basivertebral vein, as a share of the body's (radiobone's own choice)."""

VEIN_HEIGHT_SHARE = 1 / 3
"""Height of that region, as a share of the body's (radiobone's own choice)."""

PLATE_STEP_MM = 0.5
"""Step at which the way to the end plates is looked along."""

SMALLEST_ISLAND_MM = 2.0
"""Diameter of the smallest bone island: 124 islands measured 2 to 15 mm (PMID 31469323). Less is noise."""

ISLAND_RIM_MM = 1.0
"""So far round a bone island voxels are left out with it, since they hold some of it (radiobone's own choice)."""


def build_published(source: Source, options: VoiOptions) -> Made:
    """Take the inside of the body without end plates, region of the basivertebral vein, and bone islands.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        Depth of the erosion, distance from the end plates, depth of the vein, density of islands, bounds of HU.

    Returns
    -------
    Made
        The inside, where the body came from, and warnings.

    Raises
    ------
    VoiError
        If the body or its axes cannot be told, nothing is left of it, or HU are needed and there is no image.
    """
    framed = frame_body(source)
    body, frame = framed.body.mask, framed.frame
    inside = largest_component(erode(body, options.erosion_mm))
    world = inside.geometry.world(np.argwhere(inside.array) + inside.offset)
    kept = _clear_of_plates(body, frame, world, options.endplate_mm)
    kept &= ~_near_vein(frame, world, options.vein_depth_share)
    array = np.zeros(inside.array.shape, dtype=bool)
    array[inside.array] = kept
    if options.island_hu is not None:
        array &= ~_islands(Mask(array, inside.geometry, inside.offset), source.image, options.island_hu)
    voi = Mask(array, inside.geometry, inside.offset).tight()
    if voi.n_voxels == 0:
        raise VoiError(
            "nothing is left of the body",
            got=f"a body of {frame.width_mm:.0f} x {frame.depth_mm:.0f} x {frame.height_mm:.0f} mm",
            expected=f"more than {2 * max(options.endplate_mm, options.erosion_mm):g} mm between the end plates",
            do="check the mask, or lower endplate_mm and erosion_mm",
        )
    bounded, warnings = within_bounds(voi, source.image, options)
    return Made(bounded, framed.body.body_source, (*framed.warnings, *warnings))


def _clear_of_plates(body: Mask, frame: BodyFrame, world: NDArray[np.float64], distance_mm: float) -> Bools:
    """Say which points lie at least so far below one end plate and above the other, along the body's axis."""
    clear = np.ones(len(world), dtype=bool)
    for step in np.append(np.arange(PLATE_STEP_MM, distance_mm, PLATE_STEP_MM), distance_mm):
        for way in (step, -step):
            clear[clear] = sample(body, world[clear] + way * frame.axes.head)
    return clear


def _near_vein(frame: BodyFrame, world: NDArray[np.float64], depth_share: float) -> Bools:
    """Say which points lie in the region of the basivertebral vein, which enters amid the back wall."""
    left, back, head = np.moveaxis(frame.shares(world), -1, 0)
    across = (2 * left / VEIN_WIDTH_SHARE) ** 2 + (2 * head / VEIN_HEIGHT_SHARE) ** 2
    found: Bools = (across < 1) & (back > 0.5 - depth_share)
    return found


def _islands(voi: Mask, image: Image | None, island_hu: float) -> Bools:
    """Return the voxels of a VOI's box that hold bone islands, and those round them.

    In slices so thick that an island shares its voxels with marrow, it looks less dense than it is.
    """
    from scipy import ndimage

    if image is None:
        raise VoiError("bone islands are known by their HU", do="give the image, or set island_hu to none")
    dense = voi.array & (image.array[voi.box] > island_hu)
    parts, _ = ndimage.label(dense)
    smallest = np.pi / 6 * SMALLEST_ISLAND_MM**3 / voi.geometry.voxel_volume_mm3
    large = np.flatnonzero(np.bincount(parts.ravel()) >= smallest)
    dense &= np.isin(parts, large)
    if not dense.any():
        return dense
    distance = ndimage.distance_transform_edt(~dense, sampling=voi.geometry.spacing_mm)
    found: Bools = distance <= ISLAND_RIM_MM
    return found
