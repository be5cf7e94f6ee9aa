"""How far each filter reaches: the crop that gives a VOI the values of the whole region, and no more."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics import bspline
from radiobone.features.radiomics.region import Indices, Region
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging.volumes import Box, expand

LOG_EXACT_SIGMA = 20.0
"""Margin of the LoG crop, in sigma.

Measured beside a wall of 3000 HU: 8 sigma leave 2e-3 HU and 12 sigma 7e-6 HU; from 18 to 20 sigma on every
single-precision voxel is the same. ITK's recursive filter has a longer tail than the Gaussian that it stands for.
"""

LOG_SIGMA = 8.0
"""Margin in sigma that a parameter file should leave round the VOI where PyRadiomics itself crops."""

_LOG_LEAST = 4
"""ITK filters no line of fewer voxels."""

_GRADIENT = 2


def margin(image_type: str, settings: Settings, spacing_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return the margin in voxels along (z, y, x) that a filter's crop needs (wavelets aside).

    Parameters
    ----------
    image_type : str
        Such as ``LoG``.
    settings : Settings
        Of this image type; for ``LoG`` the largest sigma counts.
    spacing_mm : tuple of float
        Along (z, y, x).

    Returns
    -------
    tuple of int
        0 for image types that are computed voxel by voxel.
    """
    if image_type == "LoG":
        return _log_margin(LOG_EXACT_SIGMA, settings, spacing_mm)
    if image_type == "Gradient":
        return _GRADIENT, _GRADIENT, _GRADIENT
    if image_type == "LBP2D":
        reach = math.ceil(settings.lbp2DRadius) + 1
        z, y, x = (0 if axis == settings.force2Ddimension else reach for axis in range(3))
        return z, y, x
    if image_type == "LBP3D":
        reach = math.ceil(settings.lbp3DIcosphereRadius) + 1 + bspline.MARGIN
        return reach, reach, reach
    return 0, 0, 0


def _log_margin(
    n_sigma: float, settings: Settings, spacing_mm: tuple[float, float, float]
) -> tuple[int, int, int]:
    """Return so many (largest) sigma in voxels along (z, y, x)."""
    z, y, x = (
        max(math.ceil(n_sigma * max(settings.sigma) / spacing - 1e-9), _LOG_LEAST) for spacing in spacing_mm
    )
    return z, y, x


def crop(region: Region, widths: tuple[int, int, int]) -> tuple[Box, Box]:
    """Return the VOI's box widened by a margin as far as the region goes, and the VOI's box inside it.

    Parameters
    ----------
    region : Region
        What PyRadiomics sees of the scan.
    widths : tuple of int
        Margin in voxels along (z, y, x), from `margin`.

    Returns
    -------
    outer : Box
        The crop, in voxels of the region.
    inner : Box
        The VOI's box, in voxels of the crop.
    """
    outer = bspline.in_step(expand(region.box, widths, region.shape), region.shape)
    z, y, x = (
        slice(part.start - edge.start, part.stop - edge.start)
        for part, edge in zip(region.box, outer, strict=True)
    )
    return outer, (z, y, x)


def wavelet_reach(settings: Settings) -> tuple[int, int, int]:
    """Return how many voxels along (z, y, x) a wavelet image reaches at most beyond a voxel.

    Parameters
    ----------
    settings : Settings
        Of the image type ``Wavelet``.

    Notes
    -----
    PyRadiomics repeats an undilated transform for each depth, so the reach of one filter, half its length,
    adds up over the depths. With ``force2D`` one axis is not transformed.
    """
    import pywt

    taps = pywt.Wavelet(settings.wavelet).dec_len
    reach = (taps // 2 + 1) * (settings.start_level + settings.level)
    z, y, x = (0 if settings.force2D and axis == settings.force2Ddimension else reach for axis in range(3))
    return z, y, x


def wavelet_crop(region: Region, settings: Settings) -> tuple[Indices, Box]:
    """Return the voxels that a wavelet crop takes, and the VOI's box inside it.

    Parameters
    ----------
    region : Region
        What PyRadiomics sees of the scan.
    settings : Settings
        Of the image type ``Wavelet``.

    Returns
    -------
    taken : Indices
        Voxels of the region along (z, y, x), for `Region.take`.
    inner : Box
        The VOI's box, in voxels of the crop.

    Notes
    -----
    PyRadiomics' wavelets are periodic: beyond the last voxel comes the first one, after an odd axis has been
    made even by a copy of its first voxel. A crop that leaves the region on one side therefore goes on at
    the other; its voxels stay in ascending order, so that the transform itself joins the two ends, and the
    seam between them lies out of the VOI's reach.
    """
    taken: list[NDArray[np.intp]] = []
    inner: list[slice] = []
    for part, reach, size in zip(region.box, wavelet_reach(settings), region.shape, strict=True):
        indices = np.arange(size) if reach == 0 else _circular(part, reach, size)
        first = int(np.searchsorted(indices, part.start))
        inner.append(slice(first, first + part.stop - part.start))
        taken.append(np.where(indices == size, 0, indices))
    (tz, ty, tx), (z, y, x) = taken, inner
    return (tz, ty, tx), (z, y, x)


def _circular(part: slice, reach: int, size: int) -> NDArray[np.intp]:
    """Return the ascending indices of a span and its margins on a circle of ``size`` voxels, made even."""
    circle = size + size % 2
    start, stop = part.start - reach, part.stop + reach
    stop += (stop - start) % 2
    if stop - start >= circle:
        return np.arange(circle)
    return np.sort(np.arange(start, stop) % circle)


def needed_padding(image_type: str, settings: Settings, spacing_mm: tuple[float, float, float]) -> int:
    """Return the ``padDistance`` (voxels) that an image type needs where PyRadiomics crops before it filters.

    Parameters
    ----------
    image_type : str
        Such as ``LoG``.
    settings : Settings
        Of this image type; for ``LoG`` the largest sigma counts.
    spacing_mm : tuple of float
        Along (z, y, x), of the image that is filtered.
    """
    if image_type == "LoG":
        return max(_log_margin(LOG_SIGMA, settings, spacing_mm))
    if image_type == "Wavelet":
        return max(wavelet_reach(settings))
    if image_type == "Gradient":
        return 1
    if image_type == "LBP2D":
        return math.ceil(settings.lbp2DRadius)
    return 0


def border_warnings(region: Region, image_type: str, settings: Settings) -> list[str]:
    """Say where a filter takes in what does not belong beside the VOI.

    Parameters
    ----------
    region : Region
        What PyRadiomics sees of the scan.
    image_type : str
        Such as ``LoG``.
    settings : Settings
        Of this image type.

    Returns
    -------
    list of str
        Empty, or one warning: too small a ``padDistance``, or a wavelet that goes round the image's border.
    """
    needed = needed_padding(image_type, settings, region.spacing_mm)
    if region.pad_distance is not None and region.pad_distance < needed:
        return [
            f"{image_type}: padDistance is {region.pad_distance}, but {needed} voxels are needed; PyRadiomics "
            f"cuts the image off there, which changes {image_type} values near the surface of the VOI"
        ]
    if image_type != "Wavelet":
        return []
    near = [
        axis
        for axis, part, reach, size in zip("zyx", region.box, wavelet_reach(settings), region.shape, strict=True)
        if part.start < reach or part.stop > size - reach
    ]
    if not near:
        return []
    return [
        f"Wavelet: the VOI lies within {needed} voxels of the image's border along {', '.join(near)}, where "
        "PyRadiomics takes the voxels of the opposite border for its neighbours"
    ]
