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
    np.testing.assert_allclose(by_class, [1.0, (3 + 3 + 2) / 9, 1.0])
    assert figures["auc_macro"] == pytest.approx(by_class.mean())
    assert confusion(true, decided, 3) == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]


def test_an_absent_class_leaves_means_undefined():
    figures, by_class = class_metrics(np.array([0, 1, 1]), np.eye(3)[[0, 1, 1]], np.array([0, 1, 1]))
    assert figures["accuracy"] == 1.0
    assert math.isnan(figures["balanced_accuracy"])
    assert math.isnan(figures["auc_macro"])
    assert by_class[:2].tolist() == [1.0, 1.0]
    assert math.isnan(by_class[2])
