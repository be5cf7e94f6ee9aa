"""``radiobone extract --deep`` and ``radiobone columns --deep``, end to end."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from radiobone.cli.app import run
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.tables.features import manifest_path, read_features

deep = pytest.mark.deep


@pytest.fixture
def scan(tmp_path):
    """Write one scan with L1 and a speck of L2; return the arguments that extract it."""
    grid = Geometry((40, 24, 24), (2.0, 1.5, 1.5))
    hu = np.random.default_rng(1).integers(-200, 400, grid.shape).astype(np.int16)
    labels = np.zeros(grid.shape, np.uint8)
    labels[25:35, 6:18, 5:17] = 20
    labels[8:10, 6:9, 5:9] = 21
    write_image(Image(hu, grid), tmp_path / "ct.nii.gz")
    write_mask(Mask(labels, grid), tmp_path / "mask.nii.gz")
    out = str(tmp_path / "features.csv")
    return ["extract", str(tmp_path / "ct.nii.gz"), str(tmp_path / "mask.nii.gz"), "--scheme", "verse", "-o", out]


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("{backbone: resnet18, weights: random, views: [axial, sagittal], size: 32, micro_batch: 2}")
    return str(path)


@deep
def test_blocks_stand_in_one_table_and_a_voi_that_is_too_small_keeps_its_row(scan, own, tmp_path):
    assert run([*scan, "--params", "none", "--deep", own, "--device", "cpu"]) == 3
    out = tmp_path / "features.csv"
    features = read_features(out)
    assert features.table["status"].tolist() == ["ok", "failed"]
    assert "the VOI is too small | where: " in features.table["reason"][1]
    blocks = json.loads(manifest_path(out).read_text())["blocks"]
    names = ["density", "deep-resnet18_random-axial+sagittal"]
    assert [block["name"] for block in blocks] == names
    of_network = [name for name in features.features if name.startswith("deep-")]
    assert len(of_network) == 1024
    assert of_network[512] == "deep-resnet18_random-sagittal_0000"
    assert np.isfinite(features.table.loc[0, of_network].to_numpy(float)).all()
    assert features.table.loc[1, of_network].isna().all()


@deep
@pytest.mark.slow
def test_a_preset_beside_radiomics(scan, tmp_path):
    assert run([*scan, "--levels", "L1", "--deep", "resnet18_random", "--device", "cpu"]) == 0
    features = read_features(tmp_path / "features.csv")
    assert [len(block.columns) for block in features.manifest.blocks] == [107, 10, 1536]
    assert np.isfinite(features.table[features.features].to_numpy(float)).all()


class TestRefused:
    """Before any scan is read: none of these scans is there."""

    def refused(self, tmp_path, capsys, *arguments) -> str:
        (tmp_path / "cohort.csv").write_text("patient_id,image,mask\na,no.nii.gz,no_mask.nii.gz\n")
        out = tmp_path / "features.csv"
        assert run(["extract", "--cohort", str(tmp_path / "cohort.csv"), "-o", str(out), *arguments]) == 2
        assert not out.exists()
        return " ".join(capsys.readouterr().err.split())

    @deep
    def test_a_gpu_that_is_not_there(self, own, tmp_path, capsys, monkeypatch):
        import torch

        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert "no GPU that it can use" in self.refused(tmp_path, capsys, "--deep", own, "--device", "cuda")

    def test_a_missing_package(self, own, tmp_path, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", None)
        told = self.refused(tmp_path, capsys, "--deep", own)
        assert 'pip install "radiobone[deep]"' in told

    @deep
    def test_a_file_that_holds_no_weights(self, tmp_path, capsys):
        (tmp_path / "text.pth").write_text("no weights")
        (tmp_path / "own.yaml").write_text(
            "{backbone: resnet18, weights: file, normalisation: imagenet, views: [axial], size: 32}"
        )
        arguments = ("--deep", str(tmp_path / "own.yaml"), "--weights", str(tmp_path / "text.pth"))
        assert "text.pth" in self.refused(tmp_path, capsys, *arguments)

    @pytest.mark.parametrize("arguments", [("--weights", "a.pth"), ("--device", "cpu")])
    def test_options_that_are_for_networks_alone(self, tmp_path, capsys, arguments):
        assert "for --deep only" in self.refused(tmp_path, capsys, *arguments)

    def test_unknown_presets(self, tmp_path, capsys):
        told = self.refused(tmp_path, capsys, "--deep", "resnet50_imagnet")
        assert "did you mean 'resnet50_imagenet'" in told


def test_columns_are_described_without_pytorch(own, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(["columns", "--params", "none", "--deep", own, "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    last = "deep-resnet18_random-sagittal_0511,deep,original,1,"
    assert lines[-1] == last + '"mean of channel 511 of 512 of avgpool, of the largest sagittal slice"'
    assert run(["columns", "--deep", own, "--deep", "resnet18_random"]) == 2
    assert "columns of the same name" in capsys.readouterr().err
    assert run(["columns", "--deep", own]) == 0
    assert "then 10 of density, then 1024 of " in capsys.readouterr().out
