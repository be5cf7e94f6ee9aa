"""How much memory a VOI will take, asked before it is computed."""

from __future__ import annotations

import math
from collections.abc import Collection

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.bspline import MARGIN
from radiobone.features.radiomics.crops import margin, wavelet_reach
from radiobone.features.radiomics.grid import resampling_grid
from radiobone.features.radiomics.native.levels import GreyLevels, border
from radiobone.features.radiomics.native.matrices import FAMILIES, matrix_bytes
from radiobone.features.radiomics.native.surroundings import Surroundings
from radiobone.features.radiomics.region import Region
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging import Mask
from radiobone.imaging.volumes import Box, box_size, expand

MEMORY_LIMIT_GB = 8.0
"""Memory in GB (10⁹ bytes) that one VOI may take beside the scan, unless the user says otherwise."""

_VOXEL = 24
"""Bytes for each voxel of the VOI's box: its values in double precision, their places and grey levels."""

_FILTERED = {"Wavelet": 72}
"""Bytes for each voxel of the wavelet's crop at its peak: up to nine double-precision arrays, partly filtered ones
among them."""

_FILTERED_OTHERWISE = 24
"""For all other image types but LoG: the crop, its filtered version and one copy in double precision."""

_COPIED, _NORMALISED = 9, 17
"""For LoG, if the image does not hold whole numbers, or is normalised: the crop, and what it is made through."""


_SAMPLE, _LINE = 17, 240
"""Bytes for each voxel of a resampled region (in double precision, in its own type, and of the mask), and for each
of its lines along x."""

_COEFFICIENT = 8
"""Bytes for each voxel of the scan that is turned into a spline coefficient."""

_PADDED, _OFFSET = 5, 60
"""Bytes for each voxel of the VOI's box with its border, and for each offset that may be an angle."""


def check_resampling(voi: Mask, settings: Settings, limit_gb: float) -> None:
    """Refuse a resampled region that would need more memory than the limit.

    Parameters
    ----------
    voi : Mask
        Every voxel that is not 0 belongs to it.
    settings : Settings
        The parameter file's ``setting``.
    limit_gb : float
        The limit in GB.

    Raises
    ------
    EngineError
        With the estimate.
    """
    if settings.spacing_mm is None:
        return
    voi = voi.tight()
    if not voi.n_voxels:
        return
    grid = resampling_grid(voi.geometry, voi.box, settings.spacing_mm, settings.padDistance)
    if grid is None:
        return
    lines, samples = math.prod(grid.target.shape[:2]), math.prod(grid.target.shape)
    beyond = [
        math.ceil(settings.padDistance * new / old) + MARGIN
        for new, old in zip(grid.target.spacing_mm, voi.geometry.spacing_mm, strict=True)
    ]
    read = box_size(expand(voi.box, (beyond[0], beyond[1], beyond[2]), voi.geometry.shape))
    _refuse_beyond(
        samples * _SAMPLE + lines * _LINE + read * _COEFFICIENT,
        limit_gb,
        f"a resampled region of {samples / 1e6:.3g} million voxels",
        "a coarser resampledPixelSpacing, a smaller VOI or padDistance, or a higher memory limit",
    )


def check_surroundings(shape: tuple[int, ...], settings: Settings, limit_gb: float) -> None:
    """Refuse a border round the VOI, or distances in it, that would need more memory than the limit.

    Parameters
    ----------
    shape : tuple of int
        The VOI's box, (z, y, x).
    settings : Settings
        Of this image type.
    limit_gb : float
        The limit in GB.

    Raises
    ------
    EngineError
        With the estimate.
    """
    pad = border(shape, settings.distances)
    padded = math.prod(size + 2 * pad for size in shape)
    offsets = math.prod(2 * min(pad, size - 1) + 1 for size in shape)
    _refuse_beyond(
        padded * _PADDED + offsets * _OFFSET,
        limit_gb,
        f"distances of up to {pad} voxels round a box of {math.prod(shape) / 1e6:.3g} million",
        "smaller distances, a smaller VOI, or a higher memory limit",
    )


def check_filter(region: Region, image_type: str, settings: Settings, limit_gb: float) -> None:
    """Refuse a filter that would need more memory than the limit.

    Parameters
    ----------
    region : Region
        What is filtered.
    image_type : str
        Such as ``Wavelet``.
    settings : Settings
        Of this image type.
    limit_gb : float
        The limit in GB.

    Raises
    ------
    EngineError
        With the estimate.
    """
    wavelet = image_type == "Wavelet"
    reach = wavelet_reach(settings) if wavelet else margin(image_type, settings, region)
    crop = expand(region.box, reach, region.shape)
    if image_type == "LoG":
        needed = _log_bytes(region, crop)
    else:
        needed = box_size(crop) * _FILTERED.get(image_type, _FILTERED_OTHERWISE)
    _refuse_beyond(
        max(needed, box_size(region.box) * _VOXEL),
        limit_gb,
        f"the image type {image_type} of {box_size(crop) / 1e6:.3g} million voxels",
        "a smaller VOI, a coarser resampledPixelSpacing, or a higher memory limit",
    )


def _log_bytes(region: Region, crop: Box) -> int:
    """Return what LoG takes: whole numbers are read where they lie, and filtered line by line."""
    longest = max(
        (outer.stop - outer.start) / (part.stop - part.start) for outer, part in zip(crop, region.box, strict=True)
    )
    held = box_size(region.box) * (_VOXEL + 4 * longest)  # lines along one axis, across the other two of the box
    if region.normalisation is not None:
        return int(held + box_size(crop) * _NORMALISED)
    return int(held + box_size(crop) * (0 if region.array.dtype.kind in "iu" else _COPIED))


def check_matrices(
    levels: GreyLevels, surroundings: Surroundings, families: Collection[str], image: str, limit_gb: float
) -> None:
    """Refuse texture matrices that would need more memory than the limit.

    Parameters
    ----------
    levels : GreyLevels
        The grey levels of one image.
    surroundings : Surroundings
        Of its VOI.
    families : collection of str
        The wanted families.
    image : str
        Its name, for the message.
    limit_gb : float
        The limit in GB.

    Raises
    ------
    EngineError
        With the estimate.
    """
    wanted = [family for family in FAMILIES if family in families]
    needed = matrix_bytes(
        levels.values.size,
        0 if {"glcm", "gldm", "ngtdm"}.isdisjoint(wanted) else len(surroundings.angles),
        max(surroundings.shape),
        levels.inside.size,
        levels.padded.size,
        wanted,
    )
    _refuse_beyond(
        needed,
        limit_gb,
        f"texture matrices of {levels.values.size} grey levels in the image {image}",
        "a larger binWidth for this image type, a binCount, or a higher memory limit",
    )


def _refuse_beyond(needed: int, limit_gb: float, what: str, way_out: str) -> None:
    if needed > limit_gb * 1e9:
        raise EngineError(
            "the VOI needs more memory than the limit",
            got=f"about {needed / 1e9:.3g} GB for {what}",
            expected=f"at most {limit_gb:g} GB",
            do=way_out,
        )
