from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import grid, rotation, vertebra

from radiobone.core.errors import VoiError
from radiobone.imaging import Image, Mask
from radiobone.voi import VoiOptions
from radiobone.voi.published import build_published
from radiobone.voi.source import Source
from radiobone.voi.trabecular import build_trabecular

HEAD = np.array([0.0, 0.0, 1.0])
GRID = grid((1.0, 1.0, 1.0), size_mm=104)
LABEL = Mask(vertebra(GRID)[0], GRID).tight()


def source(hu=None, label=LABEL) -> Source:
    image = Image(np.full(label.geometry.shape, 150, dtype=np.int16) if hu is None else hu, label.geometry)
    return Source("L1", 1, label, image, None, HEAD)


def places(mask: Mask, turn=None) -> np.ndarray:
    return mask.geometry.world(np.argwhere(mask.array) + mask.offset) @ (np.eye(3) if turn is None else turn)


def off() -> dict[str, float | None]:
    return {"endplate_mm": 0.0, "vein_depth_share": 0.0, "island_hu": None}


@pytest.fixture(scope="module")
def made():
    return build_published(source(), VoiOptions())


@pytest.mark.slow
def test_without_its_exclusions_it_is_the_trabecular_voi():
    plain = build_trabecular(source(), VoiOptions())
    same = build_published(source(), VoiOptions(**off()))
    np.testing.assert_array_equal(same.mask.full(), plain.mask.full())


@pytest.mark.parametrize(
    ("turn", "edge"),
    [
        pytest.param(np.eye(3), 0.6, id="straight", marks=pytest.mark.slow),
        pytest.param(rotation(1, 12) @ rotation(0, -20), 1.0, id="turned"),
    ],
)
def test_endplates_keep_their_distance_along_the_axis_of_the_body(turn, edge):
    label = Mask(vertebra(GRID, turn)[0], GRID).tight()
    options = VoiOptions(**off() | {"endplate_mm": 6.0})
    head = places(build_published(source(label=label), options).mask, turn)[:, 2]
    assert head.max() == pytest.approx(14 - 6, abs=edge)
    assert head.min() == pytest.approx(-14 + 6, abs=edge)


def test_region_of_the_vein_is_left_out_and_nothing_else():
    options = VoiOptions(**off())
    whole = build_published(source(), options).mask.full()
    without = build_published(source(), VoiOptions(**off() | {"vein_depth_share": 0.218})).mask.full()
    left, back, head = places(Mask(whole & ~without, GRID)).T
    assert not (without & ~whole).any()
    assert back.min() == pytest.approx(-0.218 * 34, abs=1)
    assert np.abs(left).max() == pytest.approx(43.5 / 6, abs=1)
    assert np.abs(head).max() == pytest.approx(28 / 6, abs=1)
    deep = 0.218 * 34 - 3  # the erosion took the first 3 mm
    volume = np.pi * (43.5 / 6) * (28 / 6) * deep
    assert np.count_nonzero(whole & ~without) == pytest.approx(volume, rel=0.12)


class TestIslands:
    def with_ball(self, radius_mm, hu, noise=0):
        index = np.stack(np.meshgrid(*(np.arange(size) for size in GRID.shape), indexing="ij"), axis=-1)
        distance = np.linalg.norm(GRID.world(index) - [5, -18, 0], axis=-1)
        values = 150 + noise * np.random.default_rng(0).normal(size=GRID.shape)
        values[distance < radius_mm] = hu
        return values.astype(np.int16), distance

    def test_island_is_left_out_with_its_rim(self):
        hu, distance = self.with_ball(3, 1100)
        voi = build_published(source(hu), VoiOptions(**off() | {"island_hu": 885.0})).mask.full()
        whole = build_published(source(hu), VoiOptions(**off())).mask.full()
        gone = whole & ~voi
        assert gone[distance < 3.5].mean() > 0.95
        assert not gone[distance > 4.5].any()

    @pytest.mark.slow
    def test_what_is_less_dense_stays(self):
        hu, _ = self.with_ball(3, 800)
        kept = build_published(source(hu), VoiOptions(**off() | {"island_hu": 885.0})).mask
        assert kept.n_voxels == build_published(source(hu), VoiOptions(**off())).mask.n_voxels

    @pytest.mark.slow
    def test_noise_is_no_island(self):
        hu, _ = self.with_ball(0, 0, noise=250)
        kept = build_published(source(hu), VoiOptions(**off() | {"island_hu": 885.0})).mask
        assert kept.n_voxels == build_published(source(hu), VoiOptions(**off())).mask.n_voxels
        assert (hu > 885).sum() > 100

    def test_need_an_image(self):
        blind = Source("L1", 1, LABEL, None, None, HEAD)
        with pytest.raises(VoiError, match=r"bone islands are known by their HU.*island_hu to none"):
            build_published(blind, VoiOptions())
        assert build_published(blind, VoiOptions(island_hu=None)).mask.n_voxels > 0


@pytest.mark.slow
def test_bounds_of_hu_apply_as_well(made):
    hu = np.full(GRID.shape, 150, dtype=np.int16)
    hu[:, :, : GRID.shape[2] // 2] = 400
    bounded = build_published(source(hu), VoiOptions(upper_hu=300)).mask
    assert bounded.n_voxels == pytest.approx(made.mask.n_voxels / 2, rel=0.05)


@pytest.mark.slow
def test_nothing_left():
    with pytest.raises(VoiError, match=r"nothing is left of the body.*more than 30 mm between the end plates"):
        build_published(source(), VoiOptions(endplate_mm=15))
