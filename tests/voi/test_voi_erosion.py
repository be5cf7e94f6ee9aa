from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import grid

from radiobone.imaging import Mask
from radiobone.voi.erosion import erode, largest_component, part_sizes, touches_border


def ball(radius_mm, spacing_mm):
    geometry = grid(spacing_mm, size_mm=2 * radius_mm + 8)
    index = np.moveaxis(np.indices(geometry.shape), 0, -1)
    return Mask(np.linalg.norm(geometry.world(index), axis=-1) < radius_mm, geometry)


@pytest.mark.parametrize(
    ("spacing_mm", "within"),
    [((0.5, 0.5, 0.5), 0.03), ((1.0, 1.0, 1.0), 0.06), ((1.25, 0.7, 0.7), 0.06), ((3.0, 1.0, 1.0), 0.1)],
)
@pytest.mark.parametrize("erosion_mm", [2.0, 3.0])
def test_eroded_ball_has_the_volume_of_the_smaller_ball(spacing_mm, within, erosion_mm):
    eroded = erode(ball(16.0, spacing_mm), erosion_mm)
    assert eroded.volume_ml == pytest.approx(4 / 3 * np.pi * (16 - erosion_mm) ** 3 / 1000, rel=within)


@pytest.mark.parametrize(
    ("spacing_mm", "layers"),
    [((1.0, 1.0, 1.0), (3, 3, 3)), ((3.0, 1.0, 1.0), (1, 3, 3)), ((3.0, 3.0, 3.0), (1, 1, 1)),
     ((5.0, 0.7, 0.7), (1, 4, 4)), ((2.0, 2.0, 2.0), (1, 1, 1)), ((1.0, 1.5, 2.0), (3, 2, 1))],
)  # fmt: skip
def test_layers_taken_from_a_block(spacing_mm, layers):
    geometry = grid(spacing_mm, size_mm=60)
    array = np.zeros(geometry.shape, dtype=bool)
    array[2:-2, 2:-2, 2:-2] = True
    eroded = erode(Mask(array, geometry), 3.0)
    for part, size, taken in zip(eroded.box, geometry.shape, layers, strict=True):
        assert (part.start, part.stop) == (2 + taken, size - 2 - taken)


def test_tight_box_and_whole_grid_give_the_same():
    mask = ball(9.0, (1.0, 1.0, 1.0))
    assert np.array_equal(erode(mask.tight(), 3.0).full(), erode(mask, 3.0).full())


def test_image_border_is_a_surface():
    geometry = grid(size_mm=20)
    eroded = erode(Mask(np.ones(geometry.shape, dtype=bool), geometry), 3.0)
    assert eroded.offset == (3, 3, 3)
    assert not touches_border(eroded)


def test_no_erosion_keeps_all_and_too_much_leaves_nothing():
    mask = ball(5.0, (1.0, 1.0, 1.0))
    assert np.array_equal(erode(mask, 0.0).full(), mask.full())
    assert erode(mask, 6.0).n_voxels == 0


def test_largest_component_through_faces():
    array = np.zeros((5, 5, 5), dtype=bool)
    array[0, 0, 0] = True
    array[1:3, 1:3, 1:3] = True  # touches the first only by a corner
    mask = Mask(array, grid(size_mm=5))
    assert len(part_sizes(mask)) == 2
    assert largest_component(mask).n_voxels == 8
    assert largest_component(mask).offset == (1, 1, 1)


def test_touches_border():
    geometry = grid(size_mm=6)
    array = np.zeros(geometry.shape, dtype=bool)
    array[2:4, 2:4, 2:4] = True
    assert not touches_border(Mask(array, geometry))
    array[3, 3, 5] = True
    assert touches_border(Mask(array, geometry))
    assert not touches_border(Mask(np.zeros_like(array), geometry))
