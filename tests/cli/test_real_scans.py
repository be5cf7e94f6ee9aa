"""The command line on real scans: label schemes, volumes, density, DICOM against NIfTI, alignment."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import SimpleITK as sitk

from radiobone.cli.app import run

pytestmark = pytest.mark.shared_data

SERIES = "dicom/ct_j2k_20slices"


def extract(image: Path, mask: Path, out: Path, *options: str) -> tuple[int, pd.DataFrame]:
    code = run(["extract", str(image), str(mask), "--out", str(out), *options])
    return code, pd.read_csv(out, dtype={"patient_id": str}).set_index("level")


# Volumes of whole labels are counted voxels times voxel volume; mean HU of the trabecular VOI, by eye on the
# pictures plausible for each spine (tptbox is in the osteoporotic range).
CASES = {
    "totalseg": (
        "spine/totalseg_example/ct.nii.gz",
        "spine/totalseg_example/vertebrae_ts_labels.nii.gz",
        {"L1": (57.9, 119.1), "L3": (63.0, 121.8), "L4": (65.0, 126.8)},
    ),
    "verse012": (
        "spine/verse012/sub-verse012_ct.nii.gz",
        "spine/verse012/sub-verse012_seg-vert_msk.nii.gz",
        {"T12": (52.9, 119.6), "L1": (54.4, 159.8)},
    ),
    "tptbox": (
        "spine/tptbox_l3/sub-ct_label-22_ct.nii.gz",
        "spine/tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz",
        {"L3": (59.7, 52.5)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_real_spines_are_extracted_by_level_name(shared_data, tmp_path, name):
    image, mask, expected = CASES[name]
    code, table = extract(
        shared_data / image,
        shared_data / mask,
        tmp_path / "features.csv",
        "--voi",
        "trabecular",
        "--levels",
        ",".join(expected),
    )
    assert code == 0
    assert list(table.index) == list(expected)
    for level, (volume_ml, mean_hu) in expected.items():
        assert table.loc[level, "qc_volume_label_ml"] == pytest.approx(volume_ml, abs=0.06)
        assert table.loc[level, "density_mean_hu"] == pytest.approx(mean_hu, abs=3)
        assert table.loc[level, "density_mean_hu"] == pytest.approx(
            table.loc[level, "original_firstorder_Mean"], rel=1e-9
        )
        assert table.loc[level, "density_volume_ml"] * 1000 == pytest.approx(
            table.loc[level, "original_shape_VoxelVolume"], rel=1e-6
        )


def test_the_same_scan_as_dicom_and_as_nifti_gives_the_same_bytes(shared_data, tmp_path):
    folder = shared_data / SERIES
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    volume = reader.Execute()
    sitk.WriteImage(volume, str(tmp_path / "scan.nii.gz"))
    mask = sitk.Resample(
        sitk.ReadImage(str(folder) + "_seg.nii.gz"), volume, sitk.Transform(), sitk.sitkNearestNeighbor
    )
    mask = sitk.Cast((mask == 79) * 20, sitk.sitkUInt8)
    sitk.WriteImage(mask, str(tmp_path / "mask.nii.gz"))
    lines = ["patient_id,image,mask", f"p,{folder},mask.nii.gz"]
    (tmp_path / "dicom.csv").write_text("\n".join(lines))
    (tmp_path / "nifti.csv").write_text("\n".join([lines[0], "p,scan.nii.gz,mask.nii.gz"]))
    for kind in ("dicom", "nifti"):
        arguments = [
            "--cohort",
            str(tmp_path / f"{kind}.csv"),
            "--scheme",
            "raw",
            "--params",
            str(tmp_path / "p.yaml"),
        ]
        (tmp_path / "p.yaml").write_text("setting: {resampledPixelSpacing: [1, 1, 1], padDistance: 10}\n")
        assert run(["extract", *arguments, "--out", str(tmp_path / f"{kind}_features.csv")]) == 0
    assert (tmp_path / "dicom_features.csv").read_bytes() == (tmp_path / "nifti_features.csv").read_bytes()


@pytest.mark.slow
def test_the_flipped_mask_is_turned_and_the_manifest_says_so(shared_data, tmp_path):
    image, mask = shared_data / SERIES, shared_data / f"{SERIES}_seg.nii.gz"
    code, table = extract(image, mask, tmp_path / "turned.csv", "--scheme", "raw", "--levels", "label_79")
    assert code == 0
    assert "its x, y, z are the image's x, -y, z" in (tmp_path / "turned.csv.manifest.json").read_text("utf-8")
    label = sitk.GetArrayFromImage(sitk.ReadImage(str(mask))) == 79
    voxel_ml = 0.9765625**2 * 2.0 / 1000
    assert table.loc["label_79", "qc_volume_label_ml"] == pytest.approx(label.sum() * voxel_ml, rel=1e-6)
    series = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(image)))
    hu = sitk.GetArrayFromImage(series)[label[:, ::-1]].mean()
    assert table.loc["label_79", "density_mean_hu"] == pytest.approx(hu, rel=1e-9)
