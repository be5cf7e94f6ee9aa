"""What each of the other figures shows, and what it refuses."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from report_samples import (
    LONG_NAMES,
    NOMOGRAM,
    calibration,
    decision,
    flow,
    forest_rows,
    lasso,
    learning,
    permutations,
    selected,
)
from sklearn.linear_model import LogisticRegression

from radiobone.evaluation.statistics.learning_curve import LearningCurve as FoundCurve
from radiobone.evaluation.statistics.permutation import Permutation
from radiobone.learning import HierarchicalClassifier, Node, SelectiveClassifierCV
from radiobone.reporting.estimates import Estimate, estimate
from radiobone.reporting.figures import (
    ForestRow,
    LearningCurve,
    Permutations,
    Selected,
    calibration_figure,
    decision_curve_figure,
    flow_figure,
    forest_figure,
    lasso_figure,
    learning_curve_figure,
    nomogram_figure,
    permutation_figure,
    selection_figure,
)
from radiobone.reporting.fitted import lasso_curves
from radiobone.reporting.style import FLAG_COLOUR, MAIN_COLOUR
from radiobone.reporting.words import typeset, wrapped


def _labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def _words(figure):
    found = [text for axes in figure.axes for text in axes.texts] + list(figure.texts)
    return [text.get_text() for text in found if text.get_text()]


def test_an_estimate_is_taken_from_results():
    figure = {"mean": 0.8, "interval": {"low": 0.7, "high": 0.9, "level": 0.9, "method": "DeLong"}}
    assert estimate(figure) == Estimate(0.8, 0.7, 0.9, 0.9, "DeLong")
    assert str(estimate({"mean": None, "interval": None})) == "n/a"
    assert str(estimate(None)) == "n/a"
    assert estimate({"value": 0.1, "interval": None}).text(signed=True) == "+0.10"
    with pytest.raises(ValueError, match="interval from"):
        Estimate(0.5, 0.6, 0.4)
    with pytest.raises(ValueError, match="level"):
        Estimate(0.5, level=95)


def test_calibration_shows_groups_slope_and_who_has_which_probability():
    node = calibration()
    (axes,) = calibration_figure([node]).axes
    labels = _labels(axes.child_axes[0])
    assert {"slope 0.93 (0.61 to 1.25)", typeset("calibration in the large 0.02 (-0.30 to 0.31)")} < set(labels)
    assert {"6 groups, 95 % interval", "ideal", "smooth (lowess)"} < set(labels)
    assert {"share of positive patients", "share of negative patients"} < set(labels)
    heights = [bar.get_height() for bar in axes.child_axes[0].patches]
    assert sum(height for height in heights if height > 0) == pytest.approx(1.0)
    assert -sum(height for height in heights if height < 0) == pytest.approx(1.0)
    assert axes.get_title(loc="left").splitlines()[1].startswith("positive: osteoporosis, ")
    assert axes.child_axes[0].get_xlim() == axes.get_xlim()


def test_without_slope_and_smooth_curve_calibration_says_less():
    none = np.empty(0)
    node = dataclasses.replace(
        calibration(), slope=Estimate(math.nan), smooth_probability=none, smooth_observed=none, n_patients=60
    )
    (axes,) = calibration_figure([node]).axes
    assert not any(label.startswith(("slope", "smooth")) for label in _labels(axes.child_axes[0]))
    assert "of 60 patients\n(120 predictions)" in axes.get_title(loc="left")
    assert "share of positive predictions" in _labels(axes.child_axes[0])


def test_calibration_that_does_not_fit_is_refused():
    node = calibration()
    with pytest.raises(ValueError, match="is_positive"):
        dataclasses.replace(node, is_positive=node.is_positive[1:])
    with pytest.raises(ValueError, match="observed"):
        dataclasses.replace(node, low=node.low[1:])
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            dataclasses.replace(node, probability=np.full(len(node.probability), wrong))


def test_decision_curves_have_both_defaults_and_a_limit_below():
    node = decision()
    band = (node.models["radiomics"] - 0.05, node.models["radiomics"] + 0.05)
    (axes,) = decision_curve_figure([dataclasses.replace(node, bands={"radiomics": band})]).axes
    assert _labels(axes) == ["radiomics", "mean HU alone", "act on everyone", "act on nobody"]
    assert len(axes.collections) == 1
    low, high = axes.get_ylim()
    assert low == pytest.approx(-0.25 * high), "acting on everyone does endless harm, which is not shown"
    assert high > max(curve.max() for curve in node.models.values())


def test_a_decision_curve_without_values_leaves_the_others():
    node = decision()
    undefined = {**node.models, "mean HU alone": np.full(len(node.threshold), np.nan)}
    (axes,) = decision_curve_figure([dataclasses.replace(node, models=undefined)]).axes
    assert axes.get_ylim()[1] == pytest.approx(1.12 * max(node.treat_all.max(), node.models["radiomics"].max()))


def test_decision_curves_that_do_not_fit_are_refused():
    node = decision()
    for change, told in (
        ({"models": {}}, "no model"),
        ({"treat_all": node.treat_all[1:]}, "length"),
        ({"threshold": node.threshold + 0.5}, "thresholds"),
        ({"bands": {"other": (node.treat_all, node.treat_all)}}, "other"),
    ):
        with pytest.raises(ValueError, match=told):
            dataclasses.replace(node, **change)


def test_lasso_draws_every_feature_and_names_the_largest():
    curves = lasso()
    path, loss = lasso_figure(curves).axes
    lines = [line for line in path.lines if len(line.get_xdata()) == len(curves.penalties)]
    assert len(lines) == (curves.coefs != 0).any(axis=1).sum()
    chosen = list(curves.penalties).index(curves.chosen)
    labels = [label.replace("\n", "") for label in _labels(loss)]
    kept = np.abs(curves.coefs[:, chosen])
    expected = [curves.names[feature] for feature in np.argsort(-kept, kind="stable") if kept[feature] > 0]
    assert labels[:2] == ["smallest mean loss (used)", "1-SE rule"]
    assert labels[2:] == expected
    (dots,) = [line for line in loss.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots.get_ydata()[::-1], curves.errors.mean(axis=1))
    rules = [line for line in loss.lines if len(line.get_xdata()) == 2]
    places = [line.get_xdata()[0] for line in rules]
    np.testing.assert_allclose(sorted(places), np.log([curves.penalty_min, curves.penalty_1se]))


def test_lasso_counts_features_on_top_and_those_it_does_not_name():
    curves = lasso(n_features=30)
    figure = lasso_figure(curves)
    (top,) = figure.axes[0].child_axes
    counts = [int(label.get_text()) for label in top.get_xticklabels()]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == (curves.coefs[:, -1] != 0).sum()
    kept = (curves.coefs[:, list(curves.penalties).index(curves.chosen)] != 0).sum()
    assert _labels(figure.axes[1])[-1] == f"{kept - 12} more"


def test_a_lasso_that_keeps_nothing_is_drawn():
    curves = lasso()
    empty = dataclasses.replace(curves, chosen=float(curves.penalties[0]), penalty_min=float(curves.penalties[0]))
    assert _labels(lasso_figure(empty).axes[1]) == ["smallest mean loss (used)", "1-SE rule"]


def test_lasso_curves_that_do_not_fit_are_refused():
    curves = lasso()
    for change, told in (
        ({"names": curves.names[1:]}, "coefficients"),
        ({"errors": curves.errors[1:]}, "errors"),
        ({"penalties": curves.penalties - 1}, "above 0"),
    ):
        with pytest.raises(ValueError, match=told):
            dataclasses.replace(curves, **change)


def test_curves_of_a_fitted_model_are_those_of_its_selector():
    rng = np.random.default_rng(0)
    labels = np.array(["a", "b", "c"])[np.arange(60) % 3]
    table = pd.DataFrame(rng.normal(size=(60, 3)) + np.arange(60)[:, None] % 3, columns=["one", "two", "three"])
    nodes = [Node("c_vs_rest", ("c",), ("a", "b")), Node("b_vs_a", ("b",), ("a",))]
    part = SelectiveClassifierCV(model=LogisticRegression(), grid={}, cv=3)
    model = HierarchicalClassifier(estimator=part, nodes=nodes).fit(table, labels)
    first, second = lasso_curves(model)
    assert (first.node, first.positive, second.node) == ("c_vs_rest", "c", "b_vs_a")
    selector = model.estimators_["c_vs_rest"].selection_[-1]
    np.testing.assert_array_equal(first.coefs, selector.coef_path_)
    assert set(first.names) <= {"one", "two", "three"}
    assert first.chosen == selector.alpha_
    flat = SelectiveClassifierCV(model=LogisticRegression(), grid={}, cv=3).fit(table.to_numpy(), labels == "c")
    (only,) = lasso_curves(flat)
    assert (only.node, only.positive) == ("", "True")
    assert lasso_curves(LogisticRegression().fit(table, labels == "c")) == []


def test_selection_is_ordered_and_marks_what_follows_volume():
    figure = selection_figure(selected(), 10, "osteoporosis vs rest", shown=10)
    (axes,) = figure.axes
    words = [text.get_text().replace("\n", "") for text in axes.texts]
    assert words[:2] == [LONG_NAMES[0], "10/10"]
    assert "original_shape_MeshVolume ▲" in words
    assert words[1::2] == [f"{max(1, 10 - number)}/10" for number in range(10)]
    flagged = [bar for bar in axes.patches if bar.get_facecolor()[:3] == pytest.approx(_rgb(FLAG_COLOUR))]
    assert [bar.get_width() for bar in flagged] == [7]
    assert figure.get_supxlabel() == "Also selected at least once: 2 more."
    assert axes.get_xlim() == (0, 10)


def _rgb(colour):
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def test_selection_needs_something_to_draw():
    with pytest.raises(ValueError, match="nothing to draw"):
        selection_figure([Selected("a", 0)], 5, "title")
    with pytest.raises(ValueError, match="more than 5 folds"):
        selection_figure([Selected("a", 6)], 5, "title")


def test_forest_has_a_row_for_each_and_its_numbers():
    figure = forest_figure(forest_rows(), metric="AUC", title="node", counts="features", chance=0.5)
    words = _words(figure)
    assert {"arms", "baselines", "  radiomics", "reference"} < set(words)
    assert {"0.91 (0.86 to 0.95)", typeset("+0.01 (-0.02 to +0.04)")} < set(words)
    assert {"needs column age", "0.80", "1130"} < set(words)
    value, difference = figure.axes
    squares = [line.get_xdata()[0] for line in value.lines if line.get_marker() == "s"]
    assert squares == [0.91, 0.92, 0.80]
    assert [line.get_xdata()[0] for line in difference.lines if line.get_marker() == "s"] == [0.01, -0.11]
    colours = [line.get_color() for line in value.lines if line.get_marker() == "s"]
    assert colours == [FLAG_COLOUR, MAIN_COLOUR, MAIN_COLOUR]


def test_forest_without_differences_has_one_panel():
    rows = [ForestRow("a", Estimate(0.9, 0.8, 1.0)), ForestRow("b", Estimate(0.7, 0.6, 0.8))]
    assert len(forest_figure(rows, metric="AUC", title="strata").axes) == 1


def test_forests_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        forest_figure([], metric="AUC", title="node")
    twice = [ForestRow(name, reference=True) for name in "ab"]
    with pytest.raises(ValueError, match="reference"):
        forest_figure(twice, metric="AUC", title="node")
    apart = [ForestRow("a", group="x"), ForestRow("b", group="y"), ForestRow("c", group="x")]
    with pytest.raises(ValueError, match="stand together"):
        forest_figure(apart, metric="AUC", title="node")


def test_learning_curve_has_means_fits_and_interval():
    (axes,) = learning_curve_figure([learning()]).axes
    assert _labels(axes) == ["single fits", "mean on held-out", "95 % interval", "chance"]
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), [30, 60, 90])
    with pytest.raises(ValueError, match="length"):
        dataclasses.replace(learning(), mean=np.array([0.5]))


def test_permutation_says_p_and_its_smallest_value():
    (axes,) = permutation_figure([permutations()]).axes
    labels = _labels(axes)
    assert labels == ["100 permutations of the labels", "true labels: 0.90, p = 0.010, the smallest possible"]
    assert sum(bar.get_height() for bar in axes.patches) == 100
    (other,) = permutation_figure([permutations(p=0.2)]).axes
    assert _labels(other)[1] == "true labels: 0.90, p = 0.200"
    with pytest.raises(ValueError, match="not finite"):
        dataclasses.replace(permutations(), null=np.array([0.5, math.nan]))


def test_what_the_evaluation_found_is_drawn():
    found = Permutation(0.8, np.array([0.5, 0.6, math.nan]), 0.5, 1)
    (axes,) = permutation_figure([Permutations.of(found, title="node", metric="AUC")]).axes
    assert _labels(axes) == ["2 permutations of the labels, 1 more undefined", "true labels: 0.80, p = 0.500"]
    scores = np.array([[0.6, 0.7, 0.8], [0.62, 0.74, 0.8]])
    n_patients = np.array([20, 40, 60])
    curve = FoundCurve(
        n_patients, n_patients[None], scores, scores.mean(axis=0), scores.std(axis=0), np.zeros(3, int)
    )
    (axes,) = learning_curve_figure([LearningCurve.of(curve, title="node", metric="AUC", chance=0.5)]).axes
    assert _labels(axes) == ["single fits", "mean on held-out", "chance"]
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [0.61, 0.72, 0.8])


def test_a_nomogram_reads_off_what_the_model_predicts():
    (axes,) = nomogram_figure(NOMOGRAM, title="Logistic model").axes
    rows: dict[int, dict[str, float]] = {}
    for text in axes.texts:
        x, y = getattr(text, "xy", text.get_position())  # names of lines are annotations
        rows.setdefault(round(y), {})[text.get_text()] = x
    names = ["Points", "Age (years)", "Sex", "Mean HU", "Fracture in the past", "Centre", "Total points"]
    assert [next(iter(set(names) & set(rows[row]))) for row in range(7)] == names, "what moves nothing has no line"
    assert rows[1]["80"] * 100 == pytest.approx(0.06 * 40 / NOMOGRAM.log_odds_per_point)
    assert rows[3]["225"] * 100 == pytest.approx(0.035 * 15 / NOMOGRAM.log_odds_per_point)
    assert rows[5]["A"] * 100 == pytest.approx(0.2 / NOMOGRAM.log_odds_per_point)
    # A probability stands below the sum of points that the model gives it for.
    end = max(int(name) for name in rows[6] if name.isdigit())
    assert rows[6][str(end)] == 1.0
    for name in ("0.1", "0.5", "0.9"):
        assert NOMOGRAM.probability(rows[7][name] * end) == pytest.approx(float(name))


def test_the_flow_tells_counts_by_class_and_leaves_out_empty_steps():
    figure = flow_figure(flow())
    words = _words(figure)
    first = words[0].splitlines()
    assert first[0] == "Cohort: 214 patients, 640 rows of features"
    assert first[1:] == ["   normal 80", "   osteopenia 70", "   osteoporosis 64"]
    assert words[-1].startswith("Analysed: 203 patients")
    assert not any("no label" in text for text in words)
    assert any(text.startswith("Excluded, needs review: 11 patients") for text in words)
    assert any(text.startswith("Rows without features: 15 rows") for text in words)
    with pytest.raises(ValueError, match="analysed"):
        flow_figure(flow().query("step != 'analysed'"))
    with pytest.raises(ValueError, match="lacks patients"):
        flow_figure(flow().drop(columns="patients"))


def test_long_names_are_broken_and_stay_whole():
    for name in LONG_NAMES:
        lines = wrapped(name, 24).split("\n")
        assert "".join(lines) == name
        assert max(map(len, lines)) <= 24
