"""Pointwise filters, the whole scan's statistics and the crops: analytic cases first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiobone.features.radiomics.crops import LOG_EXACT_SIGMA, margin, needed_padding, wavelet_crop, wavelet_reach
from radiobone.features.radiomics.filters import exponential, logarithm, square, square_root
from radiobone.features.radiomics.region import Region
from radiobone.features.radiomics.settings import Settings
from radiobone.features.radiomics.whole import WholeScan, bound
from radiobone.imaging import Geometry, Image

VALUES = np.array([-400.0, -100.0, 0.0, 1.0, 100.0, 400.0])


def test_filters_keep_the_range() -> None:
    np.testing.assert_allclose(square(VALUES, 400.0), [400.0, 25.0, 0.0, 0.0025, 25.0, 400.0])
    np.testing.assert_allclose(square_root(VALUES, 400.0), [-400.0, -200.0, 0.0, 20.0, 200.0, 400.0])
    np.testing.assert_allclose(logarithm(VALUES, 400.0)[[0, 2, 5]], [-400.0, 0.0, 400.0])
    np.testing.assert_allclose(exponential(VALUES, 400.0)[[2, 5]], [1.0, 400.0])


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_normalisation_has_the_bits_of_itk(dtype: type) -> None:
    import SimpleITK as sitk

    rng = np.random.default_rng(0)
    array = np.abs(rng.normal(500, 300, (20, 21, 22))).astype(dtype)
    scan = WholeScan(Image(array, Geometry((20, 21, 22), (1.0, 1.0, 1.0))))
    normalise = scan.normalisation(Settings(normalize=True))
    assert normalise is not None
    expected = sitk.GetArrayFromImage(sitk.Normalize(scan.image.to_sitk()))
    if dtype in (np.float32, np.float64):  # ITK adds floats up in another order
        np.testing.assert_allclose(normalise(array), expected, rtol=1e-13, atol=1e-13)
    else:
        np.testing.assert_array_equal(normalise(array), expected)


def test_margins_follow_the_spacing_and_its_order() -> None:
    settings = Settings(sigma=(1.0, 3.0))
    voi = slice(2, 4)
    region = Region(np.zeros((9, 9, 9), np.int16), (3.0, 1.0, 0.5), np.ones((2, 2, 2), np.uint8), (voi, voi, voi))
    assert margin("LoG", settings, region) == (LOG_EXACT_SIGMA, 3 * LOG_EXACT_SIGMA, 6 * LOG_EXACT_SIGMA)
    assert needed_padding("LoG", settings, (1.0, 1.0, 1.0)) == 24
    assert margin("Original", settings, region) == (0, 0, 0)
    assert margin("LBP2D", Settings(force2Ddimension=2), region) == (2, 2, 0)


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_log_reaches_farther_where_values_are_larger(dtype: type) -> None:
    array = np.zeros((9, 9, 9), dtype=dtype)
    voi = slice(2, 4)

    def reach() -> int:
        region = Region(array, (1.0, 1.0, 1.0), np.ones((2, 2, 2), np.uint8), (voi, voi, voi))
        return margin("LoG", Settings(sigma=(1.0,)), region)[0]

    array[8, 8, 8] = 2**16
    assert reach() == LOG_EXACT_SIGMA
    array[8, 8, 8] = -(10**9)
    # exp(-1.38 * 7) is 6e-5, and 1e9 are 15,000 times 2**16
    assert reach() == LOG_EXACT_SIGMA + 7
    if array.dtype.kind == "f":
        array[0, 0, 0], array[0, 0, 1] = np.nan, np.inf
        assert reach() == LOG_EXACT_SIGMA + 7


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([-3, 2], np.int16), 2.0**16),
        (np.array([3, 2], np.uint8), 2.0**8),
        (np.array([True, False]), 1.0),
        (np.array([-(2**31), 2], np.int32), 2.0**31),
        (np.array([1.5, -2.5, np.nan]), 2.5),
        (np.array([1.5, -np.inf, np.nan]), 1.5),
        (np.array([np.inf, np.nan]), 0.0),
    ],
)
def test_bound_of_voxels(array: NDArray[Any], expected: float) -> None:
    assert bound(array) == expected


@pytest.mark.parametrize("size", [40, 41])
@pytest.mark.parametrize("start", [0, 1, 17, 34])
def test_a_wavelet_crop_lies_on_a_circle(size: int, start: int) -> None:
    pytest.importorskip("pywt")
    array = np.arange(size**3, dtype=np.int32).reshape(size, size, size)
    voi = slice(start, start + 6)
    region = Region(array, (1.0, 1.0, 1.0), np.ones((6, 6, 6), np.uint8), (voi, voi, voi))
    (indices, *_), (inner, *_) = wavelet_crop(region, Settings())
    reach = wavelet_reach(Settings())[0]
    circle = size + size % 2
    needed = {index % circle for index in range(start - reach, start + 6 + reach)}
    assert len(indices) % 2 == 0
    assert {index if index < size else 0 for index in needed} <= set(indices.tolist())
    assert indices[inner].tolist() == list(range(start, start + 6))
    assert len(indices) < size


@pytest.mark.parametrize("wavelet", ["haar", "coif1", "db4", "sym8", "bior1.3", "bior2.2", "rbio3.1", "dmey"])
def test_no_wavelet_reaches_farther_than_stated(wavelet: str) -> None:
    pywt = pytest.importorskip("pywt")
    data = np.zeros(256)
    data[128] = 1.0
    reach = wavelet_reach(Settings(wavelet=wavelet, level=2))[0]
    approximation = pywt.swtn(data, wavelet, level=1, axes=(0,))[0]["a"]
    for part in pywt.swtn(approximation, wavelet, level=1, axes=(0,))[0].values():
        touched = np.flatnonzero(part)
        assert touched.min() >= 128 - reach
        assert touched.max() <= 128 + reach


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_mean_and_sd_have_the_bits_of_itk(dtype: type) -> None:
    import SimpleITK as sitk

    for seed in range(20):
        rng = np.random.default_rng(seed)
        voxels = np.abs(rng.normal(120, 20, (9, 10, 11))) * (10.0**6 if dtype is np.int32 and seed % 2 else 1)
        array = voxels.astype(dtype)
        statistics = sitk.StatisticsImageFilter()
        statistics.SetNumberOfThreads(1)  # with more, ITK's last bit changes from run to run
        statistics.Execute(sitk.GetImageFromArray(array))
        scan = WholeScan(Image(array, Geometry(array.shape, (1.0, 1.0, 1.0))))
        assert scan.mean_sd == (statistics.GetMean(), statistics.GetSigma())


def test_a_constant_scan_has_no_spread() -> None:
    array = np.full((5, 6, 7), 0.1)
    assert WholeScan(Image(array, Geometry(array.shape, (1.0, 1.0, 1.0)))).mean_sd == (0.1, 0.0)
