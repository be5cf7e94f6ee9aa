from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import grid, rotation, vertebra

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask
from radiobone.voi.axes import VertebraAxes
from radiobone.voi.body import BodyMask
from radiobone.voi.frame import frame_body, measure_frame, sample, set_upright
from radiobone.voi.source import Source

HEAD = np.array([0.0, 0.0, 1.0])
STRAIGHT = VertebraAxes(np.zeros(3), *np.eye(3))
TURNS = {
    "straight": [],
    "tilted": [(0, 25)],
    "scoliotic": [(1, 20)],
    "twisted": [(2, 20)],
    "all": [(0, -20), (1, -15), (2, 15)],
}


def turned(name: str) -> np.ndarray:
    turn = np.eye(3)
    for axis, degrees in TURNS[name]:
        turn = rotation(axis, degrees) @ turn
    return turn


def phantom(spacing_mm, turn, size_mm=110.0, centre_mm=(0.0, 0.0, 0.0)):
    geometry = grid(spacing_mm, size_mm=size_mm)
    whole, body = vertebra(geometry, turn, centre_mm)
    return Mask(whole, geometry).tight(), Mask(body, geometry).tight()


def source(label: Mask, bodies: Mask | None = None) -> Source:
    return Source("L1", 1, label, None, None if bodies is None else BodyMask(bodies, "same_labels"), HEAD)


def degrees(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1.0, 1.0))))


def box(size_mm, spacing_mm=(1.0, 1.0, 1.0), turn=None) -> Mask:
    geometry = grid(spacing_mm, size_mm=90)
    index = np.stack(np.meshgrid(*(np.arange(count) for count in geometry.shape), indexing="ij"), axis=-1)
    places = geometry.world(index) @ (np.eye(3) if turn is None else turn)
    return Mask((np.abs(places) < np.array(size_mm) / 2).all(axis=-1), geometry)


class TestMeasure:
    @pytest.mark.parametrize(
        "spacing_mm", [(1.0, 1.0, 1.0), (3.0, 0.8, 0.8), (1.5, 1.5, 0.7)], ids=["fine", "thick", "mixed"]
    )
    def test_extents_of_a_box(self, spacing_mm):
        frame = measure_frame(box((40, 30, 24), spacing_mm), STRAIGHT)
        assert frame.size_mm == pytest.approx([40, 30, 24], abs=max(spacing_mm))
        assert frame.axes.origin_mm == pytest.approx(np.zeros(3), abs=0.5)

    def test_extents_of_a_turned_box_in_its_axes(self):
        turn = turned("all")
        frame = measure_frame(box((40, 30, 24), turn=turn), VertebraAxes(np.full(3, 5.0), *turn.T))
        assert frame.size_mm == pytest.approx([40, 30, 24], abs=0.7)
        assert frame.axes.origin_mm == pytest.approx(np.zeros(3), abs=0.3)
        start, end = frame.lines_mm[2]
        assert end - start == pytest.approx(frame.height_mm * turn[:, 2])
        assert frame.shares(turn @ np.array([20.0, -15.0, 12.0])) == pytest.approx([0.5, -0.5, 0.5], abs=0.02)

    def test_a_lip_does_not_count(self):
        body = box((40, 30, 24))
        index = np.stack(np.meshgrid(*(np.arange(count) for count in body.array.shape), indexing="ij"), axis=-1)
        left, back, head = np.moveaxis(body.geometry.world(index), -1, 0)
        lip = (back > -19) & (back < -12) & (np.abs(left) < 20) & (head > 0) & (head < 20)
        frame = measure_frame(Mask(body.array | lip, body.geometry), STRAIGHT)
        assert frame.height_mm == pytest.approx(24, abs=1)
        assert frame.axes.origin_mm[2] == pytest.approx(0, abs=0.5)

    @pytest.mark.slow
    def test_a_hollow_body_is_refused(self):
        body = box((40, 30, 24))
        hollow = body.array & ~box((36, 26, 60)).array & ~box((36, 60, 20)).array & ~box((60, 26, 20)).array
        with pytest.raises(VoiError, match="the middle of the body is empty"):
            measure_frame(Mask(hollow, body.geometry), STRAIGHT)

    def test_points_inside_and_beyond_the_image(self):
        body = box((40, 30, 24))
        points = np.array([[0.0, 0.0, 0.0], [19.4, 0.0, 0.0], [21.0, 0.0, 0.0], [500.0, 0.0, 0.0]])
        assert sample(body.tight(), points).tolist() == [True, True, False, False]


