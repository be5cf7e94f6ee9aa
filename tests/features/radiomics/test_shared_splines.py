"""Spline coefficients that the VOIs of a scan share: computed once, and no bit other than each VOI's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from radiomics_scans import make_scan

from radiobone.core.errors import EngineError
from radiobone.features.radiomics import bspline
from radiobone.features.radiomics.bspline import Splines
from radiobone.features.radiomics.region import seen_region, shared_splines
from radiobone.features.radiomics.settings import Settings
from radiobone.features.radiomics.whole import WholeScan
from radiobone.imaging import Image, Mask
from radiobone.imaging.volumes import Box

SETTINGS = Settings(resampledPixelSpacing=(1.0, 1.0, 1.0), padDistance=4)


def scan_with_vois(**wanted: Any) -> tuple[Image, list[Mask]]:
    """Two neighbours, and a third VOI far off along x."""
    image, first = make_scan((90, 60, 420), (1.5, 0.8, 0.8), centre=(25.0, 30.0, 30.0), **wanted)
    return image, [first, replace(first, offset=(45, 22, 26)), replace(first, offset=(30, 20, 380))]


class Counted:
    """A scan that counts how often it is read."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array, self.boxes = array, []

    def __call__(self, box: Box) -> NDArray[Any]:
        self.boxes.append(box)
        return self.array[box]


def test_neighbours_are_read_together_and_a_far_voi_alone() -> None:
    image, _ = scan_with_vois()
    read = Counted(image.array)
    near = [(slice(20, 35), slice(20, 40), slice(20, 40)), (slice(40, 55), slice(20, 40), slice(20, 40))]
    far = (slice(30, 45), slice(20, 40), slice(380, 400))
    splines = Splines(read, image.geometry.shape, [*near, far])
    for part in near:
        splines.coefficients(part)
    assert len(read.boxes) == 1
    splines.coefficients(far)
    assert len(read.boxes) == 2


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_shared_coefficients_change_no_bit(order: tuple[int, ...], dtype: type) -> None:
    image, vois = scan_with_vois(dtype=dtype)
    scan = WholeScan(image)
    splines = shared_splines(scan, [vois[index] for index in order], SETTINGS)
    assert splines is not None
    for index in order:
        alone, together = (seen_region(scan, vois[index], SETTINGS, shared) for shared in (None, splines))
        assert alone.array.tobytes() == together.array.tobytes()
        assert alone.box == together.box


def test_what_is_not_finite_beside_one_voi_does_not_concern_the_other() -> None:
    image, vois = scan_with_vois(dtype=np.float32)
    image.array[89, 30, 30] = np.nan
    near, hit = vois[0], vois[1]
    scan = WholeScan(image)
    splines = shared_splines(scan, [near, hit], SETTINGS)
    assert (
        seen_region(scan, near, SETTINGS, splines).array.tobytes()
        == seen_region(scan, near, SETTINGS).array.tobytes()
    )
    with pytest.raises(EngineError, match="resampling"):
        seen_region(scan, hit, SETTINGS, splines)


def test_coefficients_that_would_take_too_much_memory_are_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    image, _ = scan_with_vois()
    near = [(slice(20, 35), slice(20, 40), slice(20, 40)), (slice(40, 55), slice(20, 40), slice(20, 40))]
    monkeypatch.setattr(bspline, "SHARED_BYTES", 1000)
    read = Counted(image.array)
    splines = Splines(read, image.geometry.shape, near)
    for part in near:
        splines.coefficients(part)
    assert len(read.boxes) == 2


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(resampledPixelSpacing=(1, 1, 1), interpolator="sitkLinear")]
)
def test_nothing_is_planned_where_no_spline_is_used(settings: Settings) -> None:
    image, vois = scan_with_vois()
    assert shared_splines(WholeScan(image), vois, settings) is None


def test_a_voi_that_cannot_be_resampled_is_passed_over() -> None:
    image, vois = scan_with_vois()
    empty = Mask(np.zeros((0, 0, 0), bool), image.geometry)
    assert shared_splines(WholeScan(image), [empty, vois[0]], SETTINGS) is not None
