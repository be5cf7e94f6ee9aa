"""What must not change the values: where a scan lies, how it is labelled, turned, laid out in memory, or shared.

Where the VOI lies, which label it has and how axes are numbered and directed changes no value by definition,
except

- Maximum2DDiameterColumn, -Row and -Slice, which are named after axes, and change places with them;
- MeshVolume, SurfaceArea, and what is made of them (Sphericity, SurfaceVolumeRatio): where the corners of voxels
  can be joined by triangles in more than one way, PyRadiomics' table decides by the order of the corners;
- GLCM with `symmetricalGLCM: false`: pairs are counted in one direction, which a mirror reverses;
- images whose filter starts at a corner or the border of the scan (wavelets), and the last bits of filters that
  work axis after axis in single precision (LoG).
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parity import assert_parity
from radiomics_scans import ALL_FAMILIES

from radiobone.core.config import validate
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.imaging import Geometry, Image, Mask

QUIET = settings(max_examples=15, deadline=None, derandomize=True, database=None)

CONTENT: dict[str, Any] = {
    "imageType": {"Original": {}, "LoG": {"sigma": [1.0], "binWidth": 5.0}},
    "featureClass": ALL_FAMILIES,
    "setting": {"binWidth": 20.0, "distances": [1, 2], "gldm_a": 1},
}
ALONG_AXES = ("Maximum2DDiameterColumn", "Maximum2DDiameterRow", "Maximum2DDiameterSlice")
OF_THE_MESH = ("MeshVolume", "SurfaceArea", "SurfaceVolumeRatio", "Sphericity")


def scan(seed: int, shape: tuple[int, int, int] = (15, 17, 16)) -> tuple[np.ndarray, np.ndarray]:
    """Return voxels, and a VOI of two parts with holes."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=shape)
    smooth = sum(np.roll(noise, step, axis) for axis in range(3) for step in (-1, 0, 1))
    array = np.round(100 + 30 * smooth).astype(np.int16)
    mask = np.zeros(shape, bool)
    mask[3:9, 4:12, 5:11] = rng.random((6, 8, 6)) < 0.8
    mask[10:12, 5:8, 6:9] = True
    return array, mask


def features(
    array: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], content: dict[str, Any] = CONTENT
) -> dict[str, float]:
    geometry = Geometry(array.shape, spacing, (0.0, 0.0, 0.0))
    params = validate(RadiomicsParams, content, "test")
    found = NativeEngine().extract(Image(array, geometry), {"voi": Mask(mask, geometry)}, params)["voi"]
    assert isinstance(found, VoiValues), found
    return dict(found.features)


def only(values: dict[str, float], names: tuple[str, ...]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name.rpartition("_")[2] in names}


@QUIET
@given(seed=st.integers(0, 10**6), by=st.tuples(*[st.integers(0, 9)] * 3), label=st.integers(1, 255))
def test_place_and_label_do_not_matter(seed: int, by: tuple[int, int, int], label: int) -> None:
    array, mask = scan(seed)
    spacing = (1.3, 0.7, 0.9)
    content = {**CONTENT, "imageType": {"Original": {}, "Gradient": {}}}
    larger = np.zeros(tuple(size + 18 for size in array.shape), np.int16)
    labels = np.zeros(larger.shape, np.uint8)
    place = tuple(slice(start, start + size) for start, size in zip(by, array.shape, strict=True))
    larger[place], labels[place] = array, mask.astype(np.uint8) * label
    assert features(larger, labels, spacing, content) == features(array, mask, spacing, content)


