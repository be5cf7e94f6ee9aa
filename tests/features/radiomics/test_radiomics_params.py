"""Parameter files: read strictly, with PyRadiomics' own defaults."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from radiobone.core.config import validate
from radiobone.core.errors import ConfigError
from radiobone.core.hashing import sha256_json
from radiobone.features.radiomics.params import RadiomicsParams, read_params
from radiobone.features.radiomics.settings import WAVELETS, Settings


def make(content: dict[str, Any]) -> RadiomicsParams:
    return validate(RadiomicsParams, content, "params.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"settings": {}}, "settings: unknown key (did you mean 'setting'?)"),
        ({"setting": {"binwidth": 5}}, "setting.binwidth: unknown key (did you mean 'binWidth'?)"),
        ({"imageType": {"Wavlet": {}}}, "imageType.Wavlet: unknown key (did you mean 'Wavelet'?)"),
        ({"imageType": {"LoG": {"sigmas": [1]}}, "setting": {"sigma": [1]}}, "(did you mean 'sigma'?)"),
        ({"featureClass": {"GLCM": []}}, "featureClass.GLCM: unknown key (did you mean 'glcm'?)"),
        ({"featureClass": {"glcm": ["Contast"]}}, "unknown feature 'Contast' (did you mean 'Contrast'?)"),
        ({"voxelSetting": {"kernelRadius": 1}}, "voxelSetting: cannot be honoured"),
        ({"setting": {"label_channel": 0}}, "setting.label_channel: cannot be honoured"),
        ({"imageType": {"Wavelet": {"padDistance": 9}}}, "padDistance takes no effect under this image type"),
        ({"imageType": {"Wavelet": {"wavelet": "coif99"}}}, "no discrete wavelet"),
        ({"imageType": {"Square": {"binWidth": None}}}, "binWidth needs a value"),
        ({"imageType": {"LoG": {}}}, "sigma is missing"),
        ({"imageType": {"LoG": {"sigma": [0]}}}, "a number of mm above 0"),
        ({"setting": {"distances": [1, 1]}}, "setting.distances: each distance should be given once"),
        ({"imageType": {"Square": {"distances": [2, 1, 2]}}}, "imageType.Square.distances"),
        ({"setting": {"binWidth": 0}}, "setting.binWidth"),
        ({"setting": {"binWidth": True}}, "setting.binWidth"),
        ({"setting": {"normalize": 1}}, "setting.normalize"),
        ({"setting": {"resampledPixelSpacing": [1, 1]}}, "setting.resampledPixelSpacing"),
        ({"setting": {"interpolator": "sitkBspline"}}, "setting.interpolator"),
        ({"setting": {"resegmentRange": [1, 2, 3]}}, "setting.resegmentRange"),
        ({"setting": {"distances": []}}, "setting.distances"),
    ],
)
def test_what_is_wrong_is_named(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(content)
    assert message in str(caught.value)
    assert "params.yaml" in str(caught.value)


def test_defaults_are_those_of_pyradiomics() -> None:
    extractor = pytest.importorskip("radiomics.featureextractor").RadiomicsFeatureExtractor
    own = Settings().model_dump(mode="json")
    for name, value in extractor._getDefaultSettings().items():
        assert own[name] == value, name
    assert make({}).image_types == make({"imageType": {}}).image_types == ("Original",)
    # A file without families switches on every one, 2D shape too.
    assert list(make({}).families) == extractor().featureClassNames


def test_every_key_of_pyradiomics_schema_is_known() -> None:
    radiomics = pytest.importorskip("radiomics")
    import yaml

    schema = yaml.safe_load(Path(radiomics.getParameterValidationFiles()[0]).read_text(encoding="utf-8"))
    assert set(schema["mapping"]) == set(RadiomicsParams.model_fields)
    assert set(schema["mapping"]["setting"]["mapping"]) == set(Settings.model_fields)
    known = make({"imageType": dict.fromkeys(radiomics.getImageTypes()), "setting": {"sigma": [1]}})
    assert known.image_types == tuple(radiomics.getImageTypes())


def test_wavelets_are_those_of_pywavelets() -> None:
    assert set(WAVELETS) == set(pytest.importorskip("pywt").wavelist(kind="discrete"))


def test_a_number_that_yaml_takes_for_text_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("setting:\n  geometryTolerance: 1e-4\n  binWidth: 25\n", encoding="utf-8")
    params = read_params(path)
    assert params.setting.geometryTolerance == 1e-4
    assert params.setting.binWidth == 25.0


def test_null_means_nothing_is_asked_for() -> None:
    params = make({"imageType": {"Original": None}, "featureClass": {"shape": None}, "setting": None})
    assert params.features("shape")[0] == "Elongation"
    assert make({"setting": {"resampledPixelSpacing": None}}).spacing_mm is None
    assert make({"setting": {"resampledPixelSpacing": [1, 2, 3], "interpolator": None}}).spacing_mm is None


def test_files_say_x_y_z_and_code_z_y_x() -> None:
    assert make({"setting": {"resampledPixelSpacing": [1, 2, 3]}}).spacing_mm == (3.0, 2.0, 1.0)


def test_an_image_type_overrides_the_setting() -> None:
    params = make({"imageType": {"Original": {}, "Wavelet": {"binWidth": 5}}, "setting": {"wavelet": "db2"}})
    assert params.settings_of("Original").binWidth == 25.0
    assert params.settings_of("Wavelet").binWidth == 5.0
    assert params.settings_of("Wavelet").wavelet == "db2"


def test_effective_parameters_are_complete_and_the_same_for_the_same_meaning() -> None:
    under_type = make({"imageType": {"Wavelet": {"wavelet": "db2"}}, "setting": {"binWidth": 25}})
    under_setting = make({"imageType": {"Wavelet": None}, "setting": {"wavelet": "db2", "interpolator": 3}})
    assert under_type.effective() == under_setting.effective()
    assert under_type.sha256 == under_setting.sha256 == sha256_json(under_type.effective())
    assert under_type.effective()["setting"]["padDistance"] == 5
    assert under_type.effective()["imageType"] == [
        {"name": "Wavelet", "start_level": 0, "level": 1, "wavelet": "db2"}
    ]


def test_the_order_of_columns_belongs_to_the_hash() -> None:
    one = make({"imageType": {"Original": {}, "Square": {}}})
    other = make({"imageType": {"Square": {}, "Original": {}}})
    assert one.sha256 != other.sha256


def test_parameters_travel_to_a_worker() -> None:
    params = make({"imageType": {"Square": {}, "Original": {}}, "featureClass": {"glcm": None, "shape": None}})
    arrived = pickle.loads(pickle.dumps(params))
    assert arrived.image_types == ("Square", "Original")
    assert arrived.families == ("glcm", "shape")
    assert arrived.sha256 == params.sha256


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not found"):
        read_params(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="did you mean 'original'"):
        read_params("orignal")
