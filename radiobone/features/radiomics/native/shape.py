"""Shape features of a VOI in space: from its mask alone.

Volume, surface and diameters belong to the triangle mesh of marching cubes, axes to the centres of the voxels.
Definitions are those of PyRadiomics 3.0.1 (and, but for Maximum2DDiameter..., which IBSI does not know, of
IBSI, doi:10.1148/radiol.2020191145).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.kernels.diameters import common_corners, largest_distance, planes_across
from radiobone.features.radiomics.kernels.mesh import coordinate_sums, count_cases
from radiobone.features.radiomics.kernels.mesh_tables import edge_middles, triangles

FLAT = 1e-9
"""Below this share of the largest spread, the smallest one is rounding, and PyRadiomics' own must be met."""

ROUNDING = 1e-10
"""A spread (mm²) below 0 by less than this is taken for 0, as in PyRadiomics; one farther below gives NaN."""


def shape_features(mask: NDArray[Any], spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Compute all shape features of a VOI.

    Parameters
    ----------
    mask : ndarray of shape (z, y, x)
        Not 0 inside the VOI.
    spacing_mm : tuple of float
        Size of a voxel along (z, y, x).

    Returns
    -------
    dict of str to float
        By the names of `catalogue.FEATURES`, in its order. A diameter is 0 where no two points of the surface lie
        in one plane; Elongation and Flatness are NaN for a single voxel, SurfaceVolumeRatio and
        SphericalDisproportion where the mesh has no volume (it leaves holes where voxels touch at edges, and
        a few scattered voxels can come to 0).

    Raises
    ------
    EngineError
        If the mask is empty.

    Examples
    --------
    >>> found = shape_features(np.ones((4, 1, 1)), (1.0, 2.0, 2.0))
    >>> found["VoxelVolume"], found["Elongation"], found["Maximum3DDiameter"]
    (16.0, 0.0, 4.0)
    """
    return dict(zip(FEATURES["shape"], shape_vector(mask, spacing_mm).tolist(), strict=True))


def shape_vector(mask: NDArray[Any], spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Compute all shape features of a VOI.

    Parameters
    ----------
    mask : ndarray of shape (z, y, x)
        Not 0 inside the VOI.
    spacing_mm : tuple of float
        Size of a voxel along (z, y, x).

    Returns
    -------
    ndarray of float64, shape (17,)
        In the order of ``catalogue.FEATURES["shape"]``.

    Raises
    ------
    ValueError
        If the mask is not 3D.
    EngineError
        If the mask is empty.
    """
    padded = bordered(mask)
    spacing = np.array(spacing_mm, dtype=np.float64)
    sums = coordinate_sums(padded)
    n_voxels = int(sums[0])
    volume, area, diameters = _surface(padded, spacing)
    least, minor, major = principal_spreads(padded, spacing, sums)
    z, y, x = spacing.tolist()
    sphere_area = (36 * math.pi * volume**2) ** (1 / 3)
    return np.array(
        [
            volume / (area**1.5 * math.sqrt(math.pi)),
            36 * math.pi * volume**2 / area**3,
            root_of_ratio(minor, major),
            root_of_ratio(least, major),
            axis_length(least),
            axis_length(major),
            diameters[1],
            diameters[2],
            diameters[0],
            diameters[3],
            volume,
            axis_length(minor),
            area / sphere_area if volume else math.nan,
            sphere_area / area,
            area,
            area / volume if volume else math.nan,
            n_voxels * (z * x * y),
        ]
    )


def bordered(mask: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a mask cut to its VOI, with a border of one voxel, as 0 and 1.

    Parameters
    ----------
    mask : ndarray of shape (z, y, x)
        Not 0 inside the VOI.

    Raises
    ------
    ValueError
        If the mask is not 3D.
    EngineError
        If the mask is empty.
    """
    if mask.ndim != 3:
        raise ValueError(f"needs a 3D mask, got {mask.ndim}D")
    inside = np.asarray(mask) != 0
    shadow = inside.any(axis=0)
    box = []
    for touched in (inside.any(axis=(1, 2)), shadow.any(axis=1), shadow.any(axis=0)):
        filled = np.flatnonzero(touched)
        if filled.size == 0:
            raise EngineError("the VOI is empty", got="0 voxels", expected="at least 1")
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    tight = inside[tuple(box)]
    padded = np.zeros([size + 2 for size in tight.shape], dtype=np.uint8)
    padded[1:-1, 1:-1, 1:-1] = tight
    return padded


def principal_spreads(
    padded: NDArray[np.uint8], spacing: NDArray[np.float64], sums: NDArray[np.int64]
) -> list[float]:
    """Return the variances of the voxels' centres along their principal axes, ascending.

    Parameters
    ----------
    padded : ndarray of uint8
        1 inside the VOI, in a border of one voxel.
    spacing : ndarray of float64
        Size of a voxel along each axis.
    sums : ndarray of int64
        Number of voxels, sums of each coordinate, of each squared, and of each product of two (zy, zx, yx).

    Notes
    -----
    The covariance is computed in whole numbers, so that it is exact. Where the VOI is flat, though, one spread
    is 0, and PyRadiomics' roundings make it 0, 1e-17 or, a little below 0, none at all: there the sums are done
    in floating point as PyRadiomics does them, on coordinates counted from the border.
    """
    n_axes = spacing.size
    counts = sums.tolist()
    n, first, second, products = counts[0], counts[1 : 1 + n_axes], counts[1 + n_axes :], {}
    for axis in range(n_axes):
        products[axis, axis] = second[axis]
    pairs = [(i, k) for i in range(n_axes) for k in range(i + 1, n_axes)]
    for pair, total in zip(pairs, second[n_axes:], strict=True):
        products[pair] = products[pair[::-1]] = total
    covariance = np.empty((n_axes, n_axes))
    for i, k in products:
        covariance[i, k] = (n * products[i, k] - first[i] * first[k]) / n**2 * (spacing[i] * spacing[k])
    spreads = np.linalg.eigvalsh(covariance)
    if spreads[0] > FLAT * spreads[-1]:
        return [float(spread) for spread in spreads]
    points = np.stack(np.nonzero(padded)).T * spacing
    points -= points.mean(axis=0)
    points /= math.sqrt(n)
    rounded = np.sort(np.linalg.eigvals(np.dot(points.T.copy(), points)).real)
    return [0.0 if -ROUNDING < spread < 0 else float(spread) for spread in rounded]


def axis_length(spread: float) -> float:
    """Return the length of an ellipsoid's axis from the variance along it, NaN if that is below 0."""
    return math.nan if spread < 0 else math.sqrt(spread) * 4


def root_of_ratio(smaller: float, larger: float) -> float:
    """Return the ratio of two axes from the variances along them, NaN if one is below 0 or both are 0."""
    if smaller < 0 or larger < 0 or larger == 0:
        return math.nan
    return math.sqrt(smaller / larger)


def _surface(padded: NDArray[np.uint8], spacing: NDArray[np.float64]) -> tuple[float, float, list[float]]:
    """Return the mesh's volume, its area, and the diameters of equal z, of equal y, of equal x and in space.

    Each case of marching cubes has its own area and, wherever its cube stands, its own share of the volume: so
    counting the cases is enough.
    """
    depth, height, width = padded.shape
    across_x = np.empty((2, 2 * depth, 2 * height), dtype=np.int32)
    across_y = np.empty((2, 2 * depth, 2 * width), dtype=np.int32)
    counts, places = count_cases(padded, across_x, across_y)
    normals, offsets = _case_geometry()
    signed, moved = counts[:128] - counts[:127:-1], places[:128] - places[:127:-1]
    # in half voxels, and six times too large: 2 x places, since the sums are in voxels
    volume_48 = int((signed * offsets).sum() + 2 * (moved * normals.sum(axis=1)).sum())
    face = np.prod(spacing) / spacing / 4
    areas = np.sqrt(((normals * face) ** 2).sum(axis=2)).sum(axis=1) / 2
    area = float(((counts[:128] + counts[:127:-1]) * areas).sum())
    return volume_48 / 48 * float(np.prod(spacing)), area, _diameters(across_x, across_y, spacing)


def _diameters(
    across_x: NDArray[np.int32], across_y: NDArray[np.int32], spacing: NDArray[np.float64]
) -> list[float]:
    """Return the diameters of equal z, of equal y, of equal x and in space."""
    z, y, x = spacing.tolist()
    across_xt = np.ascontiguousarray(across_x.swapaxes(1, 2))
    across_yt = np.ascontiguousarray(across_y.swapaxes(1, 2))
    in_z, in_y, in_x = (np.zeros(table.shape, dtype=np.uint8) for table in (across_x, across_xt, across_yt))
    squares = [
        planes_across(across_x, y, x, in_z),
        planes_across(across_xt, z, x, in_y),
        planes_across(across_yt, z, y, in_x),
    ]
    corners = np.empty((across_x.size, 3), dtype=np.int32)
    n_corners = common_corners(across_x, across_y, in_z, in_y, in_x, corners)
    points = 0.5 * corners[:n_corners] * spacing
    radii = np.sqrt(((points - (points.min(axis=0) + points.max(axis=0)) / 2) ** 2).sum(axis=1))
    order = np.argsort(-radii)
    squares.append(largest_distance(points[order], radii[order]))
    return [math.sqrt(square) for square in squares]


@cache
def _case_geometry() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the area vectors of the triangles of each case, and each case's volume against the first corner.

    Both are in half voxels; the vectors are twice the area, the volumes six times the volume.
    """
    a, b, c = np.moveaxis(edge_middles()[triangles()], 2, 0)
    return np.cross(b - a, c - a), (np.cross(a, b) * c).sum(axis=(1, 2))
