from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from voi_phantoms import axis_directions, grid, rotation, spine, vertebra

from radiobone.core.errors import GeometryError, VoiError
from radiobone.imaging import Mask
from radiobone.voi.axes import find_axes
from radiobone.voi.body import cut_along, recognise_body_mask
from radiobone.voi.canal import dense_points

UP = np.array([0.0, 0.0, 1.0])


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def cut_body(whole: Mask, towards_head: np.ndarray) -> Mask:
    return cut_along(whole, find_axes(whole, towards_head))


def cut(geometry, **how):
    whole, body = vertebra(geometry, **how)
    return cut_body(Mask(whole, geometry).tight(), UP), Mask(body, geometry)


def test_body_is_cut_from_an_upright_vertebra():
    found, truth = cut(grid())
    assert iou(found.full(), truth.full()) > 0.97


@pytest.mark.parametrize("direction", axis_directions())
def test_every_order_and_flip_of_the_axes_gives_the_same_body(direction):
    found, truth = cut(grid((2.0, 2.0, 2.0), direction))
    straight, _ = cut(grid((2.0, 2.0, 2.0)))
    assert iou(found.full(), truth.full()) > 0.93
    assert found.volume_ml == pytest.approx(straight.volume_ml, rel=0.02)


@pytest.mark.parametrize("direction", axis_directions()[::12])
@pytest.mark.parametrize("spacing_mm", [(3.0, 1.0, 1.0), (1.0, 1.0, 3.0), (3.0, 3.0, 3.0), (2.5, 1.4, 1.4)])
def test_thick_slices_along_any_axis(direction, spacing_mm):
    found, truth = cut(grid(spacing_mm, direction))
    assert iou(found.full(), truth.full()) > 0.95
    assert found.volume_ml == pytest.approx(truth.volume_ml, rel=0.03)


@pytest.mark.parametrize(("axis", "degrees"), [(0, 30), (0, -30), (1, 25), (2, 30), (2, -30)])
def test_tilted_and_turned_vertebrae(axis, degrees):
    found, truth = cut(grid((1.5, 1.0, 1.0)), turn=rotation(axis, degrees))
    assert iou(found.full(), truth.full()) > 0.93


def test_oblique_grid_gives_the_same_body_as_a_straight_one():
    oblique = rotation(0, 25) @ rotation(1, -10) @ rotation(2, 35)
    found, truth = cut(grid((2.0, 1.0, 1.0), tuple(oblique.ravel())))
    assert iou(found.full(), truth.full()) > 0.94


@pytest.mark.parametrize("scale", [0.55, 1.25])
def test_small_and_large_vertebrae(scale):
    found, truth = cut(grid(size_mm=130), scale=scale)
    assert iou(found.full(), truth.full()) > 0.93


def test_axes_are_those_of_the_vertebra():
    turn = rotation(2, 20) @ rotation(0, 15)
    whole, _ = vertebra(grid(), turn=turn, centre_mm=(3, -4, 5))
    axes = find_axes(Mask(whole, grid()), UP)
    for found, true in zip((axes.left, axes.back, axes.head), turn.T, strict=True):
        assert np.degrees(np.arccos(np.clip(found @ true, -1, 1))) < 4
    assert np.abs(axes.coordinates(np.array([3.0, -4.0, 5.0]))).max() < 1.5
    assert np.linalg.det(np.stack([axes.left, axes.back, axes.head])) == pytest.approx(1)


def test_a_moved_crop_gives_the_same_voxels():
    geometry = grid((2.0, 1.0, 1.0))
    whole, _ = vertebra(geometry)
    in_box = cut_body(Mask(whole, geometry).tight(), UP)
    on_grid = cut_body(Mask(whole, geometry), UP)
    assert np.array_equal(in_box.full(), on_grid.full())


