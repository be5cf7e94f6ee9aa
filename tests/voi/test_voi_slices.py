from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import grid, rotation, vertebra

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask
from radiobone.voi import VoiOptions
from radiobone.voi.field_of_view import build_field_of_view, dilate, scale_mask
from radiobone.voi.slices import array_axis, build_slice_mid, build_slices
from radiobone.voi.source import Source

HEAD = np.array([0.0, 0.0, 1.0])
PERMUTED = (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def source(spacing_mm=(2.0, 2.0, 2.0), turn=None, **where) -> Source:
    geometry = grid(spacing_mm, size_mm=104, **where)
    return Source("L1", 1, Mask(vertebra(geometry, turn)[0], geometry).tight(), None, None, HEAD)


def heights(mask: Mask) -> np.ndarray:
    return np.unique(np.round(mask.geometry.world(np.argwhere(mask.array) + mask.offset)[:, 2], 3))


@pytest.fixture(scope="module")
def straight():
    return source()


class TestSlices:
    def test_middle_one(self, straight):
        made = build_slice_mid(straight, VoiOptions())
        assert made.mask.array.shape[0] == 1
        assert heights(made.mask) == pytest.approx([0], abs=1.1)
        assert made.body_source == "cut"
        assert made.warnings == ()

    def test_are_evenly_spaced_over_the_body(self, straight):
        made = build_slices(straight, VoiOptions(n_slices=3))
        assert heights(made.mask) == pytest.approx([-7, 0, 7], abs=1.1)
        assert len(heights(build_slices(straight, VoiOptions(n_slices=5)).mask)) == 5

    @pytest.mark.slow
    def test_one_slice_of_the_middle_is_slice_mid(self, straight):
        one = build_slices(straight, VoiOptions(n_slices=1))
        np.testing.assert_array_equal(one.mask.array, build_slice_mid(straight, VoiOptions()).mask.array)

    @pytest.mark.slow
    def test_hold_all_of_the_region_in_their_plane(self, straight):
        for region in ("label", "body", "trabecular"):
            made = build_slice_mid(straight, VoiOptions(region=region))
            left = np.ptp(made.mask.geometry.world(np.argwhere(made.mask.array) + made.mask.offset)[:, 0])
            assert left == pytest.approx({"label": 78, "body": 42, "trabecular": 37}[region], abs=3)

    @pytest.mark.slow
    @pytest.mark.parametrize(("plane", "axis"), [("axial", 0), ("coronal", 1), ("sagittal", 2)])
    def test_planes_of_the_patient(self, straight, plane, axis):
        made = build_slice_mid(straight, VoiOptions(plane=plane))
        assert made.mask.array.shape[axis] == 1
        told = [text for text in made.warnings if f"force2Ddimension: {axis}" in text]
        assert len(told) == (axis != 0)

    def test_axis_is_found_in_any_order_of_axes(self):
        item = source(direction=PERMUTED)
        made = build_slice_mid(item, VoiOptions())
        axis = array_axis(item.label.geometry, "axial")
        assert axis != 0
        assert made.mask.array.shape[axis] == 1
        assert heights(made.mask) == pytest.approx([0], abs=1.1)
        assert len(made.warnings) == 1
        assert made.warnings[0].startswith(f"axial slices lie across array axis {axis}")

    def test_oblique_ones_are_told(self):
        made = build_slice_mid(source(turn=rotation(0, -28)), VoiOptions())
        assert len(made.warnings) == 1
        degrees = int(made.warnings[0].removeprefix("axial slices lie ").split()[0])
        assert degrees == pytest.approx(28, abs=2)

    def test_middle_of_a_leaning_body_is_that_of_its_axis(self):
        turn = rotation(0, -28)
        made = build_slices(source(turn=turn), VoiOptions(n_slices=3))
        middle = turn @ np.array([0, -17, 0])
        expected = [middle[2] + share * 28 * np.cos(np.radians(28)) for share in (-0.25, 0, 0.25)]
        assert heights(made.mask) == pytest.approx(expected, abs=1.3)

    @pytest.mark.slow
    def test_too_many_for_thick_slices(self):
        with pytest.raises(VoiError, match=r"fewer slices than are wanted.*in slices 5 mm apart"):
            build_slices(source((5.0, 1.0, 1.0)), VoiOptions(n_slices=8))


class TestFieldOfView:
    def ball(self, radius_mm, spacing_mm=(1.0, 1.0, 1.0), size_mm=60.0):
        geometry = grid(spacing_mm, size_mm=size_mm)
        index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
        return Mask(np.linalg.norm(geometry.world(index), axis=-1) < radius_mm, geometry).tight()

    @pytest.mark.parametrize(
        ("spacing_mm", "within"), [((1.0, 1.0, 1.0), 0.03), ((3.0, 1.0, 1.0), 0.06), ((0.8, 0.8, 0.8), 0.03)]
    )
    def test_widened_ball_has_the_volume_of_the_larger_ball(self, spacing_mm, within):
        wide = dilate(self.ball(14, spacing_mm), 5.0)
        assert wide.volume_ml == pytest.approx(4 / 3 * np.pi * 19**3 / 1000, rel=within)

    @pytest.mark.parametrize("scale", [0.5, 1.2, 2.0])
    def test_scaled_ball_has_the_volume_of_the_scaled_ball(self, scale):
        scaled = scale_mask(self.ball(14), scale)
        assert scaled.volume_ml == pytest.approx(4 / 3 * np.pi * (scale * 14) ** 3 / 1000, rel=0.02)
        assert scaled.array.dtype == bool

    def test_as_it_is_by_default(self, straight):
        made = build_field_of_view(straight, VoiOptions(region="label"))
        np.testing.assert_array_equal(made.mask.array, straight.label.array)
        assert made.body_source == ""

    def test_scale_and_margin_together(self):
        made = dilate(scale_mask(self.ball(10), 1.2), 3.0)
        assert made.volume_ml == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.07)

    def test_cut_by_the_image(self):
        geometry = grid((2.0, 2.0, 2.0), size_mm=104)
        label = Mask(vertebra(geometry, centre_mm=(0, 0, 28))[0], geometry).tight()
        item = Source("L1", 1, label, None, None, HEAD)
        assert build_field_of_view(item, VoiOptions(region="label")).warnings == ()
        made = build_field_of_view(item, VoiOptions(region="label", margin_mm=8))
        assert made.warnings == ("the field of view is cut by the image border",)
        assert made.mask.box[0].stop == geometry.shape[0]

    @pytest.mark.parametrize("margin_mm", [0.0, 3.0])
    def test_smaller_than_a_voxel(self, straight, margin_mm):
        with pytest.raises(VoiError, match=r"field of view is smaller than a voxel.*0.001 times a label"):
            build_field_of_view(straight, VoiOptions(region="label", scale=0.001, margin_mm=margin_mm))
