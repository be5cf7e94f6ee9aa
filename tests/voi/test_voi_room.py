from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import axis_directions, grid

from radiobone.imaging import Mask
from radiobone.voi.room import Room, find_room


@pytest.mark.parametrize("direction", axis_directions())
def test_room_in_every_order_of_axes(direction):
    geometry = grid((2.0, 2.0, 2.0), direction, size_mm=40)
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
    height = geometry.world(index)[..., 2]  # voxel centres lie at -19, -17, ..., 19
    array = (height > 0) & (height < 14)
    assert find_room(Mask(array, geometry).tight()) == Room(6.0, 20.0)


def test_no_room_at_the_border():
    geometry = grid((3.0, 1.0, 1.0), size_mm=30)
    array = np.zeros(geometry.shape, dtype=bool)
    array[-2:, 10:20, 10:20] = True
    assert find_room(Mask(array, geometry).tight()) == Room(0.0, 24.0)
