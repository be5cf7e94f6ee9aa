"""New VOIs on their way into the feature table: merged levels, slices for 2D features, options in the manifest."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from radiobone.cli.app import run
from radiobone.features.extraction import extract_cohort
from radiobone.features.prepare import prepare_scan
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.params import read_params
from radiobone.features.request import make_request
from radiobone.imaging.writing import write_image, write_mask
from radiobone.tables.cohort import Scan
from radiobone.tables.features import read_features
from radiobone.tables.wide import wide
from radiobone.voi import VoiOptions

sys.path.insert(0, str(Path(__file__).parents[1] / "voi"))
from voi_phantoms import STRAIGHT, scan, spine

FLAT = """
imageType: {{Original: {{}}}}
featureClass: {{shape2D: [PixelSurface, MajorAxisLength], glcm: [Contrast]}}
setting: {{force2D: true, force2Ddimension: {axis}, binWidth: 25}}
"""
PERMUTED = {1: (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0), 2: (0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)}
"""Directions in which the patient's axis lies along array axis 1 or 2."""


@pytest.fixture(autouse=True)
def _quiet_warnings(monkeypatch):
    """The command line installs its own display of warnings; each test gets the old one back."""
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        yield


def write_scan(folder: Path, name: str, direction=STRAIGHT) -> Scan:
    mask = spine([20, 21], direction=direction)
    write_image(scan(mask), folder / f"{name}.nii.gz")
    write_mask(mask, folder / f"{name}_mask.nii.gz")
    return Scan(name, "1", folder / f"{name}.nii.gz", folder / f"{name}_mask.nii.gz")


def test_merged_level_is_a_row_and_a_column_of_its_own(tmp_path):
    case = write_scan(tmp_path, "p1")
    request = make_request(params="original", voi="label", levels="L1,L1+L2", scheme="verse")
    out = tmp_path / "features.csv"
    summary = extract_cohort([case], request, out, progress=False)
    assert summary.counts == {"ok": 2}
    table = read_features(out)
    assert table.table["level"].tolist() == ["L1", "L1+L2"]
    one, both = table.table["density_volume_ml"]
    assert both == pytest.approx(2 * one, rel=0.05)
    assert "L1+L2.label__density_mean_hu" in wide(table, "concat").columns
    assert json.loads(out.with_name("features.csv.manifest.json").read_text())["voi"]["levels"] == ["L1", "L1+L2"]
    before = out.read_bytes()
    assert extract_cohort([case], request, out, progress=False).counts == {"ok": 2}
    assert out.read_bytes() == before


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_serve_2d_features_across_their_own_axis(tmp_path, axis):
    case = write_scan(tmp_path, "p1", PERMUTED.get(axis, STRAIGHT))
    request = make_request(params=None, voi="slice_mid", levels="L1", scheme="verse")
    prepared = prepare_scan(case, request)
    voi = prepared.vois["L1"].result
    assert voi.mask.array.shape[axis] == 1
    assert (f"force2Ddimension: {axis}" in voi.quality.qc_warnings) is (axis != 0)
    path = tmp_path / "flat.yaml"
    path.write_text(FLAT.format(axis=axis))
    values = NativeEngine().extract(prepared.image, {"L1": voi.mask}, read_params(str(path)))["L1"]
    assert isinstance(values, VoiValues)
    assert np.isfinite(values.features["original_glcm_Contrast"])
    if axis != 1:
        area_mm2 = voi.mask.volume_ml * 1000 / prepared.image.geometry.spacing_mm[axis]
        assert values.features["original_shape2D_PixelSurface"] == pytest.approx(area_mm2)
        path.write_text(FLAT.format(axis=2 - axis))
        wrong = NativeEngine().extract(prepared.image, {"L1": voi.mask}, read_params(str(path)))["L1"]
        assert "needs a VOI of one slice" in str(wrong)


def test_options_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_scan(tmp_path, "p1")
    call = ["extract", "p1.nii.gz", "p1_mask.nii.gz", "--levels", "L2", "--scheme", "verse", "--voi", "cylinder"]
    options = ["--voi-option", "height_mm=9", "--voi-option", "centre_share=0.6"]
    assert run([*call, *options]) == 0
    manifest = json.loads((tmp_path / "features.csv.manifest.json").read_text())
    assert manifest["voi"]["recipe"] == "cylinder@1"
    assert manifest["voi"]["options"]["height_mm"] == 9.0
    assert manifest["voi"]["options"]["centre_share"] == 0.6
    assert manifest["voi"]["options"]["width_share"] == VoiOptions().width_share
    assert run([*call, "--voi-option", "height=9"]) == 2
    assert "did you mean 'height_" in " ".join(capsys.readouterr().err.split())
    assert run([*call, "--voi-option", "n_slices=2"]) == 2
    assert "cylinder@1 has no option n_slices" in " ".join(capsys.readouterr().err.split())
