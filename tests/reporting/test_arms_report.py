"""Figures, tables and the terminal summary of several arms, from a real run on identical folds."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from report_samples import overlaps, texts
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from radiobone.evaluation import FixedSplit, KFolds, NestedCV
from radiobone.evaluation.arms import Arm, ArmsCV, Primary
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.learning import HierarchicalClassifier, Node, SelectiveClassifierCV
from radiobone.reporting.arms import arm_rows, arm_scores, heading, strata_rows, trained_heading
from radiobone.reporting.calibration import calibration_figure
from radiobone.reporting.curves import fold_curves
from radiobone.reporting.estimates import estimate
from radiobone.reporting.gallery import _strata, _together, study_figures
from radiobone.reporting.nested import class_scores, node_scores, selections
from radiobone.reporting.nested import test_sets as parted
from radiobone.reporting.parts import parts
from radiobone.reporting.pooled import calibrations, decision_curves
from radiobone.reporting.summary import summary
from radiobone.reporting.tables import TABLES, write_tables
from radiobone.reporting.words import file_name

NODES = (
    Node("osteoporosis_vs_rest", positive=("osteoporosis",), negative=("normal", "osteopenia")),
    Node("osteopenia_vs_normal", positive=("osteopenia",), negative=("normal",)),
)
CLASSES = np.array(["normal", "osteopenia", "osteoporosis"])


def _table():
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 3
    table = pd.DataFrame(rng.normal(size=(60, 4)) + 0.8 * codes[:, None], columns=["a", "b", "c", "d"])
    return table, CLASSES[codes], np.array([f"p{number:02d}" for number in range(60)])


@pytest.fixture(scope="module")
def ran():
    table, labels, patients = _table()

    def model(selective=False):
        small = SelectiveClassifierCV(model=LogisticRegression(), grid={}, cv=3)
        return HierarchicalClassifier(estimator=small if selective else LogisticRegression(), nodes=NODES)

    arms = [
        Arm("mean HU alone", table[["a"]], model(), "baseline"),
        Arm("radiomics", table, model(selective=True)),
        Arm("VOI volume only", table[["d"]] * 0 + np.arange(60)[:, None], model(), "control"),
        Arm("clinical covariates", kind="baseline", needs=("age", "sex")),
    ]
    primary = Primary("osteoporosis_vs_rest", "auc", "radiomics", "mean HU alone")
    study = ArmsCV(arms, primary, KFolds(2, 2), options=FigureOptions(draws=100))
    return study.run(labels, groups=patients)


@pytest.fixture(scope="module")
def results(ran):
    return ran.results()


@pytest.fixture(scope="module")
def tables(results):
    return {name: build(results) for name, build in TABLES.items()}


def _text(results):
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(summary(results))
    return capture.get()


STRATA = [
    {
        "column": "tube_voltage",
        "node": "osteoporosis_vs_rest",
        "metric": "auc",
        "reference": "120",
        "conditional": "conditional on the fitted models",
        "strata": [
            {
                "name": "120",
                "n_patients": 40,
                "n_positive": 12,
                "value": 0.9,
                "interval": {"low": 0.8, "high": 1.0, "level": 0.95, "method": "DeLong"},
                "difference": None,
                "difference_interval": None,
                "relative_difference": None,
                "relative_interval": None,
            },
            {
                "name": "100",
                "n_patients": 20,
                "n_positive": 8,
                "value": 0.85,
                "interval": None,
                "difference": -0.05,
                "difference_interval": {"low": -0.2, "high": 0.1, "level": 0.95, "method": "bootstrap"},
                "relative_difference": -0.055,
                "relative_interval": None,
            },
        ],
    }
]
VOLUME = {
    "threshold": 0.8,
    "nodes": [
        {
            "name": "osteoporosis_vs_rest",
            "features": [{"name": "a", "folds_selected": 6, "folds_flagged": 5, "largest_rho": 0.93}],
        }
    ],
}


def test_the_primary_arm_comes_first_and_the_rest_in_order(results):
    assert list(parts(results)) == ["radiomics", "mean HU alone", "VOI volume only"]
    one = {name: value for name, value in results.items() if name not in ("arms", "comparisons", "primary")}
    assert parts(one) == {"model": one}


def test_scores_of_arms_are_those_of_their_predictions(ran, results):
    found = arm_scores(results, ran.predictions)
    assert [(one.arm, one.name) for one in found[:3]] == [
        ("radiomics", "osteoporosis_vs_rest"),
        ("radiomics", "osteopenia_vs_normal"),
        ("mean HU alone", "osteoporosis_vs_rest"),
    ]
    predictions = ran.predictions
    own = predictions[predictions["arm"] == "mean HU alone"]
    np.testing.assert_array_equal(found[2].score, own["p_node_osteoporosis_vs_rest"])
    assert {one.n_patients for one in found} == {60, 40}


def test_an_arm_without_a_node_is_left_out(ran, results):
    changed = copy.deepcopy(results)
    predictions = ran.predictions.copy()
    predictions.loc[predictions["arm"] == "mean HU alone", "p_node_osteopenia_vs_normal"] = np.nan
    found = [(one.arm, one.name) for one in arm_scores(changed, predictions)]
    assert ("mean HU alone", "osteopenia_vs_normal") not in found
    assert ("mean HU alone", "osteoporosis_vs_rest") in found


def test_rows_of_arms_have_figure_difference_and_what_is_needed(results):
    rows = {row.label: row for row in arm_rows(results)}
    assert list(rows) == ["radiomics", "mean HU alone", "clinical covariates", "VOI volume only"]
    assert rows["radiomics"].reference
    assert rows["radiomics"].value == estimate(results["primary"])
    assert rows["clinical covariates"].needs == "needs age, sex"
    line = next(line for line in results["comparisons"] if line["arm"] == "mean HU alone" and not line["primary"])
    assert rows["mean HU alone"].difference.value == line["difference"]
    assert rows["mean HU alone"].difference.low == line["low"]
    other = {row.label: row for row in arm_rows(results, "osteopenia_vs_normal")}
    assert other["radiomics"].value == estimate(results["nodes"][1]["on_true_members"]["auc"])


def test_calibration_is_that_of_the_results(ran, results):
    own = ran.predictions.query("arm == 'radiomics'").drop(columns="arm")
    first, second = calibrations(results, own)
    pooled = results["nodes"][0]["pooled"]
    assert len(first.probability) == pooled["n_rows"] == 60
    assert len(second.probability) == 40
    assert first.is_positive.sum() == 20
    assert first.slope == estimate(pooled["calibration_slope"])
    np.testing.assert_allclose(first.predicted, pooled["calibration_curve"]["probability"])
    # Bins hold the mean over repeats of each row.
    n = np.array(pooled["calibration_curve"]["n"])
    assert first.probability.mean() == pytest.approx((first.predicted * n).sum() / n.sum())


def test_decision_curves_hold_every_arm(results):
    first, _ = decision_curves(parts(results))
    assert list(first.models) == ["radiomics", "mean HU alone", "VOI volume only"]
    assert list(first.bands) == ["radiomics"]
    curve = parts(results)["mean HU alone"]["nodes"][0]["pooled"]["decision_curve"]
    np.testing.assert_allclose(first.models["mean HU alone"], curve["net_benefit"])
    assert (first.n_positive, first.n_patients) == (20, 60)


def test_selection_flags_what_follows_volume(results):
    (name, features, n_folds), *_ = selections(results, VOLUME)
    assert (name, n_folds) == ("osteoporosis_vs_rest", 4)
    counts = {one["name"]: one["folds"] for one in results["nodes"][0]["selected_features"]}
    assert {one.name: one.folds for one in features} == counts
    assert {one.name for one in features if one.flagged} == {"a"}


@pytest.mark.slow
def test_all_figures_are_drawn_and_nothing_overlaps(ran, results):
    table, labels, patients = _table()
    model = HierarchicalClassifier(
        estimator=SelectiveClassifierCV(model=LogisticRegression(), grid={}, cv=3), nodes=NODES
    ).fit(table, labels, groups=patients)
    found = dict(study_figures(results | {"strata": STRATA, "volume": VOLUME}, ran.predictions, model=model))
    nodes = [node.name for node in NODES]
    assert set(found) == {
        *("roc", "roc_classes", "precision_recall", "calibration", "decision_curve", "confusion"),
        *("roc_arms", "decision_curve_arms", "arms", "strata"),
        *(f"selection_{name}" for name in nodes),
        *(f"lasso_{name}" for name in nodes),
    }
    for name, figure in found.items():
        assert overlaps(texts(figure)) == [], name


def test_many_arms_are_parted_from_what_they_are_held_against(results):
    def together(n_arms, n_others):
        kinds = {f"arm {number}": "arm" for number in range(n_arms)}
        kinds |= {f"other {number}": "control" if number % 2 else "baseline" for number in range(n_others)}
        return _together({"arms": [{"name": name, "kind": kind} for name, kind in kinds.items()]}, list(kinds))

    assert together(2, 3) == {"arms": ["arm 0", "arm 1", "other 0", "other 1", "other 2"]}
    assert together(2, 4) == {
        "arms": ["arm 0", "arm 1"],
        "comparators": ["arm 0", "other 0", "other 1", "other 2", "other 3"],
    }
    assert list(together(1, 6)) == ["comparators"]


@pytest.mark.slow
def test_one_procedure_has_its_figures_too(ran):
    nested = ran.main
    names = [name for name, _ in study_figures(nested.results(), nested.predictions)]
    assert names[:6] == ["roc", "precision_recall", "roc_classes", "calibration", "decision_curve", "confusion"]
    assert not {"arms", "roc_arms", "strata"} & set(names)


def test_each_test_set_has_figures_of_its_own():
    table, labels, patients = _table()
    attributes = pd.DataFrame({"split": np.repeat(["train", "near", "far/away"], 20)})
    model = HierarchicalClassifier(estimator=LogisticRegression(), nodes=NODES)
    plan = FixedSplit("split", tests=("near", "far/away"))
    found = NestedCV(model, plan, options=FigureOptions(draws=100)).run(
        table, labels, groups=patients, attributes=attributes
    )
    results = found.results()
    near, far = parted(results, found.predictions)
    assert (near[0], far[0]) == ("near", "far/away")
    for (_, part, rows), name in ((near, "near"), (far, "far/away")):
        (first, _) = node_scores(part, rows)
        assert len(first.score) == len(rows) == 20
        assert roc_auc_score(first.is_positive, first.score) == pytest.approx(first.area.value)
        assert first.judged_on == f"judged on its true members, test set {name}"
    assert trained_heading(results, "osteoporosis_vs_rest").endswith("positive: osteoporosis, 20 of 60 patients")
    assert heading(results, "osteoporosis_vs_rest").endswith(
        "positive: osteoporosis, 7 of 20 patients\ntest set near"
    )
    assert far[1]["nodes"] == results["test_sets"]["far/away"]["nodes"]
    summed = TABLES["metrics_summary"](results).query("name == 'osteoporosis_vs_rest' and metric == 'auc'")
    means = summed.query("rows == 'true_members'").set_index("test_set")["mean"].to_dict()
    sets = results["test_sets"].items()
    assert means == {name: part["nodes"][0]["on_true_members"]["auc"]["mean"] for name, part in sets}
    by_fold = TABLES["metrics_by_fold"](results)
    assert (by_fold["fold_name"] == by_fold["test_set"]).all()
    assert set(TABLES["decision_curve"](results)["test_set"]) == {"near", "far/away"}
    assert file_name("far/away") == "far_away"
    text = " ".join(_text(results).split())
    assert "the first of 2 test sets, near, with 95 % interval (DeLong" in text


def test_scores_of_classes_have_the_areas_of_the_results(ran, results):
    own = ran.predictions.query("arm == 'radiomics'").drop(columns="arm").reset_index(drop=True)
    found = class_scores(results, own)
    assert [one.positive for one in found] == list(CLASSES)
    for one in found:
        part = results["three_class"]["by_class"][one.positive]["auc"]
        assert one.area == estimate(part)
        assert fold_curves(one).area.value == pytest.approx(part["mean"])


def test_metrics_by_fold_average_to_the_summary(tables, results):
    by_fold, summed = tables["metrics_by_fold"], tables["metrics_summary"]
    keys = ["arm", "scope", "name", "rows", "metric"]
    mean = by_fold.groupby(keys, sort=False)["value"].agg(lambda values: values.mean(skipna=False))
    expected = summed.set_index(keys)["mean"].astype(float)
    pd.testing.assert_series_equal(mean, expected.loc[mean.index], check_names=False)
    assert set(by_fold["arm"]) == {"radiomics", "mean HU alone", "VOI volume only"}
    assert by_fold.groupby(keys).size().eq(4).all()
    (primary,) = summed[summed["primary"]].to_dict("records")
    assert (primary["arm"], primary["name"], primary["metric"]) == ("radiomics", "osteoporosis_vs_rest", "auc")
    assert primary["low"] == results["primary"]["interval"]["low"]
    assert primary["positive"] == "osteoporosis"


def test_the_table_of_arms_has_a_line_for_each(tables, ran):
    table = tables["arms"].set_index("arm")
    assert list(table.index) == [arm.name for arm in ran.arms]
    expected = ran.table.set_index("arm")
    for column in ("mean", "low", "high", "difference", "p_holm", "n_features"):
        np.testing.assert_allclose(table[column].astype(float), expected[column].astype(float))
    assert table.loc["clinical covariates", "needs"] == "age, sex"
    compared = tables["comparisons"]
    assert compared["primary"].sum() == 1
    assert not compared.map(lambda value: isinstance(value, (dict, list))).any(axis=None)
    pooled = ran.results()["comparisons"][0]["pooled"]
    assert compared.loc[0, "pooled_delong_p_value"] == pooled["delong"]["p_value"]
    counts = compared.filter(like="pooled_mcnemar_n_").to_csv(index=False)
    assert "." not in counts, "whole numbers stay such beside empty cells"


def test_other_tables_hold_what_the_results_hold(tables, results):
    node = results["nodes"][0]
    cells = tables["confusion"].query(
        "arm == 'radiomics' and name == 'osteoporosis_vs_rest' and rows == 'true_members'"
    )
    counts = node["on_true_members"]["confusion"]
    assert cells["predictions"].tolist() == [counts[name] for name in ("tp", "fn", "fp", "tn")]
    whole = tables["confusion"].query("arm == 'radiomics' and name == 'three_class'")["predictions"]
    assert whole.tolist() == np.ravel(results["three_class"]["confusion"]["matrix"]).tolist()
    curve = tables["decision_curve"].query("arm == 'radiomics' and node == 'osteoporosis_vs_rest'")
    np.testing.assert_allclose(curve["net_benefit"], node["pooled"]["decision_curve"]["net_benefit"])
    assert curve["threshold"].tolist() == node["pooled"]["decision_curve"]["thresholds"]
    slope = tables["calibration"].query("arm == 'radiomics' and quantity == 'calibration_slope'")["value"]
    assert slope.iloc[0] == node["pooled"]["calibration_slope"]["value"]
    selected = tables["selection"].query("node == 'osteoporosis_vs_rest'")
    assert set(selected["arm"]) == {"radiomics"}, "others do not tell"
    assert (selected["frequency"] == selected["folds"] / 4).all()
    per_class = tables["per_class"].query("arm == 'radiomics' and metric == 'auc'")
    assert per_class["class"].tolist() == list(CLASSES)
    assert tables["strata"].empty


def test_figures_tell_level_and_method_of_their_intervals_and_means_over_repeats(ran, results):
    own = ran.predictions[ran.predictions["arm"] == "radiomics"].drop(columns="arm")
    assert calibrations(results, own)[0].method == (
        "Wilson, each probability the mean of 2 repeats, conditional on the fitted models"
    )
    assert "mean of 2 repeats" in decision_curves({"radiomics": results})[0].method
    changed = copy.deepcopy(results) | {"strata": copy.deepcopy(STRATA)}
    changed["strata"][0]["strata"][0]["interval"]["level"] = 0.9
    for node in parts(changed)["radiomics"]["nodes"]:
        node["pooled"]["calibration_slope"]["interval"]["level"] = 0.9
    calibrated = calibrations(parts(changed)["radiomics"], own)
    assert [node.level for node in calibrated] == [0.9, 0.9]
    labels = calibration_figure(calibrated[:1]).axes[0].get_legend_handles_labels()[1]
    assert any("groups, 90 % interval" in label for label in labels)
    words = [text.get_text() for text in _strata(changed, strata_rows(changed)).texts]
    assert "AUC (90 % interval)" in words
    assert any("DeLong, differences: bootstrap, conditional" in text.replace("\n", " ") for text in words)


def test_strata_have_lines_and_rows(results):
    changed = results | {"strata": STRATA, "volume": VOLUME}
    table = TABLES["strata"](changed)
    assert table["stratum"].tolist() == ["120", "100"]
    assert table.loc[1, ["difference", "difference_low", "relative_difference"]].tolist() == [-0.05, -0.2, -0.055]
    assert TABLES["volume"](changed)["feature"].tolist() == ["a"]
    first, second = strata_rows(changed)
    assert first.reference
    assert (first.group, first.count) == ("tube voltage", "40 (12)")
    assert second.difference.low == -0.2


def test_what_was_learned_from_permutations_and_sizes_has_tables(results):
    permuted = {"observed": 0.9, "null": [0.5, None], "p_value": 1 / 3, "n_undefined": 1, "notes": []}
    sizes = {"n_patients": [30, 60], "mean": [0.7, 0.8], "sd": [0.1, 0.0], "scores": [[0.6, 0.8], [0.8, 0.8]]}
    changed = results | {"permutation": permuted, "learning_curve": sizes}
    table = TABLES["permutation"](changed)
    assert table["labels"].tolist() == ["true", "permuted", "permuted"]
    assert table["value"].isna().tolist() == [False, False, True]
    curve = TABLES["learning_curve"](changed)
    assert curve.values.tolist() == [[30, 1, 0.6], [60, 1, 0.8], [30, 2, 0.8], [60, 2, 0.8]]
    assert "Permutation test of the whole procedure: p = 0.333 (2 permutations)" in _text(changed)


def test_tables_are_written_without_empty_ones(tmp_path, results):
    paths = write_tables(results, tmp_path / "tables")
    names = {path.stem for path in paths}
    assert {"metrics_by_fold", "arms", "decision_curve"} <= names
    assert not {"strata", "volume", "permutation", "learning_curve"} & names
    read = pd.read_csv(tmp_path / "tables" / "metrics_by_fold.csv")
    assert len(read) == len(TABLES["metrics_by_fold"](results))
    again = write_tables(results, tmp_path / "again")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]


def test_the_summary_begins_with_the_primary_figure(results):
    text = _text(results)
    lines = text.splitlines()
    assert lines[0] == f"Primary figure: AUC {estimate(results['primary'])}, arm radiomics"
    assert lines[2] == "positive: osteoporosis, 20 of 60 patients"
    assert "corrected resampled t" in lines[3]
    assert "Primary comparison: radiomics against mean HU alone" in text
    assert "All else is exploratory." in text
    assert max(len(line) for line in lines) <= 80
    assert "…" not in text
    long = {**results, "arms": [dict(arm) for arm in results["arms"]]}
    long["arms"][-1] |= {
        "name": "clinical covariates and much else",
        "nodes": None,
        "needs": ["evaluation.baselines.hu_rule"],
    }
    told = _text(long)
    assert "…" not in told
    assert "\n   clinical covariates" in told
    assert "\n   and much else" in told, "a second line is indented like the first"
    (missing,) = [line for line in lines if line.strip().startswith("clinical covariates")]
    assert missing.split("covariates")[1].strip() == "needs age, sex"
    for kind in ("arms", "baselines", "controls"):
        assert kind in [line.strip() for line in lines]


def test_what_should_be_looked_at_is_said(results):
    flags = [{"flag": "fitted", "where": "radiomics", "told": "a transformer arrived already fitted"}]
    text = " ".join(_text(results | {"flags": flags, "volume": VOLUME}).split())
    assert "- fitted (radiomics): a transformer arrived already fitted" in text
    assert "selected features that follow the VOI's volume (|rho| above 0.8): a" in text
