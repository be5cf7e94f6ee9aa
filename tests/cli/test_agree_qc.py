"""`radiobone agree` and `radiobone qc` as a user meets them."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from radiobone.cli.agree import _show
from radiobone.cli.app import run
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.study.agreement import Agreement
from radiobone.study.agreement_outputs import AgreementStudy
from radiobone.study.agreement_pairs import PairRecord
from radiobone.tables.reading import read_text_table

GRID = Geometry((40, 24, 24), (2.0, 1.5, 1.5))


@pytest.fixture(autouse=True)
def _quiet_warnings(monkeypatch):
    """The command line installs its own display of warnings; each test gets the old one back."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hu = np.random.default_rng(0).integers(-200, 400, GRID.shape).astype(np.int16)
    labels = np.zeros(GRID.shape, np.uint8)
    labels[28:36, 6:18, 5:17] = 20
    labels[14:22, 6:18, 5:17] = 21
    write_image(Image(hu, GRID), tmp_path / "ct.nii.gz")
    write_mask(Mask(labels, GRID), tmp_path / "one.nii.gz")
    labels[28:36, 6:18, 5:8] = 0
    write_mask(Mask(labels, GRID), tmp_path / "two.nii.gz")
    rows = ["patient_id,image,mask,mask_reader2,sex,kvp"]
    for number in range(3):
        reader, sex = ("two", "m") if number % 2 else ("one", "f")
        rows.append(f"p{number:02d},ct.nii.gz,one.nii.gz,{reader}.nii.gz,{sex},120")
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


AGREE = ["agree", "--cohort", "cohort.csv", "--mask-a", "mask", "--mask-b", "mask_reader2", "--draws", "100"]


@pytest.mark.slow
def test_agree_writes_tables_and_tells_means(folder, capsys):
    assert run([*AGREE, "--levels", "L1-L2", "--strata", "sex,kvp", "--out", "agree"]) == 0
    text = capsys.readouterr().out
    assert "agree: pairs of masks: 3 ok" in text
    lines = {line.split("  ")[0].strip(): line.split() for line in text.splitlines() if line.strip()}
    assert lines["L1"][1:3] == ["3", "0.952"], "two agree, of one a quarter is missing: 2 x 0.75 / 1.75"
    assert lines["L2"][1:3] == ["3", "1.000"]
    assert lines["sex m"][2:4] == ["2", "0.929"]
    assert max(map(len, text.splitlines())) <= 80
    assert len(read_text_table(folder / "agree" / "agreement.csv")) == 6
    assert (folder / "agree" / "agreement.csv.manifest.json").is_file()
    assert (folder / "agree" / "figures" / "hd95_mm.png").is_file()


@pytest.mark.parametrize(("width", "together"), [(80, False), (120, True)])
def test_names_and_intervals_are_never_cut(monkeypatch, capsys, tmp_path, width, together):
    monkeypatch.setenv("COLUMNS", str(width))
    figures = {
        "dice": (0.741, 0.691, 0.785),
        "hd95_mm": (4.6, 3.6, 15.8),
        "assd_mm": (2.2, 1.7, 2.8),
        "volume_difference_percent": (-20, -30, -11),
    }
    summary = pd.DataFrame(
        [
            (part, name, metric, 136, 1, 0, *figures[metric])
            for part, name in (("all", "all"), ("level", "T12"), ("age", "50 to < 65"))
            for metric in figures
        ],
        columns=["part", "name", "metric", "n_rows", "n_only_a", "n_only_b", "mean", "mean_low", "mean_high"],
    )
    failed = PairRecord(patient_id="p", scan_id="1", status="failed", reason="file not found")
    _show(AgreementStudy(Agreement(pd.DataFrame(), [failed]), summary), tmp_path)
    text = capsys.readouterr().out
    assert "…" not in text
    assert [name in text for name in ("all", "T12", "age 50 to < 65")] == [True] * 3
    assert text.count("(0.691-0.785)") == text.count("(-30 to -11)") == 3
    assert ("0.741 (0.691-0.785)" in text) == together
    assert "the means leave out failed pairs" in text


@pytest.mark.slow
def test_agree_takes_two_files(folder, capsys):
    assert run(["agree", "--mask-a", "one.nii.gz", "--mask-b", "two.nii.gz", "--draws", "100"]) == 0
    table = read_text_table(folder / "agree" / "agreement.csv")
    assert table["patient_id"].tolist() == ["one", "one"]
    assert table["level"].tolist() == ["L1", "L2"]
    assert float(table["dice"].iloc[0]) == pytest.approx(2 * 0.75 / 1.75)


def test_agree_ends_with_three_where_a_pair_fails(folder, capsys):
    (folder / "two.nii.gz").unlink()
    assert run(["agree", "--mask-a", "one.nii.gz", "--mask-b", "two.nii.gz"]) == 3
    assert "failed patient one, scan 1: file not found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--mask-b", "mask_readr2"], "did you mean 'mask_reader2'"),
        (["--strata", "site"], "no attribute 'site'"),
        (["--levels", "L1-"], "not a range"),
        (["--align", "mask-to-image"], "b-to-a"),
        (["--image", "ct.nii.gz"], "images of its own"),
        (["--scheme-b", "vers"], "verse"),
    ],
)
def test_agree_refuses_wrong_use_before_it_reads_a_mask(folder, capsys, more, told):
    (folder / "one.nii.gz").write_text("no mask")
    assert run([*AGREE, *more]) == 2
    assert told in capsys.readouterr().err
    assert not (folder / "agree" / "agreement.csv").exists()


def test_agree_without_masks_tells_how_they_are_named(folder, capsys):
    assert run(["agree"]) == 2
    assert "--cohort" in capsys.readouterr().err


def test_qc_writes_one_page_that_stands_alone(folder, capsys):
    assert run(["qc", "--cohort", "cohort.csv", "--levels", "L1-L2", "--columns", "sex,kvp", "--out", "qc"]) == 0
    assert "3 scans: 3 clear" in capsys.readouterr().out
    assert [path.name for path in (folder / "qc").iterdir()] == ["index.html"]
    text = (folder / "qc" / "index.html").read_text(encoding="utf-8")
    assert text.count("<article") == 3
    assert not re.search(r"(src|href)=\"(?!data:image/png|#)", text)


def test_qc_and_inspect_find_the_same_and_end_alike(folder, capsys):
    (folder / "one.nii.gz").unlink()
    assert run(["qc", "--cohort", "cohort.csv"]) == run(["inspect", "--cohort", "cohort.csv"]) == 3
    out = capsys.readouterr().out
    assert "3 scans: 3 with errors" in out
    assert "3 scans, 0 readable, 3 to review" in out
    assert "file not found" in out
    assert "file not found" in (folder / "qc" / "index.html").read_text(encoding="utf-8")


def test_qc_refuses_wrong_use(folder, capsys):
    assert run(["qc", "--cohort", "cohort.csv", "--columns", "site"]) == 2
    assert "no such column" in capsys.readouterr().err
    assert run(["qc", "--cohort", "cohort.csv", "--out", "ct.nii.gz"]) == 2
