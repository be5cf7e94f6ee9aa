"""Deep parameter files: what is refused and with which words, names, effective values, presets."""

from __future__ import annotations

import re

import pytest

from radiobone.core.config import validate
from radiobone.core.errors import ConfigError
from radiobone.core.resources import folder
from radiobone.features.deep.columns import columns
from radiobone.features.deep.params import DeepParams, deep_names, read_deep_params

FLAT = {"backbone": "resnet18", "weights": "random", "views": ["axial"]}
SOLID = {"backbone": "resnet18_3d", "weights": "random", "views": ["volume"], "size": 64}
COUNTS = {
    "densenet121_imagenet": 3072,
    "i3resnet152_astra": 2048,
    "resnet10_3d_medicalnet": 512,
    "resnet18_3d_medicalnet": 512,
    "resnet18_imagenet": 1536,
    "resnet18_random": 1536,
    "resnet34_3d_medicalnet": 512,
    "resnet34_imagenet": 1536,
    "resnet50_3d_medicalnet": 2048,
    "resnet50_imagenet": 6144,
    "resnet50_radimagenet": 6144,
    "resnet50_triplanar_imagenet": 2048,
}


def deep(**keys: object) -> DeepParams:
    return validate(DeepParams, {**FLAT, **keys}, "deep.yaml")


def solid(**keys: object) -> DeepParams:
    return validate(DeepParams, {**SOLID, **keys}, "deep.yaml")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"backbone": "resnet81"}, "backbone: got 'resnet81', expected one of resnet18,.*did you mean 'resnet18'"),
        ({"weights": "imagnet"}, "weights: got 'imagnet', expected one of imagenet, .*did you mean 'imagenet'"),
        ({"weights": "radimagenet"}, "weights: got 'radimagenet', expected one of imagenet, random, file"),
        ({"weights": "file"}, "normalisation: say what your own weights were trained with"),
        ({"weights": "imagenet", "seed": 3}, "seed: takes effect with weights: random alone"),
        ({"layer": "denseblock1"}, "layer: got 'denseblock1', expected one of layer1, .*avgpool"),
        ({"pooling": "max"}, "pooling: avgpool is the mean of layer4; for max set layer: layer4"),
        ({"views": []}, "views: "),
        ({"views": ["axial", "axial"]}, "views: each view should be given once"),
        ({"views": ["oblique"]}, "views.0: .*axial"),
        ({"views": ["axial", "volume"]}, "views: resnet18 sees pictures, no volume"),
        ({"views": ["triplanar"], "channels": "adjacent"}, "channels: takes no effect, since triplanar"),
        ({"views": ["triplanar"], "slices": "largest"}, "slices: takes no effect, since triplanar"),
        ({"slices": "even"}, "n_slices: even wants at least 2"),
        ({"n_slices": 3}, "n_slices: largest is one slice; for several set slices: even"),
        ({"size": 31}, "size: resnet18 needs at least 32 along each edge"),
        ({"size": [64, 64, 64]}, "size: pictures are square; give one number"),
        ({"spacing_mm": [1, 1, 1]}, "spacing_mm: pictures are square; give one number"),
        ({"size": 224.5}, "size: should be a whole number above 0, or three of them along z, y and x, got 224.5"),
        ({"size": [64, 64]}, r"size: should be a whole number above 0, or three .* got \[64, 64\]"),
        ({"size": "224"}, "size: should be a whole number above 0"),
        ({"size": True}, "size: should be a whole number above 0"),
        ({"size": None}, "size"),
        ({"spacing_mm": 0}, "spacing_mm: should be a number above 0, or three .* got 0"),
        ({"spacing_mm": [1, 1, float("inf")]}, "spacing_mm: should be a number above 0"),
        ({"views": "axial"}, r"views: should be a list, such as \[axial\]"),
        (
            {"spacing_mm": 0.5, "margin_mm": 5},
            "margin_mm: takes no effect, since spacing_mm sets how much is seen",
        ),
        ({"masking": "mask", "margin_mm": 5}, "margin_mm: takes no effect, since mask shows whole slices"),
        ({"masking": "mask", "spacing_mm": 0.5}, "masking: mask shows whole slices.*crop_mask is meant"),
        ({"margin_mm": -1}, "margin_mm"),
        ({"window_hu": [800, -200]}, "window_hu: 800 should be below -200"),
        ({"window_hu": [0, float("inf")]}, "window_hu.1"),
        ({"min_voxels": 0}, "min_voxels"),
        ({"micro_batch": 0}, "micro_batch"),
        ({"microbatch": 8}, "microbatch: unknown key .did you mean 'micro_batch'"),
        ({"normalisation": "radimagenet"}, "normalisation: .*imagenet"),
    ],
)
def test_what_does_not_go_together_is_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        deep(**keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"views": ["axial"]}, "views: got axial, expected volume, since resnet18_3d is 3D"),
        ({"slices": "middle"}, "slices: takes no effect, since a volume is shown whole"),
        ({"masking": "mask"}, "masking: mask shows whole slices, which a volume does not go with"),
        ({"size": [16, 64, 64]}, "size: resnet18_3d needs at least 32"),
        ({"size": [64, 64]}, "size"),
        ({"normalisation": "imagenet"}, "normalisation: imagenet is meant for 3 channels, .* is shown 1"),
    ],
)
def test_what_volumes_do_not_go_with_is_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        solid(**keys)


