"""The recipes of the foundation: the label, the body, and the inside of the body."""

from __future__ import annotations

import logging

import numpy as np

from radiobone.core.errors import VoiError
from radiobone.imaging import Image, Mask
from radiobone.voi.body import cut_along
from radiobone.voi.erosion import erode, largest_component
from radiobone.voi.options import VoiOptions
from radiobone.voi.source import Made, Source

logger = logging.getLogger(__name__)

SAFE_LOWER_HU = -200.0
"""Marrow fat lies at about -100 HU, so a lower bound above this removes bone that disease has emptied."""


def build_label(source: Source, options: VoiOptions) -> Made:
    """Take the label as it is.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        The options; this recipe reads none.

    Returns
    -------
    Made
        The label.
    """
    return Made(source.label)


def build_body(source: Source, options: VoiOptions | None = None) -> Made:
    """Take the vertebral body: by the body mask if there is one, else cut along its back wall.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        The options; this recipe reads none.

    Returns
    -------
    Made
        The body, and where it came from.

    Raises
    ------
    VoiError
        If no body can be told apart.
    """
    if source.body_mask is not None:
        return Made(source.body_mask.of(source.label, source.value), source.body_mask.kind)
    return Made(cut_along(source.label, source.axes()), "cut")


def build_trabecular(source: Source, options: VoiOptions) -> Made:
    """Take the inside of the body: eroded, its largest part, then within the bounds of HU.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        Depth of the erosion, and bounds of HU.

    Returns
    -------
    Made
        The inside, where the body came from, and warnings.

    Raises
    ------
    VoiError
        If no body can be told apart, nothing is left of it, or bounds of HU are given without an image.
    """
    body = source.once(build_body)
    inside = largest_component(erode(body.mask, options.erosion_mm))
    if inside.n_voxels == 0:
        raise VoiError(
            "nothing is left of the body after erosion",
            got=f"a body of {body.mask.n_voxels} voxels ({body.mask.volume_ml:.3g} ml)",
            expected=f"a body thicker than {2 * options.erosion_mm:g} mm",
            do="check the mask, or lower erosion_mm",
        )
    bounded, warnings = within_bounds(inside, source.image, options)
    return Made(bounded, body.body_source, warnings)


def within_bounds(voi: Mask, image: Image | None, options: VoiOptions) -> tuple[Mask, tuple[str, ...]]:
    """Leave out voxels below the lower and above the upper bound of HU; say how much a risky bound removed."""
    if options.lower_hu is None and options.upper_hu is None:
        return voi, ()
    if image is None:
        raise VoiError("bounds of HU need an image", do="give the image, or leave out lower_hu and upper_hu")
    hu = image.array[voi.box]
    below = voi.array & (hu < options.lower_hu) if options.lower_hu is not None else np.zeros_like(voi.array)
    above = voi.array & (hu > options.upper_hu) if options.upper_hu is not None else np.zeros_like(voi.array)
    kept = Mask(voi.array & ~below & ~above, voi.geometry, voi.offset).tight()
    if kept.n_voxels == 0:
        values = hu[voi.array]
        raise VoiError(
            "no voxel lies within the bounds of HU",
            got=f"{values.min():g} to {values.max():g} HU",
            expected=f"{options.lower_hu} to {options.upper_hu} HU",
        )
    if options.lower_hu is None or options.lower_hu <= SAFE_LOWER_HU:
        return kept, ()
    share = np.count_nonzero(below) / voi.n_voxels
    warning = f"lower_hu={options.lower_hu:g} removed {share:.1%} of the trabecular voxels"
    logger.warning("%s; a bound above %g HU removes what osteoporosis leaves", warning, SAFE_LOWER_HU)
    return kept, (warning,)
