"""Local binary patterns in slices (LBP2D) and on spheres (LBP3D), with the values of PyRadiomics.

A pattern says which of the samples round a voxel are at least as large as the voxel (T. Ojala, M. Pietikäinen and
T. Mäenpää, IEEE Trans. Pattern Anal. Mach. Intell. 24, 2002; J. Banerjee and others, 3D LBP-based rotationally
invariant region description, ACCV 2012 Workshops). Ties are frequent, so positions are rounded as they are in the
whole image, not as they would be in a crop.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics import bspline
from radiobone.features.radiomics.native.boxes import check_inside
from radiobone.imaging.volumes import Box, expand

Values = NDArray[np.float64]
Origin = tuple[int, int, int]

_MAX_ROTATED = 31
"""More samples than this cannot be rotated as the bits of one number."""

_CHUNK = 4096
"""Voxels for which the samples on the sphere are held at a time."""


def lbp_2d(
    image: NDArray[Any],
    box: Box,
    *,
    radius: float = 1.0,
    samples: int = 8,
    method: Literal["default", "ror", "uniform", "var"] = "uniform",
    axis: int = 0,
    origin: Origin = (0, 0, 0),
) -> NDArray[Any]:
    """Return the local binary pattern of each slice, inside a box.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The whole region, or a crop that goes ``ceil(radius) + 1`` voxels beyond the box or as far as the region
        goes. Finite numbers.
    box : Box
        The wanted voxels, not empty and inside the image.
    radius : float
        Of the circle of samples, in voxels.
    samples : int
        How many samples there are.
    method : str
        scikit-image's name for how a pattern becomes a number.
    axis : int
        The axis (0 for z) that is at right angles to the slices: PyRadiomics' ``force2Ddimension``.
    origin : tuple of int
        Where the image's first voxel lies in the region, if it is a crop.

    Returns
    -------
    ndarray of the image's type, shape of the box
        PyRadiomics writes patterns back into the image, so they are cut to its type: the variances of ``var``
        lose their decimals in an integer image.

    Raises
    ------
    EngineError
        If the box is empty or not inside the image, or there are too many samples for ``ror``.

    Notes
    -----
    Beyond the border of the image all voxels are 0. ``scikit-image`` itself is not needed.
    """
    check_inside(box, image.shape)
    if method == "ror" and samples > _MAX_ROTATED:
        raise EngineError(
            "too many samples for ror", got=samples, expected=f"at most {_MAX_ROTATED} (lbp2DSamples)"
        )
    across, down = [(1, 2), (0, 2), (1, 0)][axis]
    slices = np.moveaxis(image, (axis, across, down), (0, 1, 2))
    rows, columns = (np.arange(box[other].start, box[other].stop) for other in (across, down))
    patterns = np.empty((box[axis].stop - box[axis].start, rows.size, columns.size), dtype=image.dtype)
    # scikit-image takes the radius in single precision, and rounds the positions of samples to five decimals.
    angles = 2 * np.pi * np.arange(samples, dtype=np.float64) / samples
    ups = np.round(-float(np.float32(radius)) * np.sin(angles), 5)
    sides = np.round(float(np.float32(radius)) * np.cos(angles), 5)
    for k in range(patterns.shape[0]):
        plane = slices[box[axis].start + k]
        texture = np.empty((rows.size, columns.size, samples))
        for i in range(samples):
            texture[..., i] = _bilinear(
                plane,
                rows + origin[across] + ups[i],
                columns + origin[down] + sides[i],
                origin[across],
                origin[down],
            )
        signs = texture - plane[np.ix_(rows, columns)].astype(np.float64)[..., None] >= 0
        with np.errstate(invalid="ignore"):  # NaN, where the variance is 0, becomes whatever the type makes of it
            patterns[k] = _numbers(texture, signs, method).astype(image.dtype)
    restored = np.moveaxis(patterns, (0, 1, 2), (axis, across, down))
    return np.ascontiguousarray(restored)


def _bilinear(plane: NDArray[Any], rows: Values, columns: Values, row0: int, column0: int) -> Values:
    """Interpolate at all pairs of rows and columns, in the order of scikit-image's operations."""
    top, left = np.floor(rows), np.floor(columns)
    bottom, right = np.ceil(rows), np.ceil(columns)
    down, side = (rows - top)[:, None], (columns - left)[None, :]

    def pixels(y: Values, x: Values) -> Values:
        i, j = y.astype(np.intp) - row0, x.astype(np.intp) - column0
        inside = ((i >= 0) & (i < plane.shape[0]))[:, None] & ((j >= 0) & (j < plane.shape[1]))[None, :]
        near = np.ix_(np.clip(i, 0, plane.shape[0] - 1), np.clip(j, 0, plane.shape[1] - 1))
        return np.where(inside, plane[near].astype(np.float64), 0.0)

    upper = (1 - side) * pixels(top, left) + side * pixels(top, right)
    lower = (1 - side) * pixels(bottom, left) + side * pixels(bottom, right)
    mixed: Values = (1 - down) * upper + down * lower
    return mixed


