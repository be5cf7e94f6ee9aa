from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import grid, rotation, vertebra

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask
from radiobone.voi import VoiOptions, solids
from radiobone.voi.frame import frame_body
from radiobone.voi.solids import build_cylinder, build_ellipsoid, solid_size_mm
from radiobone.voi.source import Source
from radiobone.voi.spine import centroid_mm

HEAD = np.array([0.0, 0.0, 1.0])
SIZE = {"width_mm": 24.0, "depth_mm": 16.0, "height_mm": 12.0}
CYLINDER_ML = np.pi / 4 * 24 * 16 * 12 / 1000
ELLIPSOID_ML = np.pi / 6 * 24 * 16 * 12 / 1000
TURN = rotation(2, 15) @ rotation(1, 15) @ rotation(0, -20)


def source(spacing_mm=(1.0, 1.0, 1.0), turn=None, direction=None) -> Source:
    geometry = grid(spacing_mm, size_mm=104, **({} if direction is None else {"direction": direction}))
    return Source("L1", 1, Mask(vertebra(geometry, turn)[0], geometry).tight(), None, None, HEAD)


@pytest.fixture(scope="module")
def straight():
    return source()


@pytest.mark.parametrize(("build", "volume_ml"), [(build_cylinder, CYLINDER_ML), (build_ellipsoid, ELLIPSOID_ML)])
class TestVolume:
    def test_is_that_of_the_solid(self, straight, build, volume_ml):
        made = build(straight, VoiOptions(**SIZE))
        assert made.mask.volume_ml == pytest.approx(volume_ml, rel=0.03)
        assert made.warnings == ()
        assert made.body_source == "cut"

    @pytest.mark.slow
    @pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (3.0, 0.8, 0.8), (1.5, 1.5, 0.7)])
    def test_does_not_depend_on_turn_and_grid(self, build, volume_ml, spacing_mm):
        made = build(source(spacing_mm, TURN), VoiOptions(**SIZE))
        assert made.mask.volume_ml == pytest.approx(volume_ml, rel=0.05)

    @pytest.mark.slow
    def test_does_not_depend_on_the_order_of_the_axes(self, straight, build, volume_ml):
        permuted = source(direction=(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
        one, other = (build(item, VoiOptions(**SIZE)).mask for item in (straight, permuted))
        assert one.volume_ml == pytest.approx(other.volume_ml, rel=0.02)
        assert centroid_mm(one) == pytest.approx(centroid_mm(other), abs=0.5)


def test_spread_of_a_cylinder_follows_the_axes_of_the_body():
    item = source(turn=TURN)
    mask = build_cylinder(item, VoiOptions(width_mm=26, depth_mm=16, height_mm=8)).mask
    places = mask.geometry.world(np.argwhere(mask.array) + mask.offset) @ TURN
    left, back, head = places.std(axis=0)
    assert left == pytest.approx(26 / 4, rel=0.05)
    assert back == pytest.approx(16 / 4, rel=0.05)
    assert head == pytest.approx(8 / np.sqrt(12), rel=0.06)
    assert places.mean(axis=0) == pytest.approx([0, -17, 0], abs=0.8)


@pytest.mark.slow
def test_shares_are_those_of_the_body(straight):
    frame = frame_body(straight).frame
    size = solid_size_mm(frame, VoiOptions(width_share=0.4, height_mm=9))
    assert size == pytest.approx([0.4 * frame.width_mm, 0.5 * frame.depth_mm, 9.0])
    made = build_cylinder(straight, VoiOptions())
    assert made.mask.volume_ml == pytest.approx(np.pi / 4 * np.prod(0.5 * frame.size_mm) / 1000, rel=0.05)


@pytest.mark.slow
def test_middle_moves_to_the_front(straight):
    def back(share):
        return centroid_mm(build_ellipsoid(straight, VoiOptions(**SIZE, centre_share=share)).mask)[1]

    assert back(0.5) - back(0.7) == pytest.approx(0.2 * 34, abs=0.7)


def test_nothing_lies_outside_the_body_and_what_did_is_told(straight):
    made = build_cylinder(straight, VoiOptions(width_mm=55, depth_share=1, height_share=1))
    body = frame_body(straight).body.mask
    assert not (made.mask.full() & ~body.full()).any()
    assert any("17% of the VOI (55 x 33 x 28 mm) lay outside" in text for text in made.warnings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width_mm": 80, "depth_mm": 80, "height_mm": 60}, "the VOI lies outside the body"),
        ({"width_mm": 0.1, "depth_mm": 0.1, "height_mm": 0.1, "centre_share": 0.487}, "smaller than a voxel"),
    ],
)
def test_a_solid_that_does_not_fit(straight, options, message):
    with pytest.raises(VoiError, match=message):
        build_ellipsoid(straight, VoiOptions(**options))


def test_a_solid_in_the_wrong_unit_is_not_even_drawn(straight, monkeypatch):
    monkeypatch.setattr(solids, "_rasterise", None)
    with pytest.raises(VoiError, match=r"lies outside the body.*got: 12000 x 16.\d x 14 mm"):
        build_cylinder(straight, VoiOptions(width_mm=12000))
