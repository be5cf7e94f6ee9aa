import math

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import roc_auc_score

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.bootstrap import (
    auc_statistic,
    bootstrap_difference,
    bootstrap_interval,
    metric_statistic,
    patients_to_draw,
)
from radiobone.evaluation.statistics.clustered import clustered_auc_variance
from radiobone.learning.data import DataError


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    positive = np.arange(70) < 25
    return positive, np.round(rng.normal(size=70) + positive, 1)


def auc_or_nan(positive, score):
    return roc_auc_score(positive, score) if 0 < positive.sum() < len(positive) else np.nan


def test_weighted_aucs_are_those_of_the_drawn_rows(rows):
    positive, score = rows
    (weights,) = patients_to_draw(70, None, None).weights(30, seed=0)
    assert (weights.sum(axis=1) == 70).all()
    fast = auc_statistic(positive, score)(weights)
    assert fast == pytest.approx(metric_statistic(roc_auc_score, positive, score)(weights), rel=1e-12)


def test_patients_come_with_all_rows_and_strata_keep_their_sizes():
    groups = np.repeat(["d", "a", "c", "b", "e", "f"], [1, 4, 2, 3, 2, 2])
    strata = np.repeat([1, 0, 0, 1, 1, 1], [1, 4, 2, 3, 2, 2])
    strata[-1] = 0  # a patient of both classes: a stratum of its own
    patients = patients_to_draw(14, groups, strata)
    (weights,) = patients.weights(200, seed=5)
    for name in "abcdef":
        assert (weights[:, groups == name] == weights[:, groups == name][:, :1]).all()
    drawn = {name: weights[:, groups == name][:, 0] for name in "abcdef"}
    assert (drawn["a"] + drawn["c"] == 2).all()
    assert (drawn["b"] + drawn["d"] + drawn["e"] == 3).all()
    assert (drawn["f"] == 1).all()
    assert drawn["b"].mean() == pytest.approx(1, abs=0.2)
    left = np.concatenate(list(patients.left_out()))
    assert left.shape == (6, 14)
    assert [set(groups[line == 0]) for line in left] == [{name} for name in "abcdef"]


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_agrees_with_scipy(rows, method):
    positive, score = rows

    def auc(first, second, axis):
        wins = (first[..., :, None] > second[..., None, :]) + 0.5 * (first[..., :, None] == second[..., None, :])
        return wins.mean(axis=(-2, -1))

    expected = scipy.stats.bootstrap(
        (score[positive], score[~positive]),
        auc,
        n_resamples=4000,
        batch=500,
        method=method,
        rng=np.random.default_rng(0),
    )
    found = bootstrap_interval(
        auc_statistic(positive, score), 70, strata=positive, draws=20000, method=method, seed=1
    )
    interval = expected.confidence_interval
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.008)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.06)


def test_corrected_quantiles_by_hand():
    # The mean of skewed numbers: BCa's formula, step by step, on the same draws.
    values = np.exp(np.random.default_rng(2).normal(size=40))
    statistic = metric_statistic(np.mean, values)
    found = bootstrap_interval(statistic, 40, draws=1500, level=0.9, seed=3)
    means = np.concatenate([statistic(weights) for weights in patients_to_draw(40, None, None).weights(1500, 3)])
    left = np.array([np.delete(values, number).mean() for number in range(40)])
    deviations = left.mean() - left
    acceleration = np.sum(deviations**3) / (6 * np.sum(deviations**2) ** 1.5)
    normal = scipy.stats.norm
    bias = normal.ppf(np.mean(means < values.mean()))
    ends = [
        np.quantile(means, normal.cdf(bias + (bias + z) / (1 - acceleration * (bias + z))))
        for z in normal.ppf([0.05, 0.95])
    ]
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-9)
    assert acceleration > 0.02


