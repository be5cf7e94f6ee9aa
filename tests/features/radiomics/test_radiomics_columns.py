"""The catalogue of columns, without running anything, against what PyRadiomics returns."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from radiomics_scans import make_scan, whole_volume

from radiobone.core.config import validate
from radiobone.core.resources import names
from radiobone.features.radiomics.columns import columns, image_names
from radiobone.features.radiomics.params import RadiomicsParams, read_params
from radiobone.features.radiomics.settings import Settings

COUNTS = {"original": 107, "wavelet": 851, "ct_trabecular": 1130, "full": 1316}
FILES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "own order": {
        "imageType": {"LoG": {"sigma": [2, 1.5]}, "Original": {}, "SquareRoot": {}},
        "featureClass": {
            "ngtdm": None,
            "shape": ["Sphericity", "Elongation"],
            "glcm": ["Id", "Contrast", "Id"],
        },
    },
    "off by default": {
        "featureClass": {
            "firstorder": ["StandardDeviation", "Mean"],
            "shape": ["Compactness1", "Compactness2", "SphericalDisproportion", "Flatness"],
            "glcm": ["Dissimilarity", "Homogeneity1", "Homogeneity2", "SumVariance", "Id"],
            "gldm": ["DependencePercentage", "GrayLevelNonUniformityNormalized"],
        }
    },
    "depths": {
        "imageType": {"Wavelet": {"level": 3, "start_level": 1, "wavelet": "haar"}},
        "featureClass": {"firstorder": ["Mean"]},
    },
    "2D": {
        "imageType": {"Wavelet": {"level": 2}, "Gradient": {}, "Exponential": {}},
        "featureClass": {"firstorder": ["Mean"], "shape2D": []},
        "setting": {"force2D": True, "force2Ddimension": 0},
    },
    "LBP2D": {"imageType": {"LBP2D": {}, "Original": {}}, "featureClass": {"firstorder": ["Mean"]}},
    "2D for one type": {
        "imageType": {"Original": {}, "Wavelet": {"force2D": True, "force2Ddimension": 2}},
        "featureClass": {"firstorder": ["Mean"], "shape2D": [], "shape": ["Flatness"]},
    },
}


@pytest.mark.parametrize("file", FILES)
def test_names_and_order_are_pyradiomics_own(file: str) -> None:
    pytest.importorskip("radiomics")
    if file == "LBP2D":
        pytest.importorskip("skimage")
    radii = (0.9, 6.0, 7.0) if file == "2D" else (5.0, 6.0, 7.0)
    image, mask = make_scan((20, 30, 32), centre=(10.0, 15.0, 15.0), radii=radii)
    params = validate(RadiomicsParams, FILES[file], file)
    assert [column.name for column in columns(params)] == list(whole_volume(image, mask, FILES[file]))


@pytest.mark.parametrize("preset", COUNTS)
def test_presets_have_their_number_of_columns(preset: str) -> None:
    found = columns(read_params(preset))
    assert len(found) == COUNTS[preset]
    assert len({column.name for column in found}) == COUNTS[preset]


def test_every_shipped_radiomics_preset_is_counted() -> None:
    assert set(names("params")) == set(COUNTS)


@pytest.mark.parametrize("preset", ["ct_trabecular", "full"])
def test_presets_leave_the_margin_that_their_filters_need(preset: str) -> None:
    params = read_params(preset)
    settings = params.settings_of("LoG")
    assert params.setting.padDistance >= 8 * max(settings.sigma) / min(params.spacing_mm or ())


def test_names_of_local_binary_patterns_on_a_sphere() -> None:
    assert image_names("LBP3D", Settings()) == ["lbp-3D-m1", "lbp-3D-m2", "lbp-3D-k"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("original_shape_MeshVolume", "mm³"),
        ("original_firstorder_Mean", "HU"),
        ("original_firstorder_TotalEnergy", "HU²·mm³"),
        ("original_glcm_Contrast", "1"),
        ("gradient_firstorder_Variance", "(HU/mm)²"),
        ("lbp-2D_firstorder_TotalEnergy", "mm³"),
        ("lbp-2D_firstorder_Variance", "1"),
    ],
)
def test_units(name: str, unit: str) -> None:
    params = validate(RadiomicsParams, {"imageType": {"Original": {}, "Gradient": {}, "LBP2D": {}}}, "units")
    assert {column.name: column.unit for column in columns(params)}[name] == unit


def test_normalised_images_have_no_hu() -> None:
    params = validate(RadiomicsParams, {"setting": {"normalize": True}}, "normalised")
    assert not [column for column in columns(params) if "HU" in column.unit]


def test_the_catalogue_needs_no_radiomics() -> None:
    # numba, which the engines need, loads a part of scipy.
    code = (
        "import sys\n"
        "from radiobone.features.radiomics.columns import columns\n"
        "from radiobone.features.radiomics.params import read_params\n"
        "from radiobone.features.radiomics.registry import find_engine\n"
        "assert len(columns(read_params('full'))) == 1316\n"
        "assert 'scipy' not in sys.modules\n"
        "assert find_engine('pyradiomics').name == 'pyradiomics'\n"
        "assert find_engine('native').name == 'native'\n"
        "assert not {'radiomics', 'pywt', 'SimpleITK', 'scipy.special', 'scipy.ndimage'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
