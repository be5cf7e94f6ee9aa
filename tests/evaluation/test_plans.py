import datetime
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiobone.core.errors import UsageError
from radiobone.evaluation import FixedSplit, LeaveOneCentreOut, NestedCV, TemporalSplit
from radiobone.evaluation.input_columns import takes_gaps
from radiobone.evaluation.inputs import prepare
from radiobone.learning import DataError, HierarchicalClassifier, SelectiveClassifierCV, osteoporosis_first

BONE = ["osteoporosis", "osteopenia", "normal"]


def table(n=45):
    """X, y, patients, attributes: three centres, dates one day apart, two sets and an external one."""
    rng = np.random.default_rng(0)
    codes = np.arange(n) % 3
    X = pd.DataFrame(rng.normal(size=(n, 3)) + 2.0 * codes[:, None], columns=list("abc"))
    third = n // 3
    attributes = pd.DataFrame(
        {
            "centre": np.repeat(["Basel", "Chengdu", "Aarhus"], third),
            "date": pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d"),
            "year": 2000 + np.arange(n),
            "split": np.repeat(["train", "test", "external"], third),
        }
    )
    return X, np.array(BONE)[codes], pd.Series([f"p{i:02d}" for i in range(n)], name="patient_id"), attributes


def folds_of(plan, X, y, ids, attributes, groups=None):
    data = prepare(X, y, ids if groups is None else groups, ids, BONE, attributes)
    return data, plan.divide(data)


def test_each_centre_is_left_out_once():
    X, y, ids, attributes = table()
    data, folds = folds_of(LeaveOneCentreOut("centre"), X, y, ids, attributes)
    assert [fold.name for fold in folds] == ["Aarhus", "Basel", "Chengdu"]
    for fold in folds:
        assert set(data.attributes["centre"].iloc[fold.test]) == {fold.name}
        assert fold.name not in set(data.attributes["centre"].iloc[fold.train])
        assert len(fold.test) + len(fold.train) == 45


@pytest.mark.parametrize(
    ("column", "cut"),
    [("date", "2024-01-31"), ("date", datetime.date(2024, 1, 31)), ("year", 2030), ("date", "2024-01-30T12:00")],
)
def test_rows_from_the_date_on_are_tested(column, cut):
    X, y, ids, attributes = table()
    data, (fold,) = folds_of(TemporalSplit(column, cut), X, y, ids, attributes)
    assert data.ids["patient_id"].iloc[fold.test].tolist() == [f"p{i}" for i in range(30, 45)]
    assert fold.name == f"from {cut}"


def test_one_model_is_asked_by_several_test_sets():
    X, y, ids, attributes = table()
    Counting.fits = 0
    found = NestedCV(Counting(), FixedSplit("split", tests=["test", "external"]), classes=BONE).run(
        X, y, groups=ids, attributes=attributes
    )
    assert Counting.fits == 1
    assert found.fixed
    assert found.folds["test_set"].unique().tolist() == ["test", "external"]
    by_set = found.folds.groupby(["test_set", "role"]).size()
    assert by_set.to_dict() == dict.fromkeys(
        [("test", "test"), ("test", "train"), ("external", "test"), ("external", "train")], 15
    )
    assert found.predictions["patient_id"].tolist() == [f"p{i}" for i in range(15, 45)]
    validation = found.results()["validation"]
    assert [fold["name"] for fold in validation["folds"]] == ["test", "external"]
    assert validation["estimand"] == "one model on a test set that was set aside"


class Counting(GaussianNB):
    """Count the fits."""

    fits = 0

    def fit(self, X, y):
        Counting.fits += 1
        return super().fit(X, y)


def test_order_of_rows_does_not_part_attributes_from_their_rows():
    X, y, ids, attributes = table()
    order = np.random.default_rng(1).permutation(45)
    plan = TemporalSplit("date", "2024-01-31")
    straight = NestedCV(GaussianNB(), plan).run(X, y, groups=ids, attributes=attributes)
    mixed = NestedCV(GaussianNB(), plan).run(
        X.iloc[order], y[order], groups=ids.iloc[order], attributes=attributes.iloc[order]
    )
    pd.testing.assert_frame_equal(straight.predictions, mixed.predictions)
    pd.testing.assert_frame_equal(straight.data.attributes, mixed.data.attributes)
    with pytest.raises(DataError, match="X and attributes have different indexes"):
        NestedCV(GaussianNB(), plan).run(X, y, groups=ids, attributes=attributes.iloc[order])


