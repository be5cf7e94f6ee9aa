"""A BIDS data set as VerSe publishes it becomes a cohort, by the command line."""

from __future__ import annotations

import pytest

from radiobone.cli.app import run
from radiobone.imaging.geometry import differences
from radiobone.imaging.reading import read_image, read_mask
from radiobone.tables.cohort import read_cohort


@pytest.mark.shared_data
def test_cts_come_with_their_masks_and_bodies(shared_data, tmp_path, capsys):
    assert run(["import", str(shared_data / "spine"), "--bids", "--out", str(tmp_path / "out")]) == 0
    assert "2 scans of 2 patients, 2 with a mask" in capsys.readouterr().out
    cohort = read_cohort(tmp_path / "out/cohort.csv")
    scans = {scan.patient_id: scan for scan in cohort.scans()}
    assert {name: scan.scan_id for name, scan in scans.items()} == {"ct": "label-22", "verse012": "1"}
    assert {name: scan.body_mask is not None for name, scan in scans.items()} == {"ct": True, "verse012": False}
    for scan in scans.values():
        assert not differences(read_image(scan.image).geometry, read_mask(scan.mask).geometry)


@pytest.mark.parametrize(
    "option", [["--convert"], ["--fix-tilt"], ["--keep-identifiers"], ["--series", "largest"]]
)
def test_options_for_dicom_are_refused(tmp_path, capsys, option):
    assert run(["import", str(tmp_path), "--bids", "--out", str(tmp_path / "out"), *option]) == 2
    assert "--bids takes NIfTI files" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_ct_is_told_and_leaves_nothing(tmp_path, capsys):
    assert run(["import", str(tmp_path), "--bids", "--out", str(tmp_path / "out")]) == 2
    assert "no CT in this folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
