"""One vertebra from the next, where a mask has one label for all of them.

Vertebrae touch each other at their joints and osteophytes, but only a body is thick. So the thick cores of the
mask are its vertebrae, and every other voxel belongs to the core from which the way through the mask is shortest,
where thin places count as long. Bodies come out whole; at the joints some millimetres may go to the neighbour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Geometry, Mask
from radiobone.imaging.volumes import Box, expand

CORE_SHARE = 0.35
"""A core is what lies deeper below the surface than this share of the depth of the bodies around.

Bodies are 8 to 15 mm deep and collapsed ones 7; joints, pedicles and arches are 3 to 5 mm deep beside them.
"""

AROUND_MM = 40.0
"""How far to the head and the foot a body's depth counts for its neighbours: necks are slenderer than loins."""

FRAGMENT_SHARE = 0.1
"""Cores and pieces smaller than this share of the median one are no vertebrae."""

SPECK_ML, CELL_MM = 0.3, 4.0
"""What is smaller, and about this far from all else, is no vertebra: half an atlas has some 5 ml."""

LEAST_STEP_MM = 8.0
"""Cores whose middles lie closer along the body are one vertebra (the two sides of an atlas, say)."""

WORK_MM = 1.6
"""Masks are parted on a grid of up to this voxel size: finer ones show the same vertebrae at a higher price."""

_GROWN = 12
"""Voxels of the mask's grid that the coarser one may have missed at the edge of thin parts."""

_UP = np.array([0.0, 0.0, 1.0])

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int32]


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
        axis = int(np.abs(self.mask.geometry.axes @ _UP).argmax())
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
    chosen = mask.select(label)
    if not chosen.n_voxels:
        return [], []
    chosen, specks = _without_specks(chosen)
    # One voxel of background around, but not beyond the grid: a vertebra that the border cuts goes on there.
    box = expand(chosen.box, (1, 1, 1), mask.geometry.shape)
    pieces = _pieces(chosen.within(box), box, mask.geometry)
    least = FRAGMENT_SHARE * _typical([piece.volume_ml for piece in pieces])
    kept = [Instance(piece, _centroid(piece)) for piece in pieces if piece.volume_ml >= least]
    left = [*(piece.volume_ml for piece in pieces if piece.volume_ml < least), *specks]
    return sorted(kept, key=lambda item: -item.height_mm), left


