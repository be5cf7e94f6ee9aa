"""The terminal summary and the figures' input, from a real nested cross-validation of a small table."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from report_samples import overlaps, texts
from rich.console import Console
from sklearn.linear_model import LogisticRegression

from radiobone.evaluation import KFolds, NestedCV
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.nodes import Node
from radiobone.reporting.estimates import estimate
from radiobone.reporting.figures import confusion_figure, roc_figure
from radiobone.reporting.nested import confusions, node_scores
from radiobone.reporting.style import PAGE_INCH
from radiobone.reporting.summary import spread, summary

CLASSES = ("normal", "osteopenia", "osteoporosis")


def _run(repeats):
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 3
    table = pd.DataFrame(rng.normal(size=(60, 3)) + codes[:, None], columns=["a", "b", "c"])
    nodes = [
        Node("osteoporosis_vs_rest", positive=("osteoporosis",), negative=("normal", "osteopenia")),
        Node("osteopenia_vs_normal", positive=("osteopenia",), negative=("normal",)),
    ]
    model = HierarchicalClassifier(estimator=LogisticRegression(), nodes=nodes)
    labels = np.array(CLASSES)[codes]
    patients = [f"p{number:02d}" for number in range(60)]
    return NestedCV(model, KFolds(5, repeats), classes=CLASSES).run(table, labels, groups=patients)


@pytest.fixture(scope="module")
def nested():
    return _run(repeats=2)


@pytest.fixture(scope="module")
def once():
    return _run(repeats=1)


def _printed(group, width=80):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(group)
    return capture.get()


def _cells(text):
    """The cells of each line that holds any; columns are at least two blanks apart."""
    lines = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]
    return [line for line in lines if line]


def test_each_figure_stands_in_its_line(nested):
    results = nested.results()
    lines = _cells(_printed(summary(results)))
    first, second = results["nodes"]
    assert ["osteoporosis vs rest (positive: osteoporosis)"] in lines
    names = {"auc": "AUC", "balanced_accuracy": "balanced accuracy", "ppv": "PPV"}
    for metric, name in names.items():
        assert [name, str(estimate(first["on_true_members"][metric]))] in lines, "everyone comes to the first node"
        both = [str(estimate(second[rows][metric])) for rows in ("on_true_members", "on_routed")]
        assert [name, *both] in lines
    classes = results["three_class"]
    sensitivity = [str(estimate(classes["by_class"][name]["sensitivity"])) for name in CLASSES]
    assert ["sensitivity", *sensitivity] in lines
    assert ["judged on", "n = 60 (120)"] in lines
    assert ["class", *["n = 20 (40)"] * 3] in lines
    assert f"accuracy {estimate(classes['accuracy'])}, balanced" in _printed(summary(results))
    assert ["true class by decided class (argmax), 120 predictions of 60 patients"] in lines
    assert ["osteopenia", *map(str, classes["confusion"]["matrix"][1])] in lines
    note = "mean over 10 outer folds, with 95 % interval (corrected resampled t); n: patients (predictions)"
    assert _flowing(_printed(summary(results))).endswith(note)


def test_without_intervals_the_spread_is_told(once):
    def bare(value):
        if isinstance(value, dict):
            return {key: None if key == "interval" else bare(item) for key, item in value.items()}
        return [bare(item) for item in value] if isinstance(value, list) else value

    results = bare(once.results())
    text = _printed(summary(results))
    assert spread(results["nodes"][1]["on_routed"]["auc"]) in text
    assert _flowing(text).endswith("mean ± SD over 5 outer folds")


def test_without_repeats_only_patients_are_counted(once):
    text = _printed(summary(once.results()))
    assert "predictions" not in text
    lines = _cells(text)
    assert ["true class by decided class (argmax), 60 patients"] in lines
    assert ["class", "n = 20", "n = 20", "n = 20"] in lines
    assert [matrix.n_patients for matrix in confusions(once.results())] == [60, 40, 60]


def test_more_classes_stand_below_one_another(once):
    results = once.results()
    by_class = results["three_class"]["by_class"]
    results["three_class"]["by_class"] = by_class | {f"{name} too": part for name, part in by_class.items()}
    text = _printed(summary(results))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    part = by_class["normal"]
    assert [
        "normal too",
        *(str(estimate(part[name])) for name in ("auc", "sensitivity", "specificity")),
    ] in _cells(text)


def _flowing(text):
    return " ".join(text.split())


@pytest.mark.parametrize(("run", "unit"), [("once", "patients"), ("nested", "predictions")])
def test_those_whom_routed_leaves_out_are_counted(run, unit, request):
    found = request.getfixturevalue(run)
    results, table = found.results(), found.predictions
    sent = table["p_node_osteoporosis_vs_rest"] <= 0.5
    foreign = int((sent & (table["true_class"] == "osteoporosis")).sum())
    missed = int((~sent & (table["true_class"] != "osteoporosis")).sum())
    assert foreign > 0
    assert missed > 0
    text = _flowing(_printed(summary(results)))
    assert f"not in routed: {foreign} {unit} sent here from osteoporosis, and {missed} {unit} of its" in text
    assert text.count("not in routed") == 1, "everyone comes to the first node"


def test_whom_routed_leaves_out_fits_into_80_columns(nested):
    results = nested.results()
    names = {"osteoporosis": "severe osteoporosis of the spine", "normal": "young and entirely normal bone"}
    node = results["nodes"][1] | {"positive": ["osteopenia"], "negative": ["normal"]}
    node["on_routed"] = node["on_routed"] | {"n_predictions_foreign": 1234, "n_predictions_missed": 1}
    classes = [names["osteoporosis"], "osteopenia", "normal", names["normal"]]
    text = _printed(summary(results | {"nodes": [node], "classes": classes}))
    assert max(len(line) for line in text.splitlines()) <= 80
    others = f"{names['osteoporosis']} or {names['normal']}"
    told = f"1234 predictions sent here from {others}, and 1 prediction of its own"
    assert told in _flowing(text)


def test_pictures_of_nodes_say_on_whom(nested):
    results = nested.results()
    pictures = (roc_figure(node_scores(results, nested.predictions)), confusion_figure(confusions(results)))
    for figure in pictures:
        for axes in figure.axes[:2]:
            assert "judged on its true members" in axes.get_title(loc="left").splitlines()
        width = figure.get_size_inches()[0]
        assert width <= PAGE_INCH
        assert overlaps(texts(figure)) == []
    assert "members" not in pictures[1].axes[2].get_title(loc="left")


def test_summary_fits_into_80_columns_without_broken_figures(nested):
    results = nested.results()
    text = _printed(summary(results), width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    for node in results["nodes"]:
        assert str(estimate(node["on_true_members"]["balanced_accuracy"])) in text


def test_what_is_not_defined_is_said(nested):
    results = nested.results()
    figure = dict(results["nodes"][1]["on_routed"]["auc"], mean=None, sd=None, interval=None)
    node = dict(results["nodes"][1], on_routed=dict(results["nodes"][1]["on_routed"], auc=figure))
    text = _printed(summary(dict(results, nodes=[node])))
    assert "n/a where a fold cannot show it" in _flowing(text)
    (line,) = [line for line in _cells(text) if line[0] == "AUC" and len(line) == 3]
    assert line[2] == "n/a"


def test_a_flat_classifier_has_no_node_tables(nested):
    text = _printed(summary(dict(nested.results(), nodes=[])))
    assert "positive:" not in text
    assert "each class against the rest" in text


def test_scores_give_the_aucs_of_the_results(nested):
    results = nested.results()
    scores = node_scores(results, nested.predictions)
    assert [len(node.score) for node in scores] == [120, 80]
    assert [len(np.unique(node.fold)) for node in scores] == [10, 10]
    figure = roc_figure(scores)
    for axes, node in zip(figure.axes, results["nodes"], strict=True):
        expected = f"mean, AUC {estimate(node['on_true_members']['auc'])}"
        assert expected in [text.get_text() for text in axes.get_legend().get_texts()]


def test_confusions_count_every_prediction_by_true_class(nested):
    results = nested.results()
    first, second, overall = confusions(results)
    assert first.classes == ("osteoporosis", "normal or osteopenia")
    assert first.counts.sum(axis=1).tolist() == [40, 80]
    assert second.counts.sum(axis=1).tolist() == [40, 40]
    assert tuple(overall.classes) == CLASSES
    assert [matrix.n_patients for matrix in (first, second, overall)] == [60, 40, 60]
    predictions = nested.predictions
    table = pd.crosstab(predictions["true_class"], predictions["decision_argmax"])
    np.testing.assert_array_equal(overall.counts, table.loc[list(CLASSES), list(CLASSES)])
    part = results["nodes"][0]["on_true_members"]
    recall = first.counts[0, 0] / first.counts[0].sum()
    assert math.isclose(recall, part["sensitivity"]["mean"])  # folds hold equally many
