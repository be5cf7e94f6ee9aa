"""``radiobone run`` from scans without masks to a validated study, by a network whose answers are known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from handmade import write_folder
from test_naming import spine
from test_segment_cohort import one_class

from radiobone.cli.app import run
from radiobone.core.hashing import sha256_file
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.reading import read_mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.segmentation.naming import Anchor, name_levels
from radiobone.voi.schemes import TOTALSEGMENTATOR

pytestmark = [pytest.mark.segment, pytest.mark.slow]

N = 12
HU = {"yes": 260, "no": 320}

RECIPE = {
    "name": "small",
    "title": "A class from the HU of masks that nobody drew",
    "source": "a test",
    "label": {"source": "class", "column": "outcome", "classes": ["no", "yes"]},
    "segment": {"model": "models/one", "anchor": "lowest=L4", "device": "cpu", "threads": 1, "step_size": 1.0},
    "voi": {"recipe": "label", "levels": "L1+L2,L3"},
    "extraction": {"params": "mean.yaml"},
    "table": {"blocks": ["radiomics"], "needs_review": "drop"},
    "validation": {"outer_folds": 2, "inner_folds": 2},
    "steps": [{"standardise": None}],
    "nodes": [{"name": "event", "positive": "yes", "negative": "no"}],
    "model": {"logistic": {"C": [1.0]}},
    "evaluation": {"figures": [], "draws": 100},
    "primary": {"node": "event"},
}


def scan(outcome, seed, cut=None):
    """Four vertebrae of an outcome's HU; cut: slices that are there."""
    mask = spine(4)
    noise = np.random.default_rng(seed).normal(0, 5, mask.array.shape)
    array = np.where(mask.array > 0, HU[outcome] + seed, -100) + noise
    array = array.round().astype(np.int16)[:cut]
    return Image(array, Geometry(array.shape, mask.geometry.spacing_mm))


def write_dicom(image, folder, uid):
    """Write a scan as a series beside others in a folder."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    folder.mkdir(exist_ok=True)
    dz, dy, dx = image.geometry.spacing_mm
    for place, pixels in enumerate(image.array):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.SeriesInstanceUID, data.SeriesNumber = f"1.2.826.0.1.3680043.10.999.{uid}", uid
        data.StudyInstanceUID, data.FrameOfReferenceUID = "1.2.826.0.1.1", "1.2.826.0.1.2"
        data.ImagePositionPatient, data.ImageOrientationPatient = [0.0, 0.0, place * dz], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.RescaleSlope, data.RescaleIntercept = [dy, dx], 1, 0
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.PixelData = pixels.tobytes()
        data.save_as(folder / f"{uid}_{place:03d}.dcm", enforce_file_format=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cohort of all sorts: two masks given, a series to choose, a scan that is cut, one empty, one missing."""
    folder = tmp_path_factory.mktemp("study")
    write_folder(folder / "models/one", [one_class()], {"vertebra": 1})
    (folder / "mean.yaml").write_text("imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean]}\n")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    rows = []
    for seed in range(N):
        outcome = ("no", "yes")[seed % 2]
        image = scan(outcome, seed, cut=62 if seed == 11 else None)
        rows.append([f"p{seed:02d}", f"ct{seed}.nii.gz", "", "", outcome])
        write_image(image, folder / rows[-1][1])
    for number in (0, 1):
        named = name_levels(spine(4), Anchor("lowest", "L4"), scheme=TOTALSEGMENTATOR).mask
        write_mask(named, folder / f"by_hand{number}.nii.gz")
        rows[number][2] = f"by_hand{number}.nii.gz"
    write_dicom(scan("no", 2), folder / "archive", 7)
    write_dicom(scan("no", 40, cut=20), folder / "archive", 8)
    rows[2][1], rows[2][3] = "archive", "7"
    dark = np.full((20, 20, 20), -100, dtype=np.int16)
    write_image(Image(dark, Geometry(dark.shape, (1.5, 1.5, 1.5))), folder / "dark.nii.gz")
    rows += [["p98", "dark.nii.gz", "", "", "yes"], ["p99", "missing.nii.gz", "", "", "no"]]
    write_cohort(folder, rows)
    return folder, rows


def write_cohort(folder, rows, **more):
    table = pd.DataFrame(rows, columns=["patient_id", "image", "mask", "series", "outcome"]).assign(**more)
    table.to_csv(folder / "cohort.csv", index=False)


def study(folder):
    arguments = ["run", str(folder / "recipe.yaml"), "--cohort", str(folder / "cohort.csv")]
    return run([*arguments, "--out", str(folder / "out")])


def flow(folder):
    """Return patients by step and reason."""
    table = pd.read_csv(folder / "out/flow.csv", keep_default_na=False)
    found = table.groupby(["step", "reason"], sort=False)["patients"].sum().to_dict()
    return {key: value for key, value in found.items() if value}


