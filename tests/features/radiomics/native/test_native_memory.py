"""A VOI that needs more memory than the limit is refused beforehand, with an estimate that holds."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from radiomics_scans import make_scan

from radiobone.core.config import validate
from radiobone.core.errors import EngineError
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.native import engine as native
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.imaging import Geometry, Image, Mask

FIRST_ORDER: dict[str, Any] = {"featureClass": {"firstorder": []}}


def noise(side: int, radius: float) -> tuple[Image, Mask]:
    array = np.random.default_rng(0).integers(-1000, 2000, (side, side, side)).astype(np.int16)
    geometry = Geometry(array.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    distance = np.linalg.norm(np.indices(array.shape) - side / 2, axis=0)
    return Image(array, geometry), Mask(distance < radius, geometry).tight()


def test_matrices_of_thousands_of_grey_levels_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, mask = noise(30, 12)
    params = validate(
        RadiomicsParams, {"featureClass": {"firstorder": [], "glcm": []}, "setting": {"binWidth": 1.0}}, "test"
    )
    made = []
    monkeypatch.setattr(native, "image_features", lambda *args: made.append(args))
    error = NativeEngine(memory_limit_gb=0.1).extract(image, {"voi": mask}, params)["voi"]
    assert isinstance(error, EngineError)
    n_grey = np.unique(image.array[mask.box][mask.array]).size
    assert n_grey > 2000
    assert f"texture matrices of {n_grey} grey levels in the image original" in str(error)
    estimate = float(str(error.got).split()[1])
    assert estimate == pytest.approx((13 + 4) * n_grey**2 * 4e-9, rel=0.1)  # of 13 angles, four at a time
    assert error.expected == "at most 0.1 GB"
    assert "binWidth" in str(error.do)
    assert not made


@pytest.mark.parametrize(
    ("image_type", "limit_mb"),
    [("LoG", 1.2), ("Wavelet", 2.0), ("Gradient", 0.8), ("Square", 0.6), ("Original", 0.6), ("LBP2D", 0.8)],
)
def test_a_filter_beyond_the_limit_is_refused_and_other_vois_go_on(image_type: str, limit_mb: float) -> None:
    image, mask = make_scan(dtype=np.float32)
    small = Mask(np.ones((3, 3, 3), bool), mask.geometry, (30, 30, 30))
    types = {image_type: {"sigma": [1.0]} if image_type == "LoG" else {}}
    params = validate(RadiomicsParams, {**FIRST_ORDER, "imageType": types}, "test")
    large = Mask(np.ones((30, 32, 34), bool), mask.geometry, (5, 6, 7))
    limited = NativeEngine(memory_limit_gb=limit_mb / 1000)
    found = limited.extract(image, {"large": large, "small": small}, params)
    assert isinstance(found["large"], EngineError)
    assert f"the image type {image_type}" in str(found["large"])
    assert found["large"].where == "VOI large"
    if image_type != "LoG":  # whose crop is larger than any VOI of this scan
        assert isinstance(found["small"], VoiValues)
    assert isinstance(NativeEngine().extract(image, {"large": large}, params)["large"], VoiValues)


@pytest.mark.parametrize("interpolator", ["sitkBSpline", "sitkLinear"])
@pytest.mark.parametrize("spacing", [[1e-4, 1e-4, 1e-4], [1e-300, 1, 1]])
def test_a_grid_beyond_the_limit_is_refused_before_it_is_made(spacing: list[float], interpolator: str) -> None:
    image, mask = make_scan()
    setting = {"resampledPixelSpacing": spacing, "interpolator": interpolator}
    params = validate(RadiomicsParams, {**FIRST_ORDER, "setting": setting}, "test")
    engine = NativeEngine(memory_limit_gb=1)
    engine.prepare(params)
    found = engine.extract(image, {"one": mask, "two": mask}, params)
    for key in ("one", "two"):
        assert isinstance(found[key], EngineError)
        assert "GB for a resampled region" in str(found[key])
        assert found[key].where == f"VOI {key}"


def test_only_the_voi_whose_grid_is_beyond_the_limit_is_refused() -> None:
    image, large = make_scan()
    small = Mask(np.ones((3, 3, 3), bool), large.geometry, (30, 30, 30))
    params = validate(RadiomicsParams, {**FIRST_ORDER, "setting": {"resampledPixelSpacing": [0.5] * 3}}, "test")
    found = NativeEngine(memory_limit_gb=0.003).extract(image, {"large": large, "small": small}, params)
    assert "a resampled region" in str(found["large"])
    assert isinstance(found["small"], VoiValues)
    assert found["small"] == NativeEngine().extract(image, {"small": small}, params)["small"]


def test_distances_take_no_more_than_the_box_needs() -> None:
    image, mask = make_scan()
    found = []
    for distances in ([1], [1, 3000]):
        content = {"featureClass": {"glcm": [], "gldm": []}, "setting": {"distances": distances}}
        params = validate(RadiomicsParams, content, "test")
        found.append(NativeEngine(memory_limit_gb=1).extract(image, {"voi": mask}, params)["voi"])
    assert isinstance(found[0], VoiValues)
    assert found[0] == found[1]


def test_distances_beyond_the_limit_are_refused_before_angles_are_made() -> None:
    image, mask = make_scan()
    content = {"featureClass": {"glcm": []}, "setting": {"distances": [1, 15]}}
    params = validate(RadiomicsParams, content, "test")
    error = NativeEngine(memory_limit_gb=0.0005).extract(image, {"voi": mask}, params)["voi"]
    assert "GB for distances of up to 15 voxels" in str(error)


PEAK = """
import sys
import numpy as np
from radiobone.core.config import validate
from radiobone.features.radiomics.native import memory
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.imaging import Geometry, Image, Mask

