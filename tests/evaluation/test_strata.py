import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from radiobone.core.errors import UsageError
from radiobone.evaluation import Arm, ArmsCV, FigureOptions, FixedSplit, KFolds, NestedCV, Primary, Strata
from radiobone.evaluation.compare import Target
from radiobone.evaluation.intervals import CONDITIONAL
from radiobone.evaluation.strata import relative_difference, strata_content
from radiobone.learning import DataError, Node

NODE = Node("sick_vs_well", ("sick",), ("well",))
LIGHT = FigureOptions(draws=400)


class Told(ClassifierMixin, BaseEstimator):
    """The probability stands in X, so that every figure is known beforehand."""

    def fit(self, X, y):
        self.classes_ = np.array(["sick", "well"])
        return self

    def predict_proba(self, X):
        values = np.asarray(X)[:, 0]
        return np.column_stack([values, 1 - values])


def told(shares, n=200):
    """Patients of each stratum, half of them sick, of whom a share is called so; nobody else is."""
    parts = []
    for name, share in shares.items():
        sick = np.arange(n) % 2 == 0
        found = sick & (np.cumsum(sick) <= round(share * n / 2))
        parts.append(
            pd.DataFrame({"kvp": name, "y": np.where(sick, "sick", "well"), "p": np.where(found, 0.9, 0.1)})
        )
    table = pd.concat(parts, ignore_index=True)
    return table, [f"p{i:04d}" for i in range(len(table))]


def judge(table, patients, strata, metric="sensitivity", ids=None):
    found = NestedCV(Told(), KFolds(2), nodes=[NODE], options=LIGHT).run(
        table[["p"]], table["y"].to_numpy(), groups=patients, ids=ids, attributes=table[["kvp"]]
    )
    return strata_content(found, [strata], Target(NODE.name, metric))[0]


def test_relative_drops_of_a_published_table():
    # Wang and others 2024: AUCs by tube voltage against 0.84, in per cent.
    for value, drop in ((0.72, 14.3), (0.77, 8.3), (0.51, 39.3), (0.54, 35.7)):
        assert round(-100 * relative_difference(value, 0.84), 1) == drop
    table, patients = told({"120": 0.84, "100": 0.72, "80": 0.51, "140": 0.77, "Sn100": 0.54})
    found = judge(table, patients, Strata("kvp", reference="120"))
    lines = {line["name"]: line for line in found["strata"]}
    assert lines["120"]["relative_difference"] is None
    assert {
        name: round(-100 * line["relative_difference"], 1) for name, line in lines.items() if name != "120"
    } == {"100": 14.3, "140": 8.3, "80": 39.3, "Sn100": 35.7}
    assert lines["100"]["difference"] == pytest.approx(-0.12)
    for line in lines.values():
        assert (line["n_patients"], line["n_positive"], line["n_rows"]) == (200, 100, 200)


def test_differences_of_strata_have_intervals_of_independent_patients():
    table, patients = told({"120": 0.84, "100": 0.72})
    found = judge(table, patients, Strata("kvp", reference="120"))
    (line,) = [line for line in found["strata"] if line["name"] == "100"]
    # Two independent shares of 100 patients each.
    error = np.sqrt(0.84 * 0.16 / 100 + 0.72 * 0.28 / 100)
    interval = line["difference_interval"]
    assert interval["low"] == pytest.approx(-0.12 - 1.96 * error, abs=0.025)
    assert interval["high"] == pytest.approx(-0.12 + 1.96 * error, abs=0.025)
    relative = line["relative_interval"]
    assert relative["low"] < line["relative_difference"] < relative["high"]
    assert found["conditional"] == interval["conditional"] == line["interval"]["conditional"] == CONDITIONAL
    assert found["threshold"] == 0.5


def test_a_stratum_alone_has_the_figure_of_its_patients():
    table, patients = told({"120": 0.9, "100": 0.4})
    found = judge(table, patients, Strata("kvp", reference="100"), metric="auc")
    values = {line["name"]: line["value"] for line in found["strata"]}
    # Those who are called rank above all others, and the rest is tied.
    assert values == pytest.approx({"120": 0.9 + 0.1 / 2, "100": 0.4 + 0.6 / 2})


