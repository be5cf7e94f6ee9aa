"""Stationary wavelets: closed forms, then the bits of PyWavelets and the images of PyRadiomics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pywt
import SimpleITK as sitk
from numpy.typing import DTypeLike, NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.columns import image_names
from radiobone.features.radiomics.crops import wavelet_crop
from radiobone.features.radiomics.native.wavelet import wavelet_images
from radiobone.features.radiomics.region import Region
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging.volumes import Box


def noise(shape: tuple[int, ...], dtype: DTypeLike = np.int16, seed: int = 0) -> NDArray[Any]:
    values = np.random.default_rng(seed).normal(100, 30, shape)
    cast: NDArray[Any] = values.astype(dtype)
    return cast


def everything(image: NDArray[Any]) -> Box:
    z, y, x = (slice(0, size) for size in image.shape)
    return z, y, x


def of_pyradiomics(image: NDArray[Any], **settings: Any) -> dict[str, NDArray[Any]]:
    from radiomics import imageoperations

    generated = imageoperations.getWaveletImage(sitk.GetImageFromArray(image), None, **settings)
    return {name: sitk.GetArrayFromImage(filtered) for filtered, name, _ in generated}


def assert_same_bits(image: NDArray[Any], box: Box, expected: dict[str, NDArray[Any]], **keys: Any) -> None:
    got = list(wavelet_images(image, box, **keys))
    assert [name for name, _ in got] == list(expected)
    for name, voxels in got:
        assert voxels.dtype == expected[name].dtype
        assert voxels.flags.c_contiguous
        assert voxels.tobytes() == np.ascontiguousarray(expected[name][box]).tobytes(), name


class TestClosedForms:
    def test_constant_has_no_details(self) -> None:
        image = np.full((6, 5, 8), 3.0)
        images = dict(wavelet_images(image, everything(image), wavelet="haar"))
        for name, voxels in images.items():
            expected = 3 * 2**1.5 if name == "wavelet-LLL" else 0.0
            np.testing.assert_allclose(voxels, expected, atol=1e-14)

    @pytest.mark.parametrize(("axis", "name"), [(2, "HLL"), (1, "LHL"), (0, "LLH")])
    def test_ramp_shows_in_the_high_pass_of_its_axis(self, axis: int, name: str) -> None:
        image = np.moveaxis(np.broadcast_to(np.arange(8.0), (8, 8, 8)), 2, axis)
        box = (slice(2, 6),) * 3
        images = dict(wavelet_images(image, box, wavelet="haar"))
        high = np.array(pywt.Wavelet("haar").dec_hi)
        step = high @ np.array([1.0, 0.0])  # one voxel ahead minus the voxel itself
        np.testing.assert_allclose(images[f"wavelet-{name}"], step * 2, atol=1e-14)
        for other in {"HLL", "LHL", "LLH", "HHL", "HLH", "LHH", "HHH"} - {name}:
            np.testing.assert_allclose(images[f"wavelet-{other}"], 0, atol=1e-14)

    def test_impulse_shows_the_product_of_the_taps(self) -> None:
        image = np.zeros((12, 12, 12))
        image[6, 6, 6] = 1
        images = dict(wavelet_images(image, everything(image), wavelet="db2"))
        low, high = np.array(pywt.Wavelet("db2").dec_lo), np.array(pywt.Wavelet("db2").dec_hi)
        # Output i takes tap j from voxel i + 2 - j, so voxel 6 meets tap j in output 4 + j.
        expected = np.zeros((12, 12, 12))
        expected[4:8, 4:8, 4:8] = np.einsum("i,j,k->ijk", low, low, high)
        np.testing.assert_allclose(images["wavelet-HLL"], expected, atol=1e-16)

    def test_energy_of_an_orthogonal_wavelet_is_eightfold(self) -> None:
        image = noise((8, 10, 12), np.float64)
        images = wavelet_images(image, everything(image), wavelet="sym4")
        assert sum(float(np.sum(voxels**2)) for _, voxels in images) == pytest.approx(8 * np.sum(image**2))


class TestBits:
    @pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.float64, np.float32])
    @pytest.mark.parametrize("wavelet", ["coif1", "haar", "db4", "bior3.5", "rbio1.3", "dmey"])
    def test_whole_image_has_the_bits_of_pywavelets(self, dtype: DTypeLike, wavelet: str) -> None:
        image = noise((7, 12, 9), dtype)
        assert_same_bits(image, everything(image), of_pyradiomics(image, wavelet=wavelet), wavelet=wavelet)

    @pytest.mark.parametrize("part", [slice(0, 3), slice(9, 12), slice(16, 19), slice(4, 5)])
    @pytest.mark.parametrize("sizes", [(30, 19, 21), (19, 20, 24)])
    @pytest.mark.parametrize("wavelet", ["coif1", "db3"])
    def test_box_has_the_bits_of_the_whole(self, part: slice, sizes: tuple[int, int, int], wavelet: str) -> None:
        image = noise(sizes)
        box = (part, slice(part.start, part.stop), slice(2, 15))
        assert_same_bits(image, box, of_pyradiomics(image, wavelet=wavelet), wavelet=wavelet)

    @pytest.mark.parametrize("level", [1, 3])
    @pytest.mark.parametrize("start_level", [0, 2])
    def test_repeated_depths(self, level: int, start_level: int) -> None:
        image = noise((21, 40, 33))
        box = (slice(15, 21), slice(18, 25), slice(0, 9))
        keys: dict[str, Any] = {"level": level, "start_level": start_level, "wavelet": "coif1"}
        assert_same_bits(image, box, of_pyradiomics(image, **keys), **keys)

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_one_axis_left_out(self, axis: int) -> None:
        image = noise((9, 11, 10))
        expected = of_pyradiomics(image, force2D=True, force2Ddimension=axis, level=2)
        assert_same_bits(image, (slice(2, 6), slice(3, 9), slice(1, 7)), expected, level=2, flat_axis=axis)

    def test_filter_longer_than_the_image(self) -> None:
        image = noise((2, 5, 3))
        assert_same_bits(image, everything(image), of_pyradiomics(image, wavelet="db38"), wavelet="db38")

    @pytest.mark.parametrize("value", [-1024, 0, 1, 1000, 0.1])
    def test_rounding_noise_of_a_constant_is_that_of_pywavelets(self, value: float) -> None:
        image = noise((30, 31, 32), np.float64)
        image[8:22, 8:22, 8:22] = value
        box = (slice(13, 17),) * 3
        assert_same_bits(image, box, of_pyradiomics(image, wavelet="coif1"))

    def test_single_precision_taps_are_those_of_pywavelets(self) -> None:
        impulse = np.zeros((2, 2, 40), dtype=np.float32)
        impulse[:, :, 20] = 1
        for wavelet in ("coif1", "coif17", "db20"):
            assert_same_bits(
                impulse, everything(impulse), of_pyradiomics(impulse, wavelet=wavelet), wavelet=wavelet
            )

    @pytest.mark.parametrize("start", [0, 20, 34])
    def test_wavelet_crop_gives_the_values_of_the_whole(self, start: int) -> None:
        image = noise((41, 40, 39))
        box = (slice(start, start + 5), slice(17, 21), slice(33, 39))
        settings = Settings(wavelet="coif1", level=2)
        mask = np.ones((5, 4, 6), dtype=np.uint8)
        indices, inner = wavelet_crop(Region(image, (1.0, 1.0, 1.0), mask, box), settings)
        expected = dict(wavelet_images(image, box, level=2))
        cropped = dict(wavelet_images(image[np.ix_(*indices)], inner, level=2))
        assert list(cropped) == image_names("Wavelet", settings)
        for name, voxels in cropped.items():
            assert voxels.tobytes() == expected[name].tobytes()


def test_box_outside_is_refused() -> None:
    with pytest.raises(EngineError, match="the box is empty or leaves the image"):
        list(wavelet_images(np.zeros((4, 4, 4)), (slice(0, 2), slice(2, 2), slice(0, 2))))