def _numbers(texture: Values, signs: NDArray[np.bool_], method: str) -> Values:
    """Turn patterns, with the samples along the last axis, into numbers."""
    samples = signs.shape[-1]
    if method in ("default", "ror"):
        weights = 2 ** np.arange(samples, dtype=np.int32)
        codes: Values = (signs * weights.astype(np.float64)).sum(axis=-1)
        if method == "default":
            return codes
        turned = codes.astype(np.int64)
        least = turned
        for _ in range(samples - 1):
            turned = (turned >> 1) | ((turned & 1) << (samples - 1))
            least = np.minimum(least, turned)
        return least.astype(np.float64)
    if method == "var":
        total, squares = np.zeros(signs.shape[:-1]), np.zeros(signs.shape[:-1])
        for i in range(samples):
            total += texture[..., i]
            squares += texture[..., i] * texture[..., i]
        variance: Values = (squares - (total * total) / samples) / samples
        variance[variance == 0] = np.nan
        return variance
    changes = (signs[..., 1:] != signs[..., :-1]).sum(axis=-1)
    uniform: Values = np.where(changes <= 2, signs.sum(axis=-1), samples + 1).astype(np.float64)
    return uniform


def lbp_3d(
    image: NDArray[Any],
    box: Box,
    mask: NDArray[Any],
    *,
    levels: int = 2,
    radius: float = 1.0,
    subdivisions: int = 1,
    origin: Origin = (0, 0, 0),
) -> Iterator[tuple[str, Values]]:
    """Yield the local binary patterns on spheres, level by level, and the kurtosis of the samples, inside a box.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The whole region, or a crop with the margin of `crops.margin`, or as far as the region goes, which begins
        and ends an even number of voxels from its border. Finite numbers. In an integer image the samples are
        rounded to integers.
    box : Box
        The VOI's box, not empty and inside the image.
    mask : ndarray of the box's shape
        Voxels that are not 0 are computed.
    levels : int
        Degrees of spherical harmonics, from 0 on; at least 1.
    radius : float
        Of the sphere, in voxels along every axis.
    subdivisions : int
        How often the faces of an icosahedron are divided; its corners are the samples.
    origin : tuple of int
        Where the image's first voxel lies in the region, if it is a crop.

    Yields
    ------
    name : str
        ``lbp-3D-m1`` and so on for the degrees, at last ``lbp-3D-k``.
    values : ndarray of float64, shape of the box
        0 outside the mask. The kurtosis is NaN where all samples are equal.

    Raises
    ------
    EngineError
        If the box is empty or not inside the image.

    Notes
    -----
    As in PyRadiomics the corners' x counts along z, and the two angles of the harmonics are interchanged.
    """
    from scipy.ndimage import map_coordinates, spline_filter
    from scipy.stats import kurtosis

    check_inside(box, image.shape)
    depth, height, width = image.shape
    reach = math.ceil(radius) + 1 + bspline.MARGIN
    outer = bspline.in_step(expand(box, (reach, reach, reach), (depth, height, width)), (depth, height, width))
    crop = image[outer]
    # The samples take the type of the image, so the spline is evaluated into an array of that type.
    coefficients = spline_filter(crop, order=3, output=np.float64, mode="constant")
    corners = icosphere(subdivisions, radius)
    harmonics, degrees = _harmonics(corners, radius, levels)
    inside = np.nonzero(mask)
    found = np.zeros((levels + 1, inside[0].size))
    start = [part.start + first for part, first in zip(box, origin, strict=True)]
    corner_of_crop = np.array([part.start + first for part, first in zip(outer, origin, strict=True)])
    voxels = np.stack([index + first for index, first in zip(inside, start, strict=True)], axis=1)
    for at in range(0, len(voxels), _CHUNK):
        centres = voxels[at : at + _CHUNK]
        positions = centres[None, :, :] + corners[:, None, :] - corner_of_crop
        samples = map_coordinates(
            coefficients, positions.T, output=crop.dtype, order=3, mode="constant", prefilter=False
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of equal samples, whose kurtosis is NaN
            found[levels, at : at + _CHUNK] = kurtosis(samples, axis=1)
        values = crop[tuple((centres - corner_of_crop).T)]
        found[:levels, at : at + _CHUNK] = _norms(samples >= values[:, None], harmonics, degrees)
    for row, name in zip(found, [*(f"m{level}" for level in range(1, levels + 1)), "k"], strict=True):
        filled = np.zeros(mask.shape)
        filled[inside] = row
        yield f"lbp-3D-{name}", filled


def icosphere(subdivisions: int, radius: float) -> Values:
    """Return the corners of a subdivided icosahedron, pushed out to a sphere.

    Parameters
    ----------
    subdivisions : int
        How often each face is divided into four.
    radius : float
        Of the sphere.

    Returns
    -------
    ndarray of shape (n, 3)
        x, y, z; in the order in which trimesh has them: each division's new corners, which are the middles of
        edges, stand behind the old ones, ordered by the later and then by the earlier end of their edge.
    """
    golden = (1 + math.sqrt(5)) / 2
    corners = np.zeros((12, 3))
    for k, (short, long) in enumerate([(0, 1), (1, 2), (2, 0)]):
        corners[4 * k : 4 * k + 4, short] = [-1, 1, -1, 1]
        corners[4 * k : 4 * k + 4, long] = [golden, golden, -golden, -golden]
    corners[8:, 0] = [golden, golden, -golden, -golden]
    corners[8:, 2] = [-1, 1, -1, 1]
    corners /= np.sqrt(2 + golden)
    touching = np.linalg.norm(corners[:, None] - corners[None], axis=2) < 1.1
    faces = [face for face in combinations(range(12), 3) if all(touching[a, b] for a, b in combinations(face, 2))]
    for _ in range(subdivisions):
        edges = sorted({edge for face in faces for edge in combinations(sorted(face), 2)}, key=lambda ab: ab[::-1])
        middle = {edge: len(corners) + k for k, edge in enumerate(edges)}
        ends = np.array(edges)
        corners = _pushed_out(np.vstack([corners, corners[ends].mean(axis=1)]), radius)
        divided = []
        for a, b, c in (sorted(face) for face in faces):
            ab, ac, bc = middle[a, b], middle[a, c], middle[b, c]
            divided += [(a, ab, ac), (b, ab, bc), (c, ac, bc), (ab, ac, bc)]
        faces = divided
    return corners if subdivisions else _pushed_out(corners, radius)


def _pushed_out(corners: Values, radius: float) -> Values:
    length = np.sqrt(np.dot(corners**2, [1, 1, 1]))
    unit = corners / length.reshape((-1, 1))
    moved: Values = corners + unit * (radius - length).reshape((-1, 1))
    return moved


def _harmonics(corners: Values, radius: float, levels: int) -> tuple[NDArray[np.complex128], NDArray[np.intp]]:
    """Return the spherical harmonics at the corners, of shape (corners, n), and the degree of each."""
    from scipy import special

    # Beyond ±1 by rounding alone: PyRadiomics then has NaN, and so have we.
    azimuth = np.arccos(np.true_divide(corners[:, 2], radius))
    polar = np.arctan2(corners[:, 1], corners[:, 0])
    pairs = [(degree, order) for degree in range(levels) for order in range(-degree, degree + 1)]
    if hasattr(special, "sph_harm_y"):
        columns = [special.sph_harm_y(degree, order, polar, azimuth) for degree, order in pairs]
    else:  # SciPy before 1.15
        columns = [special.sph_harm(order, degree, azimuth, polar) for degree, order in pairs]
    return np.column_stack(columns), np.array([degree for degree, _ in pairs])


def _norms(signs: NDArray[np.bool_], harmonics: NDArray[np.complex128], degrees: NDArray[np.intp]) -> Values:
    """Return the norm of the patterns' part of each degree, of shape (degrees, voxels).

    Norms take few different values, which may lie on the edges of bins; so they are summed with all degrees side
    by side, which makes NumPy add in the order in which it does for PyRadiomics.
    """
    weights = np.multiply(signs.astype(int)[:, :, None], harmonics[None]).sum(axis=1)
    parts = []
    for degree in range(int(degrees.max()) + 1):
        of_degree = degrees == degree
        part = np.multiply(weights[:, None, of_degree], harmonics[None, :, of_degree])
        parts.append(np.sum(part, axis=2, keepdims=True))
    squares = np.concatenate(parts, axis=2) ** 2
    return np.asarray(np.real(np.sqrt(np.sum(squares, axis=1)))).T
