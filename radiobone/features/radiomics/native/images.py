"""The images of a parameter file inside the box of a VOI, each with the values of the whole region."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.columns import image_names
from radiobone.features.radiomics.crops import crop, log_sigmas, margin
from radiobone.features.radiomics.filters import pointwise
from radiobone.features.radiomics.kernels.gaussian import FEWEST
from radiobone.features.radiomics.native.binary_patterns import lbp_2d, lbp_3d
from radiobone.features.radiomics.native.gradient import gradient_of_box
from radiobone.features.radiomics.native.log import log_of_box
from radiobone.features.radiomics.native.wavelet import periodic_images
from radiobone.features.radiomics.region import Indices, Region, finite
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging.volumes import Box

Corner = tuple[int, int, int]
"""First voxel of a crop in the region, (z, y, x)."""

Named = Iterator[tuple[str, NDArray[Any]]]
"""Images of a VOI's box, each with the name that columns begin with."""


def images(region: Region, image_type: str, settings: Settings) -> Named:
    """Yield each image of one type inside the VOI's box, with its name.

    Parameters
    ----------
    region : Region
        What PyRadiomics sees of the scan for this VOI.
    image_type : str
        As parameter files name it, such as ``Wavelet``.
    settings : Settings
        Of this image type.

    Yields
    ------
    name : str
        Such as ``wavelet-LLH``.
    voxels : ndarray of shape (z, y, x)
        In the pixel type in which PyRadiomics gets them, since bins depend on it.

    Raises
    ------
    EngineError
        If the region is not finite where a filter reads it, or a filter needs what it does not have.
    """
    if image_type == "Original":
        yield "original", region.read(region.box)
    elif image_type == "LoG":
        for name, sigma in zip(image_names("LoG", settings), settings.sigma, strict=True):
            yield name, _log(region, settings, sigma)
    elif image_type == "Wavelet":
        yield from _wavelets(region, settings)
    elif image_type == "Gradient":
        voxels, inner, _ = _surroundings(region, image_type, settings)
        yield (
            "gradient",
            gradient_of_box(voxels, inner, region.spacing_mm, use_spacing=settings.gradientUseSpacing),
        )
    elif image_type in ("LBP2D", "LBP3D"):
        yield from _binary_patterns(region, image_type, settings)
    else:
        yield pointwise(region, image_type)


def _log(region: Region, settings: Settings, sigma: float) -> NDArray[np.float32]:
    _check_size(region, sigma)
    n_sigma = log_sigmas(region.bound)
    if region.normalisation is None and region.array.dtype.kind in "iu":  # these are read where they lie
        return log_of_box(region.array, region.box, region.spacing_mm, sigma, n_sigma)
    voxels, inner, _ = _surroundings(region, "LoG", settings.model_copy(update={"sigma": (sigma,)}))
    return log_of_box(voxels, inner, region.spacing_mm, sigma, n_sigma)


def _surroundings(region: Region, image_type: str, settings: Settings) -> tuple[NDArray[Any], Box, Corner]:
    """Return voxels that reach far enough round the VOI for a filter, its box in them, and their own corner."""
    outer, inner = crop(region, margin(image_type, settings, region))
    z, y, x = outer
    return finite(region.read(outer), image_type), inner, (z.start, y.start, x.start)


def _wavelets(region: Region, settings: Settings) -> Named:
    def take(indices: Indices) -> NDArray[Any]:
        return finite(region.take(indices), "Wavelet")

    return periodic_images(
        take,
        region.shape,
        region.box,
        wavelet=settings.wavelet,
        level=settings.level,
        start_level=settings.start_level,
        flat_axis=settings.force2Ddimension if settings.force2D else None,
    )


def _binary_patterns(region: Region, image_type: str, settings: Settings) -> Named:
    voxels, inner, corner = _surroundings(region, image_type, settings)
    if image_type == "LBP2D":
        patterns = lbp_2d(
            voxels,
            inner,
            radius=settings.lbp2DRadius,
            samples=settings.lbp2DSamples,
            method=settings.lbp2DMethod,
            axis=settings.force2Ddimension,
            origin=corner,
        )
        yield "lbp-2D", patterns
    else:
        yield from lbp_3d(
            voxels,
            inner,
            region.mask,
            levels=settings.lbp3DLevels,
            radius=settings.lbp3DIcosphereRadius,
            subdivisions=settings.lbp3DIcosphereSubdivision,
            origin=corner,
        )


def _check_size(region: Region, sigma: float) -> None:
    """Refuse what PyRadiomics would pass over, leaving its columns out."""
    needed = [max(FEWEST, int(np.ceil(sigma / spacing)) + 1) for spacing in region.spacing_mm]
    if any(size < least for size, least in zip(region.shape, needed, strict=True)):
        raise EngineError(
            f"the image is too small for LoG with sigma {sigma:g} mm",
            got=f"{' x '.join(str(size) for size in region.shape[::-1])} voxels (x, y, z)",
            expected=f"at least {' x '.join(str(size) for size in needed[::-1])}",
            do="leave out this sigma, or use a larger padDistance if the file resamples or crops",
        )
