from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from voi_phantoms import grid, scan, spine, vertebra

from radiobone.core.errors import GeometryError, UsageError, VoiError
from radiobone.imaging import Image, Mask
from radiobone.voi import VoiOptions, VoiQuality, VoiRequest, find_recipe, find_scheme, make_vois

MASK = spine([20, 21, 22])
IMAGE = scan(MASK)

COLUMNS = [
    "qc_voxels_label", "qc_volume_label_ml", "qc_components", "qc_touches_border", "qc_level_order_ok",
    "qc_body_source", "qc_voxels_voi", "qc_volume_voi_ml", "qc_voi_touches_border", "qc_mean_hu",
    "qc_mean_hu_ok", "qc_largest_part_share", "qc_centroid_step_mm", "qc_centroid_step_ratio", "qc_volume_ratio",
    "qc_body_touches_border", "qc_room_above_mm", "qc_room_below_mm", "qc_short_field_of_view",
    "qc_metal_share", "qc_metal_near_ml", "qc_dark_share",
    "qc_height_anterior_mm", "qc_height_middle_mm", "qc_height_posterior_mm",
    "qc_wedge_percent", "qc_biconcave_percent",
    "qc_anterior_loss_percent", "qc_middle_loss_percent", "qc_posterior_loss_percent", "qc_fracture_grade",
    "qc_needs_review", "qc_review_reason", "qc_warnings",
]  # fmt: skip


def request(recipe="trabecular", scheme="verse", levels=None, missing="fail", **options):
    return VoiRequest(find_scheme(scheme), find_recipe(recipe), levels, missing, VoiOptions(**options))


def statuses(outcomes):
    return {level: outcome.status for level, outcome in outcomes.items()}


class TestLevels:
    def test_all_of_the_mask_in_level_order(self):
        outcomes = make_vois(IMAGE, MASK, request("label"))
        assert statuses(outcomes) == {"L1": "ok", "L2": "ok", "L3": "ok"}
        assert list(outcomes) == ["L1", "L2", "L3"]

    def test_order_does_not_follow_the_request(self):
        assert list(make_vois(IMAGE, MASK, request("label", levels=("L3", "L1")))) == ["L1", "L3"]

    def test_missing_level_fails_and_says_what_is_there(self):
        outcomes = make_vois(IMAGE, MASK, request("label", levels=("T12", "L1")))
        assert statuses(outcomes) == {"T12": "failed", "L1": "ok"}
        reason = outcomes["T12"].reason
        assert "label not present | where: level T12" in reason
        assert "got: labels 20 (L1), 21 (L2), 22 (L3)" in reason
        assert "expected: 19 (T12)" in reason

    def test_missing_level_is_skipped_on_request(self):
        outcomes = make_vois(IMAGE, MASK, request("label", levels=("T12", "L1"), missing="skip"))
        assert statuses(outcomes) == {"T12": "skipped", "L1": "ok"}
        assert "label not present" in outcomes["T12"].reason

    def test_first_level_that_is_present(self):
        assert list(make_vois(IMAGE, MASK, request("label", levels=("T12", "L2", "L1"), missing="first"))) == [
            "L2"
        ]

    def test_first_of_none(self):
        outcomes = make_vois(IMAGE, MASK, request("label", levels=("T11", "T12"), missing="first"))
        assert statuses(outcomes) == {"T11": "failed"}
        assert "none of the levels is present" in outcomes["T11"].reason
        assert "18 (T11) or 19 (T12)" in outcomes["T11"].reason

    def test_level_that_the_scheme_does_not_know(self):
        with pytest.raises(UsageError, match=r"verse has no such level.*got: label_20"):
            request("label", levels=("label_20",))
        with pytest.raises(UsageError, match=r"raw has no such level.*label_1, label_2 and so on"):
            request("label", scheme="raw", levels=("L1",))
        with pytest.raises(UsageError, match="no levels"):
            request("label", levels=())

    def test_raw_takes_any_label(self):
        outcomes = make_vois(IMAGE, MASK, request("label", scheme="raw", levels=("label_21", "label_3")))
        assert statuses(outcomes) == {"label_21": "ok", "label_3": "failed"}
        assert outcomes["label_21"].result.mask.n_voxels == np.count_nonzero(MASK.array == 21)


