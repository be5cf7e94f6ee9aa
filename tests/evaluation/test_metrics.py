import math

import numpy as np
import pytest

from radiobone.evaluation import binary_metrics, class_metrics, confusion


def test_hand_counted_binary_figures():
    positive = np.array([True] * 4 + [False] * 6)
    probability = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.5, 0.4, 0.3, 0.1, 0.05])
    figures = binary_metrics(positive, probability)
    # A probability of exactly one half is not called positive.
    assert [figures[name] for name in ("tp", "fn", "fp", "tn")] == [3, 1, 1, 5]
    assert figures["sensitivity"] == 0.75
    assert figures["specificity"] == 5 / 6
    assert figures["balanced_accuracy"] == pytest.approx((0.75 + 5 / 6) / 2)
    assert figures["accuracy"] == 0.8
    # Of 24 pairs, the positive at 0.2 loses against 0.6, 0.5, 0.4, 0.3.
    assert figures["auc"] == 20 / 24


def test_ties_count_half_in_the_auc():
    assert binary_metrics(np.array([True, False]), np.array([0.5, 0.5]))["auc"] == 0.5


def test_one_side_only_is_undefined():
    figures = binary_metrics(np.array([True, True]), np.array([0.9, 0.1]))
    assert figures["sensitivity"] == 0.5
    assert figures["accuracy"] == 0.5
    assert all(math.isnan(figures[name]) for name in ("auc", "specificity", "balanced_accuracy"))


def test_no_rows_at_all_are_undefined():
    figures = binary_metrics(np.zeros(0, bool), np.zeros(0))
    assert math.isnan(figures["auc"])
    assert math.isnan(figures["accuracy"])
    assert figures["tp"] == 0


def test_hand_counted_class_figures():
    true = np.array([0, 0, 1, 1, 1, 2])
    decided = np.array([0, 1, 1, 1, 2, 2])
    proba = np.array([[6, 3, 1], [4, 5, 1], [2, 7, 1], [3, 6, 1], [1, 4, 5], [1, 2, 7]]) / 10
    figures, by_class = class_metrics(true, proba, decided)
    assert figures["accuracy"] == 4 / 6
    assert figures["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    # One class against the rest, counted by hand.
    assert by_class[0] == {"auc": 1.0, "sensitivity": 1 / 2, "specificity": 4 / 4}
    assert by_class[1] == {"auc": pytest.approx((3 + 3 + 2) / 9), "sensitivity": 2 / 3, "specificity": 2 / 3}
    assert by_class[2] == {"auc": 1.0, "sensitivity": 1 / 1, "specificity": 4 / 5}
    for metric in ("auc", "sensitivity", "specificity"):
        assert figures[f"{metric}_macro"] == pytest.approx(np.mean([found[metric] for found in by_class]))
    assert figures["sensitivity_macro"] == figures["balanced_accuracy"]
    assert confusion(true, decided, 3) == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]


def test_an_absent_class_leaves_means_undefined():
    figures, by_class = class_metrics(np.array([0, 1, 1]), np.eye(3)[[0, 1, 1]], np.array([0, 1, 2]))
    assert figures["accuracy"] == 2 / 3
    for metric in ("balanced_accuracy", "auc_macro", "sensitivity_macro"):
        assert math.isnan(figures[metric])
    assert [found["auc"] for found in by_class[:2]] == [1.0, 1.0]
    assert math.isnan(by_class[2]["auc"])
    assert math.isnan(by_class[2]["sensitivity"])
    # All rows belong to the others: the specificity of a class that is absent is defined.
    assert [found["specificity"] for found in by_class] == [1.0, 1.0, 2 / 3]
    assert figures["specificity_macro"] == pytest.approx((1 + 1 + 2 / 3) / 3)


def test_one_class_only_has_no_specificity():
    figures, by_class = class_metrics(np.array([0, 0]), np.eye(2)[[0, 1]], np.array([0, 1]))
    assert by_class[0]["sensitivity"] == 0.5
    assert math.isnan(by_class[0]["specificity"])
    assert math.isnan(figures["specificity_macro"])