class TestAxes:
    @pytest.mark.parametrize(
        "name", [*(pytest.param(name, marks=pytest.mark.slow) for name in TURNS if name != "all"), "all"]
    )
    @pytest.mark.parametrize(
        ("spacing_mm", "within"),
        [
            pytest.param((2.0, 2.0, 2.0), 2.0, id="coarse"),
            pytest.param((1.0, 1.0, 1.0), 1.0, id="fine", marks=pytest.mark.slow),
            pytest.param((3.0, 1.0, 1.0), 1.5, id="thick", marks=pytest.mark.slow),
            pytest.param((2.0, 0.8, 0.8), 1.5, id="mixed", marks=pytest.mark.slow),
        ],
    )
    def test_axes_of_a_turned_vertebra(self, name, spacing_mm, within):
        turn = turned(name)
        frame = frame_body(source(phantom(spacing_mm, turn)[0])).frame
        for own, true in zip(frame.axes.directions, turn.T, strict=True):
            assert degrees(own, true) < within
        # The phantom's body is an ellipse 44 mm wide, cut at its back wall, 34 mm deep, and 28 mm high.
        assert frame.size_mm == pytest.approx([43.5, 34, 28], abs=max(spacing_mm))
        assert turn.T @ frame.axes.origin_mm == pytest.approx([0, -17, 0], abs=0.7)

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("straight", marks=pytest.mark.slow),
            pytest.param("tilted", marks=pytest.mark.slow),
            "scoliotic",
        ],
    )
    def test_upright_axis_of_a_body_alone(self, name):
        turn = turned(name)
        body = phantom((2.0, 2.0, 2.0), turn)[1]
        framed = frame_body(source(body, body))
        assert degrees(framed.frame.axes.head, turn[:, 2]) < 2.0
        assert framed.warnings == ("axes from the body alone: its left and right are those of the patient",)

    def test_wedge_is_halved(self):
        body = box((40, 30, 24))
        back = body.geometry.world(np.argwhere(body.array))
        array = body.array.copy()
        array[body.array] = back[:, 2] < 6 + 0.2 * back[:, 1]
        frame = set_upright(Mask(array, body.geometry), STRAIGHT)
        expected = np.degrees(np.arctan(0.2)) / 2
        assert degrees(frame.axes.head, HEAD) == pytest.approx(expected, abs=0.3)
        assert frame.axes.head[1] < 0

    @pytest.mark.slow
    def test_without_end_plates_the_canal_decides(self):
        label, body = phantom((1.0, 1.0, 1.0), np.eye(3))
        steep = body.geometry.world(np.argwhere(body.array) + body.offset)
        array = body.array.copy()
        array[body.array] = steep[:, 2] < 14 + 0.75 * steep[:, 1]
        cut = Mask(array, body.geometry, body.offset)
        with pytest.raises(VoiError, match=r"no two end plates found.*planes that meet at"):
            set_upright(cut, STRAIGHT)
        framed = frame_body(source(label, cut))
        assert framed.warnings == ("no two end plates found: the axis of the body is that of its canal",)
        assert degrees(framed.frame.axes.head, HEAD) < 1.0


class TestCut:
    def test_a_body_at_the_border_is_refused(self):
        label, _ = phantom((2.0, 2.0, 2.0), np.eye(3), centre_mm=(0, 0, 45))
        with pytest.raises(VoiError, match="the body reaches the image border"):
            frame_body(source(label))

    def test_an_arch_at_the_border_is_told(self):
        label, _ = phantom((2.0, 2.0, 2.0), np.eye(3), centre_mm=(0, 20, 0))
        framed = frame_body(source(label))
        assert framed.warnings == ("axes may lean, since the label reaches the image border",)
        assert degrees(framed.frame.axes.head, HEAD) < 1.0

    @pytest.mark.slow
    def test_no_canal_and_no_body_mask_is_the_error_of_the_body(self):
        body = phantom((2.0, 2.0, 2.0), np.eye(3))[1]
        with pytest.raises(VoiError, match="no spinal canal"):
            frame_body(source(body))
