"""The resampling grid and its samples against PyRadiomics and ITK on whole images."""

from __future__ import annotations

import numpy as np
import pytest
from radiomics_scans import STRAIGHT, oblique

from radiobone.features.radiomics.bspline import Splines, resample_bspline
from radiobone.features.radiomics.grid import resampling_grid
from radiobone.imaging import Geometry, Image, Mask

SHAPE = (90, 100, 111)
PERMUTED = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


@pytest.mark.parametrize("direction", [STRAIGHT, oblique(), PERMUTED])
@pytest.mark.parametrize(
    "spacing_mm", [(3.0, 1.0, 1.0), (0.7, 0.7, 1.25), (0.5, 0.5, 0.5), (2.0, 2.0, 2.0), (1.25, 0.9765625, 0.5)]
)
@pytest.mark.parametrize(
    ("start", "stop"), [((40, 41, 39), (52, 55, 51)), ((1, 1, 1), (9, 20, 12)), ((80, 85, 90), (90, 99, 110))]
)
def test_samples_are_those_of_the_whole_image(
    start: tuple[int, ...],
    stop: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    direction: tuple[float, ...],
) -> None:
    operations = pytest.importorskip("radiomics.imageoperations")
    import SimpleITK as sitk

    rng = np.random.default_rng(0)
    geometry = Geometry(SHAPE, spacing_mm, (-113.7, 55.1, -903.3), direction)
    array = np.round(rng.normal(100, 200, SHAPE))
    array[:, :30] = -1024
    labels = np.zeros(SHAPE, np.uint8)
    box = tuple(slice(low, high) for low, high in zip(start, stop, strict=True))
    labels[box] = rng.random(np.subtract(stop, start)) > 0.3
    voi = Mask(labels, geometry).tight()
    grid = resampling_grid(geometry, voi.box, (1.0, 1.0, 1.0), 5)
    assert grid is not None
    for dtype in (np.int16, np.float64):
        image = Image(array.astype(dtype), geometry)
        expected, expected_mask = operations.resampleImage(
            image.to_sitk(),
            sitk.Cast(Mask(labels, geometry).to_sitk(), sitk.sitkUInt32),
            resampledPixelSpacing=[1, 1, 1],
            interpolator="sitkBSpline",
            padDistance=5,
        )
        np.testing.assert_array_equal(grid.resample_mask(voi), sitk.GetArrayFromImage(expected_mask))
        samples = resample_bspline(
            Splines(lambda box, image=image: image.array[box], grid.source.shape), grid, dtype
        )
        np.testing.assert_array_equal(samples, sitk.GetArrayFromImage(expected))
        assert grid.target.origin_mm == expected.GetOrigin()


def test_only_the_surroundings_of_the_voi_are_read() -> None:
    geometry = Geometry((400, 512, 512), (1.25, 0.7, 0.7))
    grid = resampling_grid(geometry, (slice(200, 220), slice(250, 290), slice(240, 300)), (1.0, 1.0, 1.0), 5)
    assert grid is not None
    sizes = []

    def read(box: tuple[slice, slice, slice]) -> np.ndarray:
        sizes.append([part.stop - part.start for part in box])
        return np.zeros(sizes[-1], np.int16)

    resample_bspline(Splines(read, grid.source.shape), grid, np.int16)
    assert len(sizes) == 1
    assert max(sizes[0]) < 200


def test_a_region_of_one_value_keeps_it() -> None:
    # Spline coefficients of a constant are rounded, so ITK's cut may lose 1; the float values may not move.
    geometry = Geometry((60, 61, 62), (1.25, 0.7, 0.7), (3.0, 4.0, 5.0), oblique())
    grid = resampling_grid(geometry, (slice(20, 30), slice(20, 30), slice(20, 30)), (1.0, 1.0, 1.0), 3)
    assert grid is not None
    samples = resample_bspline(
        Splines(lambda box: np.full([part.stop - part.start for part in box], 77.0), grid.source.shape),
        grid,
        float,
    )
    np.testing.assert_allclose(samples, 77.0, rtol=1e-13)


def test_a_ramp_is_sampled_where_the_grid_says() -> None:
    geometry = Geometry((60, 60, 60), (3.0, 1.0, 0.5))
    grid = resampling_grid(geometry, (slice(25, 35), slice(25, 35), slice(25, 35)), (1.0, 1.0, 1.0), 2)
    assert grid is not None
    depth = np.arange(60.0)[:, None, None] * np.ones((60, 60, 60))
    samples = resample_bspline(Splines(lambda box: depth[box], grid.source.shape), grid, float)
    index = geometry.index(grid.target.world(np.argwhere(np.ones(grid.target.shape))))[:, 0]
    np.testing.assert_allclose(samples.ravel(), index, atol=1e-9)


def test_nothing_is_resampled_where_the_spacing_is_right_or_the_voi_flat() -> None:
    geometry = Geometry((60, 60, 60), (3.0, 1.0, 1.0))
    thick = (slice(20, 30), slice(20, 30), slice(20, 30))
    flat = (slice(20, 21), slice(20, 30), slice(20, 30))
    assert resampling_grid(geometry, thick, (0.0, 1.0, 1.0), 5) is None
    assert resampling_grid(geometry, thick, (3.00001, 1.0, 1.0), 5) is None
    assert resampling_grid(geometry, flat, (1.0, 1.0, 1.0), 5) is None
    grid = resampling_grid(geometry, flat, (1.0, 2.0, 1.0), 5)
    assert grid is not None
    assert grid.target.spacing_mm == (3.0, 2.0, 1.0)
