"""Both engines against PyRadiomics on the whole volume, on data where a naive crop goes wrong.

The PyRadiomics engine is equal to the last bit: every crop is wide enough for each filter to give every voxel the
same bits, and all that follows is the same code. Only the recursive LoG filter never quite forgets how it began:
now and then a voxel differs in the last bit of single precision, so its features may differ by 1e-9. The native
engine adds in another order, so its features may differ by 1e-9 from the same images, and by 1e-6 from LoG images.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np
import pytest
from parity import assert_parity
from radiomics_scans import ALL_FAMILIES, make_scan, oblique, scipy_before_1_17, whole_volume

from radiobone.core.config import validate
from radiobone.features.radiomics.columns import columns
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.registry import ENGINES, find_engine
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.geometry import differences

pytest.importorskip("radiomics")

TWO_FAMILIES: dict[str, Any] = {"firstorder": [], "glcm": []}
EVERYTHING = {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0, 2.0]}, "Gradient": {}}
POINTWISE = {"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}}
SCANS: dict[str, dict[str, Any]] = {
    "anisotropic": {},
    "odd sizes": {"shape": (63, 71, 75), "centre": (30.0, 33.0, 41.0)},
    "even sizes": {"shape": (64, 70, 76), "centre": (31.0, 32.0, 40.0)},
    "one slice from the lower border": {"shape": (57, 61, 63), "centre": (9.0, 10.0, 11.0)},
    "one slice from the upper border": {"shape": (57, 61, 63), "centre": (47.0, 50.0, 51.0)},
    "on the upper border, odd": {"shape": (41, 61, 63), "centre": (36.0, 30.0, 57.0)},
    "half to one millimetre": {"spacing_mm": (0.5, 0.5, 0.5)},
    "half to one millimetre, oblique": {"spacing_mm": (0.5, 0.5, 0.5), "direction": oblique()},
    "three to one millimetre": {"spacing_mm": (1.0, 1.0, 3.0), "shape": (90, 80, 35), "radii": (9.0, 8.0, 4.0)},
    "oblique": {"direction": oblique()},
    "single precision": {"dtype": np.float32},
    "double precision": {"dtype": np.float64, "spacing_mm": (3.0, 1.0, 1.0), "radii": (4.0, 8.0, 9.0)},
    "32-bit integers": {"dtype": np.int32},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "whole image": {},
    "resampled": {"resampledPixelSpacing": [1, 1, 1]},
    "precropped": {"preCrop": True, "padDistance": 7},
}


def crossed(*values: Iterable[Any]) -> list[Any]:
    """Cross lists of values. Every third is quick: these hold each value with several of the others."""
    return [
        pytest.param(*chosen, marks=() if sum(places) % 3 == 0 else pytest.mark.slow)
        for places, chosen in (zip(*numbered, strict=True) for numbered in product(*map(enumerate, values)))
    ]


def is_log(column: str) -> bool:
    return column.startswith("log-sigma")


def check(image: Image, mask: Mask, content: dict[str, Any]) -> dict[str, VoiValues]:
    """Compare every value of both engines, and the order of the columns; return what the engines gave."""
    params = validate(RadiomicsParams, content, "test")
    expected = whole_volume(image, mask, content)
    found: dict[str, VoiValues] = {}
    for name in ENGINES:
        values = find_engine(name).extract(image, {"voi": mask}, params)["voi"]
        if isinstance(values, Exception):
            raise values
        assert list(values.features) == list(expected) == [column.name for column in columns(params)]
        found[name] = values
    assert found["native"].n_grey == found["pyradiomics"].n_grey
    for chosen, relative in ((is_log, 1e-6), (lambda name: not is_log(name), 1e-9)):
        native, right = (
            {name: value for name, value in features.items() if chosen(name)}
            for features in (found["native"].features, expected)
        )
        assert_parity(native, right, relative)
    wrong = {
        name: (found["pyradiomics"].features[name], value)
        for name, value in expected.items()
        if not np.isclose(
            found["pyradiomics"].features[name],
            value,
            rtol=1e-9 if is_log(name) else 0.0,
            atol=0,
            equal_nan=True,
        )
    }
    assert not wrong, f"{len(wrong)} of {len(expected)}: {dict(list(wrong.items())[:5])}"
    return found


@pytest.mark.parametrize(("scan", "setting"), crossed(SCANS, SETTINGS))
def test_values_are_those_of_the_whole_volume(scan: str, setting: str) -> None:
    image, mask = make_scan(**SCANS[scan])
    check(image, mask, {"imageType": EVERYTHING, "featureClass": ALL_FAMILIES, "setting": SETTINGS[setting]})


@pytest.mark.parametrize(
    ("dtype", "normalised", "setting"), crossed([np.int16, np.int32, np.float32], [False, True], SETTINGS)
)
def test_statistics_come_from_the_whole_region(dtype: type, normalised: bool, setting: str) -> None:
    # Air and metal lie in two corners, far from the VOI.
    image, mask = make_scan(dtype=dtype)
    normalise = {"normalize": True, "normalizeScale": 100, "removeOutliers": 3} if normalised else {}
    content = {
        "imageType": {"Original": {}, "Wavelet": {}, **POINTWISE},
        "featureClass": {"firstorder": [], "glszm": []},
        "setting": {**SETTINGS[setting], **normalise},
    }
    check(image, mask, content)


@pytest.mark.parametrize("dtype", [np.int16, np.float64])
@pytest.mark.parametrize(
    "interpolator", ["sitkNearestNeighbor", "sitkLinear", "sitkGaussian", "sitkLanczosWindowedSinc", 2]
)
def test_other_interpolators(interpolator: str, dtype: type) -> None:
    # On a step of 3 mm to 1 mm, samples fall on voxel centres, where the last bit decides.
    image, mask = make_scan((60, 70, 40), (1.0, 0.7, 3.0), radii=(9.0, 8.0, 5.0), dtype=dtype, direction=oblique())
    content = {
        "featureClass": TWO_FAMILIES,
        "setting": {"resampledPixelSpacing": [1, 1, 1], "interpolator": interpolator},
    }
    check(image, mask, content)


@pytest.mark.parametrize(
    ("wavelet", "depths", "centre"),
    crossed(
        ["haar", "db4", "bior2.2", "dmey"],
        [{}, {"level": 2}, {"start_level": 1, "level": 2}],
        [(9.0, 10.0, 11.0), (52.0, 55.0, 58.0), (30.0, 30.0, 30.0)],
    ),
)
def test_wavelets_of_any_support_wrap_round_the_image(
    wavelet: str, depths: dict[str, int], centre: tuple[float, float, float]
) -> None:
    image, mask = make_scan((61, 66, 67), centre=centre, radii=(7.0, 8.0, 6.0))
    content = {"imageType": {"Wavelet": {"wavelet": wavelet, **depths}}, "featureClass": {"firstorder": []}}
    check(image, mask, content)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("setting", SETTINGS)
def test_force_2d(axis: int, setting: str) -> None:
    pytest.importorskip("skimage")
    image, mask = make_scan((40, 61, 63), centre=(8.0, 12.0, 50.0))
    content = {
        "imageType": {"Original": {}, "Wavelet": {}, "LBP2D": {"binWidth": 1}},
        "featureClass": {**ALL_FAMILIES, "shape": ["Sphericity"]},
        "setting": {**SETTINGS[setting], "force2D": True, "force2Ddimension": axis},
    }
    check(image, mask, content)


@pytest.mark.parametrize(("axis", "radii"), [(0, (0.9, 9.0, 8.0)), (2, (9.0, 8.0, 0.9))])
@pytest.mark.parametrize("setting", SETTINGS)
def test_one_slice_with_2d_shape(axis: int, radii: tuple[float, float, float], setting: str) -> None:
    # Along an axis on which the VOI is one voxel thick, PyRadiomics does not resample.
    image, mask = make_scan((40, 61, 63), centre=(20.0, 30.0, 31.0), radii=radii)
    assert sorted(mask.array.shape)[0] == 1
    content = {
        "featureClass": {"shape2D": [], "firstorder": [], "glcm": []},
        "setting": {**SETTINGS[setting], "force2D": True, "force2Ddimension": axis},
    }
    check(image, mask, content)


@pytest.mark.parametrize(
    ("setting", "limited", "shape_too"),
    crossed(
        SETTINGS,
        [("absolute", [60, 200]), ("relative", [0.4]), ("sigma", [-1.2, 1.5]), ("absolute", [150])],
        [False, True],
    ),
)
def test_resegmentation(setting: str, limited: tuple[str, list[float]], shape_too: bool) -> None:
    image, mask = make_scan()
    mode, limits = limited
    content = {
        "imageType": {"Original": {}, "Wavelet": {}},
        "featureClass": {"shape": [], "firstorder": [], "glcm": []},
        "setting": {
            **SETTINGS[setting], "resegmentRange": limits, "resegmentMode": mode, "resegmentShape": shape_too,
        },
    }  # fmt: skip
    check(image, mask, content)


def test_settings_of_discretisation_and_texture_reach_pyradiomics() -> None:
    pytest.importorskip("skimage")
    image, mask = make_scan()
    content = {
        "imageType": {
            "Original": {"binWidth": 10},
            "Gradient": {"gradientUseSpacing": False, "binCount": 16},
            "LBP2D": {"lbp2DRadius": 2.5, "lbp2DSamples": 12, "lbp2DMethod": "default", "binCount": 8},
        },
        "featureClass": {
            "glcm": ["Contrast", "SumAverage", "Dissimilarity"],
            "firstorder": ["StandardDeviation", "Energy"],
            "glrlm": None,
            "gldm": [],
            "ngtdm": [],
            "shape": ["Compactness2", "MeshVolume"],
        },
        "setting": {
            "distances": [1, 3], "weightingNorm": "euclidean", "gldm_a": 2, "symmetricalGLCM": False,
            "voxelArrayShift": 1000, "binWidth": "2.5e1",
        },
    }  # fmt: skip
    check(image, mask, content)


def test_no_resampling_where_the_spacing_is_already_right() -> None:
    image, mask = make_scan(spacing_mm=(1.25, 0.7, 0.7))
    setting = {"resampledPixelSpacing": [0.7, 0, 1.25], "padDistance": 6}
    check(image, mask, {"imageType": EVERYTHING, "featureClass": TWO_FAMILIES, "setting": setting})


def test_the_header_of_the_mask_anchors_the_grid() -> None:
    # NIfTI keeps its geometry in single precision, so that headers of one grid often differ in the sixth digit.
    image, mask = make_scan(spacing_mm=(3.0, 1.0, 1.0), radii=(4.0, 8.0, 9.0), direction=oblique())
    turned = oblique(13.0001, 7.0001)
    near = Geometry(image.geometry.shape, (2.999999, 1.000001, 1.0), (-113.70001, 55.1, -903.3), turned)
    assert not differences(image.geometry, near)
    content = {"imageType": EVERYTHING, "featureClass": TWO_FAMILIES, "setting": SETTINGS["resampled"]}
    check(image, Mask(mask.array, near, mask.offset), content)


@pytest.mark.filterwarnings("ignore:.*sph_harm:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*scipy.ndimage.interpolation:DeprecationWarning")
@pytest.mark.parametrize("setting", SETTINGS)
def test_local_binary_patterns_on_a_sphere(setting: str) -> None:
    pytest.importorskip("trimesh")
    image, mask = make_scan((40, 61, 130), centre=(18.0, 30.0, 55.0), radii=(4.0, 6.0, 6.0))
    content = {
        "imageType": {"LBP3D": {"binWidth": 0.5}},
        "featureClass": TWO_FAMILIES,
        "setting": SETTINGS[setting],
    }
    with scipy_before_1_17():
        check(image, mask, content)


def test_several_vois_in_one_call_do_not_disturb_each_other() -> None:
    image, first = make_scan(centre=(20.0, 20.0, 20.0))
    _, second = make_scan(centre=(45.0, 50.0, 52.0), radii=(7.0, 12.0, 5.0))
    content = {"imageType": {**EVERYTHING, **POINTWISE}, "featureClass": {"firstorder": [], "glszm": []}}
    params = validate(RadiomicsParams, content, "test")
    alone = {key: check(image, mask, content) for key, mask in (("a", first), ("b", second))}
    for name in ENGINES:
        together = find_engine(name).extract(image, {"b": second, "a": first}, params)
        assert list(together) == ["b", "a"]
        for key, values in alone.items():
            assert together[key] == values[name]


def test_the_pixel_type_matters() -> None:
    # PyRadiomics cuts resampled values to the input's type, so integers must reach the engine as such.
    image, mask = make_scan()
    content = {"featureClass": {"firstorder": []}, "setting": SETTINGS["resampled"]}
    integers = check(image, mask, content)
    floats = check(Image(image.array.astype(np.float32), image.geometry), mask, content)
    for name in ENGINES:
        means = [values[name].features["original_firstorder_Mean"] for values in (integers, floats)]
        assert means[0] != means[1]


@pytest.mark.parametrize(("setting", "warned"), [({"padDistance": 5}, True), ({"padDistance": 24}, False)])
def test_a_padding_that_is_too_small_is_honoured_and_named(setting: dict[str, int], warned: bool) -> None:
    image, mask = make_scan((90, 100, 100), (1.0, 0.8, 0.8))
    content = {
        "imageType": {"LoG": {"sigma": [3.0]}},
        "featureClass": TWO_FAMILIES,
        "setting": {**setting, "resampledPixelSpacing": [1, 1, 1]},
    }
    for values in check(image, mask, content).values():
        assert any("24 voxels" in text for text in values.warnings) is warned


def test_a_wavelet_that_takes_in_the_opposite_border_warns() -> None:
    content = {"imageType": {"Wavelet": {}}, "featureClass": {"firstorder": ["Mean"]}}
    inside = check(*make_scan(), content)
    near = check(*make_scan(centre=(10.0, 35.0, 37.0)), content)
    for name in ENGINES:
        assert not inside[name].warnings
        assert len(near[name].warnings) == 1
        assert "along z" in near[name].warnings[0]


def test_grey_levels_are_counted() -> None:
    image, mask = make_scan()
    content = {"imageType": {"Original": {}, "LoG": {"sigma": [1]}}, "featureClass": TWO_FAMILIES}
    values = check(image, mask, content)
    inside = image.array[mask.box][mask.array]
    for found in values.values():
        assert list(found.n_grey) == ["original", "log-sigma-1-mm-3D"]
        assert found.n_grey["original"] == np.unique(inside // 25).size


# Where PyRadiomics itself gives nothing, or nonsense, for reasons that are not the VOI's


@pytest.mark.parametrize("engine", ENGINES)
def test_a_voi_that_fills_the_scan_is_computed(engine: str) -> None:
    # PyRadiomics 3.0.1 takes a mask of one single value for empty, its fork for newer Pythons does not; a slice of
    # background beside it changes nothing.
    image, _ = make_scan((20, 21, 22))
    full = Mask(np.ones(image.array.shape, bool), image.geometry)
    larger = np.zeros((21, 21, 22), np.int16)
    larger[:20] = image.array
    geometry = Geometry(larger.shape, image.geometry.spacing_mm)
    part = Mask(full.array, geometry, (0, 0, 0))
    params = validate(RadiomicsParams, {"featureClass": ALL_FAMILIES}, "test")
    found = find_engine(engine).extract(image, {"voi": full}, params)["voi"]
    expected = find_engine(engine).extract(Image(larger, geometry), {"voi": part}, params)["voi"]
    assert isinstance(found, VoiValues)
    assert isinstance(expected, VoiValues)
    assert found.features == expected.features
    if sys.version_info >= (3, 12):
        assert_parity(found.features, whole_volume(image, full, {"featureClass": ALL_FAMILIES}), 1e-9)
        return
    with pytest.raises(ValueError, match="No labels found"):
        whole_volume(image, full, {})


@pytest.mark.parametrize("engine", ENGINES)
def test_whole_bin_widths_do_not_wrap_round_in_8_bit(engine: str) -> None:
    # PyRadiomics adds twice the width to the largest voxel in the pixel type; with 57.0 it does so in float64.
    image, mask = make_scan()
    image = Image(np.clip(image.array, 0, 250), image.geometry)
    params = validate(RadiomicsParams, {"featureClass": TWO_FAMILIES, "setting": {"binWidth": 57}}, "test")
    small = Image(image.array.astype(np.uint8), image.geometry)
    assert find_engine(engine).extract(small, {"voi": mask}, params) == find_engine(engine).extract(
        image, {"voi": mask}, params
    )
