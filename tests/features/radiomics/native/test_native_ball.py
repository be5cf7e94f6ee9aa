"""What is compiled before the first scan: everything, whatever a parameter file asks for."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from radiobone.core.config import validate
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.native.ball import ball, params_of_ball
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.params import RadiomicsParams, read_params

FLAT = {"force2D": True}
SMALL_FAMILIES: dict[str, Any] = {"shape": [], "firstorder": [], "glcm": [], "glszm": []}


@pytest.mark.parametrize(
    "content",
    [
        {"setting": {"minimumROISize": 2000, "minimumROIDimensions": 3}},
        {"setting": {"resegmentRange": [-1000, -500]}},
        {"setting": {"distances": [30]}},
        {"setting": {"binWidth": 1e-6}},
        {"setting": {"binCount": 100_000}},
        {"setting": {"resampledPixelSpacing": [50, 50, 50]}},
        {"setting": {"resampledPixelSpacing": [1e-4, 0, 2], "interpolator": "sitkLinear", "padDistance": 900}},
        {"setting": {"normalize": True, "removeOutliers": 3, "preCrop": True}},
        {"imageType": {"LoG": {"sigma": [30]}}},
        {"imageType": {"Original": {"distances": [40]}, "LoG": None}, "setting": {"sigma": [30.0]}},
        {"imageType": {"Wavelet": {"level": 4, "start_level": 2}, "Gradient": {"binWidth": 1e-5}}},
        {"imageType": {"Original": None}, "setting": FLAT, "featureClass": {"shape2D": None, "glcm": None}},
        {"imageType": {"Square": {}}, "setting": {**FLAT, "force2Ddimension": 2}, "featureClass": {"shape2D": []}},
    ],
)
def test_no_parameter_file_keeps_the_ball_from_being_computed(content: dict[str, Any]) -> None:
    params = validate(RadiomicsParams, {"featureClass": SMALL_FAMILIES, **content}, "test")
    own = params_of_ball(params)
    image, vois = ball(own)
    values = NativeEngine().extract(image, vois, own)["ball"]
    assert isinstance(values, VoiValues), values
    assert own.image_types == params.image_types
    assert own.families == params.families
    assert [own.features(family) for family in own.families] == [
        params.features(family) for family in own.families
    ]


def test_the_ball_has_levels_with_a_gap() -> None:
    own = params_of_ball(read_params("original"))
    image, vois = ball(own)
    hu = image.array[vois["ball"].array]
    assert set(range(200, 1000)).isdisjoint(hu.tolist())
    assert (hu < 200).any()
    assert (hu >= 1000).any()


def test_what_cannot_be_compiled_beforehand_is_told_to_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from radiobone.features.radiomics.native import engine

    monkeypatch.setattr(engine, "image_features", lambda *args: 1 / 0)
    with caplog.at_level(logging.DEBUG, "radiobone"):
        NativeEngine().prepare(read_params("original"))
    assert "not all kernels are compiled" in caplog.text