class TestWholeCase:
    def test_mask_without_any_label_of_the_scheme(self):
        with pytest.raises(VoiError, match=r"no label that the scheme names.*20 \(not named\).*raw takes any"):
            make_vois(IMAGE, MASK, request("label", scheme="totalsegmentator"))

    def test_empty_mask(self):
        empty = Mask(np.zeros_like(MASK.array), MASK.geometry)
        with pytest.raises(VoiError, match="the mask is empty"):
            make_vois(IMAGE, empty, request("label"))

    def test_other_grid(self):
        moved = dataclasses.replace(MASK.geometry, origin_mm=(1.0, 2.0, 3.0))
        with pytest.raises(GeometryError, match=r"not lie on the same grid.*mm apart"):
            make_vois(Image(IMAGE.array, moved), MASK, request("label"))

    def test_one_bad_level_does_not_stop_the_others(self):
        array = MASK.array.copy()
        array[array == 21] = 0
        array[40, 25, 25] = 21  # one voxel
        outcomes = make_vois(IMAGE, Mask(array, MASK.geometry), request())
        assert statuses(outcomes) == {"L1": "ok", "L2": "failed", "L3": "ok"}
        assert "no spinal canal" in outcomes["L2"].reason
        assert "level L2 (label 21), recipe trabecular@1" in outcomes["L2"].reason
        assert "\n" not in outcomes["L2"].reason


class TestRecipes:
    def test_label_is_as_labelled(self):
        voi = make_vois(IMAGE, MASK, request("label"))["L2"].result
        assert np.array_equal(voi.mask.full(), MASK.array == 21)
        assert (voi.level, voi.recipe) == ("L2", "label@1")

    def test_body_and_trabecular_nest(self):
        parts = {
            name: make_vois(IMAGE, MASK, request(name))["L2"].result for name in ("label", "body", "trabecular")
        }
        label, body, trabecular = (parts[name].mask.full() for name in ("label", "body", "trabecular"))
        assert not (body & ~label).any()
        assert not (trabecular & ~body).any()
        _, truth = vertebra(MASK.geometry)
        assert np.count_nonzero(body & truth) > 0.98 * np.count_nonzero(body)
        assert 0.35 < parts["trabecular"].mask.volume_ml / parts["body"].mask.volume_ml < 0.65
        assert parts["body"].quality.qc_body_source == "cut"
        assert parts["label"].quality.qc_body_source == ""

    def test_body_mask_is_used(self):
        _, truth = vertebra(MASK.geometry)
        bodies = Mask(truth.astype(np.uint8), MASK.geometry)
        outcomes = make_vois(IMAGE, MASK, request("body"), bodies)
        assert np.array_equal(outcomes["L2"].result.mask.full(), truth)
        assert outcomes["L2"].result.quality.qc_body_source == "totalsegmentator_body"
        assert "body mask holds nothing" in outcomes["L1"].reason

    def test_label_of_bodies_alone_as_its_own_body_mask(self):
        bodies = Mask(np.where(vertebra(MASK.geometry)[1], 21, 0).astype(np.uint8), MASK.geometry)
        assert make_vois(IMAGE, bodies, request())["L2"].status == "failed"
        voi = make_vois(IMAGE, bodies, request(), bodies)["L2"].result
        assert voi.quality.qc_body_source == "same_labels"

    def test_deeper_erosion_leaves_less(self):
        volumes = [
            make_vois(IMAGE, MASK, request(levels=("L2",), erosion_mm=depth))["L2"].result.mask.volume_ml
            for depth in (0.0, 2.0, 4.0, 6.0)
        ]
        assert volumes == sorted(volumes, reverse=True)
        assert len(set(volumes)) == 4

    def test_nothing_left_is_an_error(self):
        reason = make_vois(IMAGE, MASK, request(levels=("L2",), erosion_mm=30))["L2"].reason
        assert "nothing is left of the body after erosion" in reason
        assert "thicker than 60 mm" in reason

    def test_bounds_of_hu(self):
        hu = IMAGE.array.copy()
        hu[MASK.array == 21] = 100
        middle = (MASK.array == 21) & (np.indices(hu.shape)[2] % 4 == 0)
        hu[middle] = 700
        image = Image(hu, MASK.geometry)
        whole = make_vois(image, MASK, request(levels=("L2",)))["L2"].result
        bounded = make_vois(image, MASK, request(levels=("L2",), upper_hu=300))["L2"].result
        assert bounded.mask.n_voxels == np.count_nonzero(whole.mask.full() & ~middle)
        assert bounded.quality.qc_mean_hu == 100
        assert bounded.quality.qc_warnings == ""
        assert "upper_hu=300.0" in bounded.recipe

    def test_lower_bound_warns_with_the_share_removed(self, caplog):
        hu = IMAGE.array.copy()
        hu[MASK.array == 21] = 100
        hu[(MASK.array == 21) & (np.indices(hu.shape)[2] % 4 == 0)] = -100
        image = Image(hu, MASK.geometry)
        harmless = make_vois(image, MASK, request(levels=("L2",), lower_hu=-250))["L2"].result
        assert harmless.quality.qc_warnings == ""
        assert not caplog.records
        risky = make_vois(image, MASK, request(levels=("L2",), lower_hu=-50))["L2"].result
        share = 1 - risky.mask.n_voxels / harmless.mask.n_voxels
        assert 0.2 < share < 0.3
        assert f"lower_hu=-50 removed {share:.1%} of the trabecular voxels" in risky.quality.qc_warnings
        assert "removes what osteoporosis leaves" in caplog.text

    def test_bounds_that_leave_nothing_or_have_no_image(self):
        reason = make_vois(IMAGE, MASK, request(levels=("L2",), lower_hu=2000))["L2"].reason
        assert "no voxel lies within the bounds of HU" in reason
        reason = make_vois(None, MASK, request(levels=("L2",), upper_hu=300))["L2"].reason
        assert "bounds of HU need an image" in reason


