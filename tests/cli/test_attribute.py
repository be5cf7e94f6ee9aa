"""``radiobone attribute`` as a user meets it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiobone.cli.app import run
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask

GRID = Geometry((16, 24, 24), (2.0, 1.5, 1.5))


@pytest.fixture(autouse=True)
def _quiet_warnings(monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A scan with L1 and a small network; wide enough a terminal."""
    monkeypatch.chdir(tmp_path)
    labels = np.zeros(GRID.shape, np.uint8)
    labels[4:12, 6:18, 5:17] = 20
    hu = np.random.default_rng(0).integers(-200, 400, GRID.shape).astype(np.int16)
    write_image(Image(hu, GRID), tmp_path / "ct.nii.gz")
    write_mask(Mask(labels, GRID), tmp_path / "mask.nii.gz")
    Path("small.yaml").write_text("{backbone: resnet18, weights: random, views: [axial], size: 32}")
    Path("cohort.csv").write_text("patient_id,image,mask\n0012,ct.nii.gz,mask.nii.gz\nx,ct.nii.gz,none.nii.gz\n")
    return tmp_path


ONE = ["ct.nii.gz", "mask.nii.gz"]
USUAL = ["--deep", "small.yaml", "--levels", "L1", "--scheme", "verse", "--device", "cpu", "-o", "out"]


@pytest.mark.deep
def test_one_scan(folder, capsys):
    assert run(["attribute", *ONE, *USUAL, "--method", "grad_cam"]) == 0
    text = capsys.readouterr().out
    assert "1 ok" in text
    assert "axial: " in text
    assert "% of the attribution lies in the VOI" in text
    row = pd.read_csv("out/attribution.csv").iloc[0]
    assert (row.patient_id, row.level, row["view"], row.method) == ("ct", "L1", "axial", "grad_cam")
    assert Path("out", row.picture).is_file()
    assert Path("out/attribution.resume").is_dir()


@pytest.mark.deep
@pytest.mark.slow
def test_a_cohort_with_a_scan_that_fails(folder, capsys):
    assert run(["attribute", "--cohort", "cohort.csv", *USUAL, "--parts", "3", "--fill", "mean", "--fresh"]) == 3
    text = capsys.readouterr().out
    assert "1 failed, 1 ok" in text
    assert "failed x, scan 1, L1" in text
    table = pd.read_csv("out/attribution.csv", dtype=str)
    assert table.patient_id.tolist() == ["0012", "x"]
    assert not Path("out/attribution.resume").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --cohort, or an IMAGE and its MASK"),
        (["ct.nii.gz"], "give either --cohort, or an IMAGE and its MASK"),
        (
            ["ct.nii.gz", "mask.nii.gz", *USUAL, "--method", "grad_cam", "--parts", "4"],
            "for --method occlusion only",
        ),
        ([*ONE, *USUAL, "--method", "saliency"], "no such method"),
        ([*ONE, *USUAL, "--fill", "black"], "no such fill"),
        ([*ONE, *USUAL, "--target", "every"], "no such target"),
        ([*ONE, *USUAL, "--layer", "layer2"], "a layer is looked at by grad_cam alone"),
        ([*ONE, *USUAL, "--bone-hu", "2000"], "does not show this HU"),
        ([*ONE, *USUAL, "--parts", "33"], "more parts than pixels"),
    ],
)
def test_wrong_use_is_told_before_any_scan(folder, arguments, message, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["attribute", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not Path("out").exists()
