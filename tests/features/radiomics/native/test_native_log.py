"""The Laplacian of Gaussian: closed forms, then ITK's own bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import DTypeLike, NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.crops import crop, margin
from radiobone.features.radiomics.native.images import images
from radiobone.features.radiomics.native.log import gaussian, log_of_box, second_derivative
from radiobone.features.radiomics.region import Region
from radiobone.features.radiomics.settings import Settings
from radiobone.features.radiomics.whole import WholeScan
from radiobone.imaging import Geometry, Image
from radiobone.imaging.volumes import Box

Spacing = tuple[float, float, float]


def itk_log(image: NDArray[Any], spacing_mm: Spacing, sigma_mm: float) -> NDArray[Any]:
    """Filter a whole image as PyRadiomics does."""
    source = sitk.GetImageFromArray(image)
    source.SetSpacing(spacing_mm[::-1])
    itk = sitk.LaplacianRecursiveGaussianImageFilter()
    itk.SetNormalizeAcrossScale(True)
    itk.SetSigma(sigma_mm)
    result: NDArray[Any] = sitk.GetArrayFromImage(itk.Execute(source))
    return result


def everything(image: NDArray[Any]) -> Box:
    z, y, x = (slice(0, size) for size in image.shape)
    return z, y, x


def noise(shape: tuple[int, ...], dtype: DTypeLike, seed: int = 0) -> NDArray[Any]:
    """Return noise like that of a CT, in any pixel type."""
    values = np.random.default_rng(seed).normal(100, 60 if np.dtype(dtype).kind == "u" else 300, shape)
    limits = (0, 200) if np.dtype(dtype).kind == "u" else (-1024, 3071)
    cast: NDArray[Any] = np.clip(values, *limits).astype(dtype)
    return cast


def same_bits(got: NDArray[Any], expected: NDArray[Any]) -> bool:
    return got.dtype == expected.dtype and got.tobytes() == np.ascontiguousarray(expected).tobytes()


def response(recursion: Any, line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a recursion to a line by its definition, starting from rest."""
    forward, backward = np.zeros(line.size + 8), np.zeros(line.size + 8)
    x = np.pad(line, 4)
    for i in range(4, line.size + 4):
        forward[i] = np.dot(recursion.N, x[i : i - 4 : -1]) - np.dot(recursion.D, forward[i - 1 :: -1][:4])
    for i in range(line.size + 3, 3, -1):
        backward[i] = np.dot(recursion.M, x[i + 1 : i + 5]) - np.dot(recursion.D, backward[i + 1 : i + 5])
    return (forward + backward)[4:-4]


class TestCoefficients:
    @pytest.mark.parametrize("width", [1.0, 2.5, 6.0])
    def test_impulse_gives_a_gaussian(self, width: float) -> None:
        line = np.zeros(201)
        line[100] = 1
        t = np.arange(-100, 101)
        expected = np.exp(-(t**2) / (2 * width**2)) / (width * np.sqrt(2 * np.pi))
        got = response(gaussian(width, 1.0), line)
        assert got.sum() == pytest.approx(1, abs=1e-9)
        assert np.abs(got - expected).max() < 0.004 / width

    @pytest.mark.parametrize(("sigma_mm", "spacing_mm"), [(1.0, 1.0), (3.0, 0.7)])
    def test_second_derivative_of_a_parabola_is_its_curvature(self, sigma_mm: float, spacing_mm: float) -> None:
        line = np.zeros(401)
        line[200] = 1
        weights = response(second_derivative(sigma_mm, spacing_mm), line)
        t = np.arange(-200, 201)
        assert weights.sum() == pytest.approx(0, abs=1e-9)
        assert np.dot(weights, t) == pytest.approx(0, abs=1e-7)
        assert np.dot(weights, t**2) == pytest.approx(2 * sigma_mm**2, rel=1e-6)