class TestQuality:
    def test_columns_and_their_order(self):
        assert [field.name for field in dataclasses.fields(VoiQuality)] == COLUMNS
        quality = make_vois(IMAGE, MASK, request())["L2"].result.quality
        assert list(quality.columns()) == COLUMNS

    def test_values(self):
        voi = make_vois(IMAGE, MASK, request())["L2"].result
        quality = voi.quality
        label = np.count_nonzero(MASK.array == 21)
        assert (quality.qc_voxels_label, quality.qc_volume_label_ml) == (label, pytest.approx(label * 0.008))
        assert quality.qc_voxels_voi == voi.mask.n_voxels
        assert quality.qc_volume_voi_ml == pytest.approx(voi.mask.n_voxels * 0.008)
        assert quality.qc_components == 1
        assert quality.qc_touches_border is False
        assert quality.qc_level_order_ok is True
        assert quality.qc_mean_hu == pytest.approx(IMAGE.array[voi.mask.full()].mean())
        assert quality.qc_mean_hu_ok is True
        assert quality.qc_warnings == ""

    def test_without_an_image_nothing_is_said_about_hu(self):
        quality = make_vois(None, MASK, request())["L2"].result.quality
        assert quality.qc_mean_hu is None
        assert quality.qc_mean_hu_ok is None

    def test_hu_that_are_no_bone(self):
        air = Image(np.full_like(IMAGE.array, -1000), MASK.geometry)
        quality = make_vois(air, MASK, request("label"))["L1"].result.quality
        assert quality.qc_mean_hu_ok is False
        assert "mean of -1000 HU is not plausible for bone" in quality.qc_warnings

    def test_cut_label_and_second_part(self):
        array = MASK.array.copy()
        array[0, 0, 0] = 22
        quality = make_vois(IMAGE, Mask(array, MASK.geometry), request())["L3"].result.quality
        assert quality.qc_touches_border is True
        assert quality.qc_voi_touches_border is False
        assert quality.qc_components == 2
        assert quality.qc_warnings == "label reaches the image border; label has 2 parts"

    def test_swapped_levels(self):
        swapped = spine([21, 20, 22])
        outcomes = make_vois(scan(swapped), swapped, request())
        assert outcomes["L1"].result.quality.qc_level_order_ok is False
        assert "level out of order" in outcomes["L2"].result.quality.qc_warnings

    def test_one_level_has_no_order(self):
        geometry = grid((2.0, 2.0, 2.0))
        mask = Mask(np.where(vertebra(geometry)[0], 22, 0), geometry)
        assert make_vois(scan(mask), mask, request())["L3"].result.quality.qc_level_order_ok is None


def test_request_and_outcome_travel_to_workers():
    wanted = request(levels=("L2",))
    outcome = make_vois(IMAGE, MASK, pickle.loads(pickle.dumps(wanted)))["L2"]
    copy = pickle.loads(pickle.dumps(outcome))
    assert copy.result.quality == outcome.result.quality
    assert wanted.text == outcome.result.recipe