def test_bands_gaps_and_the_largest_stratum_as_reference():
    table, patients = told({"120": 0.8}, n=120)
    table["kvp"] = [None, ""] + ["44", "50", "64.9", "65"] * 29 + ["70", "70"]
    found = judge(table, patients, Strata("kvp", edges=(50, 65)))
    assert found["reference"] == ">= 65" or found["reference"] == "50 to < 65"
    assert {line["name"]: line["n_patients"] for line in found["strata"]} == {
        "< 50": 29,
        "50 to < 65": 58,
        ">= 65": 31,
        "missing": 2,
    }
    assert found["reference"] == "50 to < 65"


def test_patients_in_two_strata_leave_the_difference_without_interval():
    table, patients = told({"120": 0.84, "100": 0.72}, n=40)
    same = patients[:40] * 2
    found = judge(table, same, Strata("kvp", reference="120"), ids=pd.DataFrame({"scan": patients}))
    (line,) = [line for line in found["strata"] if line["name"] == "100"]
    assert line["difference"] is not None
    assert line["difference_interval"] is None


def test_a_stratum_without_a_class_is_undefined():
    table, patients = told({"120": 0.8, "100": 0.5}, n=40)
    keep = (table["kvp"] == "120") | (table["y"] == "well")
    table = table[keep].reset_index(drop=True)
    found = judge(table, patients[: len(table)], Strata("kvp", reference="120"), metric="auc")
    (line,) = [line for line in found["strata"] if line["name"] == "100"]
    assert np.isnan(line["value"])
    assert line["difference_interval"] is None


def test_strata_stand_in_the_results_of_the_primary_arm():
    table, patients = told({"120": 0.84, "100": 0.72}, n=80)
    table["split"] = np.tile(["train", "train", "test", "test"], 40)
    arms = ArmsCV(
        [Arm("told", table[["p"]], Told())],
        Primary(NODE.name, "sensitivity", "told"),
        FixedSplit("split"),
        nodes=[NODE],
        options=LIGHT,
        strata=[Strata("kvp", reference="120")],
    )
    results = arms.run(table["y"], groups=patients, attributes=table[["kvp", "split"]]).results()
    (by_kvp,) = results["strata"]
    assert (by_kvp["column"], by_kvp["node"], by_kvp["metric"]) == ("kvp", NODE.name, "sensitivity")
    assert by_kvp["conditional"] is None, "one model on a fixed test set"
    assert [line["n_patients"] for line in by_kvp["strata"]] == [40, 40]
    rest = arms.run(table["y"], groups=patients, attributes=table[["kvp", "split"]])
    assert rest.main.results()["nodes"][0]["on_true_members"]["n_patients"] == 80
    with pytest.raises(DataError, match="no attribute 'kvp'"):
        arms.run(table["y"], groups=patients, attributes=table[["split"]])


def test_strata_that_cannot_be_are_refused():
    table, patients = told({"120": 0.84, "100": 0.72}, n=40)
    for edges in ((65, 50), (50, float("nan"))):
        with pytest.raises(UsageError, match="edges must be numbers that ascend"):
            Strata("age", edges=edges)
    with pytest.raises(DataError, match=r"no patients in the reference.*110.*expected: 100, 120"):
        judge(table, patients, Strata("kvp", reference="110"))
    with pytest.raises(DataError, match=r"no attribute 'sex'.*kvp"):
        judge(table, patients, Strata("sex"))
    table["kvp"] = "Sn100"
    with pytest.raises(DataError, match="no number"):
        judge(table, patients, Strata("kvp", edges=(100,)))
    found = NestedCV(Told(), KFolds(2)).run(table[["p"]], table["y"], groups=patients)
    with pytest.raises(UsageError, match="judged at a node"):
        strata_content(found, [Strata("kvp")], Target("other", "auc"))


def test_whole_numbers_are_named_without_a_decimal_point():
    kvp = pd.DataFrame({"kvp": [120.0, 100.0, np.nan, 120.5]})
    assert Strata("kvp", reference="120").of(kvp).tolist() == ["120", "100", "missing", "120.5"]


def test_blanks_around_a_value_make_no_stratum_of_their_own():
    attributes = pd.DataFrame({"sex": ["f", " f", "m ", " "]})
    assert Strata("sex").of(attributes).tolist() == ["f", "f", "m", "missing"]
