"""How much memory a VOI will take, asked before it is computed."""

from __future__ import annotations

from collections.abc import Collection

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.crops import margin, wavelet_reach
from radiobone.features.radiomics.native.levels import GreyLevels
from radiobone.features.radiomics.native.matrices import FAMILIES, matrix_bytes
from radiobone.features.radiomics.native.surroundings import Surroundings
from radiobone.features.radiomics.region import Region
from radiobone.features.radiomics.settings import Settings
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
    reach = wavelet_reach(settings) if wavelet else margin(image_type, settings, region.spacing_mm)
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