def test_header_that_turns_the_patient_round_is_refused():
    whole, _ = vertebra(grid())
    turned = dataclasses.replace(grid(), direction=(1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    with pytest.raises(VoiError, match=r"no vertebral body lies in front.*directions in the mask's header"):
        cut_body(Mask(whole, turned), UP)


@pytest.mark.parametrize("part", ["arch alone", "body alone", "ball"])
def test_what_shows_no_body_and_canal_is_refused(part):
    geometry = grid()
    whole, body = vertebra(geometry)
    index = np.indices(geometry.shape)
    array = {
        "arch alone": whole & ~body,
        "body alone": body,
        "ball": ((index - 50) ** 2).sum(axis=0) < 400,
    }[part]
    with pytest.raises(VoiError, match="canal"):
        cut_body(Mask(array, geometry).tight(), UP)


CUTS = {
    "back": lambda left, back, head: back < 10,
    "nearly all of the arch": lambda left, back, head: back < 4,
    "upper half": lambda left, back, head: head < 0,
    "lower half": lambda left, back, head: head > 0,
    "all but the lowest part": lambda left, back, head: head < -8,
    "all but the highest part": lambda left, back, head: head > 8,
    "left side": lambda left, back, head: left < 5,
    "front": lambda left, back, head: back > -15,
    "most of the body": lambda left, back, head: back > -5,
}


@pytest.mark.parametrize("part", CUTS)
def test_vertebra_cut_by_the_image_gives_no_arch_as_body(part):
    geometry = grid()
    kept = CUTS[part](*np.moveaxis(geometry.world(np.moveaxis(np.indices(geometry.shape), 0, -1)), -1, 0))
    whole, body = (array & kept for array in vertebra(geometry))
    try:
        found = cut_body(Mask(whole, geometry), UP).full()
    except VoiError:
        assert part not in ("back", "upper half", "lower half", "front")
    else:
        assert np.count_nonzero(found & ~body) < 0.01 * np.count_nonzero(found)
        assert iou(found, body) > 0.93


@pytest.mark.parametrize("cleft_mm", [2.0, 5.0, 8.0])
def test_cleft_arch_is_bridged(cleft_mm):
    geometry = grid()
    whole, body = vertebra(geometry)
    left, back, _ = np.moveaxis(geometry.world(np.moveaxis(np.indices(geometry.shape), 0, -1)), -1, 0)
    whole &= ~((np.abs(left - 2) < cleft_mm / 2) & (back > 5))
    assert iou(cut_body(Mask(whole, geometry), UP).full(), body) > 0.95


def test_rough_surface_as_of_a_network():
    geometry = grid((2.0, 1.0, 1.0))
    whole, body = vertebra(geometry)
    rough = ndimage.gaussian_filter(whole + np.random.default_rng(3).normal(0, 1.0, whole.shape), 1.0) > 0.5
    assert np.count_nonzero(rough != whole) > 0.05 * np.count_nonzero(whole)
    found = cut_body(Mask(rough, geometry), UP).full()
    assert np.count_nonzero(found & whole & ~body) < 0.02 * np.count_nonzero(found)
    assert iou(found & whole, body & rough) > 0.95


def test_atlas_has_no_body():
    geometry = grid()
    left, back, head = np.moveaxis(geometry.world(np.moveaxis(np.indices(geometry.shape), 0, -1)), -1, 0)
    ring = (left / 25) ** 2 + (back / 23) ** 2
    masses = (np.abs(np.abs(left) - 20) < 8) & (np.abs(back + 5) < 9) & (np.abs(head) < 9)
    atlas = ((ring < 1) & (ring > 0.55) & (np.abs(head) < 5)) | masses
    with pytest.raises(VoiError, match="no vertebral body"):
        cut_body(Mask(atlas, geometry), UP)


def test_one_voxel_is_refused():
    geometry = grid((0.4, 0.4, 0.4), size_mm=4)
    array = np.zeros(geometry.shape, dtype=bool)
    array[3, 5, 7] = True
    with pytest.raises(VoiError, match="no spinal canal"):
        cut_body(Mask(array, geometry).tight(), UP)


def test_dense_points_fill_thick_voxels_and_thin_out_fine_ones():
    geometry = grid((3.0, 1.0, 0.25), size_mm=12)
    points = dense_points(Mask(np.ones(geometry.shape, dtype=bool), geometry))
    assert len(points) == 12 * 12 * 12
    for axis, distance in enumerate((1.0, 1.0, 1.0)):
        assert np.diff(np.unique(points[:, axis].round(6))) == pytest.approx(distance)


class TestBodyMask:
    mask = spine([28, 27])
    whole, body = vertebra(mask.geometry, centre_mm=(0, 0, 18))

    def body_mask(self, value, elsewhere=0):
        array = np.where(self.body, value, 0)
        return Mask(np.where(self.mask.array * ~self.body, elsewhere, array).astype(np.uint8), self.mask.geometry)

    @pytest.mark.parametrize(
        ("value", "elsewhere", "kind"),
        [(1, 2, "totalsegmentator_body"), (49, 41, "tptbox_subregions"), (50, 42, "tptbox_subregions"),
         (28, 0, "same_labels")],
    )  # fmt: skip
    def test_kinds(self, value, elsewhere, kind):
        found = recognise_body_mask(self.body_mask(value, elsewhere), self.mask)
        assert found.kind == kind
        body = found.of(self.mask.select(28), 28)
        assert np.array_equal(body.full(), self.body)

    def test_level_without_body_in_the_mask(self):
        bodies = recognise_body_mask(self.body_mask(1), self.mask)
        with pytest.raises(VoiError, match="holds nothing of this vertebra"):
            bodies.of(self.mask.select(27), 27)

    def test_unknown_labels(self):
        with pytest.raises(VoiError, match=r"labels of the body mask are not known.*got: 7, 9"):
            recognise_body_mask(self.body_mask(7, 9), self.mask)

    def test_empty(self):
        with pytest.raises(VoiError, match="body mask is empty"):
            recognise_body_mask(self.body_mask(0), self.mask)

    def test_other_grid(self):
        other = Mask(self.mask.array, dataclasses.replace(self.mask.geometry, origin_mm=(0.0, 0.0, 0.0)))
        with pytest.raises(GeometryError, match=r"grid of the vertebra mask.*mm apart"):
            recognise_body_mask(other, self.mask)
