"""A cohort in which almost everything is wrong: the batch goes on, and every row says why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from radiobone.cli.app import run

SHAPE = (30, 24, 24)


def write(path, array) -> None:
    image = sitk.GetImageFromArray(array, isVector=False)
    image.SetSpacing((1.5, 1.5, 2.0, 1.0)[: array.ndim])
    sitk.WriteImage(image, str(path), useCompression=True)


def labels(value: int = 20) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    array[10:20, 6:18, 5:17] = value
    return array


@pytest.fixture
def cohort(tmp_path):
    rng = np.random.default_rng(0)
    hu = rng.integers(-200, 400, SHAPE).astype(np.int16)
    one = np.zeros(SHAPE, np.uint8)
    one[15, 12, 12] = 20
    with_nan = hu.astype(np.float32)
    with_nan[0, 0, 0] = np.nan
    scans = {
        "good": (hu, labels()),
        "no_image": (None, labels()),
        "empty_mask": (hu, np.zeros(SHAPE, np.uint8)),
        "one_voxel": (hu, one),
        "other_label": (hu, labels(21)),
        "nan": (with_nan, labels()),
        "other_patient": (hu[:, :, :20], labels()),
        "four_d": (np.stack([hu, hu]), labels()),
        "truncated": (hu, labels()),
        "probabilities": (hu, labels().astype(np.float32) / 40),
    }
    lines = ["patient_id,image,mask"]
    for name, (image, mask) in scans.items():
        if image is not None:
            write(tmp_path / f"{name}.nii.gz", image)
        write(tmp_path / f"{name}_mask.nii.gz", mask)
        lines.append(f"{name},{name}.nii.gz,{name}_mask.nii.gz")
    truncated = tmp_path / "truncated.nii.gz"
    truncated.write_bytes(truncated.read_bytes()[:-500])
    (tmp_path / "cohort.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "cohort.csv"


# What, where, got, expected and what to do: parts of each message.
TOLD = {
    "no_image": ("file not found", "no_image.nii.gz", "check the path"),
    "empty_mask": ("mask is empty", "empty_mask_mask.nii.gz", "at least one label"),
    "one_voxel": ("the VOI is one voxel", "VOI L1", "at least 2 voxels", "check the mask"),
    "other_label": ("label not present", "21 (L2)", "20 (L1)"),
    "nan": ("not finite", "nan.nii.gz", "1 NaN", "replace them"),
    "other_patient": ("same grid", "size (x, y, z) (20, 24, 30) and (24, 24, 30)", "belong together"),
    "four_d": ("4 dimensions", "four_d.nii.gz", "one 3D volume"),
    "truncated": ("truncated", "truncated.nii.gz", "copy or convert it again"),
    "probabilities": ("no labels", "such as 0.5", "whole numbers", "not probabilities"),
}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_every_bad_case_keeps_its_row_with_the_reason(cohort, capsys, jobs):
    out = cohort.with_name("features.csv")
    arguments = ["extract", "--cohort", str(cohort), "--levels", "L1", "--scheme", "verse", "--jobs", jobs]
    assert run([*arguments, "--out", str(out)]) == 3
    table = pd.read_csv(out, keep_default_na=False).set_index("patient_id")
    assert len(table) == 10
    assert table.loc["good", "status"] == "ok"
    for name, parts in TOLD.items():
        assert table.loc[name, "status"] == "failed", name
        for part in parts:
            assert part in table.loc[name, "reason"], (name, table.loc[name, "reason"])
        features = table.filter(regex="^(original|density)_").loc[name]
        assert (features == "").all(), f"{name}: features of a failed VOI are empty, never 0"
    text = capsys.readouterr().out
    assert "9 failed, 1 ok" in text
