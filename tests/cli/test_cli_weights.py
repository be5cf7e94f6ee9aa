"""``radiobone weights``: the list, fetching, recognising."""

from __future__ import annotations

import dataclasses
import hashlib
from types import MappingProxyType

import pytest

from radiobone.cli.app import run
from radiobone.features.deep import weights, weights_registry
from radiobone.features.deep.weights_registry import WEIGHTS

CONTENT = b"a file"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("RADIOBONE_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def published(monkeypatch):
    """Let CONTENT be the published file of resnet18's weights, and the network a folder."""
    key = ("resnet18", "imagenet")
    changed = MappingProxyType({**WEIGHTS, key: dataclasses.replace(WEIGHTS[key], sha256=SHA256)})
    for module in (weights, weights_registry):
        monkeypatch.setattr(module, "WEIGHTS", changed)

    def fetch(url, path, sha256):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)

    monkeypatch.setattr(weights, "fetch", fetch)


def test_the_list_tells_licence_source_and_whether_a_file_is_there(cache, capsys):
    cache.mkdir()
    (cache / WEIGHTS["resnet34", "imagenet"].file_name).write_bytes(CONTENT)
    assert run(["weights"]) == 0
    told = capsys.readouterr().out
    assert str(cache) in told
    for info in WEIGHTS.values():
        assert info.label in told
        assert info.licence in told
        assert info.source in told
    lines = told.splitlines()
    assert next(line for line in lines if line.startswith("resnet34_imagenet")).split()[1] == "there,"
    assert "fetched when needed" in next(line for line in lines if line.startswith("resnet18_imagenet"))
    assert "by hand" in next(line for line in lines if line.startswith("densenet121_radimagenet"))


@pytest.mark.usefixtures("published")
def test_fetching_and_checking(cache, tmp_path, capsys):
    assert run(["weights", "--fetch", "resnet18_imagenet"]) == 0
    told = capsys.readouterr().out
    path = cache / WEIGHTS["resnet18", "imagenet"].file_name
    assert path.read_bytes() == CONTENT
    assert str(path) in told
    assert "BSD-3-Clause" in told
    assert run(["weights", "--check", str(path)]) == 0
    told = capsys.readouterr().out
    assert SHA256 in told
    assert "resnet18_imagenet, as published" in told


def test_a_file_whose_hash_is_not_known_is_not_called_as_published(cache, capsys):
    cache.mkdir()
    (cache / WEIGHTS["resnet34_3d", "medicalnet"].file_name).write_bytes(CONTENT)
    assert run(["weights", "--fetch", "resnet34_3d_medicalnet"]) == 0
    told = capsys.readouterr().out
    assert f"{SHA256} which radiobone cannot check" in told
    assert "as published" not in told


def test_wrong_use_is_told(tmp_path, capsys):
    assert run(["weights", "--fetch", "resnet18_imagnet"]) == 2
    assert "did you mean 'resnet18_imagenet'" in capsys.readouterr().err
    assert run(["weights", "--fetch", "resnet50_radimagenet"]) == 2
    assert "--weights" in capsys.readouterr().err
    assert run(["weights", "--check", str(tmp_path / "none.pth")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert run(["weights", "--check", "a.pth", "--fetch", "resnet18_imagenet"]) == 2
    assert "not both" in capsys.readouterr().err


@pytest.mark.deep
@pytest.mark.slow
def test_a_file_that_is_not_known_is_named_by_its_keys(tmp_path, capsys):
    import torch

    from radiobone.features.deep.networks import build

    path = tmp_path / "own.pth"
    torch.save(build("resnet10_3d").state_dict(), path)
    assert run(["weights", "--check", str(path)]) == 0
    assert "those of resnet10_3d" in capsys.readouterr().out
    torch.save({"a": torch.zeros(1)}, path)
    assert run(["weights", "--check", str(path)]) == 0
    assert "no network" in capsys.readouterr().out
    path.write_bytes(CONTENT)
    assert run(["weights", "--check", str(path)]) == 2
    told = capsys.readouterr()
    assert hashlib.sha256(CONTENT).hexdigest() in told.out
    assert "error" in told.err
