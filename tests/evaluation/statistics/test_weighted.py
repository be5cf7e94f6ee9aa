import numpy as np
import pytest

from radiobone.evaluation.statistics.metrics import COUNTS, binary_metrics, class_metrics
from radiobone.evaluation.statistics.weighted import binary_statistics, class_statistics


def rows(seed, n=40):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, n)
    proba = rng.dirichlet(np.ones(3), n).round(1)  # ties
    return true, proba, np.argmax(proba, axis=1), rng.integers(0, 3, (5, n)).astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_a_draw_gives_the_figures_of_its_rows(seed):
    true, proba, decided, weights = rows(seed)
    positive = true == 0
    statistics = binary_statistics(positive, proba[:, 0], threshold=0.3, prevalence=0.2)
    found = {name: statistic(weights) for name, statistic in statistics.items()}
    over_classes, of_classes = class_statistics(true, proba, decided)
    overall = {name: statistic(weights) for name, statistic in over_classes.items()}
    by_class = [{name: statistic(weights) for name, statistic in of.items()} for of in of_classes]
    for draw, weight in enumerate(weights):
        drawn = np.repeat(np.arange(len(true)), weight.astype(int))
        expected = binary_metrics(positive[drawn], proba[drawn, 0], threshold=0.3, prevalence=0.2)
        assert set(found) == set(expected) - set(COUNTS)
        for name, values in found.items():
            assert values[draw] == pytest.approx(expected[name], abs=1e-12), name
        all_classes, each = class_metrics(true[drawn], proba[drawn], decided[drawn])
        assert set(all_classes) == set(overall)
        for name, value in all_classes.items():
            assert overall[name][draw] == pytest.approx(value, abs=1e-12), name
        for code, figures in enumerate(each):
            assert {name: by_class[code][name][draw] for name in figures} == pytest.approx(figures, abs=1e-12)


def test_what_a_draw_cannot_show_is_undefined():
    positive, probability = np.array([True, True, False]), np.array([0.9, 0.2, 0.4])
    weights = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0], [1.0, 1.0, 1.0]])
    found = {name: of(weights) for name, of in binary_statistics(positive, probability).items()}
    for name in ("auc", "balanced_accuracy", "average_precision"):
        assert np.isnan(found[name]).tolist() == [True, True, False], name
    assert np.isnan(found["sensitivity"]).tolist() == [False, True, False]
