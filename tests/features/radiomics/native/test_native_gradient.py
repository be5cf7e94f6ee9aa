"""Gradient magnitude inside a box: closed forms, then the bits of the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import DTypeLike

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.native.gradient import gradient_of_box


def test_constant_gives_zero() -> None:
    image = np.full((5, 6, 7), -1000, dtype=np.int16)
    assert not gradient_of_box(image, (slice(0, 5), slice(0, 6), slice(0, 7)), (1.0, 1.0, 1.0)).any()


@pytest.mark.parametrize(("use_spacing", "expected"), [(True, np.hypot(3 / 0.5, 4 / 2.0)), (False, 5.0)])
def test_plane_gives_its_slope(use_spacing: bool, expected: float) -> None:
    z, _, x = np.mgrid[:6, :6, :6]
    box = (slice(1, 5), slice(0, 6), slice(2, 4))
    got = gradient_of_box((3 * x + 4 * z).astype(np.float32), box, (2.0, 1.0, 0.5), use_spacing=use_spacing)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_border_counts_as_continued() -> None:
    image = np.tile(np.arange(6.0), (5, 5, 1))
    got = gradient_of_box(image, (slice(0, 1), slice(0, 1), slice(0, 6)), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(got[0, 0], [0.5, 1, 1, 1, 1, 0.5])


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("use_spacing", [True, False])
@pytest.mark.parametrize("part", [slice(0, 3), slice(2, 5), slice(7, 9), slice(0, 9)])
def test_values_are_those_of_pyradiomics(dtype: DTypeLike, use_spacing: bool, part: slice) -> None:
    from radiomics import imageoperations

    image = np.random.default_rng(1).normal(0, 300, (9, 11, 12)).astype(dtype)
    source = sitk.GetImageFromArray(image)
    source.SetSpacing((0.7, 0.8, 2.5))
    [(filtered, name, _)] = imageoperations.getGradientImage(source, None, gradientUseSpacing=use_spacing)
    box: Any = (part, slice(4, 8), part)
    got = gradient_of_box(image, box, (2.5, 0.8, 0.7), use_spacing=use_spacing)
    expected = sitk.GetArrayFromImage(filtered)[box]
    assert name == "gradient"
    assert got.dtype == expected.dtype
    assert got.tobytes() == expected.tobytes()


def test_box_outside_is_refused() -> None:
    with pytest.raises(EngineError, match="the box is empty or leaves the image"):
        gradient_of_box(np.zeros((4, 4, 4)), (slice(0, 2), slice(3, 5), slice(0, 2)), (1.0, 1.0, 1.0))
