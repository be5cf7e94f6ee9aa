"""From HU to the values that a network knows, by its plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ModelError
from radiobone.segmentation.model import Model

Floats = NDArray[np.float32]

_EACH_VOXEL = ("CTNormalization", "NoNormalization")
"""Schemes that treat each voxel by itself, so that any piece of an image may be normalised alone."""


def needs_whole(model: Model) -> bool:
    """Say whether a model's normalisation looks at the whole image.

    Parameters
    ----------
    model : Model
        From `read_model`.
    """
    return model.setup.normalization_schemes[0] not in _EACH_VOXEL


def normaliser(model: Model, image: NDArray[Any]) -> tuple[NDArray[Any], Callable[[Floats], Floats]]:
    """Return the image to be resampled, and what is still to be done with each piece of it.

    Parameters
    ----------
    model : Model
        From `read_model`.
    image : ndarray of shape (z, y, x)
        Without its empty margin.

    Raises
    ------
    ModelError
        If the plans name a normalisation that nnU-Net does not have.
    """
    from nnunetv2.preprocessing.normalization import default_normalization_schemes as schemes

    name = str(model.setup.normalization_schemes[0])
    kind = getattr(schemes, name, None)
    if not (isinstance(kind, type) and issubclass(kind, schemes.ImageNormalization)):
        raise ModelError(
            "the model's plans normalise in a way that nnU-Net does not know",
            where=str(model.folder),
            got=name,
            expected="CTNormalization or another one of nnU-Net's own",
        )
    masked = bool(model.setup.use_mask_for_norm[0])
    scheme = kind(
        use_mask_for_norm=masked, intensityproperties=model.plans.foreground_intensity_properties_per_channel["0"]
    )
    if not needs_whole(model):
        return image, scheme.run
    whole = np.array(image, dtype=np.float32, order="C")
    return scheme.run(whole, _outside(whole) if masked else None), lambda piece: piece


def _outside(image: Floats) -> NDArray[np.int8]:
    """Return -1 where nnU-Net sees no object, that is outside all that is not 0, and 0 elsewhere."""
    from scipy import ndimage

    return np.where(ndimage.binary_fill_holes(image != 0), 0, -1).astype(np.int8)
