import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.tables.features import FeatureTable
from radiobone.tables.flow import count_flow, unusable_patients
from radiobone.tables.labels import BONE_CLASSES, LabelRule, bmd_class, classify, patient_labels
from radiobone.tables.wide import incomplete_rows, restrict_levels, wide

QCT = LabelRule(source="bmd", column="bmd", reference="QCT")
DXA = LabelRule(source="t_score", column="t", reference="DXA")


def test_qct_cuts_include_both_ends_in_osteopenia():
    values = pd.Series([10.0, 79.999, 80.0, 100.0, 120.0, 120.001, float("nan")])
    assert list(classify(values, QCT)) == ["osteoporosis"] * 2 + ["osteopenia"] * 3 + ["normal", ""]


def test_the_class_of_one_bmd_is_that_of_a_column():
    values = [79.9, 80.0, 120.0, 120.1]
    assert [bmd_class(value) for value in values] == list(classify(pd.Series(values), QCT))
    assert bmd_class(90.0, cuts=(90.5, 110.0)) == "osteoporosis"


def test_t_score_cuts_follow_the_who():
    values = pd.Series([-4.0, -2.5, -2.499, -1.001, -1.0, 2.0])
    assert list(classify(values, DXA)) == ["osteoporosis"] * 2 + ["osteopenia"] * 2 + ["normal"] * 2


@pytest.mark.parametrize(
    "rule",
    [
        {"source": "bmd", "column": "bmd"},
        {"source": "bmd", "column": "bmd", "reference": "DXA"},
        {"source": "bmd", "column": "bmd", "reference": "QCT", "cuts": [120, 80]},
        {"source": "class", "column": "c", "reference": "QCT", "cuts": [80, 120]},
    ],
)
def test_rules_that_make_no_sense_are_refused(rule):
    with pytest.raises(ValidationError):
        LabelRule.model_validate(rule)


def test_labels_are_one_for_each_patient():
    cohort = pd.DataFrame({"patient_id": ["b", "a", "a", "c"], "bmd": ["70", "100", "", ""]})
    assert patient_labels(cohort, QCT, "c.csv").to_dict() == {"b": "osteoporosis", "a": "osteopenia", "c": ""}


def test_rows_of_one_patient_must_agree():
    cohort = pd.DataFrame({"patient_id": ["a", "a"], "bmd": ["70", "100"]})
    with pytest.raises(TableError, match="different classes"):
        patient_labels(cohort, QCT, "c.csv")


def test_unknown_classes_are_refused():
    rule = LabelRule(source="class", column="group", reference="DXA")
    cohort = pd.DataFrame({"patient_id": ["a"], "group": ["osteopenic"]})
    with pytest.raises(TableError, match="osteopenic"):
        patient_labels(cohort, rule, "c.csv")


def test_a_label_from_the_same_scan_is_warned_about():
    rule = QCT.model_copy(update={"same_scan": True})
    cohort = pd.DataFrame({"patient_id": ["a"], "bmd": ["70"]})
    with pytest.warns(RadioboneWarning, match="same scans"):
        patient_labels(cohort, rule, "c.csv")


def test_flow_counts_each_patient_once_by_class_and_reason():
    labels = pd.Series({f"p{n:02d}": BONE_CLASSES[n % 3] for n in range(60)} | {"q": ""})
    steps = [("user", {"p00": "metal"}), ("features", {"p00": "mask is empty", "p01": "mask is empty"})]
    flow = count_flow(labels, steps, BONE_CLASSES)
    assert len(flow.analysed) == 58
    table = flow.table.set_index(["step", "reason", "class"])["patients"]
    assert table["cohort", "", "unknown"] == 1
    assert table["excluded: label", "no label", "unknown"] == 1
    assert table["excluded: user", "metal", "normal"] == 1
    assert table["excluded: features", "mask is empty", "normal"] == 0
    assert table["excluded: features", "mask is empty", "osteopenia"] == 1
    excluded = flow.table[flow.table["step"].str.startswith("excluded")]["patients"].sum()
    assert excluded + len(flow.analysed) == len(labels)


def test_heavy_and_differential_loss_warn():
    labels = pd.Series({f"p{n:02d}": BONE_CLASSES[n % 3] for n in range(60)})
    spread = {f"p{n:02d}": "failed" for n in range(9)}
    with pytest.warns(RadioboneWarning, match="15% of the labelled patients"):
        count_flow(labels, [("features", spread)], BONE_CLASSES)
    porotic = {f"p{n:02d}": "failed" for n in range(2, 17, 3)}
    with pytest.warns(RadioboneWarning, match="differs between the classes"):
        count_flow(labels, [("features", porotic)], BONE_CLASSES)


def feature_rows(labels: pd.Series, failed: dict[str, int], n: int = 3) -> pd.DataFrame:
    """``n`` rows for each patient, of which the first so many failed."""
    return pd.DataFrame(
        [
            (
                name,
                *(("failed", f"label not present | where: {name}") if row < failed.get(name, 0) else ("ok", "")),
            )
            for name in labels.index
            for row in range(n)
        ],
        columns=["patient_id", "status", "reason"],
    )


def test_flow_counts_rows_so_that_patients_and_rows_both_add_up():
    labels = pd.Series({f"p{n:02d}": BONE_CLASSES[n % 3] for n in range(60)} | {"q": ""})
    rows = feature_rows(labels, {"p00": 3, "p01": 1, "p02": 2})
    flow = count_flow(labels, [("features", {"p00": "label not present"})], BONE_CLASSES, rows=rows)
    found = flow.table.set_index(["step", "reason", "class"])
    assert found.loc[("excluded: label", "no label", "unknown")].tolist() == [1, 3]
    assert found.loc[("excluded: features", "label not present", "normal")].tolist() == [1, 3]
    assert found.loc[("rows without features", "label not present", "osteopenia")].tolist() == [0, 1]
    assert found.loc[("rows without features", "label not present", "osteoporosis")].tolist() == [0, 2]
    assert found.loc[("analysed", "", "osteoporosis")].tolist() == [20, 58]
    whole = flow.table["step"] == "cohort"
    sums = flow.table.groupby([whole, "class"])[["patients", "rows"]].sum()
    assert sums.loc[True].equals(sums.loc[False])
    assert sums.loc[True, "rows"].sum() == len(rows)


