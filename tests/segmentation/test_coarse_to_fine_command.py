"""Two models by the command line: the coarse one finds the box, the fine one fills it, on the scan's own grid."""

from __future__ import annotations

import json

import numpy as np
import pytest
from handmade import EDGE_LABELS, edge_weights, write_folder
from test_segmenter import ORDERS, reordered, truth

from radiobone.cli.app import run
from radiobone.imaging import Geometry, Image
from radiobone.imaging.reading import read_image, read_mask
from radiobone.imaging.writing import write_image

pytestmark = [pytest.mark.segment, pytest.mark.slow]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    write_folder(base / "coarse", [edge_weights(100.0, 1e6)], EDGE_LABELS, spacing=(3.0,) * 3)
    write_folder(base / "fine", [edge_weights()], EDGE_LABELS)
    return base


@pytest.fixture(scope="module")
def scan():
    array = np.full((60, 56, 48), -100, dtype=np.int16)
    array[20:42, 18:36, 14:32] = 800
    array[26:30, 18:36, 32:40] = 800
    turn = np.linalg.qr([[0.98, -0.15, 0.1], [0.14, 0.98, 0.12], [-0.11, -0.1, 0.99]])[0]
    turn = turn * np.sign(np.diag(turn))
    return Image(array, Geometry(array.shape, (1.0, 1.0, 1.0), (-5.3, 3.7, 900.1), tuple(turn.ravel().tolist())))


@pytest.mark.parametrize(("order", "flips"), ORDERS[::9])
def test_the_mask_is_that_of_the_fine_model_on_exactly_the_grid_of_the_file(models, scan, tmp_path, order, flips):
    there = reordered(scan, order, flips)
    write_image(there, tmp_path / "scan.nii.gz")
    out = tmp_path / "mask.nii.gz"
    arguments = ["--model", str(models / "fine"), "--coarse", str(models / "coarse"), "--margin-mm", "5"]
    code = run(["segment", str(tmp_path / "scan.nii.gz"), "-o", str(out), "--device", "cpu", *arguments])
    assert code == 0
    mask = read_mask(out)
    assert mask.geometry == read_image(tmp_path / "scan.nii.gz").geometry
    axes = [axis for axis in range(3) if flips[axis]]
    np.testing.assert_array_equal(mask.full(), np.flip(truth(scan.array).transpose(order), axes))
    manifest = json.loads((tmp_path / "mask.nii.gz.manifest.json").read_text())
    assert len({model["sha256"] for model in manifest["models"]}) == 2
    assert json.dumps(manifest).count('"margin_mm": 5.0') == 1


def test_a_scan_in_which_the_coarse_model_finds_nothing_is_told(models, scan, tmp_path, capsys):
    write_image(Image(np.full_like(scan.array, -100), scan.geometry), tmp_path / "dark.nii.gz")
    write_image(scan, tmp_path / "scan.nii.gz")
    (tmp_path / "cohort.csv").write_text("patient_id,image\np1,dark.nii.gz\np2,scan.nii.gz\n")
    arguments = ["--model", str(models / "fine"), "--coarse", str(models / "coarse"), "--device", "cpu"]
    assert run(["segment", "--cohort", str(tmp_path / "cohort.csv"), "-o", str(tmp_path / "out"), *arguments]) == 3
    told = capsys.readouterr().out
    assert "1 failed, 1 ok" in told
    assert "failed patient p1, scan 1: the coarse pass found no spine" in told
    assert [path.name for path in (tmp_path / "out/masks").iterdir()] == ["p2_1.nii.gz"]
