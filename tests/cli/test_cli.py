"""The command line as a user meets it: arguments in, text, files and exit codes out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from radiobone.cli.app import run
from radiobone.cli.train import _extracted_cohort
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.tables.features import read_features

GRID = Geometry((30, 24, 24), (2.0, 1.5, 1.5))


@pytest.fixture(autouse=True)
def _quiet_warnings(monkeypatch):
    """The command line installs its own display of warnings; each test gets the old one back."""
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        yield


@pytest.fixture
def scans(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("0012", "NA")):
        hu = np.random.default_rng(number).integers(-200, 400, GRID.shape).astype(np.int16)
        labels = np.zeros(GRID.shape, np.uint8)
        labels[18:26, 6:18, 5:17] = 20
        labels[4:12, 6:18, 5:17] = 21
        write_image(Image(hu, GRID), tmp_path / f"{name}.nii.gz")
        write_mask(Mask(labels, GRID), tmp_path / f"{name}_mask.nii.gz")
    lines = [f"{name},{name}.nii.gz,{name}_mask.nii.gz,{bmd}" for name, bmd in (("0012", 70), ("NA", 130))]
    text = "\r\n".join(["patient_id,image,mask,bmd_mg_cm3", *lines, ""])
    (tmp_path / "cohort.csv").write_text(text, newline="")
    return tmp_path


def test_no_arguments_show_the_verbs(capsys):
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in ("demo", "inspect", "extract", "columns", "train", "predict", "verify"):
        assert verb in text


def test_verify_compares_both_engines_on_the_users_own_cases(scans, capsys):
    pytest.importorskip("radiomics")
    assert run(["verify", "--cohort", str(scans / "cohort.csv"), "--n", "1", "--params", "original"]) == 0
    text = capsys.readouterr().out
    assert "1 VOI compared with PyRadiomics on the whole image" in text
    assert "1 VOI compared with PyRadiomics on crops" in text
    for family in ("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm"):
        assert family in text
    assert "differs" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_verify_ends_with_three_where_values_differ_though_their_terms_cancel(scans, monkeypatch, capsys):
    pytest.importorskip("radiomics")
    from radiobone.features.radiomics.engine import VoiValues
    from radiobone.features.radiomics.native.engine import NativeEngine

    right = NativeEngine.extract

    def extract(self, image, vois, params):
        return {
            level: VoiValues(
                {**values.features, "original_glcm_MCC": 2 * values.features["original_glcm_MCC"] + 5}
            )
            for level, values in right(self, image, vois, params).items()
        }

    monkeypatch.setattr(NativeEngine, "extract", extract)
    assert run(["verify", "--cohort", str(scans / "cohort.csv"), "--n", "1", "--crops-only"]) == 3
    text = capsys.readouterr().out
    assert "2 VOIs compared with PyRadiomics on crops" in text
    assert "whole image" not in text
    assert text.count("differs") == text.count("original_glcm_MCC") == 2


def test_verify_says_what_it_needs(scans, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "radiomics", None)
    assert run(["verify", "--cohort", str(scans / "cohort.csv"), "--n", "1"]) == 2
    assert "radiobone[pyradiomics]" in capsys.readouterr().err
    assert run(["verify", "--help"]) == 0
    assert "radiobone[pyradiomics]" in capsys.readouterr().out


def test_extract_a_cohort_and_read_identifiers_back(scans, capsys):
    out = scans / "features.csv"
    arguments = ["extract", "--cohort", str(scans / "cohort.csv"), "--levels", "L1-L2", "--out", str(out)]
    assert run(arguments) == 0
    assert "4 ok" in capsys.readouterr().out
    lines = out.read_text().splitlines()
    assert [line.split(",")[:5] for line in lines[1:]] == [
        [patient, "1", "label", level, "ok"] for patient in ("0012", "NA") for level in ("L1", "L2")
    ]
    manifest = json.loads((scans / "features.csv.manifest.json").read_text())
    assert len(manifest["blocks"][0]["columns"]) == 107
    assert manifest["voi"]["levels"] == ["L1", "L2"]


def test_one_job_or_two_give_the_same_bytes(scans):
    for jobs in ("1", "2"):
        out = scans / f"features{jobs}.csv"
        assert run(["extract", "--cohort", str(scans / "cohort.csv"), "--out", str(out), "--jobs", jobs]) == 0
    assert (scans / "features1.csv").read_bytes() == (scans / "features2.csv").read_bytes()


def test_one_scan_without_a_cohort(scans):
    out = scans / "one.csv"
    assert run(["extract", str(scans / "0012.nii.gz"), str(scans / "0012_mask.nii.gz"), "--out", str(out)]) == 0
    assert out.read_text().splitlines()[1].startswith("0012,1,label,L1,ok,")


def test_a_bad_case_ends_with_three_and_is_named(scans, capsys):
    (scans / "NA.nii.gz").unlink()
    assert run(["extract", "--cohort", str(scans / "cohort.csv"), "--out", str(scans / "f.csv")]) == 3
    text = capsys.readouterr().out
    assert "2 ok" in text
    assert "file not found" in text
    assert "NA, scan 1" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["extract"], "give either --cohort"),
        (["extract", "--cohort", "none.csv"], "table not found"),
        (["extract", "--cohort", "{cohort}", "--params", "orignal"], "did you mean 'original'"),
        (["extract", "--cohort", "{cohort}", "--params", "none.yaml"], "file not found"),
        (["extract", "--cohort", "{cohort}", "--voi", "trabeculr"], "did you mean 'trabecular'"),
        (["extract", "--cohort", "{cohort}", "--levels", "L4-L1"], "not a range of vertebrae"),
        (["extract", "--cohort", "{cohort}", "--scheme", "versse"], "did you mean 'verse'"),
        (["extract", "--cohort", "{cohort}", "--engine", "pyradiomic"], "pyradiomics"),
        (["extract", "--cohort", "{cohort}", "--align", "yes"], "mask-to-image"),
        (["extract", "--cohort", "{cohort}", "--missing-levels", "drop"], "fail, skip, first"),
        (["extract", "--cohort", "{cohort}", "--lower-hu", "300", "--voi", "label"], "no option lower_hu"),
        (["extract", "--cohort", "{cohort}", "--out", "features.xlsx"], ".csv or .parquet"),
        (["extract", "--cohort", "{cohort}", "--body-mask", "{cohort}"], "a cohort table has a column body_mask"),
        (["extract", "--cohort", "{cohort}", "--jobs", "0"], "no number of jobs"),
        (["extract", "--cohort", "{cohort}", "--levels", "L9"], "no label scheme that can be detected"),
        (["train", "demo", "--features", "none.csv"], "table not found"),
        (["train", "demmo", "--features", "none.csv"], "did you mean 'demo'"),
        (["train", "demo"], "no feature table is given"),
        (["run", "demo", "--cohort", "{cohort}", "--features", "a=b", "--features", "a=c"], "two feature tables"),
        (["run", "demo", "--cohort", "none.csv"], "table not found"),
        (["predict", "none", "--features", "{cohort}"], "give the folder of a saved model"),
        (["columns", "--params", "ful"], "did you mean 'full'"),
    ],
)
def test_wrong_use_ends_with_two_and_says_what_to_do(scans, capsys, monkeypatch, arguments, told):
    monkeypatch.setenv("COLUMNS", "400")
    filled = [argument.format(cohort=scans / "cohort.csv") for argument in arguments]
    assert run(filled) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("out", ["cohort.csv", "0012.nii.gz", "."])
def test_an_output_never_overwrites_an_input(scans, capsys, out):
    before = {path.name: path.read_bytes() for path in scans.iterdir()}
    assert run(["extract", "--cohort", "cohort.csv", "--out", out]) == 2
    assert {path.name: path.read_bytes() for path in scans.iterdir()} == before
    assert capsys.readouterr().err


@pytest.mark.parametrize("out", ["cohort.csv", "0012.nii.gz", "NA_mask.nii.gz", "findings.txt"])
def test_findings_never_overwrite_an_input(scans, out):
    before = {path.name: path.read_bytes() for path in scans.iterdir()}
    assert run(["inspect", "--cohort", "cohort.csv", "--out", out]) == 2
    assert {path.name: path.read_bytes() for path in scans.iterdir()} == before


def test_predictions_are_csv(scans, capsys):
    assert run(["predict", "model", "--features", "cohort.csv", "--out", "manifest.json"]) == 2
    assert "expected: .csv" in capsys.readouterr().err


def test_a_study_never_overwrites_a_feature_table_of_the_users(scans, capsys):
    (scans / "mine").mkdir()
    (scans / "mine/features.csv").write_text("mine")
    assert run(["run", "demo", "--cohort", str(scans / "cohort.csv"), "--out", str(scans / "mine")]) == 2
    assert "give it with --features" in capsys.readouterr().err
    assert (scans / "mine/features.csv").read_text() == "mine"


def test_the_demo_refuses_a_folder_that_is_not_its_own(scans, capsys):
    assert run(["demo", "--out", str(scans)]) == 2
    assert "was not made by the demo" in capsys.readouterr().err
    assert (scans / "cohort.csv").read_bytes().startswith(b"patient_id,image,mask,bmd_mg_cm3\r\n0012")


def test_a_parameter_file_that_asks_for_nothing_is_wrong_use(scans, capsys):
    (scans / "none.yaml").write_text("featureClass: {shape2D: }\n")
    assert run(["extract", "--cohort", "cohort.csv", "--params", "none.yaml"]) == 2
    assert "shape2D counts only with force2D" in capsys.readouterr().err


def test_the_cohort_is_found_through_a_linked_folder(scans):
    (scans / "deep/er").mkdir(parents=True)
    (scans / "link").symlink_to(scans / "deep/er", target_is_directory=True)
    assert run(["extract", "--cohort", "cohort.csv", "--out", "link/features.csv"]) == 0
    manifest = json.loads((scans / "deep/er/features.csv.manifest.json").read_text())
    assert manifest["cohort"] == "../../cohort.csv"
    assert _extracted_cohort(read_features(Path("link/features.csv"))).samefile(scans / "cohort.csv")


def test_an_unknown_parameter_key_is_an_error_with_the_nearest_key(scans, capsys):
    params = scans / "mine.yaml"
    params.write_text("setting: {binWidht: 25}\n")
    assert run(["extract", "--cohort", str(scans / "cohort.csv"), "--params", str(params)]) == 2
    assert "binWidht: unknown key (did you mean 'binWidth'?)" in capsys.readouterr().err


def test_inspect_says_what_is_wrong_where(scans, capsys):
    (scans / "NA_mask.nii.gz").unlink()
    out = scans / "findings.csv"
    assert run(["inspect", "--cohort", str(scans / "cohort.csv"), "--out", str(out)]) == 3
    text = capsys.readouterr().out
    assert "patient NA" in text
    assert "file not found" in text
    assert "1 normal, 0 osteopenia, 1 osteoporosis" in text
    assert "patient NA" in out.read_text()


def test_inspect_takes_the_same_voi_options_as_extract(scans, capsys):
    arguments = ["inspect", "--cohort", "cohort.csv", "--levels", "L1-L3"]
    assert run(arguments) == 3
    assert run([*arguments, "--missing-levels", "skip"]) == 0
    assert run([*arguments, "--missing-levels", "skip", "--upper-hu", "300"]) == 2
    assert "no option upper_hu" in capsys.readouterr().err


def test_inspect_tells_wrong_labels_before_it_reads_a_scan(scans, capsys):
    table = scans / "cohort.csv"
    table.write_bytes(table.read_bytes().replace(b",70", b",7O"))
    (scans / "0012.nii.gz").unlink()
    assert run(["inspect", "--cohort", "cohort.csv", "--out", "findings.csv"]) == 2
    assert "line 2: '7O'" in capsys.readouterr().err


def test_inspect_a_good_cohort(scans, capsys):
    assert run(["inspect", "--cohort", str(scans / "cohort.csv"), "--levels", "L1-L2"]) == 0
    assert "nothing found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("preset", "count"), [("original", 107), ("wavelet", 851), ("ct_trabecular", 1130), ("full", 1316)]
)
def test_columns_lists_every_column_of_a_preset(capsys, preset, count):
    assert run(["columns", "--params", preset, "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "column,family,filter,unit,meaning"
    radiomics = [line for line in lines[1:] if not line.startswith("density_")]
    assert len(radiomics) == count
    assert all(line.count(",") >= 4 for line in lines)
    assert run(["columns", "--params", preset]) == 0
    assert f"{count} radiomics columns" in capsys.readouterr().out