def _without_specks(chosen: Mask) -> tuple[Mask, list[float]]:
    """Take specks that lie by themselves out of a mask, which is not empty, and return their volumes in ml.

    One in a foot would make all that follows as large as the scan. If there is nothing else, they stay.
    """
    from scipy import ndimage

    steps = [max(1, round(CELL_MM / size)) for size in chosen.geometry.spacing_mm]
    counts: NDArray[Any] = chosen.array
    for axis, step in enumerate(steps):
        counts = np.add.reduceat(counts, np.arange(0, counts.shape[axis], step), axis=axis, dtype=np.int32)
    groups, count = ndimage.label(counts, structure=np.ones((3, 3, 3)))
    voxels = ndimage.sum_labels(counts, groups, np.arange(1, count + 1))
    volumes = voxels * chosen.geometry.voxel_volume_mm3 / 1000.0
    specks = volumes < SPECK_ML
    if specks.all() or not specks.any():
        return chosen, []
    kept = np.concatenate([[False], ~specks])[groups]
    rows, columns = (np.arange(size) // step for size, step in zip(chosen.array.shape[1:], steps[1:], strict=True))
    cleaned = np.empty_like(chosen.array)
    for number, plane in enumerate(chosen.array):
        cleaned[number] = plane & kept[number // steps[0]][np.ix_(rows, columns)]
    return replace(chosen, array=cleaned).tight(), volumes[specks].tolist()


def _pieces(array: Bools, box: Box, geometry: Geometry) -> list[Mask]:
    """Part a box of the mask; parts that no core reaches are pieces of their own."""
    from scipy import ndimage

    factors = [max(1, math.floor(WORK_MM / size)) for size in geometry.spacing_mm]
    coarse = tuple(slice(factor // 2, None, factor) for factor in factors)
    spacing = [size * factor for size, factor in zip(geometry.spacing_mm, factors, strict=True)]
    # An axis of which the box holds fewer voxels than one step is not thinned out.
    reduced = array[coarse] if all(array[coarse].shape) else array
    towards_head = (geometry.axes @ _UP) * (spacing if reduced is not array else geometry.spacing_mm)
    step_mm = spacing if reduced is not array else list(geometry.spacing_mm)
    depth = ndimage.distance_transform_edt(reduced, sampling=step_mm)
    parts = _spread(reduced, depth, _cores(reduced, depth, towards_head), step_mm)
    if reduced is not array:
        for axis, factor in enumerate(factors):
            parts = np.repeat(parts, factor, axis=axis)
        sizes = [(0, max(0, full - part)) for full, part in zip(array.shape, parts.shape, strict=True)]
        z, y, x = (slice(0, size) for size in array.shape)
        parts = np.pad(parts, sizes, mode="edge")[z, y, x]
    parts = _grow(np.where(array, parts, 0), array)
    rest, _ = ndimage.label(array & (parts == 0))
    parts = np.where(rest > 0, rest + parts.max(), parts)
    found = []
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        if place is not None:
            z0, y0, x0 = (part.start + outer.start for part, outer in zip(place, box, strict=True))
            found.append(Mask(parts[place] == number, geometry, (z0, y0, x0)))
    return found


def _cores(array: Bools, depth: Floats, towards_head: Floats) -> Numbers:
    """Find and number the thick cores of a mask.

    Parameters
    ----------
    array, depth : ndarray of shape (z, y, x)
        The mask, and how deep each voxel lies below its surface, in mm.
    towards_head : ndarray of shape (3,)
        How much nearer to the head, in mm, one voxel farther along each axis is.
    """
    from scipy import ndimage

    heights = np.argwhere(array) @ towards_head
    slices = np.round(heights - heights.min()).astype(np.int64)
    profile = np.zeros(slices.max() + 1)
    np.maximum.at(profile, slices, depth[array])
    around = ndimage.maximum_filter1d(profile, 2 * round(AROUND_MM) + 1)
    needed = np.full(array.shape, np.inf)
    needed[array] = CORE_SHARE * ndimage.uniform_filter1d(around, round(AROUND_MM) + 1)[slices]
    cores, count = ndimage.label(depth > needed)
    if not count:
        return np.zeros(array.shape, dtype=np.int32)
    sizes = np.bincount(cores.ravel())[1:]
    real = np.flatnonzero(sizes >= FRAGMENT_SHARE * _typical(sizes)) + 1
    middles = np.asarray(ndimage.center_of_mass(cores > 0, cores, real)) @ towards_head
    order = np.argsort(middles)
    table = np.zeros(count + 1, dtype=np.int32)
    number = 1
    table[real[order[0]]] = number
    for below, above in pairwise(order):
        number += middles[above] - middles[below] >= LEAST_STEP_MM
        table[real[above]] = number
    numbered: Numbers = table[cores]
    return numbered


def _spread(array: Bools, depth: Floats, cores: Numbers, spacing: list[float]) -> Numbers:
    """Give every voxel to the core from which the way is shortest; 0 where no way leads."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra

    places = np.full(array.shape, -1, dtype=np.int32)
    places[array] = np.arange(np.count_nonzero(array), dtype=np.int32)
    ends: list[tuple[Any, Any, Any]] = []
    for step in product((-1, 0, 1), repeat=3):
        if step <= (0, 0, 0):
            continue  # each pair of neighbours once
        one = tuple(slice(max(0, -s), size - max(0, s)) for s, size in zip(step, array.shape, strict=True))
        two = tuple(slice(max(0, s), size - max(0, -s)) for s, size in zip(step, array.shape, strict=True))
        both = array[one] & array[two]
        length = float(np.linalg.norm(np.multiply(step, spacing)))
        ends.append((places[one][both], places[two][both], length / np.minimum(depth[one], depth[two])[both]))
    first, second, cost = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    count = int(places.max()) + 1
    ways = coo_matrix((cost, (first, second)), shape=(count, count)).tocsr()
    seeds = cores[array]
    result: Numbers = np.zeros(array.shape, dtype=np.int32)
    if seeds.any():
        sources = dijkstra(
            ways, directed=False, indices=np.flatnonzero(seeds), min_only=True, return_predecessors=True
        )[2]
        result[array] = np.where(sources >= 0, seeds[np.maximum(sources, 0)], 0)
    return result


def _grow(parts: Numbers, array: Bools) -> Numbers:
    """Let parts grow into voxels of the mask that the coarser grid did not see."""
    from scipy import ndimage

    for _ in range(_GROWN):
        empty = array & (parts == 0)
        if not empty.any():
            break
        grown = ndimage.grey_dilation(parts, footprint=ndimage.generate_binary_structure(3, 1))
        if not grown[empty].any():
            break
        parts = np.where(empty, grown, parts)
    return parts


def _typical(sizes: Any) -> float:
    """Return the median of all sizes that are not dwarfed by the largest: most pieces may be debris."""
    values = np.asarray(sizes, dtype=np.float64)
    return float(np.median(values[values >= FRAGMENT_SHARE * values.max()]))


def _centroid(piece: Mask) -> Floats:
    places = np.argwhere(piece.array).mean(axis=0) + piece.offset
    centroid: Floats = piece.geometry.world(places)
    return centroid