class TestClosedForms:
    def test_constant_gives_zero(self) -> None:
        image = np.full((9, 10, 11), -1000, dtype=np.int16)
        assert np.abs(log_of_box(image, everything(image), (1.0, 0.8, 1.3), 2.0)).max() < 1e-9

    def test_plane_gives_zero_inside(self) -> None:
        image = np.tile(np.arange(160.0) * 7, (5, 6, 1))
        inside = log_of_box(image, (slice(1, 3), slice(2, 4), slice(70, 90)), (1.0, 1.0, 1.0), 2.0)
        assert np.abs(inside).max() < 1e-6

    def test_parabola_gives_curvature_times_sigma_squared(self) -> None:
        x_mm = (np.arange(160.0) - 80) * 0.5
        image = np.tile(3 * x_mm**2, (5, 6, 1))
        inside = log_of_box(image, (slice(1, 3), slice(2, 4), slice(78, 83)), (1.0, 1.0, 0.5), 1.5)
        np.testing.assert_allclose(inside, 6 * 1.5**2, rtol=1e-4)

    def test_impulse_gives_the_product_of_the_three_responses(self) -> None:
        line = np.zeros(41)
        line[20] = 1
        smooth, curved = response(gaussian(1.5, 1.0), line), response(second_derivative(1.5, 1.0), line)
        parts = [(curved, smooth, smooth), (smooth, curved, smooth), (smooth, smooth, curved)]
        expected = sum(np.einsum("i,j,k->ijk", *part) for part in parts)
        image = np.einsum("i,j,k->ijk", line, line, line)
        np.testing.assert_allclose(log_of_box(image, everything(image), (1.0,) * 3, 1.5), expected, atol=1e-7)