def test_clusters_widen_the_interval_as_obuchowski_says():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(60), 4)
    positive = groups < 25
    score = positive + rng.normal(size=60)[groups] + 0.3 * rng.normal(size=240)
    found = bootstrap_interval(auc_statistic(positive, score), 240, groups=groups, strata=positive, draws=4000)
    error = math.sqrt(clustered_auc_variance(positive, score, groups)[1])
    assert found.standard_error == pytest.approx(error, rel=0.06)
    rows_alone = bootstrap_interval(auc_statistic(positive, score), 240, strata=positive, draws=500)
    assert rows_alone.standard_error < 0.7 * error


def test_draws_that_lack_a_class_are_counted():
    positive, score = np.arange(24) < 3, np.sin(np.arange(24.0))
    statistic = metric_statistic(auc_or_nan, positive, score)
    found = bootstrap_interval(statistic, 24, draws=400, seed=0)
    # The chance of none of three is (21/24)^24 = 0.0406.
    assert 4 <= found.n_undefined <= 32
    assert found.notes[0] == f"undefined in {found.n_undefined} of 400 draws"
    assert found.n_undefined == bootstrap_interval(auc_statistic(positive, score), 24, draws=400).n_undefined
    few = bootstrap_interval(auc_statistic(positive[1:], score[1:]), 23, draws=400)
    assert few.n_undefined > 20
    assert math.isnan(few.low)
    assert bootstrap_interval(statistic, 24, strata=positive, draws=50).n_undefined == 0


def test_draws_that_are_all_alike_give_no_interval():
    positive = np.arange(20) < 8
    found = bootstrap_interval(auc_statistic(positive, positive), 20, strata=positive, draws=50)
    assert found.estimate == 1.0
    assert math.isnan(found.low)
    assert "every draw" in found.notes[0]


def test_a_single_patient_of_a_class_leaves_no_acceleration():
    positive = np.arange(30) < 1
    statistic = auc_statistic(positive, np.sin(np.arange(30.0) + 1))
    found = bootstrap_interval(statistic, 30, strata=positive, draws=300)
    assert "without acceleration" in found.notes[0]


def test_difference_of_two_scores_on_the_same_draws(rows):
    positive, score = rows
    other = score + np.sin(np.arange(70))
    a, b = auc_statistic(positive, score), auc_statistic(positive, other)
    found = bootstrap_difference(a, b, 70, strata=positive, draws=300, seed=7)
    assert found.difference == pytest.approx(roc_auc_score(positive, score) - roc_auc_score(positive, other))
    assert found.low < found.difference < found.high
    assert found.p_value == pytest.approx(2 * scipy.stats.norm.sf(abs(found.difference / found.standard_error)))
    same = bootstrap_difference(a, a, 70, strata=positive, draws=50)
    assert (same.difference, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_seeds_and_sizes_of_chunks(rows, monkeypatch):
    positive, score = rows
    first = bootstrap_interval(auc_statistic(positive, score), 70, draws=100, seed=2)
    assert first == bootstrap_interval(auc_statistic(positive, score), 70, draws=100, seed=2)
    assert first != bootstrap_interval(auc_statistic(positive, score), 70, draws=100, seed=3)
    monkeypatch.setattr("radiobone.evaluation.statistics.bootstrap._CELLS", 70 * 33)
    in_parts = list(patients_to_draw(70, None, None).weights(100, 2))
    assert [len(part) for part in in_parts] == [33, 33, 33, 1]


def test_wrong_input_is_refused(rows):
    statistic = auc_statistic(*rows)
    with pytest.raises(UsageError, match="draws"):
        bootstrap_interval(statistic, 70, draws=1)
    with pytest.raises(UsageError, match="method"):
        bootstrap_interval(statistic, 70, method="bc")
    with pytest.raises(DataError, match="no rows"):
        bootstrap_interval(statistic, 0)
    with pytest.raises(DataError, match="groups"):
        bootstrap_interval(statistic, 70, groups=[1, 2])
