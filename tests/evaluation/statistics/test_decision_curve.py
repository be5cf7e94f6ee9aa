import math

import numpy as np
import pytest

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.bootstrap import bootstrap_interval, metric_statistic
from radiobone.evaluation.statistics.decision_curve import decision_curve
from radiobone.evaluation.statistics.metrics import binary_metrics
from radiobone.learning.data import DataError


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    positive = rng.random(80) < 0.4
    return positive, np.clip(0.3 * positive + rng.random(80) * 0.7, 0.001, 0.999)


def counted(positive, probability, threshold):
    """The definition: true positives, less false ones weighed by the odds of the threshold, per patient."""
    true = sum(p > threshold for p, y in zip(probability, positive, strict=True) if y)
    false = sum(p > threshold for p, y in zip(probability, positive, strict=True) if not y)
    return (true - false * threshold / (1 - threshold)) / len(positive)


def test_net_benefit_by_counting(rows):
    curve = decision_curve(*rows, draws=0)
    assert curve.net_benefit == pytest.approx([counted(*rows, t) for t in curve.thresholds])
    everyone = np.ones(80)
    assert curve.treat_all == pytest.approx([counted(rows[0], everyone, t) for t in curve.thresholds])
    assert not curve.treat_none.any()
    assert np.isnan(curve.low).all()
    # Below every probability the model treats all.
    assert decision_curve(*rows, thresholds=[1e-4]).net_benefit == pytest.approx(
        decision_curve(*rows, thresholds=[1e-4]).treat_all
    )


def test_a_stated_prevalence(rows):
    curve = decision_curve(*rows, thresholds=[0.2, 0.5], prevalence=0.1, draws=0)
    for number, threshold in enumerate((0.2, 0.5)):
        figures = binary_metrics(*rows, threshold=threshold)
        odds = threshold / (1 - threshold)
        expected = figures["sensitivity"] * 0.1 - (1 - figures["specificity"]) * 0.9 * odds
        assert curve.net_benefit[number] == pytest.approx(expected)
        assert curve.treat_all[number] == pytest.approx(0.1 - 0.9 * odds)
    own = decision_curve(*rows, prevalence=float(rows[0].mean()), draws=0)
    assert own.net_benefit == pytest.approx(decision_curve(*rows, draws=0).net_benefit)


def test_the_interval_is_the_bootstrap_of_the_same_patients(rows):
    groups = np.arange(80) // 2
    curve = decision_curve(*rows, thresholds=[0.3], groups=groups, draws=300, seed=4)
    found = bootstrap_interval(
        metric_statistic(lambda positive, probability: counted(positive, probability, 0.3), *rows),
        80,
        groups=groups,
        draws=300,
        method="percentile",
        seed=4,
    )
    assert (curve.low[0], curve.high[0]) == pytest.approx((found.low, found.high))
    assert curve.low[0] < curve.net_benefit[0] < curve.high[0]


def test_a_missing_class():
    curve = decision_curve([1, 1, 1], [0.2, 0.6, 0.7], thresholds=[0.5], prevalence=0.3, draws=10)
    assert math.isnan(curve.net_benefit[0])
    assert curve.notes
    assert decision_curve([0, 0], [0.2, 0.6], thresholds=[0.5], draws=0).net_benefit.tolist() == [-0.5]


def test_wrong_input_is_refused(rows):
    with pytest.raises(UsageError, match="thresholds"):
        decision_curve(*rows, thresholds=[0.0, 0.5])
    with pytest.raises(UsageError, match="prevalence"):
        decision_curve(*rows, prevalence=1.5)
    with pytest.raises(DataError, match="no rows"):
        decision_curve([], [])
