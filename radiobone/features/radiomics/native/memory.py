"""How much memory a VOI will take, asked before it is computed."""

from __future__ import annotations

from collections.abc import Collection

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.crops import margin, wavelet_reach
from radiobone.features.radiomics.native.angles import texture_angles
from radiobone.features.radiomics.native.levels import GreyLevels
from radiobone.features.radiomics.native.matrices import FAMILIES, matrix_bytes
from radiobone.features.radiomics.region import Region
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging.volumes import box_size, expand

MEMORY_LIMIT_GB = 8.0
"""Memory in GB (10⁹ bytes) that one VOI may take beside the scan, unless the user says otherwise."""

_BYTES_PER_VOXEL = {"LoG": 16, "Wavelet": 48}
"""Bytes for each voxel of a filter's crop at its peak: LoG holds the crop and three single-precision results; the
wavelet up to six double-precision arrays, partly filtered ones among them."""

_OTHER_BYTES = 24
"""For all other image types: the crop, its filtered version and one copy in double precision."""


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
    n_voxels = box_size(expand(region.box, reach, region.shape))
    _refuse_beyond(
        n_voxels * _BYTES_PER_VOXEL.get(image_type, _OTHER_BYTES),
        limit_gb,
        f"the image type {image_type} of {n_voxels / 1e6:.3g} million voxels",
        "a smaller VOI, a coarser resampledPixelSpacing, or a higher memory limit",
    )


def check_matrices(
    levels: GreyLevels, settings: Settings, families: Collection[str], image: str, limit_gb: float
) -> None:
    """Refuse texture matrices that would need more memory than the limit.

    Parameters
    ----------
    levels : GreyLevels
        The grey levels of one image.
    settings : Settings
        Of its type.
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
    depth, height, width = (size - 2 * levels.pad for size in levels.padded.shape)
    box = (depth, height, width)
    axis = settings.force2Ddimension if settings.force2D else None
    needed = matrix_bytes(
        levels.values.size,
        len(texture_angles(box, settings.distances, axis)),
        max(box),
        levels.inside.size,
        levels.padded.size,
        [family for family in FAMILIES if family in families],
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
