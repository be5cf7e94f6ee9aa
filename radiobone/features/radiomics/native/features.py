"""All features of one image in one VOI, family by family."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.native import texture
from radiobone.features.radiomics.native.firstorder import first_order_vector
from radiobone.features.radiomics.native.levels import GreyLevels
from radiobone.features.radiomics.native.matrices import FAMILIES, count_matrices
from radiobone.features.radiomics.native.surroundings import Surroundings
from radiobone.features.radiomics.settings import Settings

Vectors = Mapping[str, NDArray[np.float64]]
"""For each family its features, in the order of `catalogue.FEATURES`."""


def image_features(
    values: NDArray[np.float64],
    levels: GreyLevels,
    surroundings: Surroundings,
    settings: Settings,
    spacing_mm: tuple[float, float, float],
    families: Collection[str],
) -> Vectors:
    """Compute first-order and texture features of one image.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        The voxels of the VOI in raster order.
    levels : GreyLevels
        Their grey levels.
    surroundings : Surroundings
        Of the VOI, for the image's type.
    settings : Settings
        Of the image's type.
    spacing_mm : tuple of float
        Along (z, y, x).
    families : collection of str
        Which families; those of shape are not of an image and are passed over.

    Raises
    ------
    EngineError
        If a matrix cannot be counted.
    """
    found: dict[str, NDArray[np.float64]] = {}
    if "firstorder" in families:
        z, y, x = spacing_mm
        found["firstorder"] = first_order_vector(
            values, levels.counts, voxel_volume_mm3=x * y * z, voxel_array_shift=settings.voxelArrayShift
        )
    wanted = [family for family in FAMILIES if family in families]
    if wanted:
        found.update(_texture(levels, surroundings, settings, spacing_mm, wanted))
    return found


def _texture(
    levels: GreyLevels,
    surroundings: Surroundings,
    settings: Settings,
    spacing_mm: tuple[float, float, float],
    families: Collection[str],
) -> Vectors:
    matrices = count_matrices(levels, surroundings, families, settings.gldm_a)
    norm, grey = settings.weightingNorm, levels.values
    found: dict[str, NDArray[np.float64]] = {}
    if matrices.glcm is not None and matrices.angles is not None:
        weights = texture.glcm_weights(matrices.angles, spacing_mm, norm) if norm else None
        found["glcm"] = texture.glcm_vector(
            matrices.glcm, grey, symmetrical=settings.symmetricalGLCM, weights=weights
        )
    if matrices.gldm is not None:
        found["gldm"] = texture.gldm_vector(matrices.gldm, grey)
    if matrices.glrlm is not None and matrices.run_angles is not None:
        weights = texture.glrlm_weights(matrices.run_angles, spacing_mm, norm) if norm else None
        found["glrlm"] = texture.glrlm_vector(matrices.glrlm, grey, weights=weights)
    if matrices.glszm is not None and matrices.zone_sizes is not None:
        found["glszm"] = texture.glszm_vector(matrices.glszm, grey, matrices.zone_sizes)
    if matrices.ngtdm_counts is not None and matrices.ngtdm_differences is not None:
        found["ngtdm"] = texture.ngtdm_vector(matrices.ngtdm_counts, matrices.ngtdm_differences, grey)
    return found
