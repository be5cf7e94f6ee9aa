"""The quality columns of a feature table, from the VOI and from the cohort table."""

from __future__ import annotations

from dataclasses import fields

import pandas as pd

from radiobone.cli.extract import show
from radiobone.features.blocks import DensityBlock
from radiobone.features.extraction import ExtractionSummary, extract_cohort
from radiobone.features.request import ExtractionRequest
from radiobone.study.rows import raised
from radiobone.tables.cohort import read_cohort
from radiobone.tables.features import read_features
from radiobone.voi import VoiQuality, find_recipe


def run(cohort, out, **changes):
    request = ExtractionRequest(
        **{"recipe": find_recipe("label"), "blocks": (DensityBlock(),), "scheme": "verse", **changes}
    )
    summary = extract_cohort(cohort.scans(), request, out, cohort=cohort, progress=False)
    table = read_features(out).table
    assert summary.to_review == raised(table["qc_needs_review"]).sum()
    return table


def add_column(cohort, name, cells):
    table = pd.read_csv(cohort.path, dtype=str)
    table[name] = cells
    table.to_csv(cohort.path, index=False)
    return read_cohort(cohort.path)


def test_order_of_the_columns(make_cohort, tmp_path):
    table = run(make_cohort(["a"]), tmp_path / "f.csv")
    names = [field.name for field in fields(VoiQuality)]
    assert names[-3:] == ["qc_needs_review", "qc_review_reason", "qc_warnings"]
    assert [name for name in table.columns if name.startswith("qc_")] == [
        *names[:-1],
        "qc_contrast",
        "qc_warnings",
    ]


def test_flags_are_read_as_they_were_written(make_cohort, tmp_path):
    table = run(make_cohort(["a"]), tmp_path / "f.csv", levels=("L1", "L2", "L5")).set_index("level")
    # The scan is noise down to -1000 HU: bone cannot be so dark.
    assert raised(table["qc_needs_review"]).to_dict() == {"L1": True, "L2": True, "L5": False}
    assert "of the label is below -250 HU" in table.loc["L1", "qc_review_reason"]
    assert table.loc["L1", "qc_review_reason"] in table.loc["L1", "qc_warnings"]
    assert table.loc["L5", "status"] == "failed"
    assert table.loc["L5", "qc_needs_review"] == ""
    assert (table["qc_fracture_grade"] == "").all()


def test_contrast_is_that_of_the_cohort_table_or_unknown(make_cohort, tmp_path):
    plain = make_cohort(["a", "b"])
    before = run(plain, tmp_path / "f.csv")
    assert set(before["qc_contrast"]) == {"unknown"}
    told = run(add_column(plain, "contrast", [" portal venous ", ""]), tmp_path / "f.csv")
    assert told.groupby("patient_id")["qc_contrast"].unique().to_dict() == {
        "a": ["portal venous"],
        "b": ["unknown"],
    }
    same = [name for name in before.columns if name != "qc_contrast"]
    pd.testing.assert_frame_equal(before[same], told[same])


def test_the_command_tells_how_many_rows_need_review(capsys, tmp_path):
    assert show(ExtractionSummary(tmp_path / "f.csv", {"ok": 4}, [], warned=3, to_review=2)) == 0
    assert "rows to review, with the reason in the column qc_review_reason: 2" in capsys.readouterr().out
    show(ExtractionSummary(tmp_path / "f.csv", {"ok": 4}, [], warned=3, to_review=0))
    assert "review" not in capsys.readouterr().out