def test_a_volume_has_no_usual_size():
    with pytest.raises(ConfigError, match="size: say how large the volume is"):
        validate(DeepParams, {key: value for key, value in SOLID.items() if key != "size"}, "deep.yaml")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"weights_sha256": "0" * 64}, "weights_sha256: is for weights: file alone"),
        ({"weights": "file", "normalisation": "zero_one", "weights_sha256": "ABC"}, "weights_sha256: .*pattern"),
    ],
)
def test_hashes_are_for_files_of_ones_own(keys, message):
    with pytest.raises(ConfigError, match=message):
        deep(**keys)


@pytest.mark.parametrize("key", ["backbone", "weights", "views"])
def test_what_has_no_default_has_to_be_given(key):
    with pytest.raises(ConfigError, match=f"{key}: required key is missing"):
        validate(DeepParams, {name: value for name, value in FLAT.items() if name != key}, "deep.yaml")


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"backbone": "resnet50", "weights": "imagenet"}, "resnet50"),
        ({"backbone": "resnet50", "weights": "imagenet_v2"}, "resnet50_imagenet_v2"),
        ({"backbone": "resnet50", "weights": "radimagenet", "layer": "layer3"}, "resnet50_radimagenet_layer3"),
        ({"backbone": "resnet34", "weights": "file", "normalisation": "zero_one"}, "resnet34_file"),
        ({"backbone": "densenet121", "weights": "imagenet", "layer": "denseblock2"}, "densenet121_denseblock2"),
        ({**SOLID, "weights": "medicalnet"}, "resnet18_3d_medicalnet"),
    ],
)
def test_names(keys, name):
    assert deep(**keys).name == name


def test_sizes_and_channels():
    assert deep().sizes == (224, 224)
    assert solid().sizes == (64, 64, 64)
    assert solid(size=[32, 64, 96]).sizes == (32, 64, 96)
    assert (deep().n_channels, solid().n_channels) == (3, 1)


def test_the_normalisation_is_that_of_the_weights_unless_given():
    assert deep(weights="imagenet").input_normalisation == "imagenet"
    assert deep(backbone="resnet50", weights="radimagenet").input_normalisation == "minus1_1"
    assert deep(weights="imagenet", normalisation="zscore").input_normalisation == "zscore"
    assert solid(weights="medicalnet").input_normalisation == "zscore"


class TestEffective:
    def test_what_takes_no_effect_is_none(self):
        effective = deep(weights="imagenet", spacing_mm=0.5).effective()
        idle = {key for key, value in effective.items() if value is None}
        assert idle == {"seed", "weights_sha256", "n_slices", "slice_pooling", "margin_mm", "pooling"}
        assert effective["normalisation"] == "imagenet"
        assert effective["size"] == [224, 224]

    def test_volumes_have_no_slices(self):
        effective = solid().effective()
        assert {effective[key] for key in ("channels", "slices", "n_slices", "slice_pooling")} == {None}
        assert effective["seed"] == 0

    def test_defaults_that_are_written_out_change_nothing(self):
        written = deep(seed=0, layer="avgpool", window_hu=[-200, 800], size=224, margin_mm=5, micro_batch=16)
        assert written.sha256 == deep().sha256
        assert solid(size=64, micro_batch=2).sha256 == solid(size=[64, 64, 64]).sha256
        assert (
            solid(spacing_mm=2).sha256 == solid(spacing_mm=[2, 2, 2]).sha256 != solid(spacing_mm=[2, 2, 1]).sha256
        )

    @pytest.mark.parametrize(
        "keys",
        [
            {"seed": 1},
            {"views": ["coronal"]},
            {"channels": "adjacent"},
            {"slices": "middle"},
            {"slices": "even", "n_slices": 2},
            {"window_hu": [-200, 801]},
            {"size": 192},
            {"spacing_mm": 0.5},
            {"masking": "crop_mask"},
            {"margin_mm": 4},
            {"layer": "layer4"},
            {"layer": "layer4", "pooling": "max"},
            {"normalisation": "zero_one"},
            {"min_voxels": 51},
            {"micro_batch": 8},
        ],
    )
    def test_what_takes_effect_changes_the_hash(self, keys):
        assert deep(**keys).sha256 != deep().sha256


