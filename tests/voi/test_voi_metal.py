from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import grid

from radiobone.imaging import Image, Mask
from radiobone.voi.metal import find_metal

GEOMETRY = grid((2.0, 1.0, 1.0), size_mm=60)
LABEL = np.zeros(GEOMETRY.shape, dtype=bool)
LABEL[10:20, 20:40, 20:40] = True  # 20 mm a side


def hu(bone: float = 150.0) -> np.ndarray:
    return np.where(LABEL, bone, -100.0).astype(np.int16)


def test_bone_is_no_metal():
    found = find_metal(Mask(LABEL, GEOMETRY).tight(), Image(hu(2103.0), GEOMETRY))
    assert (found.share, found.near_ml, found.dark_share) == (0.0, 0.0, 0.0)


def test_rod_inside_and_streak():
    values = hu()
    values[:, 28:32, 28:32] = 3071  # a rod along z: 16 mm² of 400 mm² of the label, and beyond it
    values[15, 20:40, 20:25] = -900
    found = find_metal(Mask(LABEL, GEOMETRY).tight(), Image(values, GEOMETRY))
    assert found.share == pytest.approx(0.04)
    assert found.near_ml == pytest.approx(0.016 * 40)  # 20 mm of the label and 10 mm to either side
    assert found.dark_share == pytest.approx(100 / 4000)


@pytest.mark.parametrize(("gap", "near_ml"), [(0, 0.02), (9, 0.02), (10, 0.0)])
def test_metal_counts_as_far_as_it_is_near(gap, near_ml):
    values = hu()
    values[10:20, 30, 40 + gap] = 3071
    found = find_metal(Mask(LABEL, GEOMETRY).tight(), Image(values, GEOMETRY))
    assert found.share == 0.0
    assert found.near_ml == pytest.approx(near_ml)
