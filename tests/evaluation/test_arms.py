import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from radiobone.core.errors import UsageError
from radiobone.evaluation import Arm, ArmsCV, FixedSplit, KFolds, NestedCV, Primary, Strata
from radiobone.evaluation.compare import Target, compare
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.statistics.delong import delong_test
from radiobone.evaluation.statistics.mcnemar import mcnemar_test
from radiobone.evaluation.statistics.multiplicity import holm
from radiobone.evaluation.statistics.resampled import corrected_test
from radiobone.learning import DataError, HierarchicalClassifier, Node, NodeError, chain, osteoporosis_first

BONE = ["osteoporosis", "osteopenia", "normal"]
NODE = "osteoporosis_vs_rest"


def table(n=90, rows=1):
    rng = np.random.default_rng(5)
    codes = np.repeat(np.arange(n) % 3, rows)
    size = n * rows
    X = pd.DataFrame(
        {
            "hu": codes + rng.normal(size=size),
            "texture": 0.5 * codes + rng.normal(size=size),
            "noise": rng.normal(size=size),
        }
    )
    patients = np.repeat([f"p{i:02d}" for i in range(n)], rows)
    ids = pd.DataFrame({"patient_id": patients, "level": np.tile([f"L{k}" for k in range(rows)], n)})
    attributes = pd.DataFrame({"split": np.repeat(["train", "test", "external"], size // 3)})
    return X, np.array(BONE)[codes], patients, ids, attributes


def tree():
    return HierarchicalClassifier(estimator=LogisticRegression(), nodes=osteoporosis_first())


def arms(X):
    return [
        Arm("radiomics", X, tree()),
        Arm("hu", X[["hu"]], tree(), kind="baseline"),
        Arm("flat", X.to_numpy(), GaussianNB()),
        Arm("noise", X[["noise"]], tree(), kind="control"),
        Arm("deep", needs=("deep-resnet50",)),
    ]


PRIMARY = Primary(NODE, "auc", "radiomics", against="hu")


@pytest.fixture(scope="module")
def found():
    X, y, patients, ids, _ = table()
    return ArmsCV(arms(X), PRIMARY, KFolds(3, repeats=2), classes=BONE).run(y, groups=patients, ids=ids)


def test_every_arm_is_judged_on_the_same_folds(found):
    X, y, patients, ids, _ = table()
    alone = NestedCV(tree(), KFolds(3, repeats=2), classes=BONE).run(X[["hu"]], y, groups=patients, ids=ids)
    pd.testing.assert_frame_equal(found.nested["hu"].predictions, alone.predictions)
    for result in found.nested.values():
        pd.testing.assert_frame_equal(result.folds, found.folds)
    assert list(found.nested) == ["radiomics", "hu", "flat", "noise"]
    assert found.predictions["arm"].value_counts().to_dict() == dict.fromkeys(found.nested, 180)


def test_the_results_are_those_of_the_primary_arm_and_list_all(found):
    results = found.results()
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    for key, value in found.main.results().items():
        assert results[key] == value
    assert [arm["name"] for arm in results["arms"]] == ["radiomics", "hu", "flat", "noise", "deep"]
    assert [arm["n_features"] for arm in results["arms"]] == [3, 1, 3, 1, None]
    deep = results["arms"][-1]
    assert (deep["needs"], deep["figure"], deep["nodes"]) == (["deep-resnet50"], None, None)
    assert results["arms"][1]["nodes"] == found.nested["hu"].results()["nodes"]
    assert results["primary"]["folds"] == results["nodes"][0]["on_true_members"]["auc"]["folds"]
    assert results["primary"]["positive"] == ["osteoporosis"]
    assert results["primary"]["interval"]["method"] == "corrected resampled t"


def test_differences_are_paired_by_fold(found):
    rows = {row["arm"]: row for row in found.comparisons if row["node"] == NODE and not row["primary"]}
    assert list(rows) == ["hu", "flat", "noise"]
    folds = {
        name: result.results()["nodes"][0]["on_true_members"]["auc"]["folds"]
        for name, result in found.nested.items()
    }
    sizes = [(fit.train.size, fit.test.size) for fit in found.main.fits]
    for name, row in rows.items():
        expected = corrected_test(
            folds[name], folds["radiomics"], *zip(*sizes, strict=True), repeats=found.main.repeats
        )
        for key in ("a", "b", "difference", "low", "high", "p_value", "statistic"):
            assert row[key] == pytest.approx(getattr(expected, key)), key
        assert row["against"] == "radiomics"
    assert rows["noise"]["difference"] < -0.1
    adjusted = holm([row["p_value"] for row in rows.values()])
    assert [row["p_holm"] for row in rows.values()] == pytest.approx(adjusted.tolist())


def test_pooled_tests_are_labelled(found):
    row = found.comparisons[0]
    p = found.predictions
    mean = {
        name: p[p["arm"] == name].groupby("patient_id")[f"p_node_{NODE}"].mean() for name in ("radiomics", "hu")
    }
    truth = p[p["arm"] == "hu"].groupby("patient_id")["true_class"].first() == "osteoporosis"
    expected = delong_test(truth, mean["radiomics"], mean["hu"])
    pooled = row["pooled"]
    assert pooled["conditional"] == "conditional on the fitted models"
    for key in ("a", "b", "difference", "low", "p_value"):
        assert pooled["delong"][key] == pytest.approx(getattr(expected, key)), key
    right = mcnemar_test((mean["radiomics"] > 0.5) == truth, (mean["hu"] > 0.5) == truth)
    assert pooled["mcnemar"]["n_only_a"] == right.n_only_a
    assert pooled["mcnemar"]["p_value"] == right.p_value
    assert {row["node"] for row in found.comparisons if row["pooled"] is None} == {"three_class"}


def test_wrong_input_names_the_arm():
    X, y, patients, ids, _ = table()
    gaps = X.copy()
    gaps.iloc[3, 1] = np.nan
    one, two = Arm("whole", X, tree()), Arm("gaps", gaps, tree())
    primary = Primary(NODE, "auc", "whole")
    with pytest.raises(DataError, match=r"where: arm gaps, columns texture"):
        ArmsCV([one, two], primary).run(y, groups=patients, ids=ids)
    strange = Arm("strange", X, HierarchicalClassifier(estimator=Unused(), nodes=chain(["a", "b"])))
    with pytest.raises(NodeError, match=r"no node names.*where: arm strange|where: arm strange.*no node names"):
        ArmsCV([Arm("whole", X, Unused()), strange], primary, nodes=osteoporosis_first()).run(
            y, groups=patients, ids=ids
        )


class Unused(GaussianNB):
    """A classifier that must not be fitted."""

    def fit(self, X, y):
        raise AssertionError("fitted")


def test_the_primary_comparison_stands_apart(found):
    results = found.results()
    first = results["comparisons"][0]
    assert first["primary"]
    assert sum(row["primary"] for row in results["comparisons"]) == 1
    assert (first["arm"], first["against"], first["p_holm"]) == ("radiomics", "hu", None)
    assert results["primary"]["comparison"] == first
    mirrored = next(row for row in results["comparisons"] if row["arm"] == "hu" and row["node"] == NODE)
    assert first["difference"] == pytest.approx(-mirrored["difference"])
    families = {row["name"]: row["n"] for row in results["exploratory"]["families"]}
    assert families == {
        f"arms against radiomics: auc of {NODE}": 3,
        "arms against radiomics: auc of osteopenia_vs_normal": 3,
        "arms against radiomics: auc_macro of three_class": 3,
    }
    assert "exploratory" in results["exploratory"]["note"]


def test_nodes_of_one_name_over_other_classes_are_not_compared():
    X, y, patients, ids, _ = table()
    nodes = [
        Node(NODE, ("osteoporosis", "osteopenia"), ("normal",)),
        Node("second", ("osteoporosis",), ("osteopenia",)),
    ]
    other = HierarchicalClassifier(estimator=LogisticRegression(), nodes=nodes)
    pair = [Arm("radiomics", X, tree()), Arm("other", X, other)]
    found = ArmsCV(pair, Primary(NODE, "auc", "radiomics"), KFolds(2)).run(y, groups=patients, ids=ids)
    methods = {row["node"]: row["method"] for row in found.comparisons}
    assert methods == {
        NODE: "none: an arm has no such node",
        "osteopenia_vs_normal": "none: an arm has no such node",
        "three_class": "corrected resampled t, paired",
    }


def test_a_test_set_without_rows_of_a_node_leaves_its_figures_undefined():
    X, y, patients, ids, _ = table()
    attributes = pd.DataFrame({"split": np.where((np.arange(90) >= 60) & (y == BONE[0]), "test", "train")})
    node = "osteopenia_vs_normal"
    pair = [Arm("radiomics", X, tree()), Arm("hu", X[["hu"]], tree())]
    validation = ArmsCV(
        pair,
        Primary(node, "sensitivity", "radiomics", against="hu"),
        FixedSplit("split"),
        options=FigureOptions(draws=100),
        strata=[Strata("split")],
    )
    results = validation.run(y, groups=patients, ids=ids, attributes=attributes).results()
    found = results["primary"]["comparison"]
    assert (found["p_value"], found["difference"], found["notes"]) == (None, None, ["there are no rows"])
    assert (results["primary"]["n_undefined"], results["strata"]) == (1, [])


def test_the_table_has_a_line_for_each_arm(found):
    lines = found.table.set_index("arm")
    assert list(lines.index) == ["radiomics", "hu", "flat", "noise", "deep"]
    assert lines.loc["deep", "needs"] == "deep-resnet50"
    assert pd.isna(lines.loc["deep", "mean"])
    assert pd.isna(lines.loc["radiomics", "difference"])
    hu = lines.loc["hu"]
    assert hu["difference"] == pytest.approx(hu["mean"] - lines.loc["radiomics", "mean"])
    assert hu["difference_low"] < hu["difference"] < hu["difference_high"]
    assert hu["low"] < hu["mean"] <= hu["high"]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_jobs_and_order_of_rows_change_no_byte(found, jobs):
    X, y, patients, ids, _ = table()
    order = np.random.default_rng(0).permutation(90)
    X, ids = X.iloc[order].reset_index(drop=True), ids.iloc[order].reset_index(drop=True)
    calls = []
    again = ArmsCV(arms(X), PRIMARY, KFolds(3, repeats=2), classes=BONE, jobs=jobs).run(
        y[order], groups=patients[order], ids=ids, progress=lambda done, total: calls.append((done, total))
    )
    assert again.results() == found.results()
    assert again.predictions.to_csv() == found.predictions.to_csv()
    assert again.table.to_csv() == found.table.to_csv()
    assert calls == [(done, 24) for done in range(1, 25)]


def on_test_set(metric="auc", rows=1, tests=("test",), level=0.95):
    X, y, patients, ids, attributes = table(rows=rows)
    keep = attributes["split"].isin(["train", *tests]).to_numpy()
    primary = Primary(NODE, metric, "radiomics", against="noise")
    options = FigureOptions(draws=100, level=level)
    compared = [arm for arm in arms(X[keep]) if arm.name != "flat"]
    return ArmsCV(compared, primary, FixedSplit("split", tests=tests), classes=BONE, options=options).run(
        y[keep], groups=patients[keep], ids=ids[keep], attributes=attributes[keep]
    )


def test_a_fixed_test_set_has_delong_and_mcnemar():
    found = on_test_set(level=0.9)
    row = found.comparisons[0]
    p = found.predictions
    truth = (p["true_class"][p["arm"] == "radiomics"] == "osteoporosis").to_numpy()
    one, other = (p.loc[p["arm"] == name, f"p_node_{NODE}"].to_numpy() for name in ("radiomics", "noise"))
    expected = delong_test(truth, one, other, level=0.9)
    for key in ("a", "b", "low", "high", "p_value", "level"):
        assert row[key] == pytest.approx(getattr(expected, key)), key
    assert "DeLong" in row["method"]
    right = mcnemar_test((one > 0.5) == truth, (other > 0.5) == truth)
    assert row["mcnemar"]["n_only_a"] == right.n_only_a
    assert row["mcnemar"]["p_value"] == right.p_value
    assert row["test_set"] == "test"


def test_a_sensitivity_is_tested_by_mcnemar_on_the_positive_side():
    found = on_test_set("sensitivity")
    row = found.comparisons[0]
    p = found.predictions[found.predictions["true_class"] == "osteoporosis"]
    one, other = ((p.loc[p["arm"] == name, f"p_node_{NODE}"] > 0.5).to_numpy() for name in ("radiomics", "noise"))
    assert row["difference"] == pytest.approx(one.mean() - other.mean())
    assert row["p_value"] == pytest.approx(mcnemar_test(one, other).p_value)
    assert "McNemar" in row["method"]
    assert "bootstrap" in row["method"]


def test_several_rows_of_a_patient_are_compared_by_patient():
    row = on_test_set(rows=2).comparisons[0]
    assert "Obuchowski" in row["method"]
    assert "clustered" in row["mcnemar"]["method"]


@pytest.mark.parametrize(
    ("metric", "plan"),
    [("auc", KFolds(3)), *((metric, FixedSplit("split")) for metric in ("auc", "sensitivity", "brier"))],
)
def test_an_arm_does_not_differ_from_itself(metric, plan):
    X, y, patients, ids, attributes = table()
    keep = (attributes["split"] != "external").to_numpy()
    twins = [Arm("one", X[keep], tree()), Arm("other", X[keep], tree())]
    options = FigureOptions(draws=100)
    found = ArmsCV(twins, Primary(NODE, metric, "one", "other"), plan, options=options).run(
        y[keep], groups=patients[keep], ids=ids[keep], attributes=attributes[keep]
    )
    row = found.comparisons[0]
    assert (row["difference"], row["low"], row["high"], row["p_value"]) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.slow
def test_each_test_set_is_compared_by_itself():
    found = on_test_set(tests=("test", "external"))
    assert {row["test_set"] for row in found.comparisons} == {"test", "external"}
    assert [row["test_set"] for row in found.comparisons if row["primary"]] == ["test"]
    single = on_test_set()
    assert found.comparisons[0] == single.comparisons[0]
    assert list(found.results()["arms"][1]["test_sets"]) == ["test", "external"]
    lines = found.table.set_index("arm")
    assert lines["difference"]["hu"] == pytest.approx(lines["mean"]["hu"] - lines["mean"]["radiomics"])
    with pytest.raises(UsageError, match="one by one"):
        compare(found.nested["hu"], found.nested["noise"], Target(NODE, "auc"))


def test_arms_that_make_no_study_are_refused():
    X, y, patients, ids, _ = table()
    one, two = arms(X)[:2]
    with pytest.raises(UsageError, match=r"same name.*radiomics"):
        ArmsCV([one, one], PRIMARY)
    with pytest.raises(UsageError, match=r"no arm that can be fitted \(did you mean 'radiomics'\?\)"):
        ArmsCV([one, two], Primary(NODE, "auc", "radiomic"))
    with pytest.raises(UsageError, match=r"primary.against.*deep, which needs deep-resnet50"):
        ArmsCV(arms(X), Primary(NODE, "auc", "radiomics", "deep"))
    with pytest.raises(UsageError, match=r"no probabilities.*where: svm"):
        ArmsCV([one, two, Arm("svm", X, SVC())], PRIMARY)
    with pytest.raises(UsageError, match="no figure of this name"):
        Primary(NODE, "auc_macro", "radiomics")
    with pytest.raises(UsageError, match="compared with itself"):
        Primary(NODE, "auc", "radiomics", "radiomics")
    with pytest.raises(UsageError, match=r"no node.*osteoporosis_vs_rest'\?"):
        ArmsCV([one, two], Primary("osteoporosis_vs_res", "auc", "radiomics")).run(y, groups=patients, ids=ids)
    other = NestedCV(tree(), KFolds(4, seed=1), classes=BONE).run(X, y, groups=patients)
    with pytest.raises(UsageError, match="identical folds"):
        compare(other, NestedCV(tree(), KFolds(4), classes=BONE).run(X, y, groups=patients), Target(NODE, "auc"))


def test_finished_fits_of_arms_are_kept(tmp_path, found):
    X, y, patients, ids, _ = table()
    plan = KFolds(3, repeats=2)
    ArmsCV(arms(X)[:2], PRIMARY, plan, classes=BONE).run(y, groups=patients, ids=ids, keep=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 12
    whole = ArmsCV(arms(X), PRIMARY, plan, classes=BONE).run(y, groups=patients, ids=ids, keep=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 24
    assert whole.results() == found.results()
