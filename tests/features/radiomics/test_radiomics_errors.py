"""What cannot be computed: an error for this VOI alone, which says what to do; the same with either engine."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from radiomics_scans import make_scan

from radiobone.core.config import validate
from radiobone.core.errors import EngineError, MissingExtraError, UsageError
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.registry import ENGINES, find_engine
from radiobone.imaging import Image, Mask

pytest.importorskip("radiomics")

FIRST_ORDER: dict[str, Any] = {"featureClass": {"firstorder": ["Mean"]}}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Return the name of each engine in turn."""
    name: str = request.param
    return name


def extract(image: Image, mask: Mask, content: dict[str, Any], engine: str) -> Any:
    params = validate(RadiomicsParams, content, "test")
    return find_engine(engine).extract(image, {"voi": mask}, params)["voi"]


def box_mask(mask: Mask, size: tuple[int, int, int]) -> Mask:
    return replace(mask, array=np.ones(size, bool))


@pytest.mark.parametrize("setting", [{}, {"resampledPixelSpacing": [1, 1, 1]}, {"preCrop": True}])
@pytest.mark.parametrize(
    ("size", "own", "message"),
    [
        ((0, 0, 0), {}, "the VOI is empty"),
        ((1, 1, 1), {}, "one voxel"),
        ((1, 1, 4), {}, "too few dimensions"),
        ((1, 4, 4), {"minimumROIDimensions": 3}, "too few dimensions"),
        ((4, 4, 4), {"minimumROISize": 1000}, "too small"),
        ((4, 4, 4), {"resegmentRange": [5000, 6000]}, "resegmentation leaves too little of the VOI"),
    ],
)
def test_a_voi_that_cannot_be_computed(
    size: tuple[int, int, int], own: dict[str, Any], message: str, setting: dict[str, Any], engine: str
) -> None:
    image, mask = make_scan()
    error = extract(image, box_mask(mask, size), {**FIRST_ORDER, "setting": {**setting, **own}}, engine)
    assert isinstance(error, EngineError)
    assert message in str(error)
    assert error.where == "VOI voi"
    assert error.do


def test_both_engines_say_the_same() -> None:
    image, mask = make_scan()
    vois = {"empty": (0, 0, 0), "voxel": (1, 1, 1), "line": (1, 1, 4), "small": (2, 2, 2)}
    params = validate(RadiomicsParams, {**FIRST_ORDER, "setting": {"minimumROISize": 10}}, "test")
    masks = {key: box_mask(mask, size) for key, size in vois.items()}
    said = [
        {key: str(value) for key, value in find_engine(name).extract(image, masks, params).items()}
        for name in ENGINES
    ]
    assert said[0] == said[1]
    assert all("expected:" in text for text in said[0].values())


def test_a_line_is_computed_if_the_file_allows_it(engine: str) -> None:
    image, mask = make_scan()
    values = extract(
        image, box_mask(mask, (1, 1, 4)), {**FIRST_ORDER, "setting": {"minimumROIDimensions": 1}}, engine
    )
    assert isinstance(values, VoiValues)


def test_other_vois_go_on(engine: str) -> None:
    image, mask = make_scan()
    params = validate(RadiomicsParams, FIRST_ORDER, "test")
    results = find_engine(engine).extract(image, {"bad": box_mask(mask, (1, 1, 1)), "good": mask}, params)
    assert isinstance(results["bad"], EngineError)
    assert isinstance(results["good"], VoiValues)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("where", "content", "message"),
    [
        ("voi", {}, "where the VOI reads it"),
        ("beside", {"imageType": {"LoG": {"sigma": [1.0]}}}, "where LoG reads it"),
        ("beside", {"imageType": {"Wavelet": {}}}, "where Wavelet reads it"),
        ("beside", {"setting": {"resampledPixelSpacing": [1, 1, 1]}}, "where resampling reads it"),
        ("far", {"imageType": {"Square": {}}}, "a statistic of the whole image is asked for"),
        ("far", {"setting": {"normalize": True}}, "a statistic of the whole image is asked for"),
    ],
)
def test_what_is_not_finite_is_an_error_where_it_is_read(
    where: str, content: dict[str, Any], message: str, wrong: float, engine: str
) -> None:
    image, mask = make_scan((64, 70, 150), centre=(32.0, 35.0, 30.0), dtype=np.float32)
    z, y, x = {"voi": (32, 35, 30), "beside": (32, 35, 42), "far": (0, 0, 149)}[where]
    image.array[z, y, x] = wrong
    error = extract(image, mask, {**FIRST_ORDER, **content}, engine)
    assert isinstance(error, EngineError)
    assert message in str(error)


def test_what_is_not_read_does_no_harm(engine: str) -> None:
    image, mask = make_scan((64, 70, 150), centre=(32.0, 35.0, 30.0), dtype=np.float32)
    content = {**FIRST_ORDER, "imageType": {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [0.5]}}}
    before = extract(image, mask, content, engine)
    image.array[0, 0, 149] = np.nan
    assert extract(image, mask, content, engine).features == before.features


