"""Interpolation along straight axes: by hand, and against ITK's."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.features.deep.resampling import Line, resample


def test_pixels_lie_evenly_round_their_middle():
    np.testing.assert_allclose(Line(10.0, 0.5, 4).centres, [9.25, 9.75, 10.25, 10.75])


def test_a_ramp_stays_a_ramp():
    ramp = np.arange(12.0)
    found = resample(ramp, [Line(5.5, 0.3, 21)])
    np.testing.assert_allclose(found, Line(5.5, 0.3, 21).centres)


def test_a_ramp_stays_a_ramp_where_pixels_are_coarser():
    ramp = np.arange(100.0)
    line = Line(50.3, 3.7, 11)
    np.testing.assert_allclose(resample(ramp, [line]), line.centres, atol=0.2)


def test_a_constant_comes_out_exactly():
    assert np.unique(resample(np.ones((9, 40)), [Line(4.0, 0.31, 20), Line(19.7, 2.9, 9)]).astype(np.float32)) == 1


def test_pixels_of_voxels_are_the_voxels():
    array = np.random.default_rng(0).normal(size=(4, 5, 6))
    found = resample(array, [Line((size - 1) / 2, 1.0, size) for size in array.shape])
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(("step", "size"), [(0.4, 9), (0.5, 9), (0.1, 100), (1.2, 7), (3.0, 3)])
def test_a_scan_ends_where_its_outermost_voxels_end(step, size):
    line = Line(1.5, step, size)
    expected = np.where(np.abs(line.centres - 1.5) <= 2.0 + 1e-9, 8.0, 0.0)
    np.testing.assert_allclose(resample(np.full(4, 8.0), [line]), expected)


def test_coarse_pixels_are_means_weighted_by_a_triangle():
    point = np.zeros(9)
    point[4] = 1.0
    # A triangle of half width 2 has the weights 1/2, 1, 1/2 at whole distances: their sum is 2.
    np.testing.assert_allclose(resample(point, [Line(4.0, 2.0, 3)]), [0.0, 0.5, 0.0])
    np.testing.assert_allclose(resample(point, [Line(3.0, 2.0, 2)])[1], 0.5)


def test_stripes_finer_than_pixels_become_grey():
    stripes = np.tile([0.0, 1.0], 60)
    found = resample(stripes, [Line(59.5, 3.0, 30)])
    np.testing.assert_allclose(found, 0.5, atol=0.06)


def test_fine_pixels_are_those_of_itk():
    import SimpleITK as sitk

    array = np.random.default_rng(1).normal(size=(7, 11, 9))
    lines = [Line(3.1, 0.4, 12), Line(5.2, 0.25, 60), Line(3.9, 0.9, 7)]
    grid = sitk.Image([line.size for line in reversed(lines)], sitk.sitkFloat64)
    grid.SetSpacing([line.step for line in reversed(lines)])
    grid.SetOrigin([float(line.centres[0]) for line in reversed(lines)])
    theirs = sitk.Resample(sitk.GetImageFromArray(array), grid, sitk.Transform(), sitk.sitkLinear)
    np.testing.assert_allclose(resample(array, lines), sitk.GetArrayFromImage(theirs), atol=1e-12)


@pytest.mark.parametrize("step", [0.2, 1.0, 2.6])
def test_only_the_voxels_that_are_told_are_read(step):
    array = np.random.default_rng(2).normal(size=80)
    line = Line(37.3, step, 9)
    read = line.voxels(80)
    assert read.stop - read.start < 40
    found = resample(array[read], [line.from_voxel(read.start)])
    np.testing.assert_allclose(found, resample(array, [line]), atol=1e-13)
