"""The compiled loops of resampling against ITK, to the last bit."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from radiomics_scans import STRAIGHT, oblique

from radiobone.features.radiomics import bspline
from radiobone.features.radiomics.grid import ResamplingGrid, header, resampling_grid
from radiobone.features.radiomics.kernels import bspline as kernels
from radiobone.imaging import Geometry, Image, Mask

FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
ALMOST = (1.0, 1e-9, 0.0, -1e-9, 1.0, 0.0, 0.0, 0.0, 1.0)


def coefficients_by_itk(array: NDArray[np.float64]) -> NDArray[np.float64]:
    result = sitk.BSplineDecomposition(sitk.GetImageFromArray(array), 3)
    return np.asarray(sitk.GetArrayFromImage(result), np.float64)


def samples_by_itk(image: Image, grid: ResamplingGrid, interpolator: int, pixel: int) -> NDArray[Any]:
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(header(grid.target))
    resample.SetSize(grid.target.shape[::-1])
    resample.SetInterpolator(interpolator)
    resample.SetOutputPixelType(pixel)
    return np.asarray(sitk.GetArrayFromImage(resample.Execute(image.to_sitk())))


def coefficients(array: NDArray[np.float64], low: int = 0) -> NDArray[np.float64]:
    result = np.empty((len(array), *(size - 2 * low for size in array.shape[1:])))
    for plane, filtered in zip(array, result, strict=True):
        kernels.slice_coefficients(plane, low, low, filtered)
    kernels.filter_slices(result)
    return result


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (17, 18, 19), (20, 1, 35), (7, 33, 16), (40, 50, 31)])
def test_coefficients_are_those_of_itk(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    for array in (
        rng.normal(100, 300, shape),
        np.round(rng.normal(100, 300, shape)),
        np.full(shape, 77.0),
        np.where(rng.random(shape) > 0.9, 3071.0, -1024.0),
    ):
        np.testing.assert_array_equal(coefficients(array), coefficients_by_itk(array))


def test_a_part_has_the_coefficients_of_the_whole() -> None:
    array = np.random.default_rng(1).normal(0, 500, (30, 41, 52))
    np.testing.assert_array_equal(coefficients(array, 5), coefficients_by_itk(array)[:, 5:-5, 5:-5])


def random_direction(seed: int) -> tuple[float, ...]:
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return tuple(turned.ravel().tolist())


@pytest.mark.parametrize("direction", [STRAIGHT, FLIPPED, ALMOST, oblique(), *map(random_direction, range(5))])
def test_lines_begin_and_end_where_itk_puts_them(direction: tuple[float, ...]) -> None:
    source = Geometry((40, 50, 60), (1.25, 0.7, 0.68359375), (-113.7, 55.1, -903.3), direction)
    target = Geometry((11, 12, 13), (1.0, 1.1, 0.9), (-100.123, 61.3, -880.7), direction)
    ends = ResamplingGrid(source, target).ends
    there, back = header(target), header(source)
    for z, y, (end, x) in product(range(11), range(12), ((0, 0), (1, 13))):
        point = there.TransformIndexToPhysicalPoint((x, y, z))
        assert tuple(ends[end, z, y, ::-1]) == back.TransformPhysicalPointToContinuousIndex(point)


def test_axes_are_apart_only_where_no_bit_says_otherwise() -> None:
    box = (slice(10, 20), slice(12, 30), slice(15, 40))
    for direction, apart in ((STRAIGHT, True), (FLIPPED, True), (oblique(), False), (ALMOST, False)):
        geometry = Geometry((40, 50, 60), (1.25, 0.7, 0.7), (-113.7, 55.1, -903.3), direction)
        grid = resampling_grid(geometry, box, (1.0, 1.0, 1.0), 5)
        assert grid is not None
        assert (grid.axes is not None) == apart


@pytest.mark.parametrize("direction", [STRAIGHT, FLIPPED, ALMOST, oblique(), random_direction(3)])
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_samples_reach_beyond_the_border_as_those_of_itk(direction: tuple[float, ...], dtype: type) -> None:
    # The grid begins before the image and ends behind it, and the image is shorter than ITK's horizon along z.
    rng = np.random.default_rng(2)
    geometry = Geometry((9, 30, 33), (2.5, 0.7, 0.8), (10.0, -20.0, 30.0), direction)
    image = Image(np.round(rng.normal(120, 80, geometry.shape)).clip(0, 255).astype(dtype), geometry)
    origin = image.to_sitk().TransformContinuousIndexToPhysicalPoint((-2.3, -1.7, -1.2))
    grid = ResamplingGrid(geometry, Geometry((25, 27, 35), (1.0, 1.0, 0.9), origin, direction))
    labels = (rng.random(geometry.shape) > 0.5).astype(np.uint8)
    found = bspline.resample_bspline(bspline.Splines(lambda box: image.array[box], grid.source.shape), grid, dtype)
    expected = samples_by_itk(image, grid, sitk.sitkBSpline, image.to_sitk().GetPixelID())
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    expected = samples_by_itk(Image(labels, geometry), grid, sitk.sitkNearestNeighbor, sitk.sitkUInt8)
    np.testing.assert_array_equal(grid.resample_mask(Mask(labels, geometry)), expected)


def test_a_mask_may_hold_only_a_box() -> None:
    geometry = Geometry((30, 31, 32), (1.5, 0.7, 0.8), (1.0, 2.0, 3.0), oblique())
    labels = np.zeros(geometry.shape, bool)
    labels[11:20, 10:25, 3:17] = True
    grid = resampling_grid(geometry, (slice(11, 20), slice(10, 25), slice(3, 17)), (1.0, 1.0, 1.0), 4)
    assert grid is not None
    whole = Mask(labels, geometry)
    assert grid.resample_mask(whole).any()
    np.testing.assert_array_equal(grid.resample_mask(whole.tight()), grid.resample_mask(whole))


def test_samples_do_not_depend_on_how_much_is_read() -> None:
    # VOIs of one scan read overlapping parts of it; flat regions, in which rounding swings for ever, are the trap.
    rng = np.random.default_rng(4)
    geometry = Geometry((150, 160, 170), (1.25, 0.7, 0.7), (-113.7, 55.1, -903.3))
    array = np.round(rng.normal(100, 200, geometry.shape)).astype(np.int16)
    array[:80] = -1024
    array[:, 90:] = 77
    grid = resampling_grid(geometry, (slice(60, 90), slice(70, 100), slice(70, 100)), (1.0, 1.0, 1.0), 3)
    assert grid is not None
    found = bspline.resample_bspline(bspline.Splines(lambda box: array[box], grid.source.shape), grid, np.float64)
    expected = samples_by_itk(Image(array, geometry), grid, sitk.sitkBSpline, sitk.sitkFloat64)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_samples_beyond_a_pixel_type_stop_at_its_end(dtype: type) -> None:
    found = bspline._cast(np.array([-1e30, 7.9, 1e30]), np.dtype(dtype))
    limits = np.iinfo(dtype)
    assert found[0] == limits.min
    assert found[1] == 7
    assert limits.max - 2048 < int(found[2]) <= limits.max
