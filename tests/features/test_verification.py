"""Both engines on a user's own cases: what is compared, and what is said of differences."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from radiobone.core.config import validate
from radiobone.core.errors import CaseError, EngineError, MissingExtraError
from radiobone.features import verification
from radiobone.features.radiomics import region, registry
from radiobone.features.radiomics.agreement import (
    CANCELLING,
    Difference,
    absolute_terms,
    agreements,
    differences,
)
from radiobone.features.radiomics.bspline import resample_bspline
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.params import RadiomicsParams, read_params
from radiobone.features.request import make_request
from radiobone.features.verification import spread, verify_engine
from radiobone.imaging import Image, Mask
from radiobone.tables.cohort import Cohort

pytest.importorskip("radiomics")

GLCM = "original_glcm_"


class Wrong(NativeEngine):
    """An engine with one wrong value, and one VOI that it cannot compute."""

    name = "wrong"

    def extract(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> dict[str, VoiValues | CaseError]:
        found = super().extract(image, vois, params)
        values = found["L1"]
        assert isinstance(values, VoiValues)
        changed = {**values.features, "original_glcm_Contrast": values.features["original_glcm_Contrast"] * 1.001}
        return {"L1": VoiValues(changed), "L2": EngineError("out of luck")}


class Scaled(NativeEngine):
    """An engine that gives 2x + 5 for one feature, from the start of its name or its end."""

    name = "scaled"

    def __init__(self, feature: str) -> None:
        super().__init__()
        self.feature = feature

    def extract(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> dict[str, VoiValues | CaseError]:
        found = super().extract(image, vois, params)
        return {
            level: VoiValues(
                {
                    name: 2 * value + 5 if name.endswith(f"_{self.feature}") else value
                    for name, value in values.features.items()
                }
            )
            for level, values in found.items()
            if isinstance(values, VoiValues)
        }


def one(column: str, ours: float, reference: float, **others: float) -> Difference:
    """Compare one feature beside others of its image."""
    values = {
        **{column.rpartition("_")[0] + f"_{name}": value for name, value in others.items()},
        column: reference,
    }
    (item,) = differences("case", [column], {**values, column: ours}, values)
    return item


def test_a_difference_is_a_share_of_the_reference_and_nan_agrees_with_nan_alone() -> None:
    ours = {GLCM + "Contrast": 1.001, GLCM + "Imc1": np.nan, "original_firstorder_Mean": np.nan}
    reference = {GLCM + "Contrast": 1.0, GLCM + "Imc1": 0.5, "original_firstorder_Mean": np.nan}
    contrast, imc1, mean = differences("case", ours, ours, reference)
    assert contrast.share == contrast.relative == pytest.approx(1e-3)
    assert imc1.share == np.inf
    assert imc1.cancels
    assert mean.share == 0
    glcm, firstorder = agreements([contrast, imc1, mean])
    assert (glcm.family, glcm.n_values, glcm.largest, glcm.largest_cancelling) == ("glcm", 2, contrast, imc1)
    assert glcm.beyond == (imc1, contrast)
    assert firstorder.beyond == ()


def test_the_rounding_of_a_zero_is_no_difference() -> None:
    assert one(GLCM + "Contrast", 1e-15, 0.0).share == 0
    assert one(GLCM + "Contrast", 1e-9, 0.0).share == np.inf


FIRSTORDER = "wavelet-LLH_firstorder_"


@pytest.mark.parametrize(
    ("column", "others", "terms"),
    [
        (GLCM + "Contrast", {}, 0.0),
        (GLCM + "Correlation", {}, 1.0),
        (GLCM + "Imc1", {}, 2.0),
        (GLCM + "Imc2", {}, 1.0),
        (GLCM + "MCC", {}, 1.0),
        (FIRSTORDER + "Skewness", {}, 1.0),
        (GLCM + "ClusterShade", {"ClusterTendency": 4.0, "SumSquares": 9.0}, 8.0),
        (GLCM + "ClusterShade", {"SumSquares": 9.0, "Contrast": 11.0}, 125.0),
        (GLCM + "ClusterShade", {}, 1.0),
        (FIRSTORDER + "Mean", {"MeanAbsoluteDeviation": 8.0, "RootMeanSquared": 90.0}, 4.0),
        (FIRSTORDER + "Mean", {"MeanAbsoluteDeviation": np.nan, "RootMeanSquared": 9.0}, 9.0),
        (FIRSTORDER + "Mean", {"Minimum": -70.0, "Maximum": 60.0}, 70.0),
        (FIRSTORDER + "Mean", {}, 0.0),
    ],
)
def test_where_terms_cancel_a_difference_is_a_share_of_their_sum(
    column: str, others: dict[str, float], terms: float
) -> None:
    reference = 1e-9
    item = one(column, reference * 3, reference, **others)
    assert item.terms == pytest.approx(terms)
    assert item.share == pytest.approx(2e-9 / max(terms, reference))
    assert item.relative == pytest.approx(2)


def test_the_scale_is_that_of_the_same_image() -> None:
    values = {
        "original_firstorder_MeanAbsoluteDeviation": 50.0,
        FIRSTORDER + "MeanAbsoluteDeviation": 2.0,
        FIRSTORDER + "Mean": 0.0,
    }
    assert absolute_terms(FIRSTORDER + "Mean", values) == 1.0


def test_only_existing_features_are_said_to_cancel() -> None:
    assert all(name in FEATURES[family] for family, names in CANCELLING.items() for name in names)


@pytest.mark.parametrize("feature", [name for names in CANCELLING.values() for name in names])
def test_a_wrong_value_is_found_where_terms_cancel(
    make_cohort: Callable[[list[str]], Cohort], monkeypatch: pytest.MonkeyPatch, feature: str
) -> None:
    monkeypatch.setitem(registry.ENGINES, "scaled", lambda _: Scaled(feature))
    scans = make_cohort(["ann"]).scans()
    params = validate(RadiomicsParams, {"featureClass": {"firstorder": ["Mean", "Skewness"], "glcm": []}}, "test")
    result = verify_engine(scans, make_request(params=None), params, "scaled", progress=False)
    assert not result.agrees
    wrong = [item.column.rpartition("_")[2] for family in result.families for item in family.beyond]
    assert wrong == [feature, feature]


@pytest.mark.parametrize(("n", "chosen"), [(1, "a"), (2, "ae"), (3, "ace"), (5, "abcde"), (9, "abcde")])
def test_scans_are_spread_over_the_cohort(make_cohort: Callable[[list[str]], Cohort], n: int, chosen: str) -> None:
    scans = make_cohort(list("abcde")).scans()
    assert [scan.patient_id for scan in spread(scans, n)] == list(chosen)


def test_engines_agree_on_a_cohort(make_cohort: Callable[[list[str]], Cohort]) -> None:
    scans = make_cohort(["ann", "ben"]).scans()
    result = verify_engine(
        scans, make_request(params=None), read_params("original"), "native", jobs=2, progress=False
    )
    assert result.agrees
    assert (result.n_whole, result.n_crops) == (2, 2)
    assert (result.ours.n_vois, result.whole.n_vois, result.crops.n_vois) == (4, 2, 2)
    assert [(family.family, family.n_values) for family in result.families] == [
        ("shape", 4 * 14), ("firstorder", 4 * 18), ("glcm", 4 * 24), ("glrlm", 4 * 16),
        ("glszm", 4 * 16), ("gldm", 4 * 14), ("ngtdm", 4 * 5),
    ]  # fmt: skip


def test_a_wrong_value_and_a_missing_voi_are_found(
    make_cohort: Callable[[list[str]], Cohort], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.ENGINES, "wrong", lambda _: Wrong())
    scans = make_cohort(["ann"]).scans()
    result = verify_engine(scans, make_request(params=None), read_params("original"), "wrong", progress=False)
    assert not result.agrees
    wrong = [item for family in result.families for item in family.beyond]
    assert [item.column for item in wrong] == ["original_glcm_Contrast"]
    assert wrong[0].relative == pytest.approx(1e-3)
    assert wrong[0].case.endswith("L1")
    assert len(result.failures) == 1
    assert "only wrong fails: out of luck" in result.failures[0][1]


def test_a_scan_that_cannot_be_read_does_not_stop_the_others(make_cohort: Callable[[list[str]], Cohort]) -> None:
    cohort = make_cohort(["ann", "ben"])
    scans = cohort.scans()
    scans[0].image.write_bytes(b"no image")
    result = verify_engine(scans, make_request(params=None), read_params("original"), "native", progress=False)
    assert (result.n_whole, result.n_crops) == (1, 1)
    assert len(result.failures) == 1
    assert not result.agrees


RESAMPLED = {
    "featureClass": {"shape": [], "firstorder": []},
    "setting": {"resampledPixelSpacing": [1.2, 1.2, 1.7]},
}


@pytest.mark.parametrize("whole", [True, False])
def test_only_the_whole_image_shows_an_error_that_both_engines_share(
    make_cohort: Callable[[list[str]], Cohort], monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    scans = make_cohort(["ann"]).scans()
    request, params = make_request(params=None), validate(RadiomicsParams, RESAMPLED, "test")
    right = verify_engine(scans, request, params, "native", whole=whole, progress=False)
    assert right.agrees
    assert (right.n_whole, right.n_crops) == ((1, 1) if whole else (0, 2))
    monkeypatch.setattr(region, "resample_bspline", lambda *arguments: np.roll(resample_bspline(*arguments), 2, 0))
    flipped = verify_engine(scans, request, params, "native", whole=whole, progress=False)
    assert flipped.agrees != whole
    wrong = [item for family in flipped.families for item in family.beyond]
    assert bool(wrong) == whole
    assert all(item.case.endswith("L1") and "_firstorder_" in item.column for item in wrong)


def test_the_whole_image_is_given_the_whole_parameter_file(make_cohort: Callable[[list[str]], Cohort]) -> None:
    content = {
        "imageType": {"LoG": {"sigma": [2, 2.5], "binWidth": 10}, "Original": None, "Square": {"binCount": 12}},
        "featureClass": {
            "shape": ["Sphericity"],
            "glcm": ["JointEntropy", "Imc2"],
            "ngtdm": None,
            "firstorder": [],
        },
        "setting": {
            "label": 7,
            "normalize": True,
            "normalizeScale": 100,
            "removeOutliers": 3,
            "resampledPixelSpacing": [1.2, 0, 1.5],
            "interpolator": 2,
            "resegmentRange": [-2, 2],
            "resegmentMode": "sigma",
            "distances": [1, 2],
            "weightingNorm": "manhattan",
            "binCount": None,
            "minimumROIDimensions": 1,
        },
    }
    scans = make_cohort(["ann"]).scans()
    params = validate(RadiomicsParams, content, "test")
    result = verify_engine(scans, make_request(params=None), params, "native", progress=False)
    assert result.agrees, (result.failures, [item for family in result.families for item in family.beyond])
    assert (result.n_whole, result.n_crops) == (1, 1)


def test_kernels_are_loaded_before_the_clock_runs(
    make_cohort: Callable[[list[str]], Cohort], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class Told(NativeEngine):
        def prepare(self, params: RadiomicsParams) -> None:
            told.append("prepare")

        def extract(
            self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
        ) -> dict[str, VoiValues | CaseError]:
            told.append("extract")
            return {level: EngineError("no values") for level in vois}

    monkeypatch.setitem(registry.ENGINES, "told", lambda _: Told())
    scans = make_cohort(["ann"]).scans()
    result = verify_engine(scans, make_request(params=None), read_params("original"), "told", progress=False)
    assert told == ["prepare", "prepare", "extract"]
    assert not result.agrees
    assert "only PyRadiomics" not in str(result.failures)
    assert [reason for _, reason in result.failures] == ["only told fails: no values"] * 2


def test_a_cohort_in_which_nothing_is_compared_does_not_agree(make_cohort: Callable[[list[str]], Cohort]) -> None:
    scans = make_cohort(["ann"]).scans()
    too_small = validate(RadiomicsParams, {"setting": {"minimumROISize": 100_000}}, "test")
    result = verify_engine(scans, make_request(params=None), too_small, "native", progress=False)
    assert (result.n_refused, result.failures, result.agrees) == (2, [], False)


def test_missing_pyradiomics_is_told_before_any_scan_is_read(
    make_cohort: Callable[[list[str]], Cohort], monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = make_cohort(["ann"]).scans()
    monkeypatch.setitem(sys.modules, "radiomics", None)
    for name in ("prepare_scan", "run_cases"):
        monkeypatch.setattr(verification, name, lambda *_, **__: pytest.fail("a scan was read"))
    monkeypatch.setattr(NativeEngine, "prepare", lambda *_: pytest.fail("kernels were compiled"))
    with pytest.raises(MissingExtraError, match=r"radiobone\[pyradiomics\]"):
        verify_engine(scans, make_request(params=None), read_params("original"), "native", progress=False)
