"""Shape in a plane: rectangles and discs by formula, then PyRadiomics' own class on generated VOIs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.native.shape2d import shape_2d_features, shape_2d_vector

NAMES = list(FEATURES["shape2D"])


def reference(mask, spacing_mm, axis):
    """PyRadiomics' own values, the one that is off by default included."""
    import SimpleITK as sitk
    from radiomics import shape2D as pyradiomics_shape2d

    inside = np.argwhere(mask)
    lowest, highest = inside.min(axis=0), inside.max(axis=0) + 1
    tight = mask[tuple(slice(low, high) for low, high in zip(lowest, highest, strict=True))]
    itk = sitk.GetImageFromArray(tight.astype(np.uint8))
    itk.SetSpacing([float(size) for size in spacing_mm[::-1]])
    features = pyradiomics_shape2d.RadiomicsShape2D(itk, itk, force2D=True, force2Ddimension=axis)
    features.enableAllFeatures()
    features.enableFeatureByName("SphericalDisproportion")
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: float(value) for name, value in features.execute().items()}


def assert_same(flat, spacing_mm, axis=0):
    mask = np.expand_dims(flat, axis)
    found, expected = shape_2d_features(mask, spacing_mm, axis=axis), reference(mask, spacing_mm, axis)
    assert list(found) == NAMES
    for name in NAMES:
        assert found[name] == pytest.approx(expected[name], rel=1e-10, abs=0, nan_ok=True), name
    assert found["MaximumDiameter"] == expected["MaximumDiameter"]


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (4, 3), (20, 9)])
def test_a_rectangle_is_its_inner_one_rounded_by_half_a_diamond(size):
    height, width = (n - 1 for n in size)
    found = shape_2d_features(np.ones((1, *size)), (1.0, 1.0, 1.0))
    assert found["MeshSurface"] == pytest.approx(height * width + height + width + 0.5)
    assert found["Perimeter"] == pytest.approx(2 * (height + width) + 4 * math.sqrt(0.5))
    assert found["PixelSurface"] == size[0] * size[1]
    longest, other = sorted(size, reverse=True)
    assert found["MaximumDiameter"] == pytest.approx(math.hypot(longest, other - 1))
    assert found["MajorAxisLength"] == pytest.approx(4 * math.sqrt((longest**2 - 1) / 12))
    assert found["MinorAxisLength"] == pytest.approx(4 * math.sqrt((other**2 - 1) / 12), abs=1e-12)


def test_a_large_disc_has_the_area_of_a_circle_and_steps_in_its_outline():
    y, x = np.mgrid[-30:31, -30:31]
    found = shape_2d_features((y**2 + x**2 <= 30**2)[None], (1.0, 1.0, 1.0))
    assert found["MeshSurface"] == pytest.approx(math.pi * 30**2, rel=0.01)
    assert 0.9 < found["Sphericity"] < 1
    assert found["Elongation"] == pytest.approx(1)
    assert 60 <= found["MaximumDiameter"] <= 61


def test_pixels_that_touch_at_a_corner_stay_apart():
    found = shape_2d_features(np.eye(2)[None], (1.0, 1.0, 1.0))
    assert found["MeshSurface"] == pytest.approx(1)
    assert found["Perimeter"] == pytest.approx(8 * math.sqrt(0.5))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_generated_vois_equal_pyradiomics(axis):
    rng = np.random.default_rng(50)
    for share in (0.05, 0.3, 0.5, 0.7, 0.95, 1.0):
        for _ in range(6):
            flat = rng.random(rng.integers(1, 20, size=2)) < share
            flat.flat[0] = True
            assert_same(flat, (1.0, 1.0, 1.0), axis)
            assert_same(flat, tuple(rng.uniform(0.3, 5, size=3)), axis)
    y, x = np.mgrid[-12:13, -9:10]
    ring = (y**2 + x**2 <= 80) & (y**2 + x**2 > 20)
    assert_same(ring, (4.0, 0.7, 0.9), axis)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (3.0, 0.7, 0.488281)])
def test_lines_keep_the_roundings_of_pyradiomics(spacing_mm):
    for n in (2, 3, 7, 10, 31):
        assert_same(np.ones((1, n), dtype=bool), spacing_mm)
        assert_same(np.ones((n, 1), dtype=bool), spacing_mm)
        assert_same(np.eye(n, dtype=bool), spacing_mm)


def test_a_single_pixel():
    found = shape_2d_features(np.ones((1, 1, 1)), (1.0, 1.0, 1.0))
    assert math.isnan(found["Elongation"])
    assert_same(np.ones((1, 1), dtype=bool), (1.0, 0.7, 0.9))


def test_where_the_voi_stands_in_its_array_plays_no_part():
    mask = np.random.default_rng(51).random((1, 6, 7)) < 0.5
    placed = np.zeros((5, 20, 20), dtype=np.int16)
    placed[3:4, 9:15, 13:20] = mask * 7
    np.testing.assert_array_equal(shape_2d_vector(placed, (1, 2, 3)), shape_2d_vector(mask, (1, 2, 3)))


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="one voxel thick along axis 1, got 2"):
        shape_2d_features(np.ones((1, 2, 2)), (1.0, 1.0, 1.0), axis=1)
    with pytest.raises(EngineError, match="the VOI is empty"):
        shape_2d_features(np.zeros((1, 2, 2)), (1.0, 1.0, 1.0))
