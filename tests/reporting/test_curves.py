"""ROC and precision-recall curves: areas, bands, and what is not defined."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from report_samples import scores
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from radiobone.evaluation.statistics.resampled import corrected_interval
from radiobone.reporting.curves import NodeScores, fold_curves
from radiobone.reporting.estimates import Estimate
from radiobone.reporting.roc import precision_recall_figure, roc_figure
from radiobone.reporting.style import COLOURS, FOLD_COLOUR, line_style

MAIN = COLOURS[0]


def _labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def _lines(axes, colour):
    return [line for line in axes.lines if line.get_color() == colour]


def _areas(node, function):
    return [function(node.is_positive[node.fold == fold], node.score[node.fold == fold]) for fold in range(5)]


def test_each_fold_is_the_curve_of_scikit_learn():
    node = scores()
    node = dataclasses.replace(node, score=np.round(node.score, 1))  # with ties
    for fold, (x, y) in enumerate(fold_curves(node).folds):
        inside = node.fold == fold
        false_positive, true_positive, _ = roc_curve(
            node.is_positive[inside], node.score[inside], drop_intermediate=False
        )
        np.testing.assert_allclose(x, false_positive)
        np.testing.assert_allclose(y, true_positive)
    inside = node.fold == 0
    precision, recall, _ = precision_recall_curve(node.is_positive[inside], node.score[inside])
    x, y = fold_curves(node, "precision_recall").folds[0]
    reached = {value: precision[:-1][recall[:-1] == value].max() for value in recall[:-1]}
    assert dict(zip(x[1::2], y[1::2], strict=True)) == pytest.approx(reached)
    assert (np.diff(x) >= 0).all()
    areas = np.diff(x, prepend=0.0) * y
    assert areas.sum() == pytest.approx(average_precision_score(node.is_positive[inside], node.score[inside]))


def test_area_and_interval_are_those_over_folds():
    node = scores(test_share=0.25)
    for kind, function in (("roc", roc_auc_score), ("precision_recall", average_precision_score)):
        curves = fold_curves(node, kind)
        areas = _areas(node, function)
        expected = corrected_interval(areas, 80, 20, bounds=(0, 1))
        assert curves.area.value == pytest.approx(np.mean(areas))
        assert (curves.area.low, curves.area.high) == pytest.approx((expected.low, expected.high))
        assert curves.sd == pytest.approx(np.std(areas, ddof=1))


def test_intervals_stay_within_what_an_area_can_be_and_tell_their_level_and_method():
    node = dataclasses.replace(scores(test_share=0.25), level=0.9, method="corrected t over centres")
    for kind in ("roc", "precision_recall"):
        curves = fold_curves(node, kind)
        assert 0 <= curves.area.low < curves.area.high <= 1
        assert (curves.area.level, curves.area.method) == (0.9, "corrected t over centres")
        assert curves.band == "90 % interval at each point, corrected t over centres"
    # One fold is ordered wrongly, the others are perfect.
    wide = dataclasses.replace(node, score=np.where(node.fold == 0, 1 - 2 * node.is_positive, node.is_positive))
    assert fold_curves(wide, "precision_recall").area.high == 1.0
    assert fold_curves(wide).area.high == 1.0


def test_the_mean_precision_over_recalls_is_average_precision():
    truth = np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool)
    score = np.array([0.9, 0.8, 0.7, 0.7, 0.5, 0.4, 0.3, 0.1])
    curves = fold_curves(NodeScores("node", "a", truth, score, np.zeros(8)), "precision_recall")
    assert curves.y.mean() == pytest.approx(average_precision_score(truth, score), abs=1e-9)


def test_the_band_is_the_corrected_interval_at_each_point():
    node = scores(test_share=0.25)
    curves = fold_curves(node)
    place = 60
    values = [np.interp(curves.x[place], x, y) for x, y in curves.folds]
    expected = corrected_interval(values, 80, 20, bounds=(0, 1))
    assert curves.y[place] == pytest.approx(expected.estimate)
    assert (curves.low[place], curves.high[place]) == pytest.approx((expected.low, expected.high))
    assert "corrected resampled t" in curves.band


def test_without_a_share_of_test_rows_the_band_claims_no_coverage():
    curves = fold_curves(scores())
    assert curves.band == "± 1 SD of the outer folds"
    assert not curves.area.has_interval
    (axes,) = roc_figure([scores()]).axes
    assert {"± 1 SD", "5 outer folds", "chance"} < set(_labels(axes))


def test_one_test_set_has_a_bootstrap_of_patients():
    node = scores(n=60)
    one = dataclasses.replace(node, fold=0 * node.fold)
    curves = fold_curves(one)
    assert "bootstrap of rows, conditional on the fitted model" in curves.band
    assert (curves.low <= curves.y + 1e-9).all()
    assert (curves.high >= curves.y - 1e-9).all()
    # Three copies of each patient hold no more than one.
    copies = NodeScores(
        "node",
        "a",
        *(np.repeat(part, 3) for part in (one.is_positive, one.score, one.fold)),
        patient=np.arange(180) // 3,
    )
    thrice = fold_curves(copies)
    np.testing.assert_allclose(thrice.low, curves.low)
    np.testing.assert_allclose(thrice.high, curves.high)
    assert "of patients" in thrice.band
    assert copies.n_patients == 60


def test_perfect_and_inverted_scores_have_areas_of_one_and_zero():
    truth = np.array([True, False] * 10)
    fold = np.repeat([0, 1], 10)
    for score, area in ((truth.astype(float), "1.00"), (1.0 - truth, "0.00")):
        (axes,) = roc_figure([NodeScores("node", "a", truth, score, fold)]).axes
        assert f"mean, AUC {area} ± 0.00" in _labels(axes)


def test_every_fold_is_drawn_and_the_mean_runs_from_corner_to_corner():
    (axes,) = roc_figure([scores()]).axes
    assert len(_lines(axes, FOLD_COLOUR)) == 5
    (mean,) = _lines(axes, MAIN)
    x, y = mean.get_data()
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert (np.diff(y) >= -1e-12).all()
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert corners.min() >= 0
    assert corners.max() <= 1


def test_the_results_own_interval_is_told():
    (axes,) = roc_figure([scores(area=Estimate(0.87, 0.81, 0.93))]).axes
    assert "mean, AUC 0.87 (0.81 to 0.93)" in _labels(axes)


def test_panels_name_node_positive_class_and_patients():
    figure = roc_figure(
        [scores(judged_on="judged on its true members"), scores("osteopenia_vs_normal", "osteopenia")]
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "osteoporosis vs rest\npositive: osteoporosis, 20 of 60 patients\njudged on its true members",
        "osteopenia vs normal\npositive: osteopenia, 20 of 60 patients",
    ]
    assert figure.axes[0].get_ylabel() == "Sensitivity (osteoporosis)"
    repeated = scores(patient=np.arange(60) % 30)
    assert "10 of 30 patients\n(60 predictions)" in roc_figure([repeated]).axes[0].get_title(loc="left")


def test_arms_share_a_panel_and_only_the_first_has_a_band():
    names = ("radiomics", "mean HU alone", "deep")
    figure = roc_figure([scores(arm=arm, seed=seed) for seed, arm in enumerate(names)])
    (axes,) = figure.axes
    assert [label.split(",")[0] for label in _labels(axes)] == ["radiomics", "± 1 SD", *names[1:], "chance"]
    assert len(axes.collections) == 1
    assert not _lines(axes, FOLD_COLOUR)
    styles = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(styles) == 4
    assert "Band of radiomics" in figure.get_supxlabel()
    with pytest.raises(ValueError, match="two arms"):
        roc_figure([scores(arm="deep"), scores(arm="deep")])


def test_no_two_lines_look_alike():
    styles = [line_style(number) for number in range(49)]
    assert len({(style["color"], str(style["linestyle"])) for style in styles}) == 49


def test_prevalence_is_drawn_beside_precision():
    (axes,) = precision_recall_figure([scores()]).axes
    assert "prevalence 0.33" in _labels(axes)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Recall (osteoporosis)", "Precision")


def test_a_fold_without_both_classes_leaves_the_mean_undefined_and_is_counted():
    node = scores()
    lacking = dataclasses.replace(node, is_positive=node.is_positive & (node.fold != 3))
    (axes,) = roc_figure([lacking]).axes
    assert len(_lines(axes, FOLD_COLOUR)) == 4
    assert not _lines(axes, MAIN)
    assert not axes.collections
    assert "AUC n/a: 1 of 5 folds lack a class" in _labels(axes)
    assert "4 outer folds" in _labels(axes), "as many as are drawn"
    nobody = dataclasses.replace(node, is_positive=node.is_positive & False)
    assert _labels(roc_figure([nobody]).axes[0]) == ["AUC n/a: 5 of 5 folds lack a class", "chance"]


def test_scores_that_do_not_fit_are_refused():
    node = scores()
    with pytest.raises(ValueError, match="length"):
        dataclasses.replace(node, is_positive=node.is_positive[1:])
    with pytest.raises(ValueError, match="patient"):
        dataclasses.replace(node, patient=np.arange(3))
    with pytest.raises(ValueError, match="not finite"):
        dataclasses.replace(node, score=node.score * np.nan)
    with pytest.raises(ValueError, match="test_share"):
        dataclasses.replace(node, test_share=0.0)
    with pytest.raises(ValueError, match="nothing to draw"):
        roc_figure([])
