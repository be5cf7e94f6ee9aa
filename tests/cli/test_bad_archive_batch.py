"""Scans and masks of an archive in which almost everything is wrong: the batch goes on, and every row says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import UID

from radiobone.cli.app import run

pytestmark = pytest.mark.shared_data


def copy(folder: Path, target: Path, files: slice = slice(None)) -> Path:
    target.mkdir(parents=True)
    for path in sorted(folder.iterdir())[files]:
        shutil.copy(path, target / path.name)
    return target


def box(value: int) -> np.ndarray:
    """A label in the middle of the three-slice CT."""
    array = np.zeros((3, 512, 512), np.uint8)
    array[:, 250:262, 250:262] = value
    return array


@pytest.fixture
def archive(shared_data: Path, tmp_path: Path) -> Path:
    """A cohort table of real files, of which one is good and all others are spoilt in one way each."""
    dicom = shared_data / "dicom"
    slices = dicom / "dcmqi_seg/ct-3slice"
    good = copy(slices, tmp_path / "good")
    cut = copy(slices, tmp_path / "truncated") / "02.dcm"
    cut.write_bytes(cut.read_bytes()[:-9000])
    for path in copy(slices, tmp_path / "undecodable").iterdir():
        data = pydicom.dcmread(path)
        data.PixelData = pydicom.encaps.encapsulate([data.PixelData])
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.53")
        pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=True)
    copy(dicom / "ibsi1_ct_phantom_rtstruct/image", tmp_path / "half", slice(0, 20))
    rtstruct = next((dicom / "ibsi1_ct_phantom_rtstruct/mask").iterdir())
    series = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(good)))
    masks = {"box": box(20), "ramp": np.linspace(0, 4, 3 * 512 * 512, dtype=np.float32).reshape(3, 512, 512)}
    for name, array in masks.items():
        mask = sitk.GetImageFromArray(array)
        mask.CopyInformation(series)
        sitk.WriteImage(mask, str(tmp_path / f"{name}.nii.gz"))
    rows = [
        "patient_id,image,mask,segments",
        "truncated,truncated,box.nii.gz,",
        "undecodable,undecodable,box.nii.gz,",
        f"other_series,good,{dicom / 'highdicom/seg_image_ct_binary.dcm'},",
        f"outside,half,{rtstruct},",
        "ramp,good,ramp.nii.gz,",
        f"overlapping,good,{dicom / 'dcmqi_seg/partial_overlaps.dcm'},",
        f"no_such_segment,good,{dicom / 'dcmqi_seg/partial_overlaps.dcm'},L1",
        "good,good,box.nii.gz,",
    ]
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


# What, where, got, expected and what to do: parts of each message.
TOLD = {
    "truncated": ("DICOM", "02.dcm", "it is truncated", "copy or export it anew"),
    "undecodable": ("pixels cannot be decoded", "03.dcm", "1.2.840.10008.1.2.4.53", "uncompressed"),
    "other_series": ("the SEG refers to another series", "seg_image_ct_binary.dcm", "UID …", "give the series"),
    "outside": ("contours lie outside the image", "region 'GTV-1'", "above or below", "in full"),
    "ramp": ("values that are no labels", "ramp.nii.gz", "whole numbers", "not probabilities"),
    "overlapping": ("segments overlap", "'GREEN' and 'ORANGE' share 3017 voxels", "column segments"),
    "no_such_segment": ("no segment named 'L1'", "'GREEN'", "name the segments as the file does"),
}


def test_every_bad_scan_or_mask_of_an_archive_keeps_its_row_with_the_reason(archive, capsys):
    before = {path: path.stat().st_size for path in archive.rglob("*")}
    out = archive / "out/features.csv"
    arguments = ["--cohort", str(archive / "cohort.csv"), "--scheme", "raw"]
    assert run(["extract", *arguments, "--out", str(out)]) == 3
    table = pd.read_csv(out, keep_default_na=False).groupby("patient_id")
    assert table.get_group("good")["status"].tolist() == ["ok"]
    for name, parts in TOLD.items():
        row = table.get_group(name)
        assert row["status"].tolist() == ["failed"], name
        for part in parts:
            assert part in row["reason"].item(), (name, row["reason"].item())
    assert f"{len(TOLD)} failed, 1 ok" in capsys.readouterr().out
    # Nothing but the table, its manifest and the folder to resume from was written, and nothing half.
    assert {path: path.stat().st_size for path in archive.rglob("*") if path in before} == before
    names = {path.name for path in out.parent.iterdir()}
    assert names == {"features.csv", "features.csv.manifest.json", "features.csv.resume"}
    assert not [path for path in out.parent.rglob("*") if path.name.startswith(".") or "part" in path.name]
