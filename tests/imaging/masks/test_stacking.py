"""Frames as one grid: the distance of planes is never stretched to fit."""

import numpy as np
import pytest

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.frames import Plane
from radiobone.imaging.masks.stacking import frame_grid


def grid_of(heights, stated=None):
    planes = [Plane((0.0, 0.0, float(z)), (1, 0, 0, 0, 1, 0), (0.5, 0.5), 1.0) for z in heights]
    return frame_grid(planes, (4, 5), stated, None, "seg.dcm")


@pytest.mark.parametrize(("step", "stated"), [(1.5, 1.0), (0.7, 1.0), (1.0, 2.0), (1.25, None), (2.5, 2.5)])
@pytest.mark.parametrize("count", [2, 80, 400])
def test_a_stated_distance_that_is_wrong_does_not_count(step, stated, count):
    found = grid_of(step * np.arange(count), stated)
    assert found.places == list(range(count))
    assert found.geometry.spacing_mm[0] == pytest.approx(step, rel=1e-9)


def test_rounded_positions_and_gaps_give_every_plane_its_number():
    places = np.delete(np.arange(400), [7, 8, 200])
    found = grid_of(np.round(1.0417 * places, 2))
    assert found.places == places.tolist()
    assert found.geometry.spacing_mm[0] == pytest.approx(1.0417, rel=1e-4)


@pytest.mark.parametrize("count", [5, 60, 300])
@pytest.mark.parametrize("stated", [None, 1.0, 0.01])
def test_uneven_frames_are_refused(count, stated):
    heights = np.cumsum(np.random.default_rng(1).uniform(0.6, 1.4, count))
    if stated == 0.01:
        heights = np.round(heights, 2) + 0.005 * (np.arange(count) % 2)
    with pytest.raises(ImageError, match="uneven distances"):
        grid_of(heights, stated)
