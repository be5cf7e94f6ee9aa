"""A small ball to compute before the first scan, so that all kernels of a parameter file are compiled then."""

from __future__ import annotations

from typing import Any

import numpy as np

from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.settings import ImageTypes
from radiobone.imaging import Geometry, Image, Mask

_SIDE, _RADIUS = 24, 5.5

_SMALL: dict[str, Any] = {
    "minimumROIDimensions": 1,
    "minimumROISize": None,
    "resegmentRange": None,
    "binCount": 32,
    "normalizeScale": 1.0,
    "padDistance": 5,
    "distances": (1,),
    "sigma": (1.0,),
    "start_level": 0,
    "level": 1,
    "lbp2DRadius": 1.0,
    "lbp2DSamples": 8,
    "lbp3DLevels": 2,
    "lbp3DIcosphereRadius": 1.0,
    "lbp3DIcosphereSubdivision": 1,
}
"""Settings that no ball is too small for. None of them decides which kernels are called."""


def params_of_ball(params: RadiomicsParams) -> RadiomicsParams:
    """Return a parameter file that takes the same kernels, and that a ball can be computed with.

    Parameters
    ----------
    params : RadiomicsParams
        What will be computed: its families and image types are kept.
    """
    common = dict(_SMALL)
    if params.spacing_mm is not None:
        common["resampledPixelSpacing"] = (0.9, 0.9, 0.9)
    types = {}
    for name in ImageTypes.model_fields:
        given = getattr(params.imageType, name)
        if given is not None:
            own = {key: value for key, value in _SMALL.items() if key in given.model_fields_set}
            types[name] = given.model_copy(update=own)
    return params.model_copy(
        update={
            "setting": params.setting.model_copy(update=common),
            "imageType": params.imageType.model_copy(update=types),
        }
    )


def ball(params: RadiomicsParams) -> tuple[Image, dict[str, Mask]]:
    """Return a scan and its VOI; a disc, if 2D shape is wanted.

    Parameters
    ----------
    params : RadiomicsParams
        From `params_of_ball`.
    """
    distance = np.linalg.norm(np.indices((_SIDE, _SIDE, _SIDE)) - _SIDE / 2, axis=0)
    hu = (distance * 37 % 200).astype(np.int16)
    hu[distance < 2] += 1000  # grey levels with a gap take a kernel of their own
    inside = distance < _RADIUS
    settings = params.setting
    if "shape2D" in params.families and settings.force2D:
        inside &= np.indices(inside.shape)[settings.force2Ddimension] == _SIDE // 2
    geometry = Geometry(hu.shape, (1.0, 1.0, 1.0))
    return Image(hu, geometry), {"ball": Mask(inside, geometry)}
