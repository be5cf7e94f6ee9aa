"""The native engine against PyRadiomics on the whole volume: 400 generated scans, each with its own settings."""

from __future__ import annotations

import pytest
from parity import assert_parity
from radiomics_generated import DTYPES, MASKS, RESEGMENTATIONS, TEXTURES, WAVELETS, generated
from radiomics_scans import whole_volume

from radiobone.core.config import validate
from radiobone.core.errors import CaseError
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.columns import columns
from radiobone.features.radiomics.params import FILTER_SETTINGS, RadiomicsParams
from radiobone.features.radiomics.registry import find_engine
from radiobone.features.radiomics.settings import ImageTypes, Settings

pytest.importorskip("radiomics")
pytest.importorskip("skimage")
pytest.importorskip("trimesh")

RELATIVE = 1e-9
"""A thousandth of what engines may differ by; 7e-11 has been seen (MCC) in 300,000 values."""

FILTERS = {name for names in FILTER_SETTINGS.values() for name in names}
N_CASES, N_FAST = 400, 60


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.slow] * (seed >= N_FAST)) for seed in range(N_CASES)]
)
def test_generated(seed: int) -> None:
    case = generated(seed)
    params = validate(RadiomicsParams, case.content, case.about)
    ours = find_engine("native").extract(case.image, {"voi": case.mask}, params)["voi"]
    refused: Exception | None = None
    right: dict[str, float] = {}
    try:
        right = whole_volume(case.image, case.mask, case.content)
    except Exception as error:  # PyRadiomics, its C code and ITK raise errors of any kind
        refused = error
    if refused or len(right) < len(columns(params)):  # images too small for a filter are left out
        assert isinstance(ours, CaseError), f"{case.about}\nPyRadiomics: {refused!r}"
        return
    if isinstance(ours, CaseError):
        raise AssertionError(case.about) from ours
    assert_parity(ours.features, right, RELATIVE)


def test_the_cases_hold_what_they_should() -> None:
    cases = [generated(seed) for seed in range(N_CASES)]
    words = {word for case in cases for word in case.about.split(", ")[:3]}
    assert words == {*TEXTURES, *MASKS, *(dtype.__name__ for dtype in DTYPES)}
    assert {name for case in cases for name in case.content["imageType"]} == {*ImageTypes.model_fields}
    assert {name for case in cases for name in case.content["featureClass"]} == {*FEATURES}
    wavelets = [case.content["imageType"].get("Wavelet", {}) for case in cases]
    assert {drawn["wavelet"] for drawn in wavelets if drawn} == {*WAVELETS}
    assert {"level", "start_level"} < {name for drawn in wavelets for name in drawn}
    settings = [case.content["setting"] for case in cases]
    assert {setting.get("resegmentMode") for setting in settings} == {None, *(mode for mode, _ in RESEGMENTATIONS)}
    used = {name for setting in settings for name in setting}
    computed = {*Settings.model_fields} - FILTERS - {"geometryTolerance", "correctMask", "additionalInfo", "label"}
    assert used >= computed - {"label_channel", "minimumROISize"}
