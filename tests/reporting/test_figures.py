from __future__ import annotations

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from radiobone.core.errors import UsageError
from radiobone.reporting.figures import (
    FOLD_COLOUR,
    MEAN_COLOUR,
    Confusion,
    NodeScores,
    confusion_figure,
    roc_figure,
    save_figure,
)


def _node(name="osteoporosis_vs_rest", positive="osteoporosis", n=60, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3 == 0
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * truth)))
    return NodeScores(name, positive, truth, score, np.arange(n) // (n // 5))


def _labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def _lines(axes, colour):
    return [line for line in axes.lines if line.get_color() == colour]


CONFUSION = Confusion(
    "three classes",
    ("normal", "osteopenia", "osteoporosis"),
    np.array([[14, 6, 0], [4, 11, 5], [0, 0, 0]]),
    40,
)


def test_each_node_has_a_panel_that_names_node_and_positive_class():
    figure = roc_figure([_node(), _node("osteopenia_vs_normal", "osteopenia", 40)])
    assert [axes.get_title() for axes in figure.axes] == [
        "osteoporosis vs rest\npositive: osteoporosis",
        "osteopenia vs normal\npositive: osteopenia",
    ]
    assert {axes.get_xlabel() for axes in figure.axes} == {"1 - specificity"}
    assert figure.axes[0].get_ylabel() == "Sensitivity (osteoporosis)"


def test_legend_tells_mean_and_sd_of_auc_over_folds():
    node = _node()
    areas = [
        roc_auc_score(node.is_positive[node.fold == fold], node.score[node.fold == fold]) for fold in range(5)
    ]
    (axes,) = roc_figure([node]).axes
    assert f"mean, AUC {np.mean(areas):.2f} ± {np.std(areas, ddof=1):.2f}" in _labels(axes)
    assert {"5 outer folds", "± 1 SD", "chance"} < set(_labels(axes))


def test_every_fold_is_drawn_and_the_mean_runs_from_corner_to_corner():
    node = _node()
    (axes,) = roc_figure([node]).axes
    assert len(_lines(axes, FOLD_COLOUR)) == 5
    (mean,) = _lines(axes, MEAN_COLOUR)
    x, y = mean.get_data()
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert (np.diff(y) >= -1e-12).all()
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert corners.min() >= 0
    assert corners.max() <= 1


def test_perfect_and_inverted_scores_give_auc_one_and_zero():
    truth = np.array([True, False] * 10)
    fold = np.repeat([0, 1], 10)
    for score, area in ((truth.astype(float), "1.00"), (1.0 - truth, "0.00")):
        (axes,) = roc_figure([NodeScores("node", "a", truth, score, fold)]).axes
        assert f"mean, AUC {area} ± 0.00" in _labels(axes)


def test_a_fold_without_both_classes_leaves_the_mean_undefined_and_is_counted():
    node = _node()
    truth = node.is_positive & (node.fold != 3)
    (axes,) = roc_figure([NodeScores("node", "a", truth, node.score, node.fold)]).axes
    assert len(_lines(axes, FOLD_COLOUR)) == 4
    assert not _lines(axes, MEAN_COLOUR)
    assert not axes.collections
    assert "AUC n/a: 1 of 5 folds\nlack a class" in _labels(axes)
    assert "4 outer folds" in _labels(axes), "as many as are drawn"


def test_one_fold_has_neither_spread_nor_band():
    node = _node()
    (axes,) = roc_figure([NodeScores("node", "a", node.is_positive, node.score, 0 * node.fold)]).axes
    assert not axes.collections
    assert not any("±" in label for label in _labels(axes))
    assert "1 outer fold" in _labels(axes)


def test_no_class_at_all_leaves_only_chance():
    node = _node()
    (axes,) = roc_figure([NodeScores("node", "a", node.is_positive & False, node.score, node.fold)]).axes
    assert _labels(axes) == ["AUC n/a: 5 of 5 folds\nlack a class", "chance"]


def test_scores_that_do_not_fit_are_refused():
    node = _node()
    with pytest.raises(ValueError, match="length"):
        NodeScores("node", "a", node.is_positive[1:], node.score, node.fold)
    with pytest.raises(ValueError, match="not finite"):
        NodeScores("node", "a", node.is_positive, node.score * np.nan, node.fold)
    with pytest.raises(ValueError, match="nothing to draw"):
        roc_figure([])


def test_confusion_has_counts_row_percentages_and_the_given_order():
    (axes,) = confusion_figure([CONFUSION]).axes
    cells = [text.get_text() for text in axes.texts]
    assert cells[:6] == ["14\n70 %", "6\n30 %", "0\n0 %", "4\n20 %", "11\n55 %", "5\n25 %"]
    assert set(cells[6:]) == {"0\nn/a"}
    assert [label.get_text() for label in axes.get_xticklabels()] == list(CONFUSION.classes)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "normal\n(20 patients)",
        "osteopenia\n(20 patients)",
        "osteoporosis\n(0 patients)",
    ]
    assert axes.get_title() == "three classes\n40 patients"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted class", "True class")
    np.testing.assert_allclose(axes.images[0].get_array()[1], [0.2, 0.55, 0.25])


def test_predictions_are_not_called_patients():
    twice = Confusion("title", ("a", "b"), np.array([[14, 6], [4, 16]]), 20)
    (axes,) = confusion_figure([twice]).axes
    assert axes.get_title() == "title\n40 predictions of 20 patients"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a\n(20 predictions)", "b\n(20 predictions)"]


def test_confusion_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="2 classes"):
        Confusion("title", ("a", "b"), np.zeros((3, 3), dtype=int), 0)


def test_all_text_lies_within_the_picture():
    for figure in (roc_figure([_node(), _node()]), confusion_figure([CONFUSION, CONFUSION])):
        width, height = figure.get_size_inches()
        box = figure.get_tightbbox()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_files_are_the_same_to_the_byte(tmp_path, suffix, monkeypatch):
    paths = [tmp_path / f"{number}{suffix}" for number in range(3)]
    figure = confusion_figure([CONFUSION])
    save_figure(figure, paths[0])
    save_figure(figure, paths[1])
    # A user's own settings and another day change nothing.
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20.0)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    save_figure(confusion_figure([CONFUSION]), paths[2])
    contents = {path.read_bytes() for path in paths}
    assert len(contents) == 1
    assert len(contents.pop()) > 2000
    assert sorted(tmp_path.iterdir()) == paths


def test_png_has_the_resolution_asked_for(tmp_path):
    figure = confusion_figure([CONFUSION])
    save_figure(figure, tmp_path / "figure.png", dpi=150)
    header = (tmp_path / "figure.png").read_bytes()[16:24]
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:])
    np.testing.assert_allclose([width, height], 150 * figure.get_size_inches(), atol=1)


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        save_figure(confusion_figure([CONFUSION]), tmp_path / "figure.jpg")
    assert list(tmp_path.iterdir()) == []


def test_nothing_global_is_touched():
    code = (
        "import sys, numpy as np; from radiobone.reporting.figures import Confusion, confusion_figure;"
        "confusion_figure([Confusion('t', ('a', 'b'), np.eye(2, dtype=int), 2)]);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
