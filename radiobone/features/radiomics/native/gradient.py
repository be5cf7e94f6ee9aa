"""Gradient magnitude inside a box, by ITK's own filter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.native.boxes import check_inside
from radiobone.imaging.volumes import Box, expand, relative

_REACH = 1
"""Voxels that the central differences reach beyond a voxel."""


def gradient_of_box(
    image: NDArray[Any], box: Box, spacing_mm: tuple[float, float, float], *, use_spacing: bool = True
) -> NDArray[np.float32]:
    """Return the gradient magnitude of an image inside a box, as PyRadiomics has it from SimpleITK.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The whole region, or a crop that goes one voxel beyond the box or as far as the region goes.
    box : Box
        The wanted voxels, not empty and inside the image.
    spacing_mm : tuple of float
        Along (z, y, x).
    use_spacing : bool
        Whether differences are taken for each mm (PyRadiomics' ``gradientUseSpacing``) or for each voxel.

    Returns
    -------
    ndarray of float32, shape of the box
        In the unit of the image for each mm or voxel. At the border of the image the voxels beyond count as
        equal to those at the border.

    Raises
    ------
    EngineError
        If the box is empty or not inside the image.

    Examples
    --------
    >>> ramp = np.tile(np.arange(8, dtype=np.int16) * 3, (4, 4, 1))
    >>> gradient_of_box(ramp, (slice(1, 2), slice(1, 2), slice(2, 4)), (1.0, 1.0, 0.5))
    array([[[6., 6.]]], dtype=float32)
    """
    import SimpleITK as sitk

    check_inside(box, image.shape)
    depth, height, width = image.shape
    outer = expand(box, (_REACH, _REACH, _REACH), (depth, height, width))
    source = sitk.GetImageFromArray(np.ascontiguousarray(image[outer]))
    source.SetSpacing(tuple(float(spacing) for spacing in spacing_mm[::-1]))
    itk = sitk.GradientMagnitudeImageFilter()
    itk.SetUseImageSpacing(use_spacing)
    filtered: NDArray[np.float32] = sitk.GetArrayFromImage(itk.Execute(source))[relative(box, outer)]
    return np.ascontiguousarray(filtered)
