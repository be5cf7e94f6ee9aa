"""Normalisation: each kind by hand, and what cannot be scaled."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.core.errors import EngineError
from radiobone.features.deep.normalising import normalised
from radiobone.features.deep.weights_registry import IMAGENET_MEAN, IMAGENET_STD

RNG = np.random.default_rng(4)
INPUTS = RNG.random((2, 3, 5, 6)).astype(np.float32)


def test_values_that_need_nothing_stay_as_they_are():
    assert np.array_equal(normalised(INPUTS, "zero_one"), INPUTS)


def test_minus_one_to_one():
    found = normalised(np.array([0, 0.25, 1], np.float32).reshape(1, 1, 1, 3), "minus1_1")
    assert found.ravel().tolist() == [-1, -0.5, 1]


@pytest.mark.parametrize("shape", [(2, 3, 5, 6), (2, 3, 2, 3, 5)])
def test_each_channel_has_imagenets_mean_and_spread(shape):
    inputs = np.resize(INPUTS, shape)
    found = normalised(inputs, "imagenet")
    assert found.dtype == np.float32
    for channel in range(3):
        wanted = (inputs[:, channel] - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
        assert np.allclose(found[:, channel], wanted, rtol=1e-5, atol=1e-6)


def test_zscore_takes_mean_and_spread_of_what_lies_above_the_lower_bound():
    inputs = np.array([0, 0, 0.2, 0.6], np.float32).reshape(1, 1, 1, 4)
    found = normalised(inputs, "zscore")
    # 0.2 and 0.6 have the mean 0.4 and the standard deviation 0.2.
    assert found.ravel() == pytest.approx([-2, -2, -1, 1], abs=1e-5)


def test_zscore_looks_at_each_input_for_itself():
    both = normalised(INPUTS, "zscore")
    assert np.array_equal(both[1:], normalised(INPUTS[1:], "zscore"))
    assert both.mean(axis=(1, 2, 3)) == pytest.approx([0, 0], abs=1e-5)


@pytest.mark.parametrize(("value", "got"), [(0, "no value above"), (0.3, "one value wherever")])
def test_what_has_no_contrast_cannot_be_scaled(value, got):
    with pytest.raises(EngineError, match=f"no contrast.*{got}.*window_hu"):
        normalised(np.full((1, 1, 4, 4, 4), value, np.float32), "zscore")
