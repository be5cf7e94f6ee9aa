"""Local binary patterns: closed forms, then PyRadiomics' own images."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import DTypeLike, NDArray
from radiomics_scans import scipy_before_1_17

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.columns import image_names
from radiobone.features.radiomics.native.binary_patterns import icosphere, lbp_2d, lbp_3d
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging.volumes import Box


def everything(image: NDArray[Any]) -> Box:
    z, y, x = (slice(0, size) for size in image.shape)
    return z, y, x


def with_ties(shape: tuple[int, int, int], dtype: DTypeLike, seed: int = 0) -> NDArray[Any]:
    """Return noise, of which one half has only three values."""
    image = np.random.default_rng(seed).normal(0, 5, shape)
    image[..., shape[2] // 2 :] = np.round(np.clip(image[..., shape[2] // 2 :], -1, 1))
    cast: NDArray[Any] = image.astype(dtype)
    return cast


class TestLbp2d:
    def test_constant_inside_is_all_ones(self) -> None:
        image = np.full((3, 7, 7), 5, dtype=np.int16)
        inner = (slice(0, 3), slice(2, 5), slice(2, 5))
        assert (lbp_2d(image, inner) == 8).all()
        assert (lbp_2d(image, inner, method="default") == 255).all()

    def test_peak_and_edge(self) -> None:
        image = np.zeros((1, 9, 9), dtype=np.int16)
        image[0, 4, 4] = 100
        assert lbp_2d(image, (slice(0, 1), slice(4, 5), slice(4, 5)))[0, 0, 0] == 0
        edge = np.zeros((1, 9, 9), dtype=np.int16)
        edge[0, :, 4:] = (
            100  # of the eight samples, those at or to the right of the voxel's column are not below it
        )
        assert lbp_2d(edge, (slice(0, 1), slice(4, 5), slice(4, 5)))[0, 0, 0] == 5

    def test_rotated_patterns_have_one_number(self) -> None:
        image = with_ties((1, 30, 30), np.int16)
        turned = np.rot90(image, axes=(1, 2)).copy()
        got = lbp_2d(image, everything(image), method="ror", samples=4)
        again = lbp_2d(turned, everything(turned), method="ror", samples=4)
        np.testing.assert_array_equal(np.rot90(got, axes=(1, 2)), again)

    @pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
    @pytest.mark.parametrize("method", ["default", "ror", "uniform", "var"])
    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize(("radius", "samples"), [(1.0, 8), (2.5, 11), (1.3, 4)])
    @pytest.mark.parametrize("shape", [(5, 14, 260), (6, 7, 8)])
    def test_values_are_those_of_pyradiomics(
        self, dtype: DTypeLike, method: Any, axis: int, radius: float, samples: int, shape: tuple[int, int, int]
    ) -> None:
        pytest.importorskip("skimage")
        from radiomics import imageoperations

        image = with_ties(shape, dtype)
        settings = {"lbp2DRadius": radius, "lbp2DSamples": samples, "lbp2DMethod": method}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            generated = imageoperations.getLBP2DImage(
                sitk.GetImageFromArray(image), None, force2D=True, force2Ddimension=axis, **settings
            )
            [(filtered, name, _)] = generated
        box = (slice(1, 5), slice(0, 6), slice(shape[2] - 5, shape[2]))
        got = lbp_2d(image, box, radius=radius, samples=samples, method=method, axis=axis)
        assert name == "lbp-2D"
        assert got.dtype == image.dtype
        np.testing.assert_array_equal(got, sitk.GetArrayFromImage(filtered)[box])

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_crop_with_origin_gives_the_values_of_the_whole(self, axis: int) -> None:
        image = with_ties((30, 200, 210), np.int16)
        box = (slice(10, 14), slice(150, 160), slice(180, 190))
        expected = lbp_2d(image, box, axis=axis, radius=1.3)
        crop = image[7:17, 147:163, 177:193]
        inner = (slice(3, 7), slice(3, 13), slice(3, 13))
        got = lbp_2d(crop, inner, axis=axis, radius=1.3, origin=(7, 147, 177))
        np.testing.assert_array_equal(got, expected)

    def test_too_many_samples_for_ror(self) -> None:
        with pytest.raises(EngineError, match="too many samples for ror"):
            lbp_2d(np.zeros((4, 4, 4)), (slice(0, 2),) * 3, method="ror", samples=32)


class TestIcosphere:
    @pytest.mark.parametrize(("subdivisions", "corners"), [(0, 12), (1, 42), (2, 162)])
    def test_corners_lie_on_the_sphere_and_are_all_different(self, subdivisions: int, corners: int) -> None:
        found = icosphere(subdivisions, 2.5)
        assert found.shape == (corners, 3)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 2.5, rtol=1e-14)
        assert len(np.unique(found.round(9), axis=0)) == corners
        np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-12)

    @pytest.mark.parametrize("subdivisions", [0, 1, 3])
    def test_corners_are_those_of_trimesh(self, subdivisions: int) -> None:
        creation = pytest.importorskip("trimesh.creation")
        expected = np.array(creation.icosphere(subdivisions, 1.5).vertices)
        np.testing.assert_array_equal(icosphere(subdivisions, 1.5), expected)


class TestLbp3d:
    def test_constant_has_full_pattern_and_no_kurtosis(self) -> None:
        image = np.full((9, 9, 9), 100, dtype=np.int16)
        box = (slice(3, 6),) * 3
        images = dict(lbp_3d(image, box, np.ones((3, 3, 3)), levels=1))
        # All 42 signs are 1: the coefficient is 42 Y, the part 42 Y², its norm over the corners 42 Y² sqrt(42).
        np.testing.assert_allclose(images["lbp-3D-m1"], 42 / (4 * np.pi) * np.sqrt(42), rtol=1e-12)
        assert np.isnan(images["lbp-3D-k"]).all()

    def test_peak_has_an_empty_pattern(self) -> None:
        image = np.zeros((9, 9, 9), dtype=np.int16)
        image[4, 4, 4] = 1000
        images = dict(lbp_3d(image, (slice(4, 5),) * 3, np.ones((1, 1, 1))))
        assert images["lbp-3D-m1"] == 0
        assert images["lbp-3D-m2"] == 0

    def test_outside_the_mask_is_zero_and_names_are_the_columns(self) -> None:
        image = with_ties((9, 10, 11), np.int16)
        mask = np.random.default_rng(3).random((4, 5, 6)) > 0.5
        images = dict(lbp_3d(image, (slice(2, 6), slice(2, 7), slice(2, 8)), mask, levels=3))
        assert list(images) == image_names("LBP3D", Settings(lbp3DLevels=3))
        for values in images.values():
            assert not values[~mask].any()

    @pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
    @pytest.mark.parametrize("shape", [(6, 30, 150), (5, 7, 6)])
    @pytest.mark.parametrize(("levels", "radius", "subdivisions"), [(2, 1.0, 1), (4, 1.5, 2), (2, 1.0, 0)])
    def test_values_are_those_of_pyradiomics(
        self, dtype: DTypeLike, shape: tuple[int, int, int], levels: int, radius: float, subdivisions: int
    ) -> None:
        pytest.importorskip("trimesh")
        from radiomics import imageoperations

        image = with_ties(shape, dtype)
        box = (slice(1, 4), slice(0, 6), slice(shape[2] - 6, shape[2]))
        mask = np.random.default_rng(4).random((3, 6, 6)) > 0.3
        label = np.zeros(shape, dtype=np.uint8)
        label[box] = mask
        settings = {
            "lbp3DLevels": levels,
            "lbp3DIcosphereRadius": radius,
            "lbp3DIcosphereSubdivision": subdivisions,
        }
        with warnings.catch_warnings(), scipy_before_1_17():
            warnings.simplefilter("ignore")
            generated = imageoperations.getLBP3DImage(
                sitk.GetImageFromArray(image), sitk.GetImageFromArray(label), **settings
            )
            expected = {name: sitk.GetArrayFromImage(filtered)[box] for filtered, name, _ in generated}
        got = dict(lbp_3d(image, box, mask, levels=levels, radius=radius, subdivisions=subdivisions))
        assert list(got) == list(expected)
        for name, values in got.items():
            # To the bit: a norm takes few different values, which may lie on the edges of bins.
            np.testing.assert_array_equal(values[mask], expected[name][mask])

    def test_crop_with_origin_gives_the_values_of_the_whole(self) -> None:
        image = with_ties((20, 150, 180), np.int16)
        box = (slice(8, 12), slice(70, 75), slice(90, 96))
        mask = np.ones((4, 5, 6))
        expected = dict(lbp_3d(image, box, mask))
        crop = image[:, 10:140, 30:160]
        got = dict(lbp_3d(crop, (slice(8, 12), slice(60, 65), slice(60, 66)), mask, origin=(0, 10, 30)))
        for name, values in got.items():
            np.testing.assert_array_equal(values, expected[name])


def test_box_outside_is_refused() -> None:
    with pytest.raises(EngineError, match="the box is empty or leaves the image"):
        lbp_2d(np.zeros((4, 4, 4)), (slice(0, 2), slice(2, 2), slice(0, 2)))