class TestColumns:
    def test_each_view_has_its_own(self):
        found = columns(deep(views=["sagittal", "triplanar"], layer="layer2"))
        assert [column.name for column in found[:2]] == [
            "deep-resnet18_random_layer2-sagittal_0000",
            "deep-resnet18_random_layer2-sagittal_0001",
        ]
        assert [column.name for column in found].count(found[0].name) == 1
        assert len(found) == 2 * 128
        assert found[-1].name == "deep-resnet18_random_layer2-triplanar_0127"

    def test_means_come_before_maxima(self):
        found = columns(deep(layer="layer1", pooling="mean_max"))
        assert len(found) == 128
        assert found[63].meaning == "mean of channel 63 of 64 of layer1, of the largest axial slice"
        assert found[64].name.endswith("_0064")
        assert found[64].meaning == "max of channel 0 of 64 of layer1, of the largest axial slice"

    def test_they_say_what_is_pooled(self):
        assert columns(deep(slices="even", n_slices=5, slice_pooling="max"))[7].meaning == (
            "mean of channel 7 of 512 of avgpool, max over 5 axial slices"
        )
        assert columns(solid())[0].meaning.endswith("of the volume")


class TestPresets:
    def test_all_are_here(self):
        assert deep_names() == sorted(COUNTS)

    @pytest.mark.parametrize("name", sorted(COUNTS))
    def test_they_give_the_columns_that_their_first_line_promises(self, name):
        params = read_deep_params(name)
        found = columns(params)
        assert len({column.name for column in found}) == len(found) == COUNTS[name]
        text = (folder("params") / f"deep_{name}.yaml").read_text(encoding="utf-8")
        assert text.startswith(f"# {COUNTS[name]:,} columns: ")
        assert "Cite " in text or params.weights == "random"

    def test_networks_that_are_compared_see_the_same_pictures(self):
        same = ("views", "channels", "slices", "window_hu", "size", "masking", "margin_mm", "spacing_mm")
        first = read_deep_params("resnet50_imagenet")
        for name in ("resnet18_imagenet", "resnet34_imagenet", "densenet121_imagenet", "resnet50_radimagenet"):
            other = read_deep_params(name)
            assert [getattr(other, key) for key in same] == [getattr(first, key) for key in same]

    def test_random_weights_are_the_control_of_trained_ones(self):
        trained = read_deep_params("resnet18_imagenet").effective()
        control = read_deep_params("resnet18_random").effective()
        assert {key for key in trained if trained[key] != control[key]} == {"weights", "seed"}

    def test_they_are_found_with_and_without_the_beginning_of_their_file(self, tmp_path):
        assert read_deep_params("deep_resnet18_random") == read_deep_params("resnet18_random")
        own = tmp_path / "mine.yaml"
        own.write_text("{backbone: resnet18, weights: random, views: [axial]}")
        assert read_deep_params(own) == deep()
        assert read_deep_params(str(own)).name == "resnet18_random"

    def test_an_unknown_name_gets_the_nearest(self):
        with pytest.raises(ConfigError, match=r"did you mean 'resnet50_imagenet'.*got: resnet50_imagnet"):
            read_deep_params("resnet50_imagnet")
        with pytest.raises(ConfigError, match="one of densenet121_imagenet"):
            read_deep_params("original")

    def test_errors_name_the_file(self, tmp_path):
        own = tmp_path / "mine.yaml"
        own.write_text("{backbone: resnet18, weights: random}")
        with pytest.raises(ConfigError, match=re.escape(str(own))):
            read_deep_params(own)
