"""Frames as one grid: the distance of planes is never stretched to fit."""

import numpy as np
import pytest

from radiobone.core.errors import ImageError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.dicom.frames import Plane
from radiobone.imaging.geometry import differences
from radiobone.imaging.masks.placing import place_on
from radiobone.imaging.masks.stacking import frame_grid


def grid_of(heights, stated=None, image=None):
    planes = [Plane((0.0, 0.0, float(z)), (1, 0, 0, 0, 1, 0), (0.5, 0.5), 1.0) for z in heights]
    return frame_grid(planes, (4, 5), stated, image, "seg.dcm")


def filled(found):
    return Mask(np.ones(found.geometry.shape, np.uint8), found.geometry)


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


@pytest.mark.parametrize(("stated", "gap"), [(1e-5, 1.5), (None, 1.5), (0.01, 1.5)])
def test_a_stated_distance_that_would_need_endless_planes_does_not_count(stated, gap):
    found = grid_of(gap * np.arange(80), stated)
    assert (found.geometry.shape[0], found.geometry.spacing_mm[0]) == (80, gap)


@pytest.mark.parametrize("heights", [[0, 0.002, 700], [0, 1.0, 1e6]])
def test_frames_so_far_apart_that_no_memory_holds_what_lies_between_are_refused(heights):
    with pytest.raises(ImageError, match=r"too large a grid .*got: \d+ planes over .*expected: at most 10000"):
        grid_of(heights)


@pytest.mark.parametrize("stated", [None, 0.625])
@pytest.mark.parametrize("places", [[3, 4], [7], [0, 1, 2, 30, 31, 59], [58, 59]])
@pytest.mark.parametrize("first", [0.0, -123.4375])
def test_frames_with_rounded_positions_are_slices_of_their_image(stated, places, first):
    true = first + 0.625 * np.arange(60)
    scan = Image(np.zeros((60, 4, 5), np.int16), Geometry((60, 4, 5), (0.625, 0.5, 0.5), (0.0, 0.0, first)))
    found = grid_of(np.round(true, 1)[places], stated, scan)
    at = np.rint(scan.geometry.index(found.geometry.world([(place, 0, 0) for place in found.places]))[:, 0])
    assert at.tolist() == places
    assert not differences(place_on(scan.geometry, filled(found), boxed=True).geometry, scan.geometry)


def test_planes_between_the_slices_of_an_image_stay_between_them():
    scan = Image(np.zeros((9, 4, 5), np.int16), Geometry((9, 4, 5), (2.0, 0.5, 0.5), (0.0, 0.0, 0.0)))
    assert grid_of([1.0, 3.0], 2.0, scan).geometry.origin_mm[2] == 1.0
    assert grid_of([0.0, 3.0, 6.0], 3.0, scan).geometry.spacing_mm[0] == 3.0
