"""The engine against PyRadiomics on the whole volume, on data where a naive crop goes wrong.

Equality is to the last bit: every crop is wide enough for each filter to give every voxel the same bits, and all
that follows is the same code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from radiomics_scans import ALL_FAMILIES, make_scan, oblique, whole_volume

from radiobone.core.config import validate
from radiobone.features.radiomics.columns import columns
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.pyradiomics import PyRadiomicsEngine
from radiobone.imaging import Image, Mask

pytest.importorskip("radiomics")

EVERYTHING = {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0, 2.0]}, "Gradient": {}}
POINTWISE = {"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}}
SCANS: dict[str, dict[str, Any]] = {
    "anisotropic": {},
    "odd sizes": {"shape": (63, 71, 75), "centre": (30.0, 33.0, 41.0)},
    "even sizes": {"shape": (64, 70, 76), "centre": (31.0, 32.0, 40.0)},
    "one slice from the lower border": {"shape": (57, 61, 63), "centre": (9.0, 10.0, 11.0)},
    "one slice from the upper border": {"shape": (57, 61, 63), "centre": (47.0, 50.0, 51.0)},
    "on the upper border, odd": {"shape": (41, 61, 63), "centre": (36.0, 30.0, 57.0)},
    "half to one millimetre": {"spacing_mm": (0.5, 0.5, 0.5)},
    "half to one millimetre, oblique": {"spacing_mm": (0.5, 0.5, 0.5), "direction": oblique()},
    "three to one millimetre": {"spacing_mm": (1.0, 1.0, 3.0), "shape": (90, 80, 35), "radii": (9.0, 8.0, 4.0)},
    "oblique": {"direction": oblique()},
    "single precision": {"dtype": np.float32},
    "double precision": {"dtype": np.float64, "spacing_mm": (3.0, 1.0, 1.0), "radii": (4.0, 8.0, 9.0)},
    "32-bit integers": {"dtype": np.int32},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "whole image": {},
    "resampled": {"resampledPixelSpacing": [1, 1, 1]},
    "precropped": {"preCrop": True, "padDistance": 7},
}


def check(image: Image, mask: Mask, content: dict[str, Any]) -> VoiValues:
    """Compare every value, and the order of the columns."""
    params = validate(RadiomicsParams, content, "test")
    values = PyRadiomicsEngine().extract(image, {"voi": mask}, params)["voi"]
    if isinstance(values, Exception):
        raise values
    expected = whole_volume(image, mask, content)
    assert list(values.features) == list(expected) == [column.name for column in columns(params)]
    wrong = {
        name: (values.features[name], value)
        for name, value in expected.items()
        if not (values.features[name] == value or (np.isnan(value) and np.isnan(values.features[name])))
    }
    assert not wrong, f"{len(wrong)} of {len(expected)}: {dict(list(wrong.items())[:5])}"
    return values


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("scan", SCANS)
def test_values_are_those_of_the_whole_volume(scan: str, setting: str) -> None:
    image, mask = make_scan(**SCANS[scan])
    check(image, mask, {"imageType": EVERYTHING, "featureClass": ALL_FAMILIES, "setting": SETTINGS[setting]})


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_statistics_come_from_the_whole_region(setting: str, dtype: type) -> None:
    image, mask = make_scan(dtype=dtype)
    content = {"imageType": POINTWISE, "setting": SETTINGS[setting]}
    check(image, mask, content)
