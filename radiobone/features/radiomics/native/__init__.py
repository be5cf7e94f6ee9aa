"""PyRadiomics' features on plain arrays: no files, no SimpleITK images, no PyRadiomics.

Arrays are (z, y, x), spacings in mm in the same order. A mask is not 0 inside the VOI. From an image to features:

>>> import numpy as np
>>> from radiobone.features.radiomics import native
>>> image = np.arange(60).reshape(3, 4, 5) % 7 * 10
>>> mask = np.ones((3, 4, 5))
>>> levels = native.discretise(image, mask, bin_width=25)
>>> levels.values
array([1, 2, 3])
>>> round(native.glcm_features(native.glcm(levels), levels.values)["Contrast"], 3)
1.311
>>> native.first_order_features(image, mask, (2.0, 1.0, 1.0))["Mean"]
29.0

Filters give the part of a filtered image that a VOI needs, as if the whole image had been filtered:

>>> box = (slice(1, 2), slice(1, 3), slice(1, 4))
>>> {name: voxels.shape for name, voxels in native.wavelet_images(image, box)}["wavelet-LLH"]
(1, 2, 3)

Whole parameter files are computed by `radiobone.features.radiomics.registry.find_engine`.
"""

from radiobone.features.radiomics.native.angles import texture_angles
from radiobone.features.radiomics.native.binary_patterns import lbp_2d, lbp_3d
from radiobone.features.radiomics.native.firstorder import first_order_features
from radiobone.features.radiomics.native.gradient import gradient_of_box
from radiobone.features.radiomics.native.levels import GreyLevels, VoiGrid, discretise
from radiobone.features.radiomics.native.log import log_of_box
from radiobone.features.radiomics.native.matrices import (
    TextureMatrices,
    glcm,
    gldm,
    glrlm,
    glszm,
    ngtdm,
    texture_matrices,
)
from radiobone.features.radiomics.native.shape import shape_features
from radiobone.features.radiomics.native.shape2d import shape_2d_features
from radiobone.features.radiomics.native.texture import (
    glcm_features,
    glcm_weights,
    gldm_features,
    glrlm_features,
    glrlm_weights,
    glszm_features,
    ngtdm_features,
)
from radiobone.features.radiomics.native.wavelet import wavelet_images

__all__ = [
    "GreyLevels",
    "TextureMatrices",
    "VoiGrid",
    "discretise",
    "first_order_features",
    "glcm",
    "glcm_features",
    "glcm_weights",
    "gldm",
    "gldm_features",
    "glrlm",
    "glrlm_features",
    "glrlm_weights",
    "glszm",
    "glszm_features",
    "gradient_of_box",
    "lbp_2d",
    "lbp_3d",
    "log_of_box",
    "ngtdm",
    "ngtdm_features",
    "shape_2d_features",
    "shape_features",
    "texture_angles",
    "texture_matrices",
    "wavelet_images",
]
