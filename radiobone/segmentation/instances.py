"""One vertebra from the next, where a mask has one label for all of them.

Vertebrae that do not touch are connected components. Those that touch do so at thin places (facet joints,
osteophytes), while a body is thick. So a component is eroded step by step, and parted at the first step at which
two or more thick parts stand above each other; what was eroded is given back to the part that it flows to
(watershed of the distance to the mask's surface).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Geometry, Mask

FRAGMENT_SHARE = 0.1
"""Pieces smaller than this share of the median vertebra are no vertebrae."""

NECK_SHARE = 0.6
"""Two parts are parted only where the neck between them is thinner than this share of either one's thickness."""

CORE_SHARE, THICKNESS_SHARE = 0.2, 0.35
"""A part is a vertebra only if its eroded core has this share of the largest core's volume, and of its thickness.

An arch that breaks off its body has a thin core; a collapsed vertebra still has a broad one.
"""

LEAST_STEP_MM = 8.0
"""Parts whose middles lie closer along the body are not two vertebrae (the two sides of an atlas, say)."""

_LEVELS = 60_000
"""Steps of the distance in the watershed, which takes 16-bit numbers."""

_UP = np.array([0.0, 0.0, 1.0])

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Instance:
    """One vertebra.

    Parameters
    ----------
    mask : Mask
        Boolean, in its tight box.
    centroid_mm : ndarray of shape (3,)
        World coordinates (LPS) of its middle.
    """

    mask: Mask
    centroid_mm: Floats

    @property
    def height_mm(self) -> float:
        """How far to the head its middle lies."""
        return float(self.centroid_mm @ _UP)

    def is_cut(self) -> bool:
        """Whether it touches an end of the grid that the spine runs through."""
        axes = np.abs(self.mask.geometry.axes @ _UP)
        axis = int(axes.argmax())
        place = self.mask.box[axis]
        return bool(place.start == 0 or place.stop == self.mask.geometry.shape[axis])


def find_instances(mask: Mask, label: int) -> tuple[list[Instance], list[float]]:
    """Part a label into vertebrae.

    Parameters
    ----------
    mask : Mask
        The label map.
    label : int
        The label that all vertebrae share.

    Returns
    -------
    list of Instance
        From head to foot.
    list of float
        Volumes in ml of pieces that were left out as too small.
    """
    from scipy import ndimage

    chosen = mask.select(label)
    if not chosen.n_voxels:
        return [], []
    components, _ = ndimage.label(chosen.array)
    pieces = []
    for number, box in enumerate(ndimage.find_objects(components), start=1):
        start = tuple(part.start + begin for part, begin in zip(box, chosen.offset, strict=True))
        pieces += _part(components[box] == number, (start[0], start[1], start[2]), mask.geometry)
    instances = [Instance(piece, _centroid(piece)) for piece in pieces]
    # The median of the larger half: where there is much debris, most pieces are small.
    volumes = np.sort([piece.volume_ml for piece in pieces])
    least = FRAGMENT_SHARE * float(np.median(volumes[volumes >= FRAGMENT_SHARE * volumes[-1]]))
    kept = [item for item in instances if item.mask.volume_ml >= least]
    left = [item.mask.volume_ml for item in instances if item.mask.volume_ml < least]
    return sorted(kept, key=lambda item: -item.height_mm), left


def _part(array: NDArray[np.bool_], offset: tuple[int, int, int], geometry: Geometry) -> list[Mask]:
    """Part one component, again and again, until nothing is left to part."""
    from scipy import ndimage

    padded = np.pad(array, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=geometry.spacing_mm)
    cores = _cores(depth, geometry)
    if cores is None:
        return [Mask(array, geometry, offset).tight()]
    parts = _flood(depth, cores)[1:-1, 1:-1, 1:-1]
    found = []
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        if box is not None:
            start = [part.start + begin for part, begin in zip(box, offset, strict=True)]
            found += _part(parts[box] == number, (start[0], start[1], start[2]), geometry)
    return found


def _cores(depth: Floats, geometry: Geometry) -> NDArray[np.int32] | None:
    """Return numbered cores at the first erosion that parts vertebrae, or None if none does."""
    from scipy import ndimage

    greatest = float(depth.max())
    step = min(geometry.spacing_mm) / 2
    for erosion in np.arange(step, NECK_SHARE * greatest, step):
        found, count = ndimage.label(depth > erosion)
        if count < 2:
            continue
        numbers = np.arange(1, count + 1)
        sizes = np.bincount(found.ravel(), minlength=count + 1)[1:]
        thickness = np.asarray(ndimage.maximum(depth, found, numbers))
        real = (
            (sizes >= CORE_SHARE * sizes.max())
            & (thickness >= THICKNESS_SHARE * greatest)
            & (thickness * NECK_SHARE >= erosion)
        )
        if real.sum() < 2:
            continue
        middles = np.asarray(ndimage.center_of_mass(found > 0, found, numbers[real]))
        heights = np.sort(geometry.world(middles) @ _UP)
        if np.diff(heights).min() < LEAST_STEP_MM:
            continue
        table = np.zeros(count + 1, dtype=np.int32)
        table[numbers[real]] = np.arange(1, real.sum() + 1)
        cores: NDArray[np.int32] = table[found]
        return cores
    return None


def _flood(depth: Floats, cores: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give every voxel of a component to the core that it flows to; 0 outside."""
    from scipy import ndimage

    relief = (_LEVELS * (1.0 - depth / depth.max())).astype(np.uint16)
    markers = np.where(depth == 0, -1, cores).astype(np.int32)
    flooded: NDArray[Any] = ndimage.watershed_ift(relief, markers)
    return np.where((flooded > 0) & (depth > 0), flooded, 0).astype(np.int32)


def _centroid(piece: Mask) -> Floats:
    places = np.argwhere(piece.array).mean(axis=0) + piece.offset
    centroid: Floats = piece.geometry.world(places)
    return centroid