def test_from_scans_to_a_study_with_what_failed_and_why(made, capsys):
    folder, _ = made
    out = folder / "out"
    assert study(folder) == 3
    told = capsys.readouterr().out
    assert "segment: 12 scans by the model one" in told
    assert "segment: 2 failed, 10 ok" in told
    assert flow(folder) == {
        ("masks", "given"): 2,
        ("masks", "segmentation failed"): 2,
        ("masks", "segmented"): 10,
        ("cohort", ""): 14,
        ("excluded: features", "segmentation failed: file not found"): 1,
        ("excluded: features", "segmentation failed: the model found nothing in the image"): 1,
        ("analysed", ""): 12,
    }
    assert len(list((out / "masks").iterdir())) == 10, "masks that are given are not made"
    assert read_mask(out / "masks/p02_1.nii.gz").labels() == [20, 21, 22, 23], "VerSe's L1 to L4"
    features = pd.read_csv(out / "features.csv", dtype={"patient_id": str}).set_index(["patient_id", "level"])
    assert set(features.index.get_level_values("level")) == {"L1+L2", "L3"}
    volumes = features["density_volume_ml"].unstack()
    # Masks given in TotalSegmentator's values and masks made in VerSe's are the same vertebrae.
    assert volumes.loc["p00"].to_dict() == pytest.approx(volumes.loc["p04"].to_dict(), rel=0.01)
    assert features["density_mean_hu"].loc["p02"].between(280, 330).all(), "series 7, not its neighbour"
    reviewed = features["qc_needs_review"].astype(str)
    assert reviewed[reviewed == "True"].index.tolist() == [("p11", "L1+L2")], "cut by the scan's end"
    lost = pd.read_csv(out / "flow.csv", keep_default_na=False).query("step == 'rows without features'")
    assert lost[["reason", "class", "rows"]].query("rows > 0").to_numpy().tolist() == [["needs review", "yes", 1]]


def test_the_study_tells_models_and_names_and_where_each_mask_lies(made):
    folder, _ = made
    out = folder / "out"
    results = json.loads((out / "results.json").read_text())
    manifest = json.loads((out / "segmentation.manifest.json").read_text())
    (model,) = results["segmentation"]["models"]
    weights = folder / "models/one/fold_0/checkpoint_final.pth"
    assert model["folds"][0]["sha256"] == sha256_file(weights)
    assert model["sha256"] == manifest["models"][0]["sha256"] == results["inputs"]["segmentation_one_sha256"]
    assert results["segmentation"]["levels"].endswith("from a vertebra that is known: lowest=L4")
    assert results["segmentation"]["counts"] == {"given": 2, "failed": 2, "ok": 10}
    assert results["recipe"]["content"]["segment"]["model"] == "one"
    assert str(folder) not in (out / "results.json").read_text(), "where files lie is nobody else's business"
    saved = json.loads((out / "model/manifest.json").read_text())
    assert saved["inputs"]["segmentation_one_sha256"] == model["sha256"]
    table = pd.read_csv(out / "segmented.csv", dtype=str, keep_default_na=False).set_index("patient_id")
    assert table.loc["p00", ["mask", "mask_scheme"]].tolist() == ["../by_hand0.nii.gz", ""]
    assert table.loc["p03", ["mask", "mask_scheme"]].tolist() == ["masks/p03_1.nii.gz", "verse"]
    assert table.loc["p98", "segmentation_status"] == "failed"
    again = [
        "extract",
        "--cohort",
        str(out / "segmented.csv"),
        "--out",
        str(folder / "again.csv"),
        "--levels",
        "L3",
    ]
    assert run([*again, "--params", str(folder / "mean.yaml")]) == 3, "the table serves other verbs"
    assert "segment" not in json.loads((out / "steps.json").read_text())["steps"], "failures are tried again"


def test_a_finished_step_is_redone_only_when_its_inputs_change(made, capsys):
    folder, rows = made
    out = folder / "out"
    write_cohort(folder, rows[:N])
    assert study(folder) == 0
    told = capsys.readouterr().out
    assert "segment: 10 ok (10 kept from an earlier run)" in told
    inputs = json.loads((out / "steps.json").read_text())["steps"]["segment"]["inputs"]
    weights = folder / "models/one/fold_0/checkpoint_final.pth"
    assert inputs["model fold_0/checkpoint_final.pth"] == sha256_file(weights)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert study(folder) == 0
    assert "segment: done before, 10 masks" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in before}
    write_cohort(folder, rows[:N], age=60)
    assert study(folder) == 0
    assert "segment: done before" in capsys.readouterr().out, "another column is none of its inputs"
    corrected = out / "masks/p03_1.nii.gz"
    write_mask(Mask(spine(4).array, spine(4).geometry), corrected)
    assert study(folder) == 2
    assert "changed after being made" in " ".join(capsys.readouterr().err.split())
    rows[3][2] = "out/masks/p03_1.nii.gz"
    kept = sha256_file(corrected)
    write_cohort(folder, rows[:N])
    assert study(folder) == 3, "one label is no L1"
    assert sha256_file(corrected) == kept
    assert flow(folder)[("masks", "given")] == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"anchor": None}, "hold none of the levels of the recipe"),
        ({"folds": "0,3"}, "lacks a fold"),
        ({"device": "cuda:99"}, "absent"),
        ({"coarse": "models/none"}, "no model folder"),
    ],
)
def test_wrong_use_is_told_before_any_scan_is_read(made, tmp_path, capsys, change, told):
    folder, _ = made
    recipe = folder / "wrong.yaml"
    segment = {key: value for key, value in (RECIPE["segment"] | change).items() if value is not None}
    recipe.write_text(yaml.safe_dump(RECIPE | {"segment": segment}))
    code = run(["run", str(recipe), "--cohort", str(folder / "cohort.csv"), "--out", str(tmp_path / "out")])
    assert code == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
