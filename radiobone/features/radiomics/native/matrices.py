"""The five texture matrices of PyRadiomics, counted from grey levels.

The definitions are those of PyRadiomics 3.0.1 (its documentation of GLCM, GLDM, GLRLM, GLSZM and NGTDM), and the
counts equal its own to the bit. Only the grey levels that occur have rows here, as PyRadiomics leaves them after
it has dropped the empty ones; angles come first, so that the matrix of one angle lies together in memory. Nothing
is normalised, weighted or made symmetrical yet: that is for the features.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.kernels.neighbours import TOGETHER, neighbourhoods, pairs, spread
from radiobone.features.radiomics.kernels.runs import runs
from radiobone.features.radiomics.kernels.zones import zones
from radiobone.features.radiomics.native.levels import GreyLevels
from radiobone.features.radiomics.native.surroundings import INT32_MAX, Surroundings

FAMILIES = ("glcm", "gldm", "glrlm", "glszm", "ngtdm")
"""The matrices that there are."""


@dataclass(frozen=True, eq=False)
class TextureMatrices:
    """Texture matrices of one image in one VOI; None for those that were not asked for.

    A is the number of angles, G of grey levels that occur, R the longest side of the VOI's box in voxels, S the
    number of different zone sizes.

    Parameters
    ----------
    angles : ndarray of int64, shape (A, 3), optional
        Offsets (z, y, x) of the GLCM; GLDM and NGTDM look at these and their opposites.
    glcm : ndarray of int32, shape (A, G, G), optional
        Voxels of the first level that have one of the second level at this offset.
    gldm : ndarray of int32, shape (G, 2 A + 1), optional
        Voxels of a level, by the number of neighbours (from 0) that differ by no more than `gldm_a`.
    run_angles : ndarray of int64, shape (A', 3), optional
        Directions of the GLRLM; those at distance 1.
    glrlm : ndarray of int32, shape (A', G, R), optional
        Runs of a level, by length (from 1). An angle on whose lines no two voxels of the VOI lie is empty.
    glszm : ndarray of int32, shape (G, S), optional
        Zones of a level, by size.
    zone_sizes : ndarray of int64, shape (S,), optional
        The sizes in voxels, ascending.
    ngtdm_counts : ndarray of int64, shape (G,), optional
        Voxels of a level, those without neighbours included.
    ngtdm_differences : ndarray of float64, shape (G,), optional
        Sum over these voxels of the absolute difference from the mean of the neighbours.
    """

    angles: NDArray[np.int64] | None = None
    glcm: NDArray[np.int32] | None = None
    gldm: NDArray[np.int32] | None = None
    run_angles: NDArray[np.int64] | None = None
    glrlm: NDArray[np.int32] | None = None
    glszm: NDArray[np.int32] | None = None
    zone_sizes: NDArray[np.int64] | None = None
    ngtdm_counts: NDArray[np.int64] | None = None
    ngtdm_differences: NDArray[np.float64] | None = None


def texture_matrices(
    levels: GreyLevels,
    families: Collection[str] = FAMILIES,
    *,
    distances: Sequence[int] = (1,),
    force_2d_dimension: int | None = None,
    gldm_a: int = 0,
) -> TextureMatrices:
    """Count texture matrices: GLDM and NGTDM in one pass, the others in one pass each.

    Parameters
    ----------
    levels : GreyLevels
        The grey levels in the VOI's tight box, with a border at least as wide as the largest distance.
    families : collection of str, default all
        Which of `FAMILIES` are wanted.
    distances : sequence of int, default (1,)
        Distances to the neighbours in voxels, for GLCM, GLDM and NGTDM (see `texture_angles`).
    force_2d_dimension : int, optional
        The axis (0 for z) across which voxels are not compared.
    gldm_a : int, default 0
        How much the grey level of a neighbour may differ to count as alike in the GLDM.

    Raises
    ------
    ValueError
        If a family does not exist, or the border is too narrow.
    UsageError
        If a setting cannot be used.
    EngineError
        If the VOI is too small to have neighbours, or sums of grey levels would leave the range of int32.

    Examples
    --------
    >>> from radiobone.features.radiomics.native.levels import discretise
    >>> levels = discretise(np.array([[[1, 1, 3]]]), np.ones((1, 1, 3)), bin_width=1)
    >>> texture_matrices(levels, ["glcm"]).glcm
    array([[[1, 1],
            [0, 0]]], dtype=int32)
    """
    return count_matrices(levels, Surroundings(levels, distances, force_2d_dimension), families, gldm_a)


def count_matrices(
    levels: GreyLevels, surroundings: Surroundings, families: Collection[str] = FAMILIES, gldm_a: int = 0
) -> TextureMatrices:
    """Count texture matrices of one of several images in a VOI; see `texture_matrices`.

    Parameters
    ----------
    levels : GreyLevels
        The grey levels in the VOI's tight box.
    surroundings : Surroundings
        Of the VOI, with the distances and the plane wanted.
    families, gldm_a
        As for `texture_matrices`.

    Raises
    ------
    ValueError, UsageError, EngineError
        As for `texture_matrices`.
    """
    if unknown := sorted(set(families) - set(FAMILIES)):
        raise ValueError(f"there is no matrix {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    found: dict[str, Any] = {}
    if not {"glcm", "gldm", "ngtdm"}.isdisjoint(families):
        found["angles"] = surroundings.angles
    if "glcm" in families:
        found["glcm"] = _glcm(levels, surroundings)
    if not {"gldm", "ngtdm"}.isdisjoint(families):
        dependence, differences = _neighbourhoods(levels, surroundings, gldm_a)
        if "gldm" in families:
            found["gldm"] = dependence
        if "ngtdm" in families:
            found["ngtdm_counts"], found["ngtdm_differences"] = levels.counts, differences
    if "glrlm" in families:
        found["run_angles"], found["glrlm"] = surroundings.run_angles, _glrlm(levels, surroundings)
    if "glszm" in families:
        found["glszm"], found["zone_sizes"] = _glszm(levels, surroundings)
    return TextureMatrices(**found)


def glcm(
    levels: GreyLevels, *, distances: Sequence[int] = (1,), force_2d_dimension: int | None = None
) -> NDArray[np.int32]:
    """Count the grey level co-occurrence matrix.

    Parameters
    ----------
    levels, distances, force_2d_dimension
        As for `texture_matrices`.

    Returns
    -------
    ndarray of int32, shape (A, G, G)
        See `TextureMatrices`; not symmetrical.

    Raises
    ------
    ValueError, UsageError, EngineError
        As for `texture_matrices`.
    """
    return _glcm(levels, Surroundings(levels, distances, force_2d_dimension))


def gldm(
    levels: GreyLevels,
    *,
    distances: Sequence[int] = (1,),
    force_2d_dimension: int | None = None,
    gldm_a: int = 0,
) -> NDArray[np.int32]:
    """Count the grey level dependence matrix.

    Parameters
    ----------
    levels, distances, force_2d_dimension, gldm_a
        As for `texture_matrices`.

    Returns
    -------
    ndarray of int32, shape (G, 2 A + 1)
        See `TextureMatrices`.

    Raises
    ------
    ValueError, UsageError, EngineError
        As for `texture_matrices`.
    """
    return _neighbourhoods(levels, Surroundings(levels, distances, force_2d_dimension), gldm_a)[0]


def glrlm(levels: GreyLevels, *, force_2d_dimension: int | None = None) -> NDArray[np.int32]:
    """Count the grey level run length matrix, at distance 1.

    Parameters
    ----------
    levels, force_2d_dimension
        As for `texture_matrices`.

    Returns
    -------
    ndarray of int32, shape (A', G, R)
        See `TextureMatrices`.

    Raises
    ------
    ValueError, UsageError, EngineError
        As for `texture_matrices`.
    """
    return _glrlm(levels, Surroundings(levels, (1,), force_2d_dimension))


def glszm(
    levels: GreyLevels, *, force_2d_dimension: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Count the grey level size zone matrix, of 26-connected zones (8-connected in a plane).

    Parameters
    ----------
    levels, force_2d_dimension
        As for `texture_matrices`.

    Returns
    -------
    counts : ndarray of int32, shape (G, S)
        See `TextureMatrices`.
    sizes : ndarray of int64, shape (S,)
        The sizes in voxels that the columns stand for, ascending.

    Raises
    ------
    ValueError, UsageError, EngineError
        As for `texture_matrices`.
    """
    return _glszm(levels, Surroundings(levels, (1,), force_2d_dimension))


def ngtdm(
    levels: GreyLevels, *, distances: Sequence[int] = (1,), force_2d_dimension: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count the neighbouring grey tone difference matrix.

    Parameters
    ----------
    levels, distances, force_2d_dimension
        As for `texture_matrices`.

    Returns
    -------
    counts : ndarray of int64, shape (G,)
        Voxels of each level.
    differences : ndarray of float64, shape (G,)
        See `TextureMatrices`.

    Raises
    ------
    ValueError, UsageError, EngineError
        As for `texture_matrices`.
    """
    return levels.counts, _neighbourhoods(levels, Surroundings(levels, distances, force_2d_dimension), 0)[1]


def matrix_bytes(
    n_levels: int,
    n_angles: int,
    longest: int,
    n_voxels: int,
    n_box: int,
    families: Collection[str] = FAMILIES,
    *,
    n_run_angles: int = 13,
) -> int:
    """Estimate the most memory that `texture_matrices` takes at one time, in bytes.

    Parameters
    ----------
    n_levels : int
        Grey levels that occur (G).
    n_angles : int
        Angles of GLCM, GLDM and NGTDM (A).
    longest : int
        Longest side of the VOI's box in voxels (R).
    n_voxels, n_box : int
        Voxels of the VOI, and of its padded box.
    families : collection of str, default all
        Which of `FAMILIES` are wanted.
    n_run_angles : int, default 13
        Angles of GLRLM.

    Returns
    -------
    int
        What the matrices themselves hold, and what is needed beside them while the neediest is counted. The
        GreyLevels, which stand already, are not counted.

    Examples
    --------
    >>> matrix_bytes(4000, 13, 40, 28_000, 74_000) // 1_000_000
    1100
    """
    n_sizes = isqrt(2 * n_voxels)  # sizes that differ add up to more than half their number squared
    held = {
        "glcm": 4 * n_angles * n_levels**2,
        "gldm": 4 * n_levels * (2 * n_angles + 1),
        "glrlm": 4 * n_run_angles * n_levels * longest,
        "glszm": 4 * n_levels * n_sizes + 8 * n_sizes,
        "ngtdm": 8 * n_levels,
    }
    beside = {
        "glcm": 4 * TOGETHER * (n_levels + 1) ** 2,
        "gldm": 4 * n_box,
        "ngtdm": 4 * n_box,
        "glrlm": 4 * TOGETHER * n_box + 100 * n_voxels,  # the second only where lines must be told apart
        "glszm": 10 * n_box + 12 * n_voxels,
    }
    return sum(held[name] for name in families) + max((beside.get(name, 0) for name in families), default=0)


def _glcm(levels: GreyLevels, surroundings: Surroundings) -> NDArray[np.int32]:
    # NumPy lays large arrays out on large pages, kernels do not: with 1500 levels that is four times as fast.
    n, steps = levels.values.size, surroundings.steps
    counts = np.empty((steps.size, n, n), np.int32)
    tables = np.empty((TOGETHER, n + 1, n + 1), np.int32)
    pairs(levels.padded.reshape(-1), levels.inside, steps, counts, tables)
    return counts


def _neighbourhoods(
    levels: GreyLevels, surroundings: Surroundings, gldm_a: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Count GLDM and NGTDM, which compare grey levels themselves, not their ranks."""
    steps, highest = surroundings.steps, int(levels.values[-1])
    if 2 * highest * steps.size > INT32_MAX:
        raise EngineError(
            "grey levels are too high to be summed over neighbours",
            got=f"levels up to {highest} and {2 * steps.size} neighbours",
            expected=f"a product of {INT32_MAX} at most",
            do="choose a larger binWidth or smaller distances",
        )
    ranks = levels.padded.reshape(-1)
    own = ranks
    if highest > levels.values.size:
        own = spread(ranks, levels.inside, levels.values)
    alpha = max(-1, min(int(gldm_a), highest))
    return neighbourhoods(ranks, own, levels.inside, surroundings.stretches, steps, alpha, levels.values.size)


def _glrlm(levels: GreyLevels, surroundings: Surroundings) -> NDArray[np.int32]:
    ranks, steps = levels.padded.reshape(-1), surroundings.run_steps
    counts = runs(ranks, levels.inside, surroundings.stretches, steps, levels.values.size, max(surroundings.shape))
    without_long_runs = counts[:, :, 0].sum(axis=1) == levels.inside.size
    for angle in np.flatnonzero(without_long_runs):
        apart = not ranks[levels.inside + steps[angle]].any()
        if apart and _lie_on_lines_of_their_own(levels, surroundings.run_angles[angle]):
            counts[angle] = 0
    return counts


def _lie_on_lines_of_their_own(levels: GreyLevels, direction: NDArray[np.int64]) -> bool:
    """Tell whether no line in this direction meets the VOI twice: then PyRadiomics counts no runs along it."""
    places = np.stack(np.unravel_index(levels.inside, levels.padded.shape), axis=1)
    axis = int(np.flatnonzero(direction)[0])
    lines = places - places[:, [axis]] * direction
    return len(np.unique(lines, axis=0)) == levels.inside.size


def _glszm(levels: GreyLevels, surroundings: Surroundings) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    angles, steps = surroundings.touching
    ranks = levels.padded.reshape(-1)
    return zones(ranks, levels.inside, surroundings.stretches, angles, steps, levels.values.size)
