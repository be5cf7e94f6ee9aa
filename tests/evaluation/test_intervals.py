import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

from radiobone.core.errors import UsageError
from radiobone.evaluation import Arm, ArmsCV, FixedSplit, KFolds, LeaveOneCentreOut, NestedCV, Primary
from radiobone.evaluation.compare import Target, compare
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.statistics.bootstrap import bootstrap_interval, metric_statistic
from radiobone.evaluation.statistics.clustered import clustered_auc_interval
from radiobone.evaluation.statistics.delong import delong_interval
from radiobone.evaluation.statistics.proportions import proportion_interval
from radiobone.evaluation.statistics.resampled import corrected_interval
from radiobone.learning import DataError, HierarchicalClassifier, osteoporosis_first

BONE = ["osteoporosis", "osteopenia", "normal"]
LIGHT = FigureOptions(draws=200, prevalence={"osteoporosis_vs_rest": 0.2})


def table(n=90, rows=1):
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(n) % 3, rows)
    X = rng.normal(size=(n * rows, 3)) + 0.6 * codes[:, None]
    patients = np.repeat([f"p{i:02d}" for i in range(n)], rows)
    ids = pd.DataFrame({"patient_id": patients, "level": np.tile([f"L{k}" for k in range(rows)], n)})
    attributes = pd.DataFrame({"split": np.repeat(["train", "test", "external"], n * rows // 3)})
    return X, np.array(BONE)[codes], patients, ids, attributes


def fixed(rows=1, tests=("test",)):
    X, y, patients, ids, attributes = table(rows=rows)
    keep = attributes["split"].isin(["train", *tests]).to_numpy()
    return NestedCV(
        GaussianNB(), FixedSplit("split", tests=tests), classes=BONE, nodes=osteoporosis_first(), options=LIGHT
    ).run(X[keep], y[keep], groups=patients[keep], ids=ids[keep], attributes=attributes[keep])


def test_a_mean_over_folds_has_the_corrected_t_interval():
    X, y, patients, ids, _ = table()
    found = NestedCV(GaussianNB(), KFolds(4, repeats=2), nodes=osteoporosis_first()).run(
        X, y, groups=patients, ids=ids
    )
    results = found.results()
    for figure in (
        results["nodes"][0]["on_true_members"]["auc"],
        results["three_class"]["by_class"]["normal"]["specificity"],
        results["three_class"]["balanced_accuracy"],
    ):
        sizes = [(fit.train.size, fit.test.size) for fit in found.fits]
        expected = corrected_interval(figure["folds"], *zip(*sizes, strict=True), repeats=2)
        assert figure["interval"]["low"] == pytest.approx(expected.low)
        assert figure["interval"]["high"] == pytest.approx(min(expected.high, 1.0))
        assert figure["interval"]["method"] == "corrected resampled t"
        assert figure["interval"]["conditional"] is None
        assert figure["interval"]["level"] == 0.95


def test_an_interval_over_centres_is_named_as_the_approximation_that_it_is():
    X, y, patients, _, attributes = table()
    found = NestedCV(GaussianNB(), LeaveOneCentreOut("split"), nodes=osteoporosis_first()).run(
        X, y, groups=patients, attributes=attributes
    )
    results = found.results()
    auc = results["nodes"][0]["on_true_members"]["auc"]["interval"]
    assert auc["method"] == "corrected t over centres"
    assert "approximate" in auc["notes"][0]
    assert auc["low"] < auc["high"]
    assert results["validation"]["estimand"] == "mean over centres, each of which counts once"
    noise = NestedCV(GaussianNB(), LeaveOneCentreOut("split"), nodes=osteoporosis_first()).run(
        X[:, :1], y, groups=patients, attributes=attributes
    )
    difference = compare(found, noise, Target("osteoporosis_vs_rest", "auc")).found
    assert difference.method == "corrected t over centres, paired"
    assert "approximate" in difference.notes[0]


def test_an_undefined_fold_leaves_no_interval():
    X, y, patients, _, attributes = table()
    y[(attributes["split"] == "external").to_numpy() & (y == "osteoporosis")] = "normal"
    found = NestedCV(GaussianNB(), LeaveOneCentreOut("split"), nodes=osteoporosis_first()).run(
        X, y, groups=patients, attributes=attributes
    )
    auc = found.results()["nodes"][0]["on_true_members"]["auc"]
    assert (auc["mean"], auc["n_undefined"]) == (None, 1)
    assert (auc["interval"]["low"], auc["interval"]["high"]) == (None, None)


def test_a_fixed_test_set_has_delong_and_the_bootstrap_of_patients():
    found = fixed()
    node = found.results()["nodes"][0]["on_true_members"]
    p = found.predictions
    truth = (p["true_class"] == "osteoporosis").to_numpy()
    score = p["p_node_osteoporosis_vs_rest"].to_numpy()
    expected = delong_interval(truth, score)
    assert node["auc"]["mean"] == pytest.approx(expected.estimate)
    assert node["auc"]["interval"]["low"] == pytest.approx(expected.low)
    assert node["auc"]["interval"]["method"].startswith("DeLong")
    drawn = bootstrap_interval(
        metric_statistic(lambda t, s: np.mean((s - t) ** 2), truth, score),
        30,
        strata=found.data.codes[found.fits[0].test],
        draws=200,
    )
    assert node["brier"]["interval"]["low"] == pytest.approx(drawn.low)
    assert node["brier"]["interval"]["high"] == pytest.approx(drawn.high)
    assert "bootstrap" in node["brier"]["interval"]["method"]
    for metric, right in (
        ("sensitivity", score[truth] > 0.5),
        ("npv", ~truth[score <= 0.5]),
        ("accuracy", (score > 0.5) == truth),
    ):
        share = proportion_interval(right)
        assert node[metric]["mean"] == pytest.approx(share.estimate)
        assert node[metric]["interval"]["low"] == pytest.approx(share.low)
        assert "Wilson" in node[metric]["interval"]["method"]
    of_class = found.results()["three_class"]["by_class"]["normal"]
    decided = (p["decision_argmax"] == "normal").to_numpy()
    share = proportion_interval(~decided[p["true_class"] != "normal"])
    assert of_class["specificity"]["interval"]["high"] == pytest.approx(share.high)
    se, sp = node["sensitivity"]["mean"], node["specificity"]["mean"]
    assert node["ppv_at_prevalence"]["mean"] == pytest.approx(se * 0.2 / (se * 0.2 + (1 - sp) * 0.8))
    assert node["ppv_at_prevalence"]["interval"]["low"] < node["ppv_at_prevalence"]["mean"]
    assert "ppv_at_prevalence" not in found.results()["nodes"][1]["on_true_members"]


def test_several_rows_of_a_patient_are_clustered():
    found = fixed(rows=3)
    p = found.predictions
    node = found.results()["nodes"][0]["on_true_members"]
    expected = clustered_auc_interval(
        (p["true_class"] == "osteoporosis").to_numpy(), p["p_node_osteoporosis_vs_rest"], p["patient_id"]
    )
    assert node["auc"]["interval"]["low"] == pytest.approx(expected.low)
    assert "Obuchowski" in node["auc"]["interval"]["method"]


def test_each_of_several_test_sets_has_its_own_figures():
    results = fixed(tests=("test", "external")).results()
    assert list(results["test_sets"]) == ["test", "external"]
    assert results["nodes"] == results["test_sets"]["test"]["nodes"]
    assert results["nodes"] == fixed().results()["nodes"], "those of the first set, as if it were alone"
    other = results["test_sets"]["external"]["nodes"][0]["on_true_members"]["auc"]
    assert other["mean"] != results["nodes"][0]["on_true_members"]["auc"]["mean"]
    assert other["interval"]["method"].startswith("DeLong")


def test_options_out_of_range_are_refused():
    for options in ({"level": 1.0}, {"prevalence": {"a": 0.0}}, {"draws": 10}, {"seed": -1}):
        with pytest.raises(UsageError, match="out of range"):
            FigureOptions(**options)


def test_folds_that_agree_leave_a_note_and_no_width():
    X, y, patients, ids, _ = table()
    X = X + 100 * (y == "normal")[:, None]
    found = NestedCV(GaussianNB(), KFolds(3), nodes=osteoporosis_first()).run(X, y, groups=patients, ids=ids)
    interval = found.results()["nodes"][1]["on_true_members"]["auc"]["interval"]
    assert (interval["low"], interval["high"]) == (1.0, 1.0)
    assert "every fold gave the same value" in interval["notes"][0]


def test_a_fixed_test_set_that_lacks_a_class_is_undefined_where_it_needs_it():
    X, y, patients, ids, attributes = table()
    keep = ((attributes["split"] == "train") | (y == "normal")).to_numpy() & (attributes["split"] != "external")
    plan = FixedSplit("split")
    found = NestedCV(GaussianNB(), plan, classes=BONE, nodes=osteoporosis_first(), options=LIGHT).run(
        X[keep], y[keep], groups=patients[keep], ids=ids[keep], attributes=attributes[keep]
    )
    results = found.results()
    assert results["validation"]["folds"][0]["missing_classes"] == ["osteoporosis", "osteopenia"]
    first = results["nodes"][0]
    assert (first["on_true_members"]["auc"]["mean"], first["on_true_members"]["auc"]["n_undefined"]) == (None, 1)
    assert first["on_true_members"]["auc"]["interval"]["low"] is None
    assert first["on_true_members"]["sensitivity"]["interval"]["low"] is None
    assert first["on_true_members"]["specificity"]["interval"]["low"] > 0
    assert first["pooled"]["calibration_slope"]["value"] is None
    assert results["three_class"]["auc_macro"]["mean"] is None
    assert results["three_class"]["accuracy"]["interval"]["low"] is not None


@pytest.mark.parametrize("thresholds", [(0.5, 0.1), (0.2, 0.2), (0.001, 0.9), (0.1, 0.999)])
def test_thresholds_that_cannot_be_drawn_are_refused_before_any_fit(thresholds):
    with pytest.raises(UsageError, match="thresholds are out of range"):
        FigureOptions(thresholds=thresholds)


@pytest.mark.parametrize("model", [GaussianNB(), HierarchicalClassifier(estimator=GaussianNB())])
def test_a_prevalence_of_no_node_is_refused(model):
    X, y, patients, _, _ = table()
    nodes = None if isinstance(model, HierarchicalClassifier) else osteoporosis_first()
    options = FigureOptions(prevalence={"osteoporosis_vs_rst": 0.2})
    with pytest.raises(UsageError, match=r"a prevalence of no node.*expected: .*_vs_"):
        NestedCV(model, nodes=nodes, options=options).run(X, y, groups=patients)
    arms = [Arm("one", X, model)]
    primary = Primary("three_class", "accuracy", "one")
    with pytest.raises(UsageError, match="a prevalence of no node"):
        ArmsCV(arms, primary, nodes=nodes, options=options).run(y, groups=patients)


def test_volumes_that_are_no_numbers_are_refused():
    X, y, patients, _, attributes = table()
    study = ArmsCV([Arm("one", X, GaussianNB())], Primary("three_class", "accuracy", "one"), volume="split")
    with pytest.raises(DataError, match="volumes that are no numbers"):
        study.run(y, groups=patients, attributes=attributes)