class TestBits:
    @pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64, np.uint8, np.uint16, np.int32])
    @pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.71)])
    @pytest.mark.parametrize("sigma_mm", [1, 1.5, 5.0])
    def test_whole_image_has_the_bits_of_itk(self, dtype: DTypeLike, spacing_mm: Spacing, sigma_mm: float) -> None:
        image = noise((14, 37, 19), dtype)
        got = log_of_box(image, everything(image), spacing_mm, sigma_mm)
        assert same_bits(got, itk_log(image, spacing_mm, sigma_mm))

    @pytest.mark.parametrize("shape", [(4, 30, 41), (70, 4, 5), (5, 6, 90)])
    @pytest.mark.parametrize("border", ["low", "high"])
    def test_box_at_the_border_has_the_bits_of_itk(self, shape: tuple[int, int, int], border: str) -> None:
        image = noise(shape, np.int16)
        z, y, x = (slice(0, 2) if border == "low" else slice(size - 1, size) for size in shape)
        got = log_of_box(image, (z, y, x), (1.0, 0.9, 0.8), 2.0)
        assert same_bits(got, itk_log(image, (1.0, 0.9, 0.8), 2.0)[z, y, x])

    @pytest.mark.parametrize("shape", [(61, 95, 97), (31, 88, 102)])
    def test_far_image_leaves_no_trace(self, shape: tuple[int, int, int]) -> None:
        image = noise(shape, np.int16)
        box = (slice(14, 17), slice(44, 51), slice(46, 52))
        got = log_of_box(image, box, (1.0, 1.0, 1.0), 1.0)
        assert same_bits(got, itk_log(image, (1.0, 1.0, 1.0), 1.0)[box])

    @pytest.mark.parametrize("value", [-1024, 0, 1000, 7])
    def test_rounding_noise_of_a_constant_is_that_of_itk(self, value: int) -> None:
        image = np.full((36, 75, 120), value, dtype=np.int16)
        box = (slice(11, 20), slice(33, 40), slice(50, 60))
        got = log_of_box(image, box, (1.0, 1.0, 0.9), 1.0)
        assert same_bits(got, itk_log(image, (1.0, 1.0, 0.9), 1.0)[box])

    def test_crop_and_strided_view_give_the_values_of_the_whole(self) -> None:
        image = noise((20, 70, 80), np.int16)
        box = (slice(8, 12), slice(30, 36), slice(40, 45))
        whole = log_of_box(image, box, (1.0, 1.0, 1.0), 1.0)
        view = image[:, 8:62, 18:70]
        assert not view.flags.c_contiguous
        assert same_bits(log_of_box(view, (box[0], slice(22, 28), slice(22, 27)), (1.0, 1.0, 1.0), 1.0), whole)

    @pytest.mark.parametrize("distance", [0, 4, 8, 14, 22])
    def test_wall_of_3000_hu_leaves_at_most_one_unit_in_the_last_place(self, distance: int) -> None:
        image = noise((60, 72, 90), np.int16, seed=distance)
        box = (slice(20, 30), slice(30, 42), slice(40, 50))
        image[:, :, 50 + distance :] = 3000
        image[30 + distance // 2 :, : 30 - distance // 2] = -1024
        expected = itk_log(image, (1.0, 1.0, 1.0), 1.0)[box]
        got = log_of_box(image, box, (1.0, 1.0, 1.0), 1.0)
        wrong = got != expected
        assert wrong.mean() < 2e-3
        assert (np.abs(got - expected) <= np.spacing(np.maximum(np.abs(expected), 4))).all()

    @pytest.mark.parametrize("wall", [1e9, -1e12])
    @pytest.mark.parametrize("distance", [20, 24])
    def test_fill_value_far_away_counts_as_in_the_whole_image(self, wall: float, distance: int) -> None:
        image = noise((50, 72, 130), np.float64, seed=distance)
        image[:, :, 50 + distance :] = wall
        box = (slice(20, 30), slice(30, 42), slice(40, 50))
        expected = itk_log(image, (1.0, 1.0, 1.0), 1.0)[box]
        wrong = log_of_box(image, box, (1.0, 1.0, 1.0), 1.0) != expected
        assert wrong.mean() < 2e-3
        # with the reach of an image of HU it does not
        assert (log_of_box(image, box, (1.0, 1.0, 1.0), 1.0, n_sigma=20.0) != expected).mean() > 0.01

    def test_values_are_those_of_pyradiomics(self) -> None:
        from radiomics import imageoperations

        image = noise((12, 25, 26), np.int16)
        source = sitk.GetImageFromArray(image)
        source.SetSpacing((0.8, 0.9, 2.0))
        found = list(imageoperations.getLoGImage(source, None, sigma=[1.0, 3.0]))
        assert len(found) == 2
        box = (slice(3, 9), slice(5, 20), slice(6, 20))
        for sigma, (filtered, _, _) in zip((1.0, 3.0), found, strict=True):
            expected = sitk.GetArrayFromImage(filtered)[box]
            assert same_bits(log_of_box(image, box, (2.0, 0.9, 0.8), sigma), expected)


class TestRefusals:
    def test_short_axis(self) -> None:
        with pytest.raises(EngineError, match="too small for the Laplacian"):
            log_of_box(np.zeros((9, 3, 9)), (slice(1, 2), slice(0, 1), slice(2, 4)), (1.0, 1.0, 1.0), 1.0)

    @pytest.mark.parametrize("part", [slice(3, 3), slice(5, 10), slice(-1, 3)])
    def test_box_outside(self, part: slice) -> None:
        with pytest.raises(EngineError, match="the box is empty or leaves the image"):
            log_of_box(np.zeros((9, 9, 9)), (slice(1, 2), part, slice(2, 4)), (1.0, 1.0, 1.0), 1.0)


@pytest.mark.parametrize("normalize", [False, True])
def test_image_of_a_region_with_a_far_fill_value(normalize: bool) -> None:
    array = noise((44, 46, 130), np.float64, seed=3)
    array[:, :, 72:] = 1e9
    box = (slice(20, 24), slice(20, 26), slice(40, 50))
    scan = WholeScan(Image(array, Geometry(array.shape, (1.0, 1.0, 1.0))))
    settings = Settings(sigma=(1.0,), normalize=normalize)
    normalisation = scan.normalisation(settings)
    region = Region(array, (1.0, 1.0, 1.0), np.ones((4, 6, 10), np.uint8), box, normalisation, scan)
    [(_, got)] = images(region, "LoG", settings)
    source = normalisation(array) if normalisation else array
    expected = itk_log(source, (1.0, 1.0, 1.0), 1.0)[box]
    assert (got != expected).mean() < 2e-3
    outer, inner = crop(region, margin("LoG", settings, region))  # as for PyRadiomics
    assert outer[2].stop < 130
    cropped = itk_log(source[outer], (1.0, 1.0, 1.0), 1.0)[inner]
    assert (cropped != expected).mean() < 2e-3
