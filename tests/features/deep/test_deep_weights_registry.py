"""The list of known weights: complete, honest about hashes, and its layouts."""

from __future__ import annotations

import re

import pytest

from radiobone.core.errors import ConfigError, ModelError
from radiobone.features.deep.backbones import BACKBONES
from radiobone.features.deep.weights_keys import LAYOUTS, differences, map_keys
from radiobone.features.deep.weights_registry import WEIGHTS, find_label, get_weights, weights_names


@pytest.mark.parametrize("info", WEIGHTS.values(), ids=lambda info: info.label)
def test_each_entry_says_all_that_a_user_must_know(info):
    assert info.backbone in BACKBONES
    assert info.layout in LAYOUTS
    assert info.source
    assert info.licence
    assert info.citation
    assert info.note
    assert find_label(info.label) is info
    assert info.sha256 is None or re.fullmatch("[0-9a-f]{64}", info.sha256)
    if info.url is not None:
        assert info.sha256 is not None, "a file whose hash is not known is never fetched"
        assert info.url.startswith("https://")
    if "download.pytorch.org" in info.source:
        # PyTorch's file names carry the first eight digits of the hash.
        assert re.search(r"-([0-9a-f]{8})\.pth", info.file_name)[1] == info.sha256[:8]


def test_hashes_and_file_names_are_unique():
    hashes = [info.sha256 for info in WEIGHTS.values() if info.sha256]
    names = [info.file_name for info in WEIGHTS.values()]
    assert len(set(hashes)) == len(hashes)
    assert len(set(names)) == len(names)


def test_unknown_weights_name_the_nearest_and_where_they_exist():
    with pytest.raises(ConfigError, match="did you mean 'imagenet'"):
        get_weights("resnet50", "imagnet")
    with pytest.raises(ConfigError, match="medicalnet is known for resnet10_3d, resnet18_3d"):
        get_weights("resnet50", "medicalnet")
    with pytest.raises(ConfigError, match="did you mean 'resnet50_imagenet'"):
        find_label("resnet50_imagnet")
    assert weights_names("resnet50") == ("imagenet", "imagenet_v2", "radimagenet")
    assert get_weights("resnet18_3d", "file").n_channels == 1


@pytest.mark.parametrize(
    ("layout", "key", "wanted"),
    [
        ("torchvision_resnet", "layer1.0.conv1.weight", "layer1.0.conv1.weight"),
        ("torchvision_densenet", "features.norm5.weight", "features.norm5.weight"),
        (
            "torchvision_densenet",
            "features.denseblock3.denselayer24.conv.2.weight",
            "features.denseblock3.denselayer24.layers.conv2.weight",
        ),
        (
            "torchvision_densenet",
            "features.denseblock1.denselayer1.norm1.running_var",
            "features.denseblock1.denselayer1.layers.norm1.running_var",
        ),
        ("radimagenet_resnet", "backbone.1.num_batches_tracked", "bn1.num_batches_tracked"),
        ("radimagenet_resnet", "backbone.7.2.bn3.bias", "layer4.2.bn3.bias"),
        ("radimagenet_resnet", "backbone.8.weight", "backbone.8.weight"),
        ("radimagenet_densenet", "backbone.0.conv0.weight", "features.conv0.weight"),
        (
            "radimagenet_densenet",
            "backbone.0.denseblock1.denselayer2.norm2.bias",
            "features.denseblock1.denselayer2.layers.norm2.bias",
        ),
        ("medicalnet", "module.layer2.0.downsample.1.bias", "layer2.0.downsample.1.bias"),
        ("own_resnet", "module.conv1.weight", "conv1.weight"),
        (
            "own_densenet",
            "module.features.denseblock1.denselayer1.layers.norm1.bias",
            "features.denseblock1.denselayer1.layers.norm1.bias",
        ),
        (
            "own_densenet",
            "module.features.denseblock1.denselayer1.norm.1.bias",
            "features.denseblock1.denselayer1.layers.norm1.bias",
        ),
    ],
)
def test_keys_are_renamed_by_the_rule_that_is_written_out(layout, key, wanted):
    assert map_keys({key: 1}, layout, "file") == {wanted: 1}


@pytest.mark.parametrize(
    ("layout", "head"),
    [
        ("torchvision_resnet", "fc.weight"),
        ("torchvision_densenet", "classifier.bias"),
        ("own_resnet", "module.fc.bias"),
        ("own_densenet", "class_layers.out.weight"),
    ],
)
def test_heads_are_dropped_and_nothing_that_merely_looks_like_one(layout, head):
    assert map_keys({head: 1, f"{head}_2": 2}, layout, "file").popitem()[1] == 2


def test_two_keys_of_one_meaning_are_refused():
    state = {"module.conv1.weight": 1, "conv1.weight": 2}
    with pytest.raises(ModelError, match="mean the same"):
        map_keys(state, "medicalnet", "file")


def test_only_counters_may_be_missing():
    wanted = ["bn1.weight", "bn1.num_batches_tracked"]
    assert differences(["bn1.weight"], wanted) == ([], [])
    assert differences(["bn1.num_batches_tracked", "fc.weight"], wanted) == (["bn1.weight"], ["fc.weight"])