def status(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))

side, radius, content = int(sys.argv[1]), float(sys.argv[2]), eval(sys.argv[3])
array = np.random.default_rng(0).integers(-1000, 2000, (side, side, side)).astype(sys.argv[4])
geometry = Geometry(array.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
z, y, x = (axis - side / 2 for axis in np.ogrid[:side, :side, :side])
mask = Mask(z**2 + y**2 + x**2 < radius**2, geometry).tight()
params = validate(RadiomicsParams, content, "test")
engine, asked = NativeEngine(), []
engine.prepare(params)
memory._refuse_beyond = lambda needed, *rest: asked.append(needed)
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
engine.extract(Image(array, geometry), {"voi": mask}, params)
print(max(asked), status("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("side", "radius", "dtype", "content"),
    [
        (180, 60, "int16", {**FIRST_ORDER, "imageType": {"LoG": {"sigma": [3.0]}}}),
        (250, 60, "float64", {**FIRST_ORDER, "imageType": {"LoG": {"sigma": [3.0]}}}),
        (200, 60, "int16", {**FIRST_ORDER, "imageType": {"Wavelet": {"level": 2}}}),
        (200, 60, "int16", {**FIRST_ORDER, "imageType": {"Gradient": {}}}),
        (200, 60, "int16", {**FIRST_ORDER, "imageType": {"Square": {}}}),
        (120, 40, "int16", {**FIRST_ORDER, "setting": {"resampledPixelSpacing": [0.4] * 3, "binCount": 8}}),
        (120, 40, "int16", {"featureClass": {"glcm": ["Id"]}, "setting": {"distances": [50], "binCount": 2}}),
        (120, 30, "int16", {"featureClass": {"glcm": []}, "setting": {"binWidth": 2.0}}),
        (
            120,
            50,
            "int16",
            {"featureClass": {"glrlm": [], "glszm": [], "ngtdm": []}, "setting": {"binWidth": 2.0}},
        ),
    ],
)
def test_the_estimate_is_within_a_factor_of_two_of_the_peak(
    side: int, radius: float, dtype: str, content: dict[str, Any]
) -> None:
    # tracemalloc does not see what ITK allocates, so the peak of a process of its own is read.
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(side), str(radius), repr(content), dtype],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    estimate, peak = (int(value) for value in done.stdout.split())
    assert peak / 2 < estimate < peak * 2, (estimate, peak)
