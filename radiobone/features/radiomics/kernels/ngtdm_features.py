"""Features of the neighbouring grey tone difference matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit

FLAT_COARSENESS = 1e6
"""PyRadiomics' Coarseness where no voxel differs from its neighbourhood."""


@jit
def ngtdm_features(
    counts: NDArray[np.int64], differences: NDArray[np.float64], values: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return Busyness, Coarseness, Complexity, Contrast and Strength.

    Parameters
    ----------
    counts : ndarray of int64, shape (G,)
        The number of voxels of each grey level; levels without any are passed over.
    differences : ndarray of float64, shape (G,)
        Their summed absolute differences from the mean of their neighbourhood.
    values : ndarray of int64, shape (G,)
        The grey levels.
    """
    n_levels, n_voxels, total = 0, 0, 0.0
    for k in range(counts.size):
        if counts[k] > 0:
            n_levels += 1
            n_voxels += counts[k]
            total += differences[k]
    share = np.empty(n_levels)
    change = np.empty(n_levels)
    level = np.empty(n_levels)
    k, coarse = 0, 0.0
    for m in range(counts.size):
        if counts[m] > 0:
            share[k] = counts[m] / n_voxels
            change[k] = share[k] * differences[m]
            level[k] = values[m]
            coarse += change[k]
            k += 1
    uneven, complexity, contrast, strength = _pairs(share, change, level)
    features = np.zeros(5)
    if uneven != 0.0:
        features[0] = coarse / uneven
    features[1] = 1.0 / coarse if coarse != 0.0 else FLAT_COARSENESS
    features[2] = complexity / n_voxels
    if n_levels > 1:
        features[3] = contrast * total / n_voxels / (n_levels * (n_levels - 1))
    if total != 0.0:
        features[4] = strength / total
    return features


@jit
def _pairs(
    share: NDArray[np.float64], change: NDArray[np.float64], level: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Return the four sums over ordered pairs of grey levels."""
    uneven, complexity, contrast, strength = 0.0, 0.0, 0.0, 0.0
    for i in range(share.size):
        for j in range(i):
            apart = level[i] - level[j]
            both = share[i] + share[j]
            uneven += abs(level[i] * share[i] - level[j] * share[j])
            complexity += apart * (change[i] + change[j]) / both
            contrast += share[i] * share[j] * apart * apart
            strength += both * apart * apart
    return 2.0 * uneven, 2.0 * complexity, 2.0 * contrast, 2.0 * strength
