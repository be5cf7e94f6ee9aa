"""``radiobone import`` as a user meets it, and series chosen by the verbs that follow it."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pandas as pd
import pytest

from radiobone.cli.app import run
from radiobone.imaging.reading import read_image
from radiobone.imaging.volumes import Mask
from radiobone.imaging.writing import write_mask
from radiobone.tables.features import read_features

pytestmark = pytest.mark.shared_data


@pytest.fixture(autouse=True)
def _quiet_warnings(monkeypatch):
    """The command line installs its own display of warnings; each test gets the old one back."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        yield


@pytest.fixture
def mixed(shared_data, tmp_path):
    """Return a folder in which a CT of three slices lies among another series and a SEG; beside it its mask."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in (shared_data / "dicom/dcmqi_seg/ct-3slice").iterdir():
        shutil.copy(path, folder)
    shutil.copy(shared_data / "dicom/dcmqi_seg/liver.dcm", folder)
    shutil.copy(shared_data / "dicom/highdicom/ct_image.dcm", folder)
    image = read_image(folder, "largest")
    labels = np.zeros(image.array.shape, np.uint8)
    labels[:, 200:230, 240:280] = 20
    write_mask(Mask(labels, image.geometry), tmp_path / "mask.nii.gz")
    return folder


def test_an_archive_is_imported_and_told_about(shared_data, tmp_path, capsys):
    out = tmp_path / "cohort"
    # Four of its series are no whole CT: the exit code says so, and the cohort has the others.
    assert run(["import", str(shared_data / "dicom"), "--out", str(out)]) == 3
    told = capsys.readouterr().out
    assert "4 scans of 4 patients, 1 with a mask" in told
    assert "17 series in 109 DICOM files, 4 failed, 9 skipped" in told
    assert "failed P0001 S01: the gantry was tilted" in told
    assert str(shared_data) not in told
    assert run(["import", str(shared_data / "dicom"), "--out", str(out), "--fix-tilt", "--series", "largest"]) == 3
    assert "5 scans of 5 patients" in capsys.readouterr().out
    assert run(["import", str(tmp_path / "none"), "--out", str(out)]) == 2


def test_an_import_of_nothing_is_no_success(shared_data, tmp_path, capsys):
    out = ["--out", str(tmp_path / "cohort")]
    assert run(["import", str(shared_data / "spine/masks_only"), *out]) == 2
    assert "no DICOM files" in capsys.readouterr().err
    assert run(["import", str(shared_data / "dicom/dcmqi_seg"), *out, "--series", "abdomen"]) == 2
    told = capsys.readouterr().err
    assert "the cohort is empty" in told
    assert "not the series asked for (1 series)" in told
    assert str(shared_data) not in told


@pytest.mark.slow
def test_features_of_one_series_of_a_mixed_folder(mixed, tmp_path, capsys):
    command = ["extract", str(mixed), str(tmp_path / "mask.nii.gz"), "--out", str(tmp_path / "one.csv")]
    assert run([*command, "--scheme", "verse"]) == 3
    assert "folder holds 3 DICOM series" in capsys.readouterr().out
    assert run([*command, "--scheme", "verse", "--series", "largest"]) == 0
    table = tmp_path / "cohort.csv"
    table.write_text("patient_id,image,mask,series\n1,mixed,mask.nii.gz,largest\n2,mixed,mask.nii.gz,9\n")
    command = ["extract", "--cohort", str(table), "--out", str(tmp_path / "two.csv"), "--scheme", "verse"]
    assert run([*command, "--series", "largest"]) == 2
    assert run(command) == 3
    one, two = (read_features(tmp_path / name).table for name in ("one.csv", "two.csv"))
    features = [name for name in one if name.startswith("original_")]
    pd.testing.assert_series_equal(one.iloc[0][features], two.iloc[0][features], check_names=False)
    assert "0 CT series fit the choice '9'" in two.iloc[1]["reason"]
    capsys.readouterr()
    assert run(["inspect", "--cohort", str(table), "--scheme", "verse"]) == 3
    shown = capsys.readouterr().out
    assert "2 scans, 1 readable" in shown
    assert "0 CT series fit the choice '9'" in shown
