import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, cohen_kappa_score, f1_score, roc_auc_score

from radiobone.core.errors import UsageError
from radiobone.evaluation import binary_metrics, class_metrics, confusion
from radiobone.evaluation.statistics.metrics import (
    AT_PREVALENCE,
    BINARY,
    BY_CLASS,
    COUNTS,
    OVERALL,
    predictive_values,
)


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
    assert (figures["ppv"], figures["npv"], figures["f1"]) == (3 / 4, 5 / 6, 6 / 8)
    # Precision at the four positives, from the top: 1/1, 2/2, 3/3, 4/8.
    assert figures["average_precision"] == pytest.approx((1 + 1 + 1 + 4 / 8) / 4)
    squares = [0.1, 0.2, 0.3, 0.8, 0.6, 0.5, 0.4, 0.3, 0.1, 0.05]
    assert figures["brier"] == pytest.approx(np.mean(np.square(squares)))
    assert tuple(figures) == BINARY + COUNTS


def test_ties_count_half_in_the_auc():
    assert binary_metrics(np.array([True, False]), np.array([0.5, 0.5]))["auc"] == 0.5


def test_one_side_only_is_undefined():
    figures = binary_metrics(np.array([True, True]), np.array([0.9, 0.1]))
    assert figures["sensitivity"] == 0.5
    assert figures["accuracy"] == 0.5
    undefined = ("auc", "specificity", "balanced_accuracy", "average_precision")
    assert all(math.isnan(figures[name]) for name in undefined)
    assert (figures["ppv"], figures["npv"]) == (1.0, 0.0)


def test_no_rows_at_all_are_undefined():
    figures = binary_metrics(np.zeros(0, bool), np.zeros(0))
    assert math.isnan(figures["auc"])
    assert all(math.isnan(figures[name]) for name in BINARY)
    assert figures["tp"] == 0


def test_predictive_values_at_a_stated_prevalence():
    # Of 1,000 with 20 ill, a test of 0.95 and 0.90 finds 19 of them and calls 98 others.
    assert predictive_values(0.95, 0.90, 0.02) == pytest.approx((19 / (19 + 98), 882 / (882 + 1)))
    positive, probability = np.array([True] * 4 + [False] * 6), np.array([0.9] * 3 + [0.1] + [0.9] + [0.1] * 5)
    plain = binary_metrics(positive, probability)
    at_own = binary_metrics(positive, probability, prevalence=0.4)
    assert [at_own[name] for name in AT_PREVALENCE] == pytest.approx([plain["ppv"], plain["npv"]])
    assert {name: at_own[name] for name in plain} == plain
    one_side = binary_metrics(positive[:4], probability[:4], prevalence=0.1)
    assert all(math.isnan(one_side[name]) for name in AT_PREVALENCE)
    # A test that calls nobody has no positive predictive value.
    assert math.isnan(predictive_values(0.0, 1.0, 0.1)[0])
    with pytest.raises(UsageError, match="prevalence"):
        binary_metrics(positive, probability, prevalence=10)


def test_hand_counted_class_figures():
    true = np.array([0, 0, 1, 1, 1, 2])
    decided = np.array([0, 1, 1, 1, 2, 2])
    proba = np.array([[6, 3, 1], [4, 5, 1], [2, 7, 1], [3, 6, 1], [1, 4, 5], [1, 2, 7]]) / 10
    figures, by_class = class_metrics(true, proba, decided)
    assert figures["accuracy"] == 4 / 6
    assert figures["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    # One class against the rest, counted by hand.
    # In the order of BY_CLASS: AUC, sensitivity, specificity, predictive values, F1.
    assert list(by_class[0].values()) == [1.0, 1 / 2, 4 / 4, 1 / 1, 4 / 5, pytest.approx(2 / 3)]
    assert list(by_class[1].values()) == [pytest.approx(8 / 9), 2 / 3, 2 / 3, 2 / 3, 2 / 3, pytest.approx(2 / 3)]
    assert list(by_class[2].values()) == [1.0, 1 / 1, 4 / 5, 1 / 2, 4 / 4, pytest.approx(2 / 3)]
    assert {tuple(found) for found in by_class} == {BY_CLASS}
    assert tuple(figures) == OVERALL
    for metric in ("auc", "sensitivity", "specificity"):
        assert figures[f"{metric}_macro"] == pytest.approx(np.mean([found[metric] for found in by_class]))
    assert figures["sensitivity_macro"] == figures["balanced_accuracy"]
    assert confusion(true, decided, 3) == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]


def test_an_absent_class_leaves_means_undefined():
    figures, by_class = class_metrics(np.array([0, 1, 1]), np.eye(3)[[0, 1, 1]], np.array([0, 1, 2]))
    assert figures["accuracy"] == 2 / 3
    for metric in ("balanced_accuracy", "auc_macro", "auc_micro", "sensitivity_macro"):
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


def test_figures_over_all_classes_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    true, decided = rng.integers(0, 4, 90), rng.integers(0, 4, 90)
    proba = rng.dirichlet(np.ones(4), 90)
    figures, by_class = class_metrics(true, proba, decided)
    assert figures["kappa_quadratic"] == pytest.approx(cohen_kappa_score(true, decided, weights="quadratic"))
    assert figures["auc_micro"] == pytest.approx(roc_auc_score(np.eye(4)[true], proba, average="micro"))
    assert figures["auc_macro"] == pytest.approx(roc_auc_score(true, proba, multi_class="ovr"))
    assert figures["f1_macro"] == pytest.approx(f1_score(true, decided, average="macro"))
    assert figures["brier"] == pytest.approx(brier_score_loss(true, proba, labels=range(4)))
    assert [found["f1"] for found in by_class] == pytest.approx(f1_score(true, decided, average=None))


def test_quadratic_kappa_by_hand():
    # Weights 1 and 4: observed 1 + 4; by chance the products of the margins, over the number of rows.
    true, decided = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    chance = (3 * 3 * 1 + 2 * 3 * 1 + 1 * 3 * 4 + 1 * 3 * 1) / 6
    assert class_metrics(true, np.eye(3)[true], decided)[0]["kappa_quadratic"] == pytest.approx(1 - 5 / chance)
    one = np.zeros(4, dtype=int)
    assert math.isnan(class_metrics(one, np.eye(3)[one], one)[0]["kappa_quadratic"])


def test_brier_of_two_classes_is_twice_the_binary_one():
    true, probability = np.array([0, 1, 1, 0]), np.array([0.2, 0.9, 0.4, 0.5])
    proba = np.stack([1 - probability, probability], axis=1)
    of_classes = class_metrics(true, proba, true)[0]["brier"]
    assert of_classes == pytest.approx(2 * binary_metrics(true == 1, probability)["brier"])