def test_lost_rows_warn_as_lost_patients_do():
    labels = pd.Series({f"p{n:02d}": BONE_CLASSES[n % 3] for n in range(60)})
    rows = feature_rows(labels, dict.fromkeys(labels.index[:30], 1))
    with pytest.warns(RadioboneWarning, match="17% of the labelled patients' rows are lost"):
        count_flow(labels, [], BONE_CLASSES, rows=rows)
    rows = feature_rows(labels, dict.fromkeys(labels.index[labels == "osteoporosis"][:10], 1))
    with pytest.warns(RadioboneWarning, match="some of their rows differs between the classes.*porosis 10 of 20"):
        count_flow(labels, [], BONE_CLASSES, rows=rows)


def test_classes_that_the_design_leaves_out_are_no_loss():
    labels = pd.Series({f"p{n:02d}": BONE_CLASSES[n % 3] for n in range(60)})
    without = [("class", dict.fromkeys(labels.index[labels == "osteopenia"], "class osteopenia is in no node"))]
    rows = feature_rows(labels, {})
    flow = count_flow(labels, without, BONE_CLASSES, rows=rows, left_out=["osteopenia"])
    assert len(flow.analysed) == 40
    lost = [*without, ("by user", dict.fromkeys(labels.index[labels != "osteopenia"][:5], "x"))]
    with pytest.warns(RadioboneWarning, match=r"^12% of the labelled patients are lost \(normal 3 of 20, osteop"):
        count_flow(labels, lost, BONE_CLASSES, rows=rows, left_out=["osteopenia"])


def test_the_reason_of_a_patient_is_that_of_the_first_level_in_any_order_of_rows():
    table = pd.DataFrame(
        {
            "patient_id": ["a", "a", "b"],
            "scan_id": "1",
            "voi": "v",
            "level": ["L2", "L1", "L4"],
            "status": "failed",
            "reason": ["second", "first", "other level"],
        }
    )
    for order in ([0, 1, 2], [2, 1, 0]):
        features = FeatureTable(table.iloc[order], [])
        assert unusable_patients(features) == {"a": "first", "b": "other level"}
        assert unusable_patients(features, ("L1", "L2")) == {"a": "first", "b": "no row of level L1, L2"}


def long_table() -> FeatureTable:
    rows = [
        ("b", "1", "trabecular", "L2", "ok", 5.0),
        ("a", "1", "trabecular", "L1", "ok", 1.0),
        ("a", "1", "trabecular", "L2", "ok", 3.0),
        ("a", "1", "trabecular", "L3", "failed", float("nan")),
    ]
    table = pd.DataFrame(rows, columns=["patient_id", "scan_id", "voi", "level", "status", "f"])
    return FeatureTable(table.assign(reason=""), ["f"])


@pytest.mark.parametrize(("how", "expected"), [("mean", [2.0, 5.0]), ("min", [1.0, 5.0])])
def test_one_row_for_each_patient_over_ok_levels(how, expected):
    table = wide(long_table(), how)
    assert list(table.index) == ["a", "b"]
    assert list(table["trabecular__f"]) == expected


def test_levels_side_by_side():
    table = wide(long_table(), "concat")
    assert list(table.columns) == ["L1.trabecular__f", "L2.trabecular__f"]
    assert table.loc["a"].tolist() == [1.0, 3.0]
    assert table.loc["b"].isna().tolist() == [True, False]


def test_several_scans_of_a_patient_are_never_mixed_silently():
    features = long_table()
    features.table.loc[1, "scan_id"] = "2"
    with pytest.raises(TableError, match="several scans"):
        wide(features)


@pytest.mark.parametrize("how", ["mean", "min", "concat"])
def test_the_order_of_rows_moves_no_bit(how):
    rng = np.random.default_rng(0)
    rows = [(f"p{n:03d}", "1", "v", f"L{level}", "ok") for n in range(200) for level in (1, 2, 3, 4, 5)]
    table = pd.DataFrame(rows, columns=["patient_id", "scan_id", "voi", "level", "status"])
    table["f"] = rng.normal(0, 1, len(rows)) * 10.0 ** rng.integers(-8, 8, len(rows))
    shuffled = table.sample(frac=1.0, random_state=1)
    one, other = (wide(FeatureTable(each, ["f"]), how) for each in (table, shuffled))
    assert one.to_numpy().tobytes() == other.to_numpy().tobytes()
    assert list(one.index) == list(other.index)


def test_rows_of_other_levels_are_left_out_but_not_scans_that_failed_as_a_whole():
    features = long_table()
    features.table.loc[4] = ["c", "1", "trabecular", "", "failed", float("nan"), "file not found"]
    assert restrict_levels(features, None) is features
    kept = restrict_levels(features, ("L1",)).table
    assert kept["patient_id"].tolist() == ["a", "c"]


def test_rows_without_a_finite_value_are_told_with_their_column():
    X = pd.DataFrame({"f": [1.0, np.inf, 2.0], "g": [np.nan, -np.inf, 0.0]}, index=["a", "b", "c"])
    assert incomplete_rows(X) == {
        "a": "a feature has no finite value | got: g (1 columns)",
        "b": "a feature has no finite value | got: f (2 columns)",
    }