def test_an_image_too_small_for_log_is_an_error_and_not_a_missing_column(engine: str) -> None:
    image, _ = make_scan((64, 70, 75))
    thin = Image(np.ascontiguousarray(image.array[30:33]), replace(image.geometry, shape=(3, 70, 75)))
    voi = Mask(np.ones((3, 8, 8), bool), thin.geometry, (0, 30, 30))
    error = extract(thin, voi, {**FIRST_ORDER, "imageType": {"Original": {}, "LoG": {"sigma": [1.0]}}}, engine)
    assert isinstance(error, EngineError)
    assert "mage too small" in str(error) or "image is too small" in str(error)
    assert error.got
    assert error.expected
    assert "LoG" in str(error.do) or "sigma" in str(error.do)


def test_a_voi_that_vanishes_on_a_coarse_grid(engine: str) -> None:
    image, mask = make_scan()
    holes = np.zeros((9, 9, 9), bool)
    holes[0, 0, 0] = holes[-1, -1, -1] = holes[0, -1, 0] = True
    content = {**FIRST_ORDER, "setting": {"resampledPixelSpacing": [5, 5, 5], "padDistance": 0}}
    error = extract(image, replace(mask, array=holes), content, engine)
    assert isinstance(error, EngineError)
    assert "no voxel of the VOI is left after resampling" in str(error)


def test_an_image_of_one_value(engine: str) -> None:
    image, mask = make_scan()
    flat = Image(np.zeros_like(image.array), image.geometry)
    assert "one single value" in str(extract(flat, mask, {**FIRST_ORDER, "setting": {"normalize": True}}, engine))
    assert "0 everywhere" in str(extract(flat, mask, {**FIRST_ORDER, "imageType": {"Exponential": {}}}, engine))


def test_features_that_are_not_defined_stay_nan_and_are_named(engine: str) -> None:
    image, mask = make_scan()
    flat = Image(np.full_like(image.array, 50), image.geometry)
    values = extract(flat, mask, {"featureClass": {"firstorder": [], "ngtdm": [], "glcm": ["Imc1"]}}, engine)
    assert isinstance(values, VoiValues)
    undefined = [name for name, value in values.features.items() if np.isnan(value)]
    assert bool(undefined) == any("not defined" in text for text in values.warnings)


def test_unforeseen_errors_of_pyradiomics_concern_their_voi_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from radiomics import imageoperations

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("sitk::ERROR: something\n  new")

    monkeypatch.setattr(imageoperations, "checkMask", fail)
    error = extract(*make_scan(), FIRST_ORDER, "pyradiomics")
    assert isinstance(error, EngineError)
    assert "RuntimeError: sitk::ERROR: something new" in str(error)


def test_unforeseen_errors_of_the_native_engine_concern_their_voi_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from radiobone.features.radiomics.native import engine as native

    image, mask = make_scan()
    compute = native.image_features

    def fail_once(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(native, "image_features", compute)
        raise RuntimeError("something\n  new")

    monkeypatch.setattr(native, "image_features", fail_once)
    params = validate(RadiomicsParams, FIRST_ORDER, "test")
    results = find_engine("native").extract(image, {"first": mask, "second": mask}, params)
    assert isinstance(results["first"], EngineError)
    assert "RuntimeError: something new" in str(results["first"])
    assert results["first"].where == "VOI first"
    assert isinstance(results["second"], VoiValues)


def test_radiomics_writes_nothing_and_its_logger_is_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("skimage")
    log = logging.getLogger("radiomics")
    before = (list(log.handlers), log.propagate, log.level)
    values = extract(
        *make_scan(), {"imageType": {"LBP2D": {}}, "featureClass": {"glcm": ["SumAverage"]}}, "pyradiomics"
    )
    assert capfd.readouterr() == ("", "")
    assert (list(log.handlers), log.propagate, log.level) == before
    assert [text for text in values.warnings if "Local Binary Pattern in 2D" in text]


@pytest.mark.parametrize(("image_type", "module"), [("LBP2D", "skimage.feature"), ("LBP3D", "trimesh.creation")])
def test_a_filter_whose_package_is_missing_is_refused(
    image_type: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PyRadiomics itself would leave out its columns in silence.
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=image_type):
        extract(*make_scan(), {"imageType": {image_type: {}}}, "pyradiomics")


def test_engines_are_found_by_name() -> None:
    assert find_engine("pyradiomics").values_revision == 2
    assert find_engine("native").name == "native"
    with pytest.raises(UsageError, match="did you mean 'pyradiomics'"):
        find_engine("PyRadiomics")


def test_2d_shape_of_a_thick_voi_is_refused_in_words(engine: str) -> None:
    error = extract(*make_scan(), {"featureClass": {"shape2D": []}, "setting": {"force2D": True}}, engine)
    assert isinstance(error, EngineError)
    assert "shape2D needs a VOI of one slice" in str(error)
    assert "leave shape2D out" in str(error)


@pytest.mark.parametrize(("error", "advice"), [(KeyError("x"), "report it"), (MemoryError("x"), "--jobs")])
def test_the_advice_fits_what_was_not_foreseen(
    error: Exception, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from radiobone.features.radiomics.native import engine as native

    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(native, "image_features", fail)
    assert advice in str(extract(*make_scan(), FIRST_ORDER, "native").do)


def test_a_missing_package_stops_the_native_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from radiobone.features.radiomics.native import engine as native

    def fail(*args: object, **kwargs: object) -> None:
        raise MissingExtraError("the image type Wavelet needs PyWavelets")

    monkeypatch.setattr(native, "images", fail)
    with pytest.raises(MissingExtraError):
        extract(*make_scan(), FIRST_ORDER, "native")


def test_a_sigma_keeps_its_own_name_in_one_process(engine: str) -> None:
    # 1 and 1.0 are one key of a cache, but two names of columns.
    for sigma, name in ((1, "1"), (1.0, "1-0")):
        values = extract(*make_scan(), {**FIRST_ORDER, "imageType": {"LoG": {"sigma": [sigma]}}}, engine)
        assert list(values.features) == [f"log-sigma-{name}-mm-3D_firstorder_Mean"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spacing_mm": (1.25, 0.7, 0.8)}, "spacing"),
        ({"origin_mm": (-113.7, 55.1, -900.0)}, "origin"),
        ({"shape": (64, 70, 76)}, "size"),
        ({"direction": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)}, "direction"),
    ],
)
@pytest.mark.parametrize("setting", [{}, {"resampledPixelSpacing": [1, 1, 1]}])
def test_a_mask_of_another_grid_is_refused(
    change: dict[str, Any], message: str, setting: dict[str, Any], engine: str
) -> None:
    image, mask = make_scan()
    other = replace(mask, geometry=replace(mask.geometry, **change))
    error = extract(image, other, {**FIRST_ORDER, "setting": setting}, engine)
    assert isinstance(error, EngineError)
    assert "do not lie on the same grid" in str(error)
    assert message in str(error.got)


