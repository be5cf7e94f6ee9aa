import pandas as pd
import pytest
from pydantic import ValidationError

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.tables.features import FeatureTable
from radiobone.tables.flow import count_flow
from radiobone.tables.labels import BONE_CLASSES, LabelRule, classify, patient_labels
from radiobone.tables.wide import wide

QCT = LabelRule(source="bmd", column="bmd", reference="QCT")
DXA = LabelRule(source="t_score", column="t", reference="DXA")


def test_qct_cuts_include_both_ends_in_osteopenia():
    values = pd.Series([10.0, 79.999, 80.0, 100.0, 120.0, 120.001, float("nan")])
    assert list(classify(values, QCT)) == ["osteoporosis"] * 2 + ["osteopenia"] * 3 + ["normal", ""]


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
