"""Scans with a box for a VOI, in the order of the body: z to the head, y to the back, x to the left."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from radiobone.features.deep.params import DeepParams
from radiobone.imaging import Geometry, Image, Mask

SHAPE = (20, 24, 28)
BOX = (slice(6, 13), slice(8, 17), slice(10, 21))
"""7 x 9 x 11 voxels with its middle at (9, 12, 15)."""

CODES = [
    "".join(letters) for axes in itertools.permutations(["LR", "PA", "SI"]) for letters in itertools.product(*axes)
]
"""All 48 orders of axes."""


def params(*views: str, **keys: Any) -> DeepParams:
    """Parameters with a network that fits the views, no margin, and a window from 0 to 1000 HU."""
    usual = {"backbone": "resnet18_3d" if views == ("volume",) else "resnet18", "weights": "random", "size": 32}
    if keys.get("spacing_mm") is None and keys.get("masking") != "mask":
        usual["margin_mm"] = 0
    return DeepParams(**{**usual, "window_hu": (0, 1000), "views": views, **keys})


def scan(array: np.ndarray, spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0), **keys: Any) -> Image:
    return Image(array, Geometry(array.shape, spacing_mm, (-30.0, 12.5, 400.0), **keys))


def box_voi(image: Image, box: tuple[slice, slice, slice] = BOX) -> Mask:
    array = np.ones([part.stop - part.start for part in box], dtype=bool)
    return Mask(array, image.geometry, tuple(part.start for part in box))


def stored(image: Image, voi: Mask, code: str) -> tuple[Image, Mask]:
    """The same scan and VOI with the axes in another order."""
    import SimpleITK as sitk

    array = sitk.DICOMOrient(voi.to_sitk(), code)
    return Image.from_sitk(sitk.DICOMOrient(image.to_sitk(), code)), Mask(
        sitk.GetArrayFromImage(array), Image.from_sitk(array).geometry
    )
