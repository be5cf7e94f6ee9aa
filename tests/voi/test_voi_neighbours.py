"""A level among the others: blocks whose sizes and places are known, then spines whose bodies were deformed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from voi_phantoms import HEIGHT_MM, deformed, grid, scan, spine, vertebra

from radiobone.imaging import Geometry, Image, Mask
from radiobone.voi import VoiRequest, find_recipe, find_scheme, make_vois
from radiobone.voi.neighbours import GROWTH, Neighbourhood
from radiobone.voi.room import find_room
from radiobone.voi.source import Source
from radiobone.voi.spine import HEAD, Spine, centroid_mm

LUMBAR = ("T11", "T12", "L1", "L2", "L3", "L4")


def blocks(levels, sizes=None, steps=None, margin=20) -> Neighbourhood:
    """Blocks from head to foot, of the given depths and distances in voxels of 1 mm."""
    sizes = sizes or [20] * len(levels)
    steps = steps or [36] * (len(levels) - 1)
    tops = margin + np.cumsum([0, *steps])
    array = np.zeros((int(tops[-1]) + 20 + margin, 60, 60), dtype=np.uint8)
    for value, (size, top) in enumerate(zip(sizes, tops, strict=True), start=1):
        array[top : top + 20, 10 : 10 + size, 20:40] = value
    # The first slice is the uppermost one.
    mask = Mask(array, Geometry(array.shape, (1.0, 1.0, 1.0), direction=(-1, 0, 0, 0, 1, 0, 0, 0, -1)))
    labels = {level: mask.select(value).tight() for value, level in enumerate(levels, start=1)}
    sources = {level: Source(level, 1, label, None, None, HEAD) for level, label in labels.items()}
    return Neighbourhood(sources, Spine({level: centroid_mm(label) for level, label in labels.items()}))


class TestVolumes:
    def test_growth_is_expected(self):
        sizes = [round(20 * GROWTH**place) for place in range(6)]
        found = blocks(LUMBAR, sizes)
        for level in LUMBAR:
            assert found.volume_ratio(level) == pytest.approx(1.0, abs=0.03)

    def test_only_the_one_that_jumps_jumps(self):
        found = blocks(LUMBAR, [16, 17, 18, 2 * 19, 20, 21])
        ratios = [found.volume_ratio(level) for level in LUMBAR]
        assert ratios[3] == pytest.approx(2.0, rel=0.05)
        assert [0.85 < ratio < 1.15 for ratio in ratios] == [True, True, True, False, True, True]

    def test_one_neighbour_is_enough(self):
        assert blocks(("L1", "L2"), [20, 20]).volume_ratio("L2") == pytest.approx(1 / GROWTH)
        assert blocks(("L1", "L3"), [20, 20], [72]).volume_ratio("L1") == pytest.approx(GROWTH**2)

    def test_nothing_to_compare(self):
        assert blocks(("L1",)).volume_ratio("L1") is None
        assert blocks(("T10", "L3"), steps=[150]).volume_ratio("L3") is None
        assert blocks(("C1", "C2", "C3")).volume_ratio("C2") is None
        assert blocks(("C1", "C2", "C3")).volume_ratio("C3") is None

    def test_cut_labels_neither_tell_nor_are_told(self):
        found = blocks(("L1", "L2", "L3"), margin=0)
        assert found.whole() == ["L2"]
        assert [found.volume_ratio(level) for level in ("L1", "L2", "L3")] == [None, None, None]


class TestSteps:
    def test_even_steps(self):
        found = blocks(LUMBAR)
        assert found.steps_mm("T11") == pytest.approx([36.0])
        assert found.steps_mm("L2") == pytest.approx([36.0, 36.0])
        assert found.step_ratio("L2") == pytest.approx(1.0)

    def test_name_left_out_by_a_mask_that_counted_on(self):
        found = blocks(LUMBAR, steps=[34, 34, 68, 34, 34])  # one vertebra has no label, and no gap in the names
        assert found.step_ratio("L1") == pytest.approx(2.0)
        assert found.step_ratio("L2") == pytest.approx(2.0)
        assert found.step_ratio("T11") == pytest.approx(1.0)

    def test_gap_in_the_names_is_counted(self):
        found = blocks(("T12", "L1", "L3", "L4"), steps=[35, 70, 35])
        assert found.steps_mm("L1") == pytest.approx([35.0, 35.0])
        assert found.step_ratio("L1") == pytest.approx(1.0)

    def test_variants_that_are_named_are_steps_and_a_t12_that_is_not_there_is_none(self):
        for levels in (("T11", "T12", "T13", "L1", "L2"), ("L3", "L4", "L5", "L6")):
            found = blocks(levels)
            assert [found.step_ratio(level) for level in levels] == pytest.approx([1.0] * len(levels))
            assert all(found.spine.level_ok(level) for level in levels)
        # Eleven ribs: T11 and L1 are neighbours, and their names are not.
        found = blocks(("T9", "T10", "T11", "L1", "L2", "L3"))
        assert found.step_ratio("T11") == found.step_ratio("L1") == pytest.approx(0.5)
        assert found.step_ratio("L2") == pytest.approx(1.0)

    def test_of_two_the_one_that_differs_more(self):
        found = blocks(LUMBAR, steps=[36, 36, 30, 36, 22])
        assert found.step_ratio("L3") == pytest.approx(22 / 30)  # of 30, 36 and itself

    def test_nothing_to_compare(self):
        assert blocks(("L1", "L2")).step_ratio("L1") is None
        assert blocks(("L1",)).steps_mm("L1") == []


@pytest.mark.parametrize(("margin", "short"), [(5, True), (35, True), (37, False)])
def test_end_of_the_image(margin, short):
    found = blocks(("L1", "L2", "L3"), margin=margin)
    ends = {level: found.is_at_the_end(level, find_room(found.sources[level].label)) for level in found.sources}
    assert ends == {"L1": short, "L2": False, "L3": short}
    lone = blocks(("L1",), margin=margin)
    assert lone.is_at_the_end("L1", find_room(lone.sources["L1"].label)) is None


def deformed_spine(shapes, spacing_mm=(2.0, 2.0, 2.0)) -> Mask:
    """A spine of L1, L2 and so on, 36 mm apart, whose bodies have the given heights."""
    geometry = grid(spacing_mm, size_mm=36.0 * len(shapes) + 30)
    array = np.zeros(geometry.shape, dtype=np.uint8)
    for place, heights in enumerate(shapes):
        centre = (0, 0, ((len(shapes) - 1) / 2 - place) * 36.0)
        label = deformed(geometry, heights, centre_mm=centre)
        array[label.full()] = 20 + place
    return Mask(array, geometry)


def quality(mask, levels=None, recipe="label", image=None, bodies=None):
    request = VoiRequest(find_scheme("verse"), find_recipe(recipe), levels)
    outcomes = make_vois(image, mask, request, bodies)
    return {level: outcome.result.quality for level, outcome in outcomes.items()}


WHOLE = (HEIGHT_MM,) * 3


@pytest.fixture(scope="module")
def crushed_l2():
    return deformed_spine([WHOLE, (17.0, 17.0, 17.0), WHOLE])


class TestHeights:
    def test_crush_among_whole_ones(self, crushed_l2):
        found = quality(crushed_l2)
        crushed = found["L2"]
        assert crushed.qc_height_posterior_mm == pytest.approx(17.0, abs=1.5)
        assert crushed.qc_posterior_loss_percent == pytest.approx(100 * 11 / 28, abs=5)
        assert abs(crushed.qc_wedge_percent) < 6
        assert crushed.qc_fracture_grade >= 2
        assert "below the neighbours'" in crushed.qc_review_reason
        for level in ("L1", "L3"):
            assert found[level].qc_fracture_grade == 0
            assert not found[level].qc_needs_review

    def test_wedge(self):
        wedge = quality(deformed_spine([WHOLE, (20.0, 24.0, 28.0)]))["L2"]
        assert wedge.qc_wedge_percent == pytest.approx(100 * 8 / 28, abs=5)
        assert wedge.qc_fracture_grade == 2
        assert wedge.qc_review_reason.startswith("fracture? grade 2: anterior height")

    @pytest.mark.slow
    def test_what_is_asked_for_plays_no_role(self, crushed_l2):
        assert quality(crushed_l2, ("L2",))["L2"] == quality(crushed_l2)["L2"]

    @pytest.mark.slow
    def test_body_mask_without_arches(self):
        mask = deformed_spine([WHOLE, (20.0, 24.0, 28.0)])
        bodies = {level: one.mask for level, one in cut(mask).items()}
        array = sum(np.where(body.full(), 20 + place, 0) for place, body in enumerate(bodies.values()))
        only = Mask(array.astype(np.uint8), mask.geometry)
        found = quality(only, bodies=only, recipe="trabecular")
        assert found["L2"].qc_height_anterior_mm == pytest.approx(20.0, abs=2)
        assert found["L2"].qc_height_posterior_mm == pytest.approx(28.0, abs=2)

    def test_no_heights_are_no_error(self):
        array = np.zeros((40, 40, 40), dtype=np.uint8)
        array[10:30, 10:30, 10:30] = 20  # a cube has no canal
        found = quality(Mask(array, grid((1, 1, 1), size_mm=40)))["L1"]
        assert (found.qc_height_anterior_mm, found.qc_fracture_grade, found.qc_body_touches_border) == (None,) * 3
        assert found.qc_needs_review is False

    def test_sacrum_and_neck_have_no_grade(self):
        mask = spine([1, 2, 26])  # C1, C2 and the sacrum
        for found in quality(mask).values():
            assert found.qc_fracture_grade is None
            assert found.qc_height_middle_mm is None


def cut(mask):
    outcomes = make_vois(None, mask, VoiRequest(find_scheme("verse"), find_recipe("body")))
    return {level: outcome.result for level, outcome in outcomes.items()}


class TestFieldOfView:
    def test_cut_body_needs_review_and_cut_processes_do_not(self):
        whole = spine([20, 21, 22])
        middle = quality(whole, recipe="trabecular")
        assert middle["L1"].qc_body_touches_border is False
        # The grid's last slices are uppermost; L1 ends 14 mm above its middle, its facets 21 mm.
        height = whole.geometry.world(np.argwhere(whole.array == 20))[:, 2]
        for room_mm, body_cut in ((16.0, False), (8.0, True)):
            top = round((36.0 + room_mm - whole.geometry.origin_mm[2]) / 2.0)
            geometry = replace(whole.geometry, shape=(top, *whole.geometry.shape[1:]))
            found = quality(Mask(whole.array[:top], geometry), recipe="trabecular")["L1"]
            assert found.qc_touches_border is True
            assert found.qc_body_touches_border is body_cut
            assert found.qc_needs_review is body_cut
            assert ("body reaches the image border" in found.qc_review_reason) is body_cut
            assert (found.qc_height_middle_mm is None) is body_cut
            assert found.qc_short_field_of_view is True
            assert found.qc_volume_ratio is None
        assert height.max() > 36 + 19


class TestMetal:
    def test_rods_are_found_in_the_levels_that_they_run_through(self):
        mask = spine([20, 21, 22, 23])
        values = scan(mask).array
        z, y, x = values.shape
        values[: z // 2, y // 2 + 4 : y // 2 + 7, x // 2 + 8 : x // 2 + 11] = 3071  # beside the canal, L3 and L4
        found = quality(mask, recipe="trabecular", image=Image(values, mask.geometry))
        for level in ("L3", "L4"):
            assert found[level].qc_metal_share > 0
            assert found[level].qc_metal_near_ml > 1
            assert "metal?" in found[level].qc_review_reason
        assert found["L1"].qc_metal_near_ml == 0
        assert found["L1"].qc_needs_review is False

    def test_without_an_image_nothing_is_said(self):
        found = quality(spine([20, 21]))["L1"]
        assert (found.qc_metal_share, found.qc_metal_near_ml, found.qc_dark_share) == (None, None, None)


@pytest.mark.slow
def test_label_of_another_size_needs_review():
    mask = spine([19, 20, 21, 22])
    array = mask.array.copy()
    array[array == 20] = 0
    array[vertebra(mask.geometry, centre_mm=(0, 0, 18), scale=0.75)[0]] = 20
    found = quality(Mask(array, mask.geometry))
    assert 0.4 < found["L1"].qc_volume_ratio < 0.6  # of 0.42 of the volume, without the facets that overlap
    assert "times what its neighbours let expect" in found["L1"].qc_review_reason
    assert not any(found[level].qc_needs_review for level in ("T12", "L2", "L3"))


@pytest.mark.slow
def test_name_that_was_left_out_needs_review():
    mask = spine([19, 20, 21, 22, 23])
    array = np.where(mask.array == 21, 0, mask.array)
    array[array > 21] -= 1  # L3 and L4 are called L2 and L3
    found = quality(Mask(array, mask.geometry))
    assert {level for level, one in found.items() if one.qc_needs_review} == {"L1", "L2"}
    assert (
        "distance to the next label is 1.98 times what its name and those nearby let expect"
        in found["L1"].qc_review_reason
    )
