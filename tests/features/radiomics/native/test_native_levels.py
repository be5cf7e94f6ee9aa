"""Grey levels: counted by hand, then against PyRadiomics' own binning, value for value."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.native.levels import VoiGrid, bin_edges, discretise


def reference(image, mask, **settings):
    """PyRadiomics' levels of the VOI's voxels, in raster order."""
    from radiomics import imageoperations

    settings = {"binWidth": settings.get("bin_width", 25), "binCount": settings.get("bin_count")}
    inside = np.where(mask)
    levels, edges = imageoperations.binImage(image, inside, **settings)
    return levels[inside], np.asarray(edges)


def assert_same(image, mask, pad=1, **settings):
    levels, _ = reference(image, mask, **settings)
    grey = discretise(image, mask, pad=pad, **settings)
    values, ranks, counts = np.unique(levels, return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(grey.values, values)
    np.testing.assert_array_equal(grey.counts, counts)
    expected = np.zeros([size + 2 * pad for size in mask.shape], dtype=np.int32)
    expected[pad:-pad, pad:-pad, pad:-pad][mask] = ranks + 1
    np.testing.assert_array_equal(grey.padded, expected)
    np.testing.assert_array_equal(grey.inside, np.flatnonzero(expected))


def test_levels_by_hand():
    image = np.array([[[-30, -25, -1, 0, 24, 25, 99]]], dtype=np.int16)
    mask = np.array([[[1, 1, 1, 0, 1, 1, 1]]], dtype=bool)
    grey = discretise(image, mask, bin_width=25)
    np.testing.assert_array_equal(grey.padded[1, 1], [0, 1, 2, 2, 0, 3, 4, 5, 0])
    np.testing.assert_array_equal(grey.values, [1, 2, 3, 4, 6])
    np.testing.assert_array_equal(grey.counts, [1, 2, 1, 1, 1])
    assert (grey.padded[[0, 2]] == 0).all()
    assert (grey.padded[:, [0, 2]] == 0).all()
    assert grey.padded.dtype == np.int32
    assert grey.values.dtype == grey.counts.dtype == grey.inside.dtype == np.int64


def test_bin_count_puts_the_largest_voxel_into_the_last_bin():
    grey = discretise(np.arange(9.0).reshape(1, 1, 9), np.ones((1, 1, 9)), bin_count=4)
    np.testing.assert_array_equal(grey.padded[1, 1, 1:-1], [1, 1, 2, 2, 3, 3, 4, 4, 4])


@pytest.mark.parametrize("settings", [{"bin_width": 25}, {"bin_width": 0.7}, {"bin_count": 1}, {"bin_count": 32}])
@pytest.mark.parametrize("value", [0, 50, -1024, 7])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_constant_voi_has_one_level(value, dtype, settings):
    image = np.full((2, 3, 4), value, dtype=dtype)
    grey = discretise(image, np.ones(image.shape), **settings)
    assert grey.values.size == 1
    assert grey.counts.tolist() == [24]
    assert_same(image, np.ones(image.shape, dtype=bool), **settings)


def draw(rng, dtype, scale, offset):
    shape = rng.integers(1, 14, size=3)
    values = rng.normal(size=shape) * scale + offset
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        values = np.clip(np.rint(values), info.min / 2, info.max / 2)
    mask = rng.random(shape) < 0.7
    mask.flat[0] = True
    return values.astype(dtype), mask


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("bin_width", [25, 25.0, 1, 0.1, 1e-3, 100, 33.3])
def test_bin_width_equals_pyradiomics(dtype, bin_width):
    rng = np.random.default_rng(20)
    for scale, offset in [(100, 0), (300, -700), (3, 1000), (0.02, 0.05)]:
        image, mask = draw(rng, dtype, scale, offset)
        if np.issubdtype(dtype, np.integer) and bin_width < 0.1:
            image = (image // 16).astype(dtype)  # else there would be too many edges to compare quickly
        if np.dtype(dtype) == np.uint8:
            image //= 3  # room for two bins of 100 below 256
        assert_same(image, mask, pad=int(rng.integers(1, 4)), bin_width=bin_width)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_bin_count_equals_pyradiomics(dtype):
    rng = np.random.default_rng(21)
    for bin_count in [1, 2, 3, 7, 16, 32, 64, 127, 128]:
        for scale, offset in [(100, 0), (300, -700), (3, 60)]:
            assert_same(*draw(rng, dtype, scale, offset), bin_count=bin_count)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bin_width", [25, 0.1, 0.3, 1e-3])
def test_values_on_edges_and_one_bit_beside_them(dtype, bin_width):
    rng = np.random.default_rng(22)
    on = (rng.integers(-400, 400, size=3000) * bin_width).astype(dtype)
    image = np.concatenate([on, np.nextafter(on, dtype(-np.inf)), np.nextafter(on, dtype(np.inf))])
    assert_same(image.reshape(10, 30, 30), np.ones((10, 30, 30), dtype=bool), bin_width=bin_width)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("largest", "bin_width"), [(1e9, 25), (1e9, 1e5), (3e4, 1e-2), (1e-6, 1e-9), (1e30, 1e28)]
)
def test_huge_and_tiny_ranges(dtype, largest, bin_width):
    rng = np.random.default_rng(23)
    image = (largest * (1 - 1e-4 * rng.random((6, 7, 8)))).astype(dtype)
    assert_same(image, np.ones(image.shape, dtype=bool), bin_width=bin_width)
    assert_same(image, np.ones(image.shape, dtype=bool), bin_count=64)


def test_edges_that_rounding_makes_equal():
    """At 1e9, float32 has no room between two edges 25 apart: digitize counts all of them."""
    image = np.array([1e9, 1e9 + 640, 1e9 + 6400], dtype=np.float32).reshape(1, 1, 3)
    assert_same(image, np.ones((1, 1, 3), dtype=bool), bin_width=25)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_edges_that_wrap_round_in_small_pixel_types():
    for voxels in ([0, 100, 250], [100, 240, 250]):
        image = np.array(voxels, dtype=np.uint8).reshape(1, 1, 3)
        assert_same(image, np.ones((1, 1, 3), dtype=bool), bin_width=25)
    with pytest.raises(EngineError, match="range of the pixel type"):
        discretise(np.full((1, 1, 3), 250, dtype=np.uint8), np.ones((1, 1, 3)), bin_width=25)


def test_too_many_bins_are_refused_before_they_are_made():
    image = np.array([0.0, 1e12]).reshape(1, 1, 2)
    with pytest.raises(EngineError, match="too many grey levels"):
        discretise(image, np.ones((1, 1, 2)), bin_width=1e-3)


def test_edges_are_those_of_pyradiomics_to_the_bit():
    rng = np.random.default_rng(24)
    for dtype in (np.int16, np.float32, np.float64):
        for settings in ({"bin_width": 25}, {"bin_width": 0.3}, {"bin_count": 50}):
            image, mask = draw(rng, dtype, 200, -100)
            _, expected = reference(image, mask, **settings)
            edges = bin_edges(image[mask].min(), image[mask].max(), **settings)
            np.testing.assert_array_equal(edges, expected)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_gathering_from_a_box_and_from_a_larger_array(dtype):
    rng = np.random.default_rng(25)
    mask = rng.random((4, 5, 6)) < 0.5
    scan = (rng.random((9, 10, 11)) * 1000).astype(dtype)
    box = scan[2:6, 3:8, 4:10]
    grid = VoiGrid.of(mask, pad=2)
    expected = box[mask].astype(np.float64)
    np.testing.assert_array_equal(grid.gather(box), expected)
    np.testing.assert_array_equal(grid.gather(scan, grid.indices_in(scan.shape, (2, 3, 4))), expected)
    assert grid.n_voxels == mask.sum()
    padded = np.zeros(grid.padded_shape, dtype=bool)
    padded.reshape(-1)[grid.inside] = True
    np.testing.assert_array_equal(padded[2:-2, 2:-2, 2:-2], mask)
    assert padded.sum() == mask.sum()


def test_no_state_survives_a_call():
    rng = np.random.default_rng(26)
    image, mask = rng.normal(size=(5, 5, 5)) * 100, rng.random((5, 5, 5)) < 0.6
    grid = VoiGrid.of(mask)
    values = grid.gather(image)
    before = grid.discretise(values)
    kept = before.padded.copy()
    grid.discretise(values * 2)
    values[:] = 0
    np.testing.assert_array_equal(before.padded, kept)


def test_kernels_are_compiled_once_whatever_the_image():
    """Each further signature of a kernel would cost the user seconds at the first call."""
    from radiobone.features.radiomics.kernels import firstorder as firstorder_kernels
    from radiobone.features.radiomics.kernels import grey
    from radiobone.features.radiomics.native.firstorder import first_order_features, first_order_vector

    rng = np.random.default_rng(27)
    for dtype in (np.int16, np.float32, np.float64):
        for order in ("C", "F"):
            image = np.asarray(rng.normal(size=(4, 5, 6)) * 100, dtype=dtype, order=order)
            image.flags.writeable = False
            first_order_features(image, np.ones(image.shape, order=order), (1, 1, 1))
            values = VoiGrid.of(np.ones(image.shape)).gather(image)
            values.flags.writeable = False
            VoiGrid.of(np.ones(image.shape)).discretise(values)
            first_order_vector(values, np.array([120]), voxel_volume_mm3=1.0)
    for kernel in (
        grey.gather,
        grey.rank_levels,
        firstorder_kernels.order_statistics,
        firstorder_kernels.power_sums,
    ):
        assert len(kernel.signatures) <= 1


def test_wrong_use_is_refused():
    with pytest.raises(EngineError, match="the VOI is empty"):
        VoiGrid.of(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="3D mask"):
        VoiGrid.of(np.ones((2, 2)))
    grid = VoiGrid.of(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="in a box of"):
        grid.gather(np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match="for indices up to"):
        grid.gather(np.zeros((1, 1, 3)), np.array([0, 7]))
    with pytest.raises(ValueError, match="for a VOI of 8 voxels"):
        grid.discretise(np.zeros(7))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_have_no_grey_levels(wrong: float) -> None:
    # LBP3D's kurtosis is NaN in a constant region, where PyRadiomics raises an error of NumPy.
    with pytest.raises(EngineError, match="not finite"):
        discretise(np.array([[[1.0, wrong, 2.0]]]), np.ones((1, 1, 3)))