def test_headers_that_differ_in_the_sixth_digit_are_one_grid(engine: str) -> None:
    image, mask = make_scan()
    near = replace(mask.geometry, spacing_mm=(1.250001, 0.700001, 0.7))
    assert isinstance(extract(image, replace(mask, geometry=near), FIRST_ORDER, engine), VoiValues)


@pytest.mark.parametrize("dtype", ["float16", "bool", "complex64"])
def test_pixel_types_that_itk_does_not_have_are_refused_by_name(dtype: str, engine: str) -> None:
    image, mask = make_scan()
    error = extract(Image(image.array.astype(dtype), image.geometry), mask, FIRST_ORDER, engine)
    assert isinstance(error, EngineError)
    assert str(error.got) == dtype
    assert "pixel type" in str(error)


@pytest.mark.parametrize("dtype", [">i2", ">f4"])
def test_voxels_in_another_byte_order_are_the_same_voxels(dtype: str, engine: str) -> None:
    image, mask = make_scan()
    content = {**FIRST_ORDER, "imageType": {"Original": {}, "LoG": {"sigma": [1.0]}}}
    native = Image(image.array.astype(np.dtype(dtype).newbyteorder("=")), image.geometry)
    values = extract(Image(image.array.astype(dtype), image.geometry), mask, content, engine)
    assert values.features == extract(native, mask, content, engine).features


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 250), (np.int16, 32_760)])
def test_a_whole_bin_width_does_not_wrap_round_at_the_end_of_the_pixel_type(
    dtype: type, largest: int, engine: str
) -> None:
    # PyRadiomics itself adds up edges in the pixel type, and gets others than from an image of a wider type.
    image, mask = make_scan()
    array = np.clip(image.array, 0, 240) + (largest - 240)
    content = {"featureClass": {"firstorder": [], "glcm": [], "ngtdm": []}, "setting": {"binWidth": 25}}
    narrow, wide = (
        extract(Image(array.astype(kind), image.geometry), mask, content, engine) for kind in (dtype, np.int32)
    )
    assert narrow.n_grey["original"] > 8
    assert narrow.features == pytest.approx(wide.features, rel=1e-12)


@pytest.mark.parametrize("size", [(1, 1, 4), (2, 3, 4), (3, 5, 7), (9, 9, 9), (11, 20, 17)])
@pytest.mark.parametrize("setting", [{"binCount": 1}, {"binWidth": 1e5, "weightingNorm": "euclidean"}])
def test_one_grey_level_shares_no_information(size: tuple[int, int, int], setting: dict[str, Any]) -> None:
    image, mask = make_scan()
    image.array[image.array < 0] = 0
    content = {"featureClass": {"glcm": ["Imc1", "Imc2"]}, "setting": {**setting, "minimumROIDimensions": 1}}
    values = extract(image, box_mask(mask, size), content, "native")
    assert values.n_grey == {"original": 1}
    assert values.features == {"original_glcm_Imc1": 0.0, "original_glcm_Imc2": 0.0}