@QUIET
@given(
    seed=st.integers(0, 10**6),
    order=st.sampled_from(list(itertools.permutations(range(3)))),
    flips=st.tuples(*[st.booleans()] * 3),
)
def test_turns_and_mirrors_do_not_matter(seed: int, order: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    array, mask = scan(seed)
    spacing = (1.3, 0.7, 0.9)
    content = {**CONTENT, "imageType": {"Original": {}, "Square": {}}}
    steps = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    turned, turned_mask = (np.ascontiguousarray(held.transpose(order)[steps]) for held in (array, mask))
    before = features(array, mask, spacing, content)
    after = features(turned, turned_mask, tuple(spacing[axis] for axis in order), content)
    by_axis = list(only(before, ALONG_AXES).values())
    axes = (1, 2, 0)  # across which Column, Row and Slice lie
    expected = [by_axis[axes.index(order[axis])] for axis in axes]
    assert list(only(after, ALONG_AXES).values()) == pytest.approx(expected, rel=1e-12)
    assert only(after, OF_THE_MESH) == pytest.approx(only(before, OF_THE_MESH), rel=0.1)
    same = {name: value for name, value in before.items() if not name.endswith(ALONG_AXES + OF_THE_MESH)}
    assert_parity({name: after[name] for name in same}, same, 1e-11)


def vois() -> tuple[Image, dict[str, Mask]]:
    array, first = scan(1, (24, 26, 28))
    second, third = np.roll(first, (6, 7, 8), (0, 1, 2)), np.roll(first, (2, 3, 1), (0, 1, 2))
    geometry = Geometry(array.shape, (1.3, 0.7, 0.9), (0.0, 0.0, 0.0))
    return Image(array, geometry), {
        key: Mask(mask, geometry).tight() for key, mask in zip("abc", (first, second, third), strict=True)
    }


EVERYTHING = validate(
    RadiomicsParams,
    {**CONTENT, "imageType": {**CONTENT["imageType"], "Wavelet": {}, "Square": {}, "Gradient": {}, "LBP2D": {}}},
    "test",
)
RESAMPLED = validate(
    RadiomicsParams, {**CONTENT, "setting": {**CONTENT["setting"], "resampledPixelSpacing": [1, 1, 1]}}, "test"
)


@pytest.mark.parametrize("params", [EVERYTHING, RESAMPLED], ids=["whole", "resampled"])
@pytest.mark.parametrize("order", ["abc", "cab", "ba"])
def test_vois_in_one_call_are_what_they_are_alone(order: str, params: RadiomicsParams) -> None:
    image, masks = vois()
    alone = {key: NativeEngine().extract(image, {key: masks[key]}, params)[key] for key in order}
    assert NativeEngine().extract(image, {key: masks[key] for key in order}, params) == alone


@pytest.mark.parametrize("params", [EVERYTHING, RESAMPLED], ids=["whole", "resampled"])
def test_a_buffer_that_holds_another_scan_gives_that_scans_values(params: RadiomicsParams) -> None:
    # A peer keys a cache by the address of a buffer, and gives the values of the scan that was there before.
    image, masks = vois()
    other = image.array[::-1].copy()
    voi = {"a": masks["a"]}
    engine = NativeEngine()
    first = engine.extract(image, voi, params)
    image.array[:] = other
    second = engine.extract(image, voi, params)
    assert second == NativeEngine().extract(Image(other, image.geometry), voi, params)
    assert second != first
    voi["a"].array[:] = masks["b"].tight().array[::-1]
    third = engine.extract(image, voi, params)
    assert third == NativeEngine().extract(
        image, {"a": Mask(voi["a"].array.copy(), image.geometry, voi["a"].offset)}, params
    )


@pytest.mark.slow
@pytest.mark.parametrize("params", [EVERYTHING, RESAMPLED], ids=["whole", "resampled"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_layout_and_locks_of_arrays_do_not_matter(params: RadiomicsParams, dtype: type) -> None:
    image, masks = vois()
    array = image.array.astype(dtype)
    engine = NativeEngine()
    expected = engine.extract(Image(array, image.geometry), masks, params)
    locked = array.copy()
    locked.flags.writeable = False
    wide = np.zeros(tuple(2 * size for size in array.shape), dtype)
    wide[::2, ::2, ::2] = array
    for held in (locked, np.asfortranarray(array), wide[::2, ::2, ::2], array[::-1].copy()[::-1]):
        strange = {}
        for key, mask in masks.items():
            inside = np.asfortranarray(mask.array)
            inside.flags.writeable = False
            strange[key] = Mask(inside, mask.geometry, mask.offset)
        assert engine.extract(Image(held, image.geometry), strange, params) == expected
    assert np.array_equal(locked, array), "the caller's voxels stay as they are"


@pytest.mark.parametrize("params", [EVERYTHING, RESAMPLED], ids=["whole", "resampled"])
def test_threads_do_not_disturb_each_other(params: RadiomicsParams) -> None:
    image, masks = vois()
    engine = NativeEngine()
    jobs = [Image(image.array + np.int16(step), image.geometry) for step in range(4)]
    expected = [engine.extract(job, masks, params) for job in jobs]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda job: engine.extract(job, masks, params), jobs * 3))
    assert found == expected * 3
