"""Texture features from texture matrices, with the values and the special cases of PyRadiomics 3.0.1.

Matrices are compact: rows stand for the grey levels that occur, in ascending order, and `values` holds these
levels; the last one is PyRadiomics' Ng. For each family there is a function that returns an array, in the order
of `catalogue.FEATURES`, and one that returns the same under names.

Special values, where a VOI has too little texture for a definition:

- angles without a pair of neighbours, or without a run, do not count; if that leaves none, features are NaN;
- with one grey level Correlation and MCC are 1, and Imc1 and Imc2 are 0;
- Coarseness is 10⁶ where no voxel differs from its neighbourhood, and the other NGTDM features are then 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.core.errors import UsageError
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.kernels import glcm_features as _glcm
from radiobone.features.radiomics.kernels import ngtdm_features as _ngtdm
from radiobone.features.radiomics.kernels import size_features as _sizes
from radiobone.features.radiomics.native import rounding

NORMS = ("euclidean", "infinity", "manhattan", "no_weighting")
"""The values of PyRadiomics' setting ``weightingNorm``, besides none."""

ROUNDING_LEVELS = 128
"""Up to this number of grey levels, values that are PyRadiomics' rounding errors are computed as it does."""

_CORRELATION, _IMC1, _IMC2, _MCC = (
    list(FEATURES["glcm"]).index(name) for name in ("Correlation", "Imc1", "Imc2", "MCC")
)
_GLSZM_ORDER = np.array([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 13, 14, 15, 8, 11, 12])
_GLDM_ORDER = np.array([8, 9, 10, 12, 0, 2, 3, 4, 5, 6, 7, 13, 14, 15])
_UNWEIGHTED = np.ones(1)


