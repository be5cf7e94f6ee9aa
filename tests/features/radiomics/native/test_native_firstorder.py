"""First-order features: by hand, then against PyRadiomics' own class on generated VOIs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.kernels.firstorder import order_statistics
from radiobone.features.radiomics.native.firstorder import first_order_features, first_order_vector

NAMES = list(FEATURES["firstorder"])


def reference(image, mask, spacing_mm, **settings):
    """PyRadiomics' own values, those that are off by default included."""
    import SimpleITK as sitk
    from radiomics import firstorder

    itk_image, itk_mask = sitk.GetImageFromArray(image), sitk.GetImageFromArray(mask.astype(np.uint8))
    for itk in (itk_image, itk_mask):
        itk.SetSpacing(spacing_mm[::-1])
    features = firstorder.RadiomicsFirstOrder(itk_image, itk_mask, **settings)
    features.enableAllFeatures()
    features.enableFeatureByName("StandardDeviation")
    return {name: float(value) for name, value in features.execute().items()}


def assert_same(image, mask, spacing_mm=(1.0, 1.0, 1.0), **settings):
    names = {"binWidth": "bin_width", "binCount": "bin_count", "voxelArrayShift": "voxel_array_shift"}
    found = first_order_features(image, mask, spacing_mm, **{names[key]: value for key, value in settings.items()})
    expected = reference(image, mask, spacing_mm, **settings)
    assert list(found) == NAMES
    values = image[mask].astype(np.float64)
    distance = values - values.mean()
    cancelling = {
        "Mean": np.abs(values).mean(),
        "Skewness": np.abs(distance**3).mean() / max(np.mean(distance**2) ** 1.5, 1e-300),
    }
    for name in NAMES:
        scale = max(abs(expected[name]), cancelling.get(name, 0.0))
        assert found[name] == pytest.approx(expected[name], rel=1e-10, abs=1e-10 * scale, nan_ok=True), name


def test_features_by_hand():
    found = first_order_features(np.array([[[1, 2, 3, 4, 10]]]), np.ones((1, 1, 5)), (2.0, 0.5, 3.0), bin_width=2)
    expected = {
        "10Percentile": 1.4,
        "90Percentile": 7.6,
        "Energy": 130,
        "Entropy": -(2 * 0.2 * math.log2(0.2) + 0.6 * math.log2(0.2)),
        "InterquartileRange": 2,
        "Kurtosis": (81 + 16 + 1 + 1296) / 5 / 10**2,
        "Maximum": 10,
        "MeanAbsoluteDeviation": 2.4,
        "Mean": 4,
        "Median": 3,
        "Minimum": 1,
        "Range": 9,
        "RobustMeanAbsoluteDeviation": 2 / 3,
        "RootMeanSquared": math.sqrt(26),
        "Skewness": (-27 - 8 - 1 + 216) / 5 / 10**1.5,
        "StandardDeviation": math.sqrt(10),
        "TotalEnergy": 390,
        "Uniformity": 0.28,
        "Variance": 10,
    }
    levels = {1: 1, 2: 2, 3: 1, 6: 1}  # 1 | 2 3 | 4 | 10 in bins of two from 0
    shares = [count / 5 for count in levels.values()]
    expected["Entropy"] = -sum(share * math.log2(share) for share in shares)
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_shift_moves_only_what_is_squared():
    image = np.random.default_rng(1).normal(size=(4, 4, 4)) * 100
    mask = np.ones(image.shape)
    plain = first_order_features(image, mask, (1, 1, 1))
    shifted = first_order_features(image, mask, (1, 1, 1), voxel_array_shift=2000)
    assert {name for name in NAMES if plain[name] != shifted[name]} == {"Energy", "RootMeanSquared", "TotalEnergy"}
    assert shifted["Energy"] == pytest.approx(((image + 2000) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("value", [0, -3, 0.1, 1 / 3, 1000.7])
@pytest.mark.parametrize("n", [1, 2, 7, 100, 4097])
def test_constant_voi(value, n):
    """The mean of many 0.1 need not be 0.1: PyRadiomics then gives Skewness 1 or -1, else 0, and so do we."""
    assert_same(np.full((1, 1, n), float(value)), np.ones((1, 1, n), dtype=bool))


def test_constant_but_for_a_few_voxels():
    """Between the percentiles all are alike, and only rounding is left of the robust deviation."""
    rng = np.random.default_rng(2)
    image = np.full((7, 8, 9), 0.1)
    image[rng.random(image.shape) < 0.05] = 3
    assert_same(image, rng.random(image.shape) < 0.8, binWidth=0.5)


def test_two_voxels_have_no_robust_deviation():
    found = first_order_features(np.array([[[0, 10]]]), np.ones((1, 1, 2)), (1, 1, 1))
    assert math.isnan(found["RobustMeanAbsoluteDeviation"])
    assert found["Median"] == 5


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
@pytest.mark.parametrize(
    "settings", [{"binWidth": 25}, {"binCount": 32}, {"binWidth": 5.5, "voxelArrayShift": 300}]
)
def test_generated_vois_equal_pyradiomics(dtype, settings):
    rng = np.random.default_rng(30)
    for _ in range(12):
        shape = tuple(rng.integers(2, 15, size=3))
        spacing_mm = tuple(rng.uniform(0.3, 4, size=3))
        values = rng.normal(size=shape) * rng.choice([5, 20, 30]) + 100
        if np.dtype(dtype) != np.uint8:
            values = values * 4 - rng.choice([0, 400, 1000])
        mask = rng.random(shape) < rng.choice([0.3, 0.9])
        mask.flat[:3] = True
        assert_same(
            values.clip(0, 150).astype(dtype) if dtype is np.uint8 else values.astype(dtype),
            mask,
            spacing_mm,
            **settings,
        )


def test_wide_and_skewed_images():
    rng = np.random.default_rng(31)
    normal = rng.normal(size=(20, 20, 20))
    mask = rng.random(normal.shape) < 0.7
    for image in (
        np.exp(3 * normal),
        1e6 + normal,
        normal**5,
        np.rint(normal),
        1e-5 * normal,
        np.abs(normal) ** 20,
    ):
        assert_same(image, mask, binCount=64)


@pytest.mark.parametrize("n", [1, 2, 47, 49, 1000, 5000])
def test_order_statistics_equal_a_sort(n):
    rng = np.random.default_rng(32)
    normal = rng.normal(size=n)
    tails = np.where(normal > 2, np.inf, normal)
    tails = np.where(np.isinf(tails), 1e300, tails)
    for values in (normal, np.rint(normal), np.exp(20 * normal), np.full(n, 0.3), tails, 5e-324 * np.rint(normal)):
        ranks = np.unique(rng.integers(0, n, size=10))
        found = order_statistics(values, values.min(), values.max(), ranks)
        np.testing.assert_array_equal(found, np.sort(values)[ranks])


def test_order_of_voxels_plays_no_part():
    rng = np.random.default_rng(33)
    values = rng.normal(size=3000)
    counts = np.array([1000, 2000])
    shuffled = rng.permutation(values)
    one = first_order_vector(values, counts, voxel_volume_mm3=1.0)
    other = first_order_vector(shuffled, counts, voxel_volume_mm3=1.0)
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_empty_voi_is_refused():
    with pytest.raises(EngineError, match="the VOI is empty"):
        first_order_vector(np.empty(0), np.empty(0, dtype=np.int64), voxel_volume_mm3=1.0)
