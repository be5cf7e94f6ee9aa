from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from voi_phantoms import scan, spine

from radiobone.core.errors import UsageError
from radiobone.voi import VoiOptions, VoiRequest, find_recipe, find_scheme, make_vois
from radiobone.voi.merging import merge_quality as merge_quality_of

MASK = spine([20, 21, 22])  # L1 to L3 in VerSe
IMAGE = scan(MASK)


def make(levels, missing="fail", recipe="label"):
    return make_vois(IMAGE, MASK, VoiRequest(find_scheme("verse"), find_recipe(recipe), levels, missing))


def merge_quality(parts):
    return merge_quality_of(parts, MASK.select(20), IMAGE)


@pytest.fixture(scope="module")
def outcomes():
    return make(("L1", "L2", "L1+L2"))


def test_merged_voi_is_the_union_of_its_parts(outcomes):
    assert list(outcomes) == ["L1", "L1+L2", "L2"]
    one, both, two = (outcome.result.mask.full() for outcome in outcomes.values())
    np.testing.assert_array_equal(both, one | two)
    assert outcomes["L1+L2"].result.mask.array.dtype == bool


def test_quality_of_the_union(outcomes):
    one, both, two = (outcome.result for outcome in outcomes.values())
    assert both.quality.qc_voxels_voi == one.quality.qc_voxels_voi + two.quality.qc_voxels_voi
    assert both.quality.qc_volume_label_ml == one.quality.qc_volume_label_ml + two.quality.qc_volume_label_ml
    assert both.quality.qc_mean_hu == pytest.approx(IMAGE.array[both.mask.full()].mean())
    assert both.quality.qc_level_order_ok is True
    assert both.quality.qc_touches_border is False
    assert both.quality.qc_warnings == ""
    assert both.recipe == "label@1"


def test_voxels_of_overlapping_parts_count_once():
    options = VoiOptions(margin_mm=8, region="label")
    request = VoiRequest(
        find_scheme("verse"), find_recipe("field_of_view"), ("L1", "L2", "L1+L2"), options=options
    )
    one, both, two = (outcome.result for outcome in make_vois(IMAGE, MASK, request).values())
    assert (one.mask.full() & two.mask.full()).any()
    assert both.quality.qc_voxels_voi == both.mask.n_voxels
    assert both.quality.qc_voxels_voi < one.quality.qc_voxels_voi + two.quality.qc_voxels_voi
    assert both.quality.qc_volume_voi_ml == both.mask.volume_ml
    assert both.quality.qc_mean_hu == pytest.approx(IMAGE.array[both.mask.full()].mean())


def test_texts_name_their_part_and_anything_bad_stays(outcomes):
    good = outcomes["L1"].result.quality
    bad = dataclasses.replace(good, qc_warnings="lean", qc_touches_border=True, qc_mean_hu_ok=False)
    merged = merge_quality({"L1": good, "L2": bad})
    assert merged.qc_warnings == "L2: lean"
    assert merged.qc_touches_border is True
    assert merged.qc_mean_hu_ok is False
    unjudged = dataclasses.replace(good, qc_mean_hu=None, qc_mean_hu_ok=None)
    assert merge_quality_of({"L1": good, "L2": unjudged}, MASK.select(20), None).qc_mean_hu is None
    assert merge_quality({"L1": good, "L2": unjudged}).qc_mean_hu_ok is None
    assert merge_quality({"L1": unjudged, "L2": bad}).qc_mean_hu_ok is False


def test_review_of_any_part_is_that_of_all_and_room_is_what_is_left(outcomes):
    one, two = (outcomes[level].result.quality for level in ("L1", "L2"))
    assert merge_quality({"L1": one, "L2": two}).qc_needs_review is False
    bad = dataclasses.replace(two, qc_needs_review=True, qc_review_reason="metal?", qc_largest_part_share=0.8)
    merged = merge_quality({"L1": one, "L2": bad})
    assert merged.qc_needs_review is True
    assert merged.qc_review_reason == "L2: metal?"
    assert merged.qc_largest_part_share == 0.8
    assert (merged.qc_room_above_mm, merged.qc_room_below_mm) == (one.qc_room_above_mm, two.qc_room_below_mm)
    assert merged.qc_height_middle_mm is None
    assert merged.qc_fracture_grade is None


@pytest.mark.parametrize(("missing", "status"), [("fail", "failed"), ("skip", "skipped")])
def test_a_missing_part_is_a_missing_voi_and_never_a_smaller_one(missing, status):
    outcome = make(("L3+L4",), missing)["L3+L4"]
    assert outcome.status == status
    assert "expected: 22 (L3) and 23 (L4)" in outcome.reason


def test_first_takes_the_first_that_is_whole():
    assert list(make(("L3+L4", "L1+L2", "L3"), "first")) == ["L1+L2"]


def test_a_part_that_fails_fails_the_merged_level():
    options = dataclasses.replace(
        VoiRequest(find_scheme("verse"), find_recipe("trabecular")).options, erosion_mm=30
    )
    request = VoiRequest(find_scheme("verse"), find_recipe("trabecular"), ("L1+L2",), options=options)
    outcome = make_vois(IMAGE, MASK, request)["L1+L2"]
    assert outcome.status == "failed"
    assert outcome.reason.startswith("merged level L1+L2: nothing is left of the body after erosion")
    assert "level L2" in outcome.reason


def test_a_part_that_the_scheme_does_not_know():
    with pytest.raises(UsageError, match="no such level"):
        VoiRequest(find_scheme("verse"), find_recipe("label"), ("L1+L9",))
