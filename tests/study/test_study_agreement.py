"""Agreement over a cohort: rows for all that was asked for, and what is summed up from them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from radiobone.core.errors import TableError, UsageError
from radiobone.core.hashing import sha256_file
from radiobone.evaluation.statistics.bootstrap import bootstrap_interval, metric_statistic
from radiobone.evaluation.strata import Strata
from radiobone.imaging import Geometry, Mask
from radiobone.imaging.writing import write_mask
from radiobone.learning.data import DataError
from radiobone.study.agreement import AgreementRequest, compare_pair, compare_pairs
from radiobone.study.agreement_outputs import agreement_figures, run_agreement
from radiobone.study.agreement_pairs import MaskFile, MaskPair, mask_pairs
from radiobone.study.agreement_summary import SummaryOptions, cohort_strata, join_strata, parse_strata, summarise
from radiobone.tables.cohort import NOTHING_FOUND, read_cohort
from radiobone.tables.reading import read_text_table

GRID = Geometry((42, 12, 12), (4.0, 1.0, 1.0))


def mask(*values: int, grow: int = 0, geometry: Geometry = GRID) -> Mask:
    """Labels from head to foot, 24 mm apart; the first one wider by some voxels."""
    array = np.zeros(geometry.shape, np.uint8)
    for place, value in enumerate(values):
        wide = grow if place == 0 else 0
        array[37 - 6 * place : 40 - 6 * place, 3 - wide : 9 + wide, 3:9] = value
    return Mask(array, geometry)


@pytest.fixture
def cohort(tmp_path):
    write_mask(mask(20, 21), tmp_path / "a.nii.gz")
    write_mask(mask(20, 21, grow=1), tmp_path / "b.nii.gz")
    write_mask(mask(31, 30), tmp_path / "total.nii.gz")
    write_mask(mask(20, 21, geometry=Geometry((42, 12, 12), (4.0, 1.0, 1.1))), tmp_path / "moved.nii.gz")
    rows = [
        "patient_id,scan_id,mask,other,sex,age",
        "0012,1,a.nii.gz,b.nii.gz,f,49",
        "0012,2,a.nii.gz,a.nii.gz,f,49",
        "NA,1,a.nii.gz,total.nii.gz,m,50",
        "p3,1,a.nii.gz,,m,71",
        "p4,1,a.nii.gz,none.nii.gz,,66",
        "p5,1,a.nii.gz,moved.nii.gz,f,",
    ]
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    return read_cohort(tmp_path / "cohort.csv", images=False)


def compare(cohort, **changes):
    request = AgreementRequest(**changes)
    return compare_pairs(mask_pairs(cohort, "mask", "other"), request, progress=False)


def test_every_pair_has_its_rows_and_one_bad_pair_stops_no_other(cohort):
    found = compare(cohort)
    told = found.table[["patient_id", "scan_id", "level", "status", "present"]].to_numpy().tolist()
    assert told == [
        ["0012", "1", "L1", "ok", "both"],
        ["0012", "1", "L2", "ok", "both"],
        ["0012", "2", "L1", "ok", "both"],
        ["0012", "2", "L2", "ok", "both"],
        ["NA", "1", "L1", "ok", "both"],
        ["NA", "1", "L2", "ok", "both"],
        ["p3", "1", "", "skipped", ""],
        ["p4", "1", "", "failed", ""],
        ["p5", "1", "", "failed", ""],
    ]
    assert found.counts == {"failed": 2, "ok": 3, "skipped": 1}
    assert found.table["dice"][0] == pytest.approx(2 * 6 / (6 + 8))
    assert found.table["dice"][1:6].tolist() == [1.0] * 5, "TotalSegmentator's L1 is VerSe's L1"
    assert found.table["volume_difference_percent"][0] == pytest.approx(100 / 3)
    reasons = found.table["reason"].tolist()
    assert reasons[6] == "no second mask in the cohort table"
    assert "file not found" in reasons[7]
    assert "do not lie on the same grid" in reasons[8]
    assert "--align b-to-a" in reasons[8]


def test_masks_on_another_grid_are_resampled_when_asked_for(cohort):
    table = compare(cohort, align=True).table
    moved = table[table["patient_id"] == "p5"]
    assert moved["status"].tolist() == ["ok", "ok"]
    assert (moved["dice"] > 0.8).all()


def test_a_mask_stored_with_its_axes_turned_is_the_same_mask(tmp_path):
    held = mask(20, 21, grow=1)
    turned = Geometry(
        GRID.shape, GRID.spacing_mm, (0.0, 11.0, 0.0), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
    )
    write_mask(held, tmp_path / "a.nii.gz")
    write_mask(Mask(held.array[:, ::-1].copy(), turned), tmp_path / "b.nii.gz")
    files = (MaskFile(tmp_path / "a.nii.gz"), MaskFile(tmp_path / "b.nii.gz"))
    record, levels = compare_pair(MaskPair("p", "1", *files), AgreementRequest())
    assert [level.dice for level in levels] == [1.0, 1.0]
    assert any("other axes" in note for note in record.notes)


def test_a_box_of_the_grid_is_compared_in_its_place_without_the_image(tmp_path):
    held = mask(20, 21)
    write_mask(held, tmp_path / "whole.nii.gz")
    box = sitk.GetImageFromArray(held.array[20:])
    box.SetSpacing(GRID.spacing_mm[::-1])
    box.SetOrigin(GRID.world((20, 0, 0)))
    for number, (name, value) in enumerate((("L1", "20"), ("L2", "21"))):
        for key, text in {"Name": name, "LabelValue": value, "Layer": "0"}.items():
            box.SetMetaData(f"Segment{number}_{key}", text)
    sitk.WriteImage(box, tmp_path / "box.seg.nrrd")
    files = (MaskFile(tmp_path / "whole.nii.gz"), MaskFile(tmp_path / "box.seg.nrrd"))
    for pair in (files, files[::-1]):
        _, levels = compare_pair(MaskPair("p", "1", *pair), AgreementRequest())
        assert [(level.level, level.dice) for level in levels] == [("L1", 1.0), ("L2", 1.0)]


def test_a_mask_left_empty_misses_all_levels_of_the_other(tmp_path):
    held, empty = tmp_path / "held.nii.gz", tmp_path / "empty.nii.gz"
    write_mask(mask(20, 21), held)
    write_mask(mask(), empty)
    files = {"held": MaskFile(held), "empty": MaskFile(empty)}
    files["found nothing"] = MaskFile(tmp_path / "none.nii.gz", unsegmented=f"{NOTHING_FOUND} | got: background")
    sides = [("held", "held"), ("held", "empty"), ("empty", "held"), ("held", "found nothing"), ("empty", "empty")]
    pairs = [MaskPair(f"p{number}", "1", files[a], files[b]) for number, (a, b) in enumerate(sides)]
    found = compare_pairs(pairs, AgreementRequest(), progress=False)
    assert found.counts == {"failed": 1, "ok": 4}
    table = found.table
    assert table["level"].tolist() == ["L1", "L2"] * 4 + [""]
    assert table["dice"][:8].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert table["present"][:8].tolist() == ["both"] * 2 + ["a"] * 2 + ["b"] * 2 + ["a"] * 2
    assert table["hd95_mm"][:2].tolist() == [0, 0]
    assert table[["hd95_mm", "assd_mm"]][2:].isna().all(axis=None)
    assert table["volume_difference_percent"][[2, 3, 6]].tolist() == [-100, -100, -100]
    assert table["reason"][[1, 2, 4]].tolist() == ["", "not in the second mask", "not in the first mask"]
    assert table["reason"][8].startswith("both masks are empty")
    assert found.records[1].notes[1].startswith("second mask: empty")
    overall = line(summarise(table), "all", "all", "dice")
    assert overall[["n_rows", "n_only_a", "n_only_b", "mean"]].tolist() == [8, 4, 2, 0.25]


def test_a_segment_left_empty_is_missed_and_stops_no_other(tmp_path):
    """Two readers were to outline L1 and L2; the second left L2 empty."""
    for name, values in (("one", (20, 21)), ("two", (20,))):
        image = sitk.GetImageFromArray(mask(*values).array)
        image.SetSpacing(GRID.spacing_mm[::-1])
        for number, (level, value) in enumerate((("L1", "20"), ("L2", "21"))):
            for key, text in {"Name": level, "LabelValue": value, "Layer": "0"}.items():
                image.SetMetaData(f"Segment{number}_{key}", text)
        sitk.WriteImage(image, tmp_path / f"{name}.seg.nrrd")
    files = [MaskFile(tmp_path / f"{name}.seg.nrrd", segments=("L1", "L2")) for name in ("one", "two")]
    _, levels = compare_pair(MaskPair("p", "1", *files), AgreementRequest())
    assert [(item.level, item.present, item.dice) for item in levels] == [("L1", "both", 1.0), ("L2", "a", 0.0)]


def test_levels_asked_for_are_there_whatever_the_masks_hold(cohort):
    table = compare(cohort, levels=("L2", "L4")).table
    first = table[(table["patient_id"] == "0012") & (table["scan_id"] == "1")]
    assert first[["level", "status", "present"]].to_numpy().tolist() == [
        ["L2", "ok", "both"],
        ["L4", "skipped", "none"],
    ]
    assert np.isnan(first["dice"].iloc[1])


@pytest.mark.slow
def test_workers_change_nothing(cohort):
    pd.testing.assert_frame_equal(
        compare(cohort).table,
        compare_pairs(mask_pairs(cohort, "mask", "other"), AgreementRequest(), jobs=2, progress=False).table,
    )


def test_masks_made_by_segment_bring_their_schemes_and_the_reasons_of_failures(tmp_path):
    write_mask(mask(1, 2), tmp_path / "made.nii.gz")
    write_mask(mask(20, 21), tmp_path / "given.nii.gz")
    (tmp_path / "scheme.yaml").write_text("labels: {1: L1, 2: L2}\n")
    rows = [
        "patient_id,mask,mask_given,mask_scheme,mask_scheme_given,segmentation_status,segmentation_reason",
        "p1,made.nii.gz,given.nii.gz,scheme.yaml,,ok,",
        "p2,none.nii.gz,given.nii.gz,scheme.yaml,,failed,no vertebra found",
        "p3,made.nii.gz,given.nii.gz,none.yaml,,ok,",
        "p4,made.nii.gz,given.nii.gz,scheme.yaml,vers,ok,",
    ]
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    cohort = read_cohort(tmp_path / "cohort.csv", images=False)
    table = compare_pairs(mask_pairs(cohort, "mask_given", "mask"), AgreementRequest(), progress=False).table
    assert table["status"].tolist() == ["ok", "ok", "failed", "failed", "failed"]
    assert table["dice"][:2].tolist() == [1, 1]
    reasons = table["reason"].tolist()
    assert reasons[2] == "segmentation failed: no vertebra found"
    assert "none.yaml" in reasons[3]
    assert "did you mean 'verse'" in reasons[4]


def test_the_record_tells_schemes_and_what_was_done(tmp_path, cohort):
    a, b = tmp_path / "a.nii.gz", tmp_path / "moved.nii.gz"
    record, _ = compare_pair(MaskPair("p", "1", MaskFile(a), MaskFile(b)), AgreementRequest(align=True))
    assert "label scheme verse, detected" in record.notes[0]
    assert record.notes[-1].startswith("second mask resampled to the other mask's grid")
    assert record.mask_a_sha256 == (sha256_file(a),)


def test_what_cannot_be_asked_for_is_refused(cohort):
    with pytest.raises(TableError, match="column missing"):
        mask_pairs(cohort, "mask", "othr")
    with pytest.raises(UsageError, match="same column"):
        mask_pairs(cohort, "mask", "mask")
    with pytest.raises(UsageError, match="neither label scheme has this level"):
        AgreementRequest(levels=("femur_left",), scheme_a="verse", scheme_b="verse")
    with pytest.raises(UsageError, match="no label scheme"):
        AgreementRequest(scheme_b="vers")


def test_strata_are_read_and_checked(cohort):
    sex, age = parse_strata("sex, age:50:65")
    assert (sex, age) == (Strata("sex"), Strata("age", edges=(50.0, 65.0)))
    for wrong in ("", "sex,,age", "age:young", "age:65:50", "age:50,age:65"):
        with pytest.raises(UsageError):
            parse_strata(wrong)
    found = cohort_strata(cohort.table, (sex, age))
    assert found["sex"].tolist() == ["f", "f", "m", "m", "missing", "f"]
    assert found["age"].tolist() == ["< 50", "< 50", "50 to < 65", ">= 65", ">= 65", "missing"]
    with pytest.raises(DataError, match="no attribute"):
        cohort_strata(cohort.table, (Strata("kvp"),))
    with pytest.raises(DataError, match=r"no number.*'f', 'm'"):
        cohort_strata(cohort.table, (Strata("sex", edges=(50.0,)),))
    many = pd.DataFrame({"age": [str(age) for age in range(30)]})
    with pytest.raises(UsageError, match="too many values"):
        cohort_strata(many, (Strata("age"),))


def test_rows_find_the_strata_of_their_own_scan(cohort):
    table = compare(cohort).table
    parted = join_strata(table, cohort.table, cohort_strata(cohort.table, parse_strata("sex")))
    assert parted["sex"].tolist() == ["f"] * 4 + ["m"] * 3 + ["missing", "f"]


def sample(n: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = [
        {"patient_id": f"p{patient}", "scan_id": "1", "level": level, "status": "ok", "present": "both"}
        for patient in range(n)
        for level in ("L1", "L2")
    ]
    table = pd.DataFrame(rows)
    for metric in ("dice", "hd95_mm", "assd_mm", "volume_difference_ml", "volume_difference_percent"):
        table[metric] = random.random(len(table)) + np.repeat(random.random(n), 2)
    table.loc[0, ["present", "dice", "hd95_mm", "assd_mm"]] = ["a", 0.0, np.nan, np.nan]
    table.loc[3, ["status", "present"]] = ["skipped", "none"]
    return table


def line(summary, part, name, metric):
    found = summary[(summary["part"] == part) & (summary["name"] == name) & (summary["metric"] == metric)]
    assert len(found) == 1
    return found.iloc[0]


def test_means_medians_and_intervals_are_those_of_the_rows():
    table = sample(20)
    summary = summarise(table, {}, SummaryOptions(draws=500))
    ok = table[table["status"] == "ok"]
    overall = line(summary, "all", "all", "dice")
    assert (overall["n_patients"], overall["n_rows"], overall["n_defined"]) == (20, 39, 39)
    assert (overall["n_only_a"], overall["n_only_b"]) == (1, 0)
    assert overall["mean"] == pytest.approx(ok["dice"].mean())
    assert overall["median"] == pytest.approx(ok["dice"].median())
    assert overall["sd"] == pytest.approx(ok["dice"].std())
    # The mean as a function of rows, patients drawn with all their rows.
    expected = bootstrap_interval(
        metric_statistic(np.mean, ok["dice"].to_numpy()), len(ok), groups=ok["patient_id"].to_numpy(), draws=500
    )
    assert (overall["mean_low"], overall["mean_high"]) == pytest.approx((expected.low, expected.high))
    distances = line(summary, "all", "all", "hd95_mm")
    assert (distances["n_rows"], distances["n_defined"]) == (39, 38)
    assert distances["mean"] == pytest.approx(ok["hd95_mm"].mean())
    one = line(summary, "level", "L2", "assd_mm")
    assert one["n_rows"] == 19
    assert one["mean"] == pytest.approx(ok.loc[ok["level"] == "L2", "assd_mm"].mean())


def test_intervals_are_wider_than_those_of_rows_taken_one_by_one():
    table = sample(40)
    own = summarise(table, {}, SummaryOptions(draws=500))
    alone = summarise(
        table.assign(patient_id=[str(row) for row in range(len(table))]), {}, SummaryOptions(draws=500)
    )

    def width(summary):
        found = line(summary, "all", "all", "volume_difference_ml")
        return found["mean_high"] - found["mean_low"]

    assert width(own) > 1.1 * width(alone)


def test_few_patients_have_no_interval_and_say_so():
    found = line(summarise(sample(9)), "all", "all", "dice")
    assert np.isnan(found["mean_low"])
    assert found["note"] == "fewer than 10 patients: no interval"
    assert found["mean"] > 0


def test_strata_are_summed_up_in_their_order():
    table = sample(30)
    bands = np.array(["< 50", ">= 65", "50 to < 65", "missing", "f"])[np.arange(len(table)) % 5]
    summary = summarise(table, {"age": bands}, SummaryOptions(draws=100))
    assert summary.loc[summary["part"] == "age", "name"].unique().tolist() == [
        "< 50", "50 to < 65", ">= 65", "f", "missing",
    ]  # fmt: skip
    ok = (table["status"] == "ok").to_numpy() & (bands == "< 50")
    assert line(summary, "age", "< 50", "dice")["mean"] == pytest.approx(table.loc[ok, "dice"].mean())


def test_nothing_to_sum_up_is_an_empty_summary():
    assert summarise(sample(3).assign(status="failed")).empty


@pytest.mark.slow
def test_the_folder_holds_table_manifest_summary_and_figures(tmp_path, cohort):
    out = tmp_path / "agree"
    study = run_agreement(
        mask_pairs(cohort, "mask", "other"),
        AgreementRequest(),
        out,
        names=("mask", "other"),
        cohort=cohort,
        strata=parse_strata("sex,age:60"),
        options=SummaryOptions(draws=100, seed=7),
        progress=False,
    )
    assert (
        read_text_table(out / "agreement.csv")["patient_id"].tolist()
        == study.agreement.table["patient_id"].tolist()
    )
    manifest = json.loads((out / "agreement.csv.manifest.json").read_text())
    assert manifest["table_sha256"] == sha256_file(out / "agreement.csv")
    assert manifest["counts"] == {"failed": 2, "ok": 3, "skipped": 1}
    assert manifest["cohort"] == "../cohort.csv"
    assert manifest["strata"] == {"sex": [], "age": [60.0]}
    assert (manifest["draws"], manifest["seed"]) == (100, 7)
    assert "95th percentiles" in manifest["definitions"]["hd95_mm"]
    assert len(manifest["pairs"]) == 6
    assert set(read_text_table(out / "summary.csv")["part"]) == {"all", "level", "sex", "age"}
    pictures = sorted(path.name for path in (out / "figures").iterdir())
    assert len(pictures) == 10
    assert "dice.png" in pictures
    assert not list(out.glob(".part-*"))


@pytest.mark.slow
def test_a_second_comparison_leaves_no_figure_of_the_first(tmp_path, cohort):
    """Masks without a level in common have no distances."""
    first, *_ = mask_pairs(cohort, "mask", "other")
    write_mask(mask(24), tmp_path / "apart.nii.gz")
    apart = MaskPair("p", "1", MaskFile(tmp_path / "a.nii.gz"), MaskFile(tmp_path / "apart.nii.gz"))
    out, figures = tmp_path / "agree", tmp_path / "agree" / "figures"
    for pair in (first, apart):
        request = AgreementRequest(scheme_a="verse", scheme_b="verse")
        run_agreement([pair], request, out, names=("mask", "other"), progress=False)
        (figures / "mine.png").touch()
    assert sorted(path.name for path in figures.glob("*.png")) == [
        "dice.png", "mine.png", "volume_difference_ml.png", "volume_difference_percent.png",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["agreement.csv", "summary.csv", "figures/dice.png"])
def test_files_that_are_no_comparison_are_not_overwritten(tmp_path, cohort, name):
    own = tmp_path / name
    own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    with pytest.raises(UsageError, match="no comparison of radiobone"):
        run_agreement([], AgreementRequest(), tmp_path, names=("mask", "other"), cohort=cohort)
    assert own.read_text() == "mine"


def test_the_cohort_is_not_overwritten(tmp_path, cohort):
    cohort.path.rename(tmp_path / "summary.csv")
    (tmp_path / "agreement.csv.manifest.json").touch()
    renamed = read_cohort(tmp_path / "summary.csv", images=False)
    with pytest.raises(UsageError, match="overwrite an input"):
        run_agreement([], AgreementRequest(), tmp_path, names=("mask", "other"), cohort=renamed)


def test_strata_without_a_cohort_are_refused_before_any_file_is_read(tmp_path):
    pair = MaskPair("p", "1", MaskFile(tmp_path / "a"), MaskFile(tmp_path / "b"))
    with pytest.raises(UsageError, match="columns of a cohort table"):
        run_agreement([pair], AgreementRequest(), tmp_path / "out", names=("a", "b"), strata=parse_strata("sex"))


def test_figures_show_every_level_and_count_what_lacks_the_figure():
    figures = dict(agreement_figures(sample(8), ("mask", "other")))
    assert list(figures) == ["dice", "hd95_mm", "assd_mm", "volume_difference_ml", "volume_difference_percent"]
    (axes,) = figures["hd95_mm"].axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["L1\n7 (+1)", "L2\n7"]
    assert axes.get_ylabel() == "HD95 (mm)"
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in points) == 14