@pytest.mark.parametrize(
    "plan",
    [
        LeaveOneCentreOut("centre"),
        TemporalSplit("date", "2024-01-31"),
        FixedSplit("split", tests=["test", "external"]),
    ],
)
def test_patients_on_both_sides_are_refused(plan):
    X, y, ids, attributes = table()
    people = ids.copy()
    people[30] = people[12]  # of one class, in two centres, two sets, before and after
    with pytest.raises(DataError, match=r"both sides of a split.*p12 \(1 patients\)"):
        NestedCV(GaussianNB(), plan).run(X, y, groups=people, ids=ids, attributes=attributes)


def test_a_class_that_training_lacks_is_refused():
    X, y, ids, attributes = table()
    attributes["centre"] = np.where(y == "normal", "one", np.where(np.arange(45) % 2, "one", "two"))
    with pytest.raises(DataError, match=r"training rows of a fold lack a class.*where: one.*no normal"):
        NestedCV(GaussianNB(), LeaveOneCentreOut("centre")).run(X, y, groups=ids, attributes=attributes)


def test_a_test_fold_that_lacks_a_class_is_undefined_counted_and_named():
    X, y, ids, attributes = table()
    attributes.loc[y == "osteoporosis", "centre"] = "Aarhus"
    attributes.loc[:2, "centre"] = "Basel"
    model = HierarchicalClassifier(estimator=LogisticRegression(), nodes=osteoporosis_first())
    results = NestedCV(model, LeaveOneCentreOut("centre")).run(X, y, groups=ids, attributes=attributes).results()
    assert [fold["missing_classes"] for fold in results["validation"]["folds"]] == [[], [], ["osteoporosis"]]
    auc = results["nodes"][0]["on_true_members"]["auc"]
    assert (auc["mean"], auc["n_undefined"], auc["n_folds"]) == (None, 1, 3)
    assert auc["folds"][2] is None
    assert results["nodes"][1]["on_true_members"]["auc"]["n_undefined"] == 0


@pytest.mark.parametrize(
    ("plan", "change", "told"),
    [
        (LeaveOneCentreOut("center"), {}, r"no attribute 'center' \(did you mean 'centre'\?\)"),
        (LeaveOneCentreOut("centre"), {"centre": "one"}, "one centre only"),
        (
            LeaveOneCentreOut("centre"),
            {"centre": [None] + ["a", "b"] * 22},
            r"rows without centre.*p00 \(1 rows\)",
        ),
        (TemporalSplit("date", "2020-01-01"), {}, "0 rows before 2020-01-01, 45 from then on"),
        (TemporalSplit("date", "2024-01-31"), {"date": "31.1.2024"}, "dates that cannot be read"),
        (FixedSplit("split"), {}, r"does not name.*external \(15 rows\).*expected: train, test"),
        (FixedSplit("split", tests=("test", "external", "later")), {}, "sets without rows.*later"),
    ],
)
def test_a_plan_that_does_not_fit_the_attributes_is_refused(plan, change, told):
    X, y, ids, attributes = table()
    with pytest.raises(DataError, match=told):
        NestedCV(GaussianNB(), plan).run(X, y, groups=ids, attributes=attributes.assign(**change))
    with pytest.raises(DataError, match="no attributes"):
        NestedCV(GaussianNB(), plan).run(X, y, groups=ids)


def test_plans_that_cannot_be_are_refused():
    for plan in ({"tests": ()}, {"tests": ("a", "a")}, {"train": "a", "tests": "a"}):
        with pytest.raises(UsageError, match="each named once"):
            FixedSplit("split", **plan)
    with pytest.raises(UsageError, match="this is no plan"):
        NestedCV(GaussianNB(), 5)
    X, y, ids, attributes = table()
    with pytest.raises(UsageError, match="dates are numbers"):
        NestedCV(GaussianNB(), TemporalSplit("year", "2024-01-31")).run(X, y, groups=ids, attributes=attributes)
    with pytest.raises(DataError, match="attributes must be a table"):
        NestedCV(GaussianNB()).run(X, y, groups=ids, attributes=attributes["centre"].to_numpy())


