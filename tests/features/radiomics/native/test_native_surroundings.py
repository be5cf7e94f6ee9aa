"""Stretches of a VOI, and the offsets that texture matrices share."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.kernels.stretches import GAP, LONGEST, stretches
from radiobone.features.radiomics.native.levels import VoiGrid, discretise
from radiobone.features.radiomics.native.surroundings import Surroundings


@settings(deadline=None)
@given(st.lists(st.integers(1, 2 * GAP), min_size=1, max_size=400), st.integers(1, 5))
def test_stretches_are_short_and_end_only_at_gaps_or_at_full_length(steps: list[int], repeats: int) -> None:
    inside = np.cumsum(steps * repeats).astype(np.int64)
    firsts = stretches(inside)
    assert (firsts[0], firsts[-1]) == (0, inside.size)
    assert (np.diff(firsts) > 0).all()
    for first, stop in itertools.pairwise(firsts.tolist()):
        assert inside[stop - 1] - inside[first] < LONGEST
        assert (np.diff(inside[first:stop]) <= GAP).all()
        if stop < inside.size:
            assert inside[stop] - inside[stop - 1] > GAP or inside[stop] - inside[first] >= LONGEST


def test_a_grid_and_its_grey_levels_have_the_same_surroundings() -> None:
    mask = np.ones((4, 5, 6))
    of_grid = Surroundings(VoiGrid.of(mask, 2), (1, 2))
    of_levels = Surroundings(discretise(np.arange(120).reshape(4, 5, 6), mask, pad=2), (1, 2))
    for name in ("angles", "steps", "run_angles", "run_steps", "stretches"):
        np.testing.assert_array_equal(getattr(of_grid, name), getattr(of_levels, name))
    assert of_grid.shape == of_levels.shape == (4, 5, 6)
    assert (len(of_grid.angles), len(of_grid.run_angles)) == (62, 13)
    angles, steps = of_grid.touching
    assert np.abs(angles[:3]).sum(axis=1).tolist() == [1, 1, 1]
    assert steps[:3].tolist() == [9 * 10, 10, 1]


def test_angles_that_are_not_asked_for_need_not_exist() -> None:
    surroundings = Surroundings(VoiGrid.of(np.ones((1, 1, 3)), 5), (5,))
    assert surroundings.run_angles.tolist() == [[0, 0, 1]]
    with pytest.raises(EngineError, match="a box of 1 x 1 x 3 voxels"):
        surroundings.angles  # noqa: B018
