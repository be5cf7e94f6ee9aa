"""How far each filter reaches: the crop that gives a VOI the values of the whole region, and no more."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics import bspline
from radiobone.features.radiomics.kernels.gaussian import FEWEST
from radiobone.features.radiomics.region import Indices, Region
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging.volumes import Box, expand, relative

LOG_EXACT_SIGMA = 20.0
"""How far LoG reads round a VOI's box, in sigma, in images of no more than `LOG_EXACT_BOUND`.

ITK's recursive filter has a longer tail than the Gaussian that it stands for. For PyRadiomics the margin is a box,
so many sigma along each axis. The native filter reads less, namely the voxels whose distances along the three axes
*add up* to so many sigma, so that near a corner of the box it sees least. Beside walls of 3000 HU in noise the sum
of 20 sigma leaves less than 3 of 10,000 voxels one unit of the last place (8e-6 HU) away from the whole image's
value, 18 sigma some 10, 16 sigma 300, and with 8 sigma voxels are wrong by 0.1 HU. A box of 8 sigma is wrong by
2e-3 HU only, one of 12 sigma by 7e-6 HU, and from 18 sigma on by nothing.
"""

LOG_EXACT_BOUND = 2.0**16
"""Largest absolute value in an image for which `LOG_EXACT_SIGMA` are enough: all that 16 bits can hold.

Beside a wall of 65,535 at least distance, 4 of 10,000 voxels differ by one unit of the last place. An image of
floating-point numbers may hold a fill value of 1e9, of which 20 sigma leave 7e-4 HU: see `log_sigmas`, with which
neither 1e9 nor 1e30 leave any trace.
"""

_LOG_DECAY = 1.38
"""The filter's tail falls by ``exp(-1.38)`` for each sigma; its two waves do so by 1.3932 and 1.3732."""

LOG_SIGMA = 8.0
"""Margin in sigma that a parameter file should leave round the VOI where PyRadiomics itself crops."""

_GRADIENT = 2


def margin(image_type: str, settings: Settings, region: Region) -> tuple[int, int, int]:
    """Return the margin in voxels along (z, y, x) that a filter's crop needs (wavelets aside).

    Parameters
    ----------
    image_type : str
        Such as ``LoG``.
    settings : Settings
        Of this image type; for ``LoG`` the largest sigma counts.
    region : Region
        What is filtered; its spacing counts, and for ``LoG`` what its voxels can be.

    Returns
    -------
    tuple of int
        0 for image types that are computed voxel by voxel.
    """
    if image_type == "LoG":
        return log_voxels(log_sigmas(region.bound), max(settings.sigma), region.spacing_mm)
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


def log_sigmas(bound: float) -> float:
    """Return how many sigma beyond a box LoG has to read for the values of the whole image.

    Parameters
    ----------
    bound : float
        What no absolute value in the whole image exceeds.

    Returns
    -------
    float
        `LOG_EXACT_SIGMA`, and beyond `LOG_EXACT_BOUND` as many more as bring the tail down to where it was.
    """
    return LOG_EXACT_SIGMA + math.log(max(bound / LOG_EXACT_BOUND, 1.0)) / _LOG_DECAY


def log_voxels(n_sigma: float, sigma_mm: float, spacing_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return so many sigma in voxels along (z, y, x), and at least as many as ITK filters.

    Parameters
    ----------
    n_sigma : float
        How many sigma, such as those of `log_sigmas`.
    sigma_mm : float
        Standard deviation of the Gaussian.
    spacing_mm : tuple of float
        Along (z, y, x).
    """
    z, y, x = (max(math.ceil(n_sigma * sigma_mm / spacing - 1e-9), FEWEST) for spacing in spacing_mm)
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
    return outer, relative(region.box, outer)


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
    """Return the voxels that PyRadiomics' wavelets need, and the VOI's box inside them.

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
        taken.append(on_circle(indices, size))
    (tz, ty, tx), (z, y, x) = taken, inner
    return (tz, ty, tx), (z, y, x)


def _circular(part: slice, reach: int, size: int) -> NDArray[np.intp]:
    """Return the ascending indices of a span and its margins on a circle of ``size`` voxels, made even."""
    circle = circumference(size)
    start, stop = part.start - reach, part.stop + reach
    stop += (stop - start) % 2
    if stop - start >= circle:
        return np.arange(circle)
    return np.sort(np.arange(start, stop) % circle)


def circumference(size: int) -> int:
    """Return how many voxels an axis has where PyRadiomics' wavelets go round it, which is an even number.

    Parameters
    ----------
    size : int
        Number of voxels of the image along the axis.
    """
    return size + size % 2


def on_circle(indices: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Return the voxels at any places on the circle that wavelets make of an axis.

    Parameters
    ----------
    indices : ndarray
        Places, which may lie below 0 or beyond the last voxel.
    size : int
        Number of voxels of the image along the axis; a copy of the first one makes an odd number even.

    Returns
    -------
    ndarray
        Indices of voxels, 0 to ``size - 1``.
    """
    turned = indices % circumference(size)
    return np.where(turned == size, 0, turned)


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
        return max(log_voxels(LOG_SIGMA, max(settings.sigma), spacing_mm))
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
