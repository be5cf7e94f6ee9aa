"""What is a reason for review, and what is only worth knowing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from voi_phantoms import scan, spine

from radiobone.voi import VoiRequest, find_recipe, find_scheme, make_vois
from radiobone.voi.review import judge

MASK = spine([20, 21, 22])


@pytest.fixture(scope="module")
def clean():
    request = VoiRequest(find_scheme("verse"), find_recipe("trabecular"), ("L2",))
    return make_vois(scan(MASK), MASK, request)["L2"].result.quality


def test_clean_vertebra_needs_none(clean):
    assert clean.qc_needs_review is False
    assert (clean.qc_review_reason, clean.qc_warnings) == ("", "")


REASONS = {
    "body cut": ({"qc_body_touches_border": True}, "body reaches the image border"),
    "VOI cut": ({"qc_voi_touches_border": True}, "VOI reaches the image border"),
    "split": (
        {"qc_components": 2, "qc_largest_part_share": 0.7},
        "label has 2 parts, the largest with 70% of it",
    ),
    "order": ({"qc_level_order_ok": False}, "level out of order with its neighbours"),
    "far": (
        {"qc_centroid_step_ratio": 1.9},
        "distance to the next label is 1.90 times what its name and those nearby let expect",
    ),
    "close": (
        {"qc_centroid_step_ratio": 0.5},
        "distance to the next label is 0.50 times what its name and those nearby let expect",
    ),
    "large": ({"qc_volume_ratio": 2.0}, "volume of the label is 2.00 times what its neighbours let expect"),
    "small": ({"qc_volume_ratio": 0.5}, "volume of the label is 0.50 times what its neighbours let expect"),
    "HU": ({"qc_mean_hu": 1200.0, "qc_mean_hu_ok": False}, "mean of 1200 HU is not plausible for bone"),
    "metal": ({"qc_metal_near_ml": 0.1}, "metal? 0.1 ml above 2500 HU in or near the label"),
    "dark": (
        {"qc_dark_share": 0.051},
        "5% of the label is below -250 HU: streaks, gas, or a mask beside",
    ),
    "fracture": (
        {"qc_fracture_grade": 2, "qc_wedge_percent": 30.0, "qc_posterior_loss_percent": None},
        "fracture? grade 2: anterior height 30% below the posterior one",
    ),
    "crush": (
        {"qc_fracture_grade": 1, "qc_wedge_percent": 3.0, "qc_posterior_loss_percent": 21.6},
        "fracture? grade 1: posterior height 22% below the neighbours'",
    ),
}


@pytest.mark.parametrize(("changed", "reason"), REASONS.values(), ids=REASONS)
def test_reasons_for_review(clean, changed, reason):
    judged = judge(replace(clean, **changed))
    assert judged.qc_needs_review is True
    assert judged.qc_review_reason == reason
    assert judged.qc_warnings == reason


REMARKS = {
    "border": ({"qc_touches_border": True}, "label reaches the image border"),
    "crumbs": ({"qc_components": 3, "qc_largest_part_share": 0.999}, "label has 3 parts"),
    "end of the image": ({"qc_short_field_of_view": True}, ""),
    "noise": ({"qc_metal_near_ml": 0.05, "qc_dark_share": 0.012}, ""),
    "usual spread": ({"qc_volume_ratio": 0.8, "qc_centroid_step_ratio": 1.3}, ""),
    "nothing known": (
        {"qc_volume_ratio": None, "qc_centroid_step_ratio": None, "qc_level_order_ok": None, "qc_dark_share": None}
        | {"qc_body_touches_border": None, "qc_fracture_grade": None, "qc_metal_near_ml": None},
        "",
    ),
}


@pytest.mark.parametrize(("changed", "remark"), REMARKS.values(), ids=REMARKS)
def test_remarks_are_no_reasons(clean, changed, remark):
    judged = judge(replace(clean, **changed))
    assert judged.qc_needs_review is False
    assert judged.qc_review_reason == ""
    assert judged.qc_warnings == remark


def test_what_the_recipe_told_is_a_remark_and_stands_first(clean):
    judged = judge(replace(clean, qc_level_order_ok=False), ["a told thing"])
    assert judged.qc_review_reason == "level out of order with its neighbours"
    assert judged.qc_warnings == "a told thing; level out of order with its neighbours"