def glcm_vector(
    glcm: ArrayLike, values: ArrayLike, *, symmetrical: bool = True, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return the features of co-occurrence matrices as an array.

    Parameters
    ----------
    glcm : array_like of int, shape (A, G, G)
        For each angle, how many voxels of level i have a neighbour of level j in its direction; not symmetrised.
    values : array_like of int, shape (G,)
        The grey levels of rows and columns, ascending from 1 or more.
    symmetrical : bool, default=True
        Whether each pair counts in both orders, as PyRadiomics' ``symmetricalGLCM``.
    weights : array_like of float, shape (A,), optional
        Weights of the angles (see `glcm_weights`). Given, features are those of the weighted sum of all
        matrices; otherwise they are means over the angles that hold a pair.

    Returns
    -------
    ndarray of float64, shape (24,)
        In the order of ``FEATURES["glcm"]``; entropies in bit.

    Raises
    ------
    UsageError
        The shapes do not fit each other.

    Notes
    -----
    Where two levels are independent of each other, MCC² and Imc2² are zero but for rounding, and PyRadiomics
    passes over the angle if they came out below zero. Likewise for Correlation where pairs in one order only
    begin, or end, all at one level, and for Imc1 where nearly all pairs are of one level: a spread or entropy is
    then zero but for rounding, and PyRadiomics divides by it. For up to 128 levels these values are computed with
    PyRadiomics' own roundings (see `rounding`); beyond that they count as they are.
    """
    matrices, levels, factors = _checked(glcm, values, weights)
    _expect_square(matrices)
    features, doubtful = _glcm.glcm_features(matrices, factors, weights is not None, levels, symmetrical)
    one_sided = not symmetrical and rounding.has_constant_side(matrices)
    if (doubtful or one_sided) and 1 < levels.size <= ROUNDING_LEVELS:
        shares = rounding.probabilities(matrices, levels, None if weights is None else factors, symmetrical)
        if one_sided:
            features[_CORRELATION] = rounding.correlation(shares, levels)
        if doubtful & _glcm.DOUBTFUL_IMC1:
            features[_IMC1] = rounding.imc1(shares)
        if doubtful & _glcm.DOUBTFUL_IMC2:
            features[_IMC2] = rounding.imc2(shares)
        if doubtful & _glcm.DOUBTFUL_MCC:
            features[_MCC] = rounding.mcc(shares)
    return features


def glcm_features(
    glcm: ArrayLike, values: ArrayLike, *, symmetrical: bool = True, weights: ArrayLike | None = None
) -> dict[str, float]:
    """Return the features of co-occurrence matrices by name.

    Parameters
    ----------
    glcm, values, symmetrical, weights
        As in `glcm_vector`.

    Returns
    -------
    dict of str to float
        Keys are those of ``FEATURES["glcm"]``.

    Examples
    --------
    Three voxels in a row with levels 1, 1, 2: along the row, one pair of 1 and 1, and one of 1 and 2.

    >>> features = glcm_features([[[1, 1], [0, 0]]], [1, 2])
    >>> round(features["Contrast"], 3), round(features["JointAverage"], 3)
    (0.5, 1.25)
    """
    return _named("glcm", glcm_vector(glcm, values, symmetrical=symmetrical, weights=weights))


def glrlm_vector(glrlm: ArrayLike, values: ArrayLike, *, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the features of run length matrices as an array.

    Parameters
    ----------
    glrlm : array_like of int, shape (A, G, R)
        For each angle, how many runs of each level have length 1, 2, ... R.
    values : array_like of int, shape (G,)
        The grey levels of the rows, ascending from 1 or more.
    weights : array_like of float, shape (A,), optional
        Weights of the angles (see `glrlm_weights`), used as in `glcm_vector`.

    Returns
    -------
    ndarray of float64, shape (16,)
        In the order of ``FEATURES["glrlm"]``; entropy in bit, lengths in voxels.

    Raises
    ------
    UsageError
        The shapes do not fit each other.
    """
    matrices, levels, factors = _checked(glrlm, values, weights)
    lengths = np.arange(1, matrices.shape[2] + 1)
    return _sizes.size_features(matrices, factors, weights is not None, levels, lengths)


def glrlm_features(glrlm: ArrayLike, values: ArrayLike, *, weights: ArrayLike | None = None) -> dict[str, float]:
    """Return the features of run length matrices by name.

    Parameters
    ----------
    glrlm, values, weights
        As in `glrlm_vector`.

    Returns
    -------
    dict of str to float
        Keys are those of ``FEATURES["glrlm"]``.

    Examples
    --------
    Levels 1, 1, 2 in a row: a run of length 2 and one of length 1.

    >>> glrlm_features([[[0, 1], [1, 0]]], [1, 2])["LongRunEmphasis"]
    2.5
    """
    return _named("glrlm", glrlm_vector(glrlm, values, weights=weights))


def glszm_vector(glszm: ArrayLike, values: ArrayLike, sizes: ArrayLike) -> NDArray[np.float64]:
    """Return the features of a size zone matrix as an array.

    Parameters
    ----------
    glszm : array_like of int, shape (G, S)
        How many connected zones of each level have each size.
    values : array_like of int, shape (G,)
        The grey levels of the rows, ascending from 1 or more.
    sizes : array_like of int, shape (S,)
        The sizes of the columns in voxels.

    Returns
    -------
    ndarray of float64, shape (16,)
        In the order of ``FEATURES["glszm"]``; entropy in bit, sizes in voxels.

    Raises
    ------
    UsageError
        The shapes do not fit each other.
    """
    matrices, levels, factors = _checked(np.asarray(glszm)[None], values, None)
    columns = np.ascontiguousarray(sizes, np.int64)
    if columns.shape != matrices.shape[2:]:
        raise UsageError("a size is needed for each column", got=columns.shape, expected=matrices.shape[2:])
    return np.asarray(_sizes.size_features(matrices, factors, False, levels, columns)[_GLSZM_ORDER])


def glszm_features(glszm: ArrayLike, values: ArrayLike, sizes: ArrayLike) -> dict[str, float]:
    """Return the features of a size zone matrix by name.

    Parameters
    ----------
    glszm, values, sizes
        As in `glszm_vector`.

    Returns
    -------
    dict of str to float
        Keys are those of ``FEATURES["glszm"]``.
    """
    return _named("glszm", glszm_vector(glszm, values, sizes))


def gldm_vector(gldm: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Return the features of a dependence matrix as an array.

    Parameters
    ----------
    gldm : array_like of int, shape (G, D)
        How many voxels of each level have 0, 1, ... D - 1 like neighbours. The voxel itself counts in the
        features: their dependence is one more.
    values : array_like of int, shape (G,)
        The grey levels of the rows, ascending from 1 or more.

    Returns
    -------
    ndarray of float64, shape (14,)
        In the order of ``FEATURES["gldm"]``; entropy in bit.

    Raises
    ------
    UsageError
        The shapes do not fit each other.
    """
    matrices, levels, factors = _checked(np.asarray(gldm)[None], values, None)
    dependences = np.arange(1, matrices.shape[2] + 1)
    return np.asarray(_sizes.size_features(matrices, factors, False, levels, dependences)[_GLDM_ORDER])


def gldm_features(gldm: ArrayLike, values: ArrayLike) -> dict[str, float]:
    """Return the features of a dependence matrix by name.

    Parameters
    ----------
    gldm, values
        As in `gldm_vector`.

    Returns
    -------
    dict of str to float
        Keys are those of ``FEATURES["gldm"]``.
    """
    return _named("gldm", gldm_vector(gldm, values))


def ngtdm_vector(counts: ArrayLike, differences: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Return the features of a neighbouring grey tone difference matrix as an array.

    Parameters
    ----------
    counts : array_like of int, shape (G,)
        The number of voxels of each level.
    differences : array_like of float, shape (G,)
        The sum, over these voxels, of the distance of their level from the mean of their neighbours' levels.
    values : array_like of int, shape (G,)
        The grey levels, ascending from 1 or more.

    Returns
    -------
    ndarray of float64, shape (5,)
        In the order of ``FEATURES["ngtdm"]``.

    Raises
    ------
    UsageError
        The shapes do not fit each other.
    """
    numbers = np.ascontiguousarray(counts, np.int64)
    sums = np.ascontiguousarray(differences, np.float64)
    levels = np.ascontiguousarray(values, np.int64)
    if not numbers.shape == sums.shape == levels.shape or numbers.ndim != 1:
        raise UsageError(
            "counts, differences and levels must be three rows of one length",
            got=(numbers.shape, sums.shape, levels.shape),
        )
    return _ngtdm.ngtdm_features(numbers, sums, levels)


def ngtdm_features(counts: ArrayLike, differences: ArrayLike, values: ArrayLike) -> dict[str, float]:
    """Return the features of a neighbouring grey tone difference matrix by name.

    Parameters
    ----------
    counts, differences, values
        As in `ngtdm_vector`.

    Returns
    -------
    dict of str to float
        Keys are those of ``FEATURES["ngtdm"]``.
    """
    return _named("ngtdm", ngtdm_vector(counts, differences, values))


def glcm_weights(angles: ArrayLike, spacing_mm: ArrayLike, norm: str) -> NDArray[np.float64]:
    """Return the weights exp(-d²) of angles for co-occurrence matrices.

    Parameters
    ----------
    angles : array_like of int, shape (A, 3)
        Offsets (z, y, x) in voxels.
    spacing_mm : array_like of float, shape (3,)
        Size of a voxel (z, y, x) in mm.
    norm : {"euclidean", "infinity", "manhattan", "no_weighting"}
        How the distance d, in mm, is measured; without weighting all weights are 1.

    Raises
    ------
    UsageError
        The norm is not known.
    """
    return (
        np.ones(len(np.asarray(angles)))
        if norm == "no_weighting"
        else np.exp(-(_distances(angles, spacing_mm, norm) ** 2))
    )


def glrlm_weights(angles: ArrayLike, spacing_mm: ArrayLike, norm: str) -> NDArray[np.float64]:
    """Return the weights of angles for run length matrices: the distance that a step takes.

    Parameters
    ----------
    angles, spacing_mm, norm
        As in `glcm_weights`.

    Raises
    ------
    UsageError
        The norm is not known.
    """
    return np.ones(len(np.asarray(angles))) if norm == "no_weighting" else _distances(angles, spacing_mm, norm)


def _distances(angles: ArrayLike, spacing_mm: ArrayLike, norm: str) -> NDArray[np.float64]:
    """Return the length of each angle in mm, in one of the norms."""
    steps = np.abs(np.asarray(angles)) * np.asarray(spacing_mm, np.float64)
    if norm == "euclidean":
        return np.asarray(np.sqrt(np.sum(steps**2, axis=1)))
    if norm == "infinity":
        return np.asarray(np.max(steps, axis=1))
    if norm == "manhattan":
        return np.asarray(np.sum(steps, axis=1))
    raise UsageError("weightingNorm is not known", got=norm, expected=", ".join(NORMS))


def _named(family: str, features: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(FEATURES[family], features.tolist(), strict=True))


def _checked(
    matrices: ArrayLike, values: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """Return matrices, levels and weights as the kernels take them."""
    counts = np.ascontiguousarray(matrices, np.int32)
    levels = np.ascontiguousarray(values, np.int64)
    factors = _UNWEIGHTED if weights is None else np.ascontiguousarray(weights, np.float64)
    if counts.ndim != 3 or levels.shape != counts.shape[1:2] or not levels.size:
        raise UsageError("a grey level is needed for each row", got=levels.shape, expected=counts.shape[1:2])
    if weights is not None and factors.shape != counts.shape[:1]:
        raise UsageError("a weight is needed for each angle", got=factors.shape, expected=counts.shape[:1])
    return counts, levels, factors


def _expect_square(matrices: NDArray[np.int32]) -> None:
    if matrices.shape[1] != matrices.shape[2]:
        raise UsageError("co-occurrence matrices must be square", got=matrices.shape)
