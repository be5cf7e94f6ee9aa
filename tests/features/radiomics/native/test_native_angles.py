"""The directions of texture matrices against PyRadiomics' own."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.core.errors import EngineError, UsageError
from radiobone.features.radiomics.native.angles import texture_angles


def test_half_of_all_directions_from_the_largest_on() -> None:
    angles = texture_angles((9, 9, 9)).tolist()
    assert len(angles) == 13
    assert angles[:3] == [[1, 1, 1], [1, 1, 0], [1, 1, -1]]
    assert angles[-2:] == [[0, 1, -1], [0, 0, 1]]
    assert len(texture_angles((9, 9, 9), (2,))) == 98 // 2
    assert texture_angles((9, 9, 9), (1,), 2).tolist() == [[1, 1, 0], [1, 0, 0], [1, -1, 0], [0, 1, 0]]


@pytest.mark.parametrize("shape", [(9, 9, 9), (1, 9, 9), (9, 1, 9), (9, 9, 1), (1, 1, 9), (2, 9, 3)])
@pytest.mark.parametrize("plane", [None, 0, 1, 2])
@pytest.mark.parametrize("distances", [(1,), (2,), (1, 2), (3, 1), (4,)])
def test_angles_are_those_of_pyradiomics(
    shape: tuple[int, int, int], plane: int | None, distances: tuple[int, ...]
) -> None:
    c = pytest.importorskip("radiomics").cMatrices
    setting = (np.array(shape), np.array(distances), False, plane is not None, plane or 0)
    try:
        expected = c.generate_angles(*setting)
    except RuntimeError:
        with pytest.raises(EngineError, match="can have a neighbour"):
            texture_angles(shape, distances, plane)
        return
    np.testing.assert_array_equal(texture_angles(shape, distances, plane), expected)


@pytest.mark.parametrize("distances", [(), (0,), (1, -1), (1, 2, 1)])
def test_impossible_distances_are_refused(distances: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="whole numbers from 1 on"):
        texture_angles((5, 5, 5), distances)


def test_an_axis_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"got: 3 \| expected: 0 \(z\)"):
        texture_angles((5, 5, 5), (1,), 3)