def test_a_flat_classifier_is_judged_at_nodes_by_its_class_probabilities():
    X, y, ids, _ = table()
    found = NestedCV(GaussianNB(), classes=BONE, nodes=osteoporosis_first()).run(X, y, groups=ids)
    table_ = found.predictions
    first = table_["p_class_osteoporosis"]
    np.testing.assert_allclose(table_["p_node_osteoporosis_vs_rest"], first, rtol=1e-12)
    second = table_["p_class_osteopenia"] / (table_["p_class_osteopenia"] + table_["p_class_normal"])
    np.testing.assert_allclose(table_["p_node_osteopenia_vs_normal"], second, rtol=1e-12)
    routed = np.where(first > 0.5, "osteoporosis", np.where(second > 0.5, "osteopenia", "normal"))
    assert (table_["decision_routed"] == routed).all()
    node = found.results()["nodes"][1]
    assert node["training"]["n_train"][0] == {"osteopenia": 12, "normal": 12}
    with pytest.raises(UsageError, match="nodes of its own"):
        NestedCV(HierarchicalClassifier(), nodes=osteoporosis_first())


@pytest.mark.parametrize(
    ("estimator", "gaps"),
    [
        (GaussianNB(), False),
        (make_pipeline(SimpleImputer(), GaussianNB()), True),
        (make_pipeline(StandardScaler(), GaussianNB()), False),
        (make_pipeline(StandardScaler(), SimpleImputer(), GaussianNB()), True),
        (make_pipeline(SelectKBest(), SimpleImputer(), GaussianNB()), False),
        (HierarchicalClassifier(estimator=make_pipeline(SimpleImputer(), GaussianNB())), True),
        (
            HierarchicalClassifier(
                estimator={"a": make_pipeline(SimpleImputer(), GaussianNB()), "b": GaussianNB()}
            ),
            0,
        ),
    ],
)
def test_gaps_pass_if_the_estimator_says_that_it_fills_them(estimator, gaps):
    assert takes_gaps(estimator) == gaps


def test_gaps_reach_an_estimator_that_fills_them_and_no_other():
    X, y, ids, _ = table()
    X.iloc[3, 0] = np.nan
    model = make_pipeline(SimpleImputer(), LogisticRegression())
    assert NestedCV(model).run(X, y, groups=ids).results()["three_class"]["accuracy"]["mean"] > 0.5
    with pytest.raises(DataError, match=r"missing or infinite.*columns a \(1 columns\)"):
        NestedCV(LogisticRegression()).run(X, y, groups=ids)
    X.iloc[4, 1] = -np.inf
    with pytest.raises(DataError, match=r"infinite values.*columns b \(1 columns\)"):
        NestedCV(model).run(X, y, groups=ids)
    X["b"] = np.nan
    with pytest.raises(DataError, match=r"no value at all in b \(1 columns\)"):
        NestedCV(LogisticRegression()).run(X, y, groups=ids)


def test_an_operating_point_moves_calls_and_routes():
    X, y, ids, _ = table()
    node = Careful()
    model = HierarchicalClassifier(estimator=node, nodes=osteoporosis_first())
    found = NestedCV(model, classes=BONE).run(X, y, groups=ids)
    first, second = found.results()["nodes"]
    p = found.predictions
    called = p["p_node_osteoporosis_vs_rest"] > 0.2
    true = p["true_class"] == "osteoporosis"
    counts = first["on_true_members"]["confusion"]
    assert (counts["tp"], counts["fp"]) == (int((called & true).sum()), int((called & ~true).sum()))
    assert ((p["decision_routed"] == "osteoporosis") == called).all()
    routed = second["on_routed"]
    assert routed["n_predictions"] + routed["n_predictions_foreign"] == int((~called).sum())
    assert [fit.nodes[0].threshold for fit in found.fits] == [0.2] * 5


class Careful(LogisticRegression):
    """A node with an operating point of its own."""

    def fit(self, X, y):
        self.threshold_ = 0.2
        return super().fit(X, y)


def test_selective_nodes_are_the_default_of_a_tree():
    assert takes_gaps(HierarchicalClassifier()) == takes_gaps(SelectiveClassifierCV())


def test_a_cut_of_numpy_stands_in_the_results_as_a_plain_number():
    assert json.dumps(TemporalSplit("year", np.int64(2020)).describe()["cut"]) == "2020"
