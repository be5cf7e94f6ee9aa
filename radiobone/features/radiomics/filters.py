"""Filters that work voxel by voxel but take one statistic of the whole region that PyRadiomics sees.

With that statistic given, a crop gets the values of the whole region. The formulas are PyRadiomics',
operation by operation; ``magnitude`` is the largest absolute value in the whole region.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.region import Region

Values = NDArray[np.float64]


def square(array: NDArray[Any], magnitude: float) -> Values:
    """Return ``(c x)²`` with ``c = 1 / sqrt(magnitude)``.

    Parameters
    ----------
    array : ndarray
        Voxels ``x`` of any shape, in the unit of the image.
    magnitude : float
        Largest absolute value in the whole region, above 0.
    """
    coefficient = 1 / np.sqrt(np.float64(magnitude))
    result: Values = (coefficient * array.astype(np.float64)) ** 2
    return result


def square_root(array: NDArray[Any], magnitude: float) -> Values:
    """Return ``sign(x) sqrt(|x| magnitude)``.

    Parameters
    ----------
    array : ndarray
        Voxels ``x`` of any shape, in the unit of the image.
    magnitude : float
        Largest absolute value in the whole region, above 0.
    """
    values = array.astype(np.float64)
    values[values > 0] = np.sqrt(values[values > 0] * magnitude)
    values[values < 0] = -np.sqrt(-values[values < 0] * magnitude)
    return values


def logarithm(array: NDArray[Any], magnitude: float) -> Values:
    """Return ``sign(x) log(|x| + 1)``, scaled so that the magnitude stays what it is.

    Parameters
    ----------
    array : ndarray
        Voxels ``x`` of any shape, in the unit of the image.
    magnitude : float
        Largest absolute value in the whole region, above 0.
    """
    values = array.astype(np.float64)
    values[values > 0] = np.log(values[values > 0] + 1)
    values[values < 0] = -np.log(-(values[values < 0] - 1))
    values *= magnitude / np.log(np.float64(magnitude) + 1)
    return values


def exponential(array: NDArray[Any], magnitude: float) -> Values:
    """Return ``exp(c x)`` with ``c = log(magnitude) / magnitude``.

    Parameters
    ----------
    array : ndarray
        Voxels ``x`` of any shape, in the unit of the image.
    magnitude : float
        Largest absolute value in the whole region, above 0.
    """
    coefficient = np.log(np.float64(magnitude)) / magnitude
    result: Values = np.exp(coefficient * array.astype(np.float64))
    return result


def pointwise(region: Region, image_type: str) -> tuple[str, Values]:
    """Return the name and the voxels of a filtered image inside the VOI's box.

    Parameters
    ----------
    region : Region
        What PyRadiomics sees of the scan.
    image_type : str
        A key of `POINTWISE`.

    Raises
    ------
    EngineError
        If the region is 0 everywhere, so that its magnitude scales nothing.
    """
    name, formula = POINTWISE[image_type]
    if region.magnitude == 0:
        raise EngineError(f"{image_type} needs an image that is not 0 everywhere", got="0 everywhere")
    return name, formula(region.read(region.box), region.magnitude)


POINTWISE: dict[str, tuple[str, Callable[[NDArray[Any], float], Values]]] = {
    "Square": ("square", square),
    "SquareRoot": ("squareroot", square_root),
    "Logarithm": ("logarithm", logarithm),
    "Exponential": ("exponential", exponential),
}
"""For each such image type the name of its image and its formula."""
