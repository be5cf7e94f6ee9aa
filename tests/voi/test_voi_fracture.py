"""Heights of bodies that were drawn with known ones, whatever their tilt, and the losses that follow."""

from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import deformed, grid, rotation

from radiobone.voi.axes import find_axes
from radiobone.voi.body import cut_along
from radiobone.voi.fracture import Heights, Losses, find_losses, measure_heights

HEAD = np.array([0.0, 0.0, 1.0])
SHAPES = {
    "whole": (28.0, 28.0, 28.0),
    "wedge": (18.0, 23.0, 28.0),
    "steep wedge": (14.0, 21.0, 28.0),
    "biconcave": (27.0, 17.0, 27.0),
    "crush": (16.0, 16.0, 16.0),
    "posterior": (28.0, 25.0, 22.0),
}
TURNS = {
    "straight": np.eye(3),
    "tilted": rotation(0, 25),
    "scoliotic": rotation(1, 20),
    "all": rotation(2, 15) @ rotation(1, -15) @ rotation(0, -20),
}


def heights(shape, turn="straight", spacing_mm=(1.0, 1.0, 1.0)) -> Heights:
    label = deformed(grid(spacing_mm, size_mm=100), SHAPES[shape], TURNS[turn]).tight()
    axes = find_axes(label, HEAD)
    found = measure_heights(cut_along(label, axes), axes)
    assert found is not None
    return found


def values(found: Heights) -> list[float]:
    return [found.anterior_mm, found.middle_mm, found.posterior_mm]


@pytest.mark.parametrize("shape", list(SHAPES))
def test_heights_of_a_turned_vertebra(shape):
    found = heights(shape, "all", (1.5, 1.5, 1.5))
    assert values(found) == pytest.approx(SHAPES[shape], abs=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("turn", list(TURNS))
@pytest.mark.parametrize("shape", list(SHAPES))
def test_heights_within_a_voxel(shape, turn):
    assert values(heights(shape, turn)) == pytest.approx(SHAPES[shape], abs=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("spacing_mm", [(3.0, 0.8, 0.8), (2.0, 2.0, 2.0)], ids=["thick", "coarse"])
@pytest.mark.parametrize("shape", ["wedge", "biconcave", "crush"])
def test_heights_within_a_voxel_of_other_grids(shape, spacing_mm):
    assert values(heights(shape, "tilted", spacing_mm)) == pytest.approx(SHAPES[shape], abs=max(spacing_mm))


class TestLosses:
    def test_within_the_vertebra(self):
        losses = find_losses(Heights(18.0, 21.0, 28.0), [])
        assert (losses.wedge, losses.biconcave) == (pytest.approx(100 * 10 / 28), pytest.approx(25.0))
        assert (losses.anterior, losses.middle, losses.posterior) == (None, None, None)

    def test_against_the_mean_of_the_neighbours(self):
        losses = find_losses(Heights(15.0, 20.0, 27.0), [Heights(28.0, 24.0, 26.0), Heights(32.0, 26.0, 28.0)])
        assert losses.anterior == pytest.approx(50.0)
        assert losses.middle == pytest.approx(20.0)
        assert losses.posterior == pytest.approx(0.0)

    def test_more_than_expected_is_negative_and_no_grade(self):
        losses = find_losses(Heights(30.0, 29.0, 28.0), [Heights(25.0, 25.0, 25.0)])
        assert losses.wedge < 0
        assert losses.posterior == pytest.approx(-12.0)
        assert losses.grade == 0

    @pytest.mark.parametrize(
        ("percent", "grade"), [(0, 0), (19.9, 0), (20, 1), (24.9, 1), (25, 2), (39.9, 2), (40, 3), (70, 3)]
    )
    def test_grades(self, percent, grade):
        assert Losses(percent, 0.0, None, None, None).grade == grade
        assert Losses(0.0, percent, None, None, None).grade == grade
        assert Losses(0.0, 0.0, percent, 0.0, 0.0).grade == grade
        assert Losses(0.0, 0.0, 0.0, 0.0, percent).grade == grade

    def test_crush_is_seen_only_against_the_neighbours(self):
        crushed, whole = Heights(16.0, 16.0, 16.0), Heights(28.0, 28.0, 28.0)
        assert find_losses(crushed, []).grade == 0
        assert find_losses(crushed, [whole]).grade == 3
