"""Both engines on a user's own cases: what is compared, and what is said of differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from radiobone.core.errors import EngineError
from radiobone.features.column import Column
from radiobone.features.radiomics import registry
from radiobone.features.radiomics.agreement import CANCELLING, agreement, differences
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.params import RadiomicsParams, read_params
from radiobone.features.request import make_request
from radiobone.features.verification import spread, verify_engine
from radiobone.imaging import Image, Mask
from radiobone.tables.cohort import Cohort

pytest.importorskip("radiomics")

COLUMNS = [
    Column("original_glcm_Contrast", "glcm", "original", "1", ""),
    Column("original_glcm_Imc1", "glcm", "original", "1", ""),
    Column("original_firstorder_Mean", "firstorder", "original", "HU", ""),
]


class Wrong(NativeEngine):
    """An engine with one wrong value, and one VOI that it cannot compute."""

    name = "wrong"

    def extract(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> dict[str, VoiValues | EngineError]:
        found = super().extract(image, vois, params)
        values = found["L1"]
        assert isinstance(values, VoiValues)
        changed = {**values.features, "original_glcm_Contrast": values.features["original_glcm_Contrast"] * 1.001}
        return {"L1": VoiValues(changed), "L2": EngineError("out of luck")}


def test_a_difference_is_relative_and_nan_agrees_with_nan_alone() -> None:
    ours = {"original_glcm_Contrast": 1.001, "original_glcm_Imc1": np.nan, "original_firstorder_Mean": np.nan}
    reference = {"original_glcm_Contrast": 1.0, "original_glcm_Imc1": 0.5, "original_firstorder_Mean": np.nan}
    found = differences("case", COLUMNS, ours, reference)
    contrast, imc1 = found["glcm"]
    assert contrast.relative == pytest.approx(1e-3)
    assert imc1.relative == np.inf
    assert imc1.cancels
    assert found["firstorder"][0].relative == 0
    summary = agreement("glcm", found["glcm"])
    assert summary.beyond == (contrast,)
    assert (summary.largest, summary.largest_cancelling, summary.n_beyond_cancelling) == (contrast, imc1, 1)


def test_only_existing_features_are_said_to_cancel() -> None:
    assert all(name in FEATURES[family] for family, names in CANCELLING.items() for name in names)


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
    assert result.n_vois == 4
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
    assert result.n_vois == 2
    assert len(result.failures) == 1
    assert not result.agrees
