import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.delong import auc_variance, delong_interval, delong_test, delong_test_unpaired
from radiobone.learning.data import DataError


def by_pairs(positive, *scores):
    """DeLong's covariance matrix from all pairs of rows, as the paper writes it."""
    positive = np.asarray(positive, dtype=bool)
    v10, v01 = [], []
    for score in np.asarray(scores, dtype=float):
        wins = np.array(
            [[1.0 if x > y else 0.5 if x == y else 0.0 for y in score[~positive]] for x in score[positive]]
        )
        v10.append(wins.mean(axis=1))
        v01.append(wins.mean(axis=0))
    s10, s01 = np.atleast_2d(np.cov(v10)), np.atleast_2d(np.cov(v01))
    return np.mean(v10, axis=1), s10 / positive.sum() + s01 / (~positive).sum()


@pytest.fixture(params=[0, 1])
def rows(request):
    """Two scores of 60 rows, those of the second case with many ties."""
    rng = np.random.default_rng(request.param)
    positive = rng.random(60) < 0.4
    a = rng.normal(size=60) + positive
    b = 0.5 * a + rng.normal(size=60) + 0.3 * positive
    return (positive, np.round(a), np.round(b)) if request.param else (positive, a, b)


def test_variance_is_that_of_all_pairs(rows):
    positive, a, _ = rows
    aucs, covariance = by_pairs(positive, a)
    assert auc_variance(positive, a) == pytest.approx((aucs[0], covariance[0, 0]), rel=1e-12)


def test_paired_test_is_the_contrast_of_the_covariance_matrix(rows):
    positive, a, b = rows
    aucs, covariance = by_pairs(positive, a, b)
    error = math.sqrt(np.array([1, -1]) @ covariance @ np.array([1, -1]))
    found = delong_test(positive, a, b, level=0.9)
    assert (found.a, found.b) == pytest.approx(aucs)
    assert found.standard_error == pytest.approx(error, rel=1e-12)
    assert found.statistic == pytest.approx((aucs[0] - aucs[1]) / error)
    assert found.p_value == pytest.approx(2 * norm.sf(abs(found.statistic)))
    assert (found.high - found.low) / 2 == pytest.approx(norm.ppf(0.95) * error)
    other = delong_test(positive, b, a, level=0.9)
    assert (other.difference, other.p_value) == pytest.approx((-found.difference, found.p_value))


def test_unpaired_test_adds_the_variances(rows):
    positive, a, b = rows
    found = delong_test_unpaired(positive[:35], a[:35], positive[35:], b[35:])
    parts = [by_pairs(positive[:35], a[:35])[1], by_pairs(positive[35:], b[35:])[1]]
    assert found.standard_error == pytest.approx(math.sqrt(sum(part[0, 0] for part in parts)))
    assert found.difference == pytest.approx(found.a - found.b)


def test_intervals_on_both_scales(rows):
    positive, a, _ = rows
    aucs, covariance = by_pairs(positive, a)
    auc, error = aucs[0], math.sqrt(covariance[0, 0])
    wald = delong_interval(positive, a, scale="wald")
    assert (wald.low, wald.high) == pytest.approx((auc - 1.959964 * error, min(auc + 1.959964 * error, 1)))
    found = delong_interval(positive, a)
    ends = [math.log(end / (1 - end)) for end in (found.low, auc, found.high)]
    assert np.diff(ends) == pytest.approx([1.959964 * error / (auc * (1 - auc))] * 2)
    assert (found.method, wald.method) == ("DeLong (logit)", "DeLong (Wald)")


def test_the_scale_of_a_score_plays_no_part(rows):
    positive, a, b = rows
    assert delong_interval(positive, np.exp(a)) == delong_interval(positive, a)
    assert delong_test(positive, a, 3 * a + 1).p_value == 1.0
    assert delong_test(positive, np.exp(a), b) == delong_test(positive, a, b)
    mirrored = delong_interval(~positive, a)
    found = delong_interval(positive, a)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_complete_separation_has_newcombes_interval():
    positive = np.array([True] * 12 + [False] * 30)
    found = delong_interval(positive, positive.astype(float))
    # The lower end is the AUC from which 1 lies just 1.96 of Newcombe's standard errors.
    others = (12 + 30) / 2 - 1

    def error(auc):
        return math.sqrt(
            auc * (1 - auc) * (1 + others * (1 - auc) / (2 - auc) + others * auc / (1 + auc)) / (12 * 30)
        )

    low = brentq(lambda auc: 1 - auc - norm.ppf(0.975) * error(auc), 0.1, 0.999)
    assert (found.estimate, found.low, found.high) == (1.0, pytest.approx(low), 1.0)
    assert "Newcombe" in found.method
    assert found.notes
    reversed_ = delong_interval(positive, -positive.astype(float))
    assert (reversed_.estimate, reversed_.low, reversed_.high) == (0.0, 0.0, pytest.approx(1 - low))
    few = delong_interval([True, False, True, False], [1, 0, 1, 0])
    assert few.low < found.low


def test_scores_that_are_all_the_same():
    found = delong_interval([True] * 3 + [False] * 5, np.full(8, 0.3))
    assert (found.estimate, found.low, found.high) == (0.5, 0.5, 0.5)
    assert found.notes


def test_a_missing_class_and_a_single_row_are_undefined():
    found = delong_interval([True, True], [0.1, 0.2])
    assert all(math.isnan(value) for value in (found.estimate, found.low, found.high))
    assert "missing" in found.notes[0]
    found = delong_interval([True, False, False, False], [0.2, 0.1, 0.3, 0.0])
    assert found.estimate == pytest.approx(2 / 3)
    assert math.isnan(found.low)
    assert "too few" in found.notes[0]
    compared = delong_test([True, True], [1, 2], [2, 1])
    assert math.isnan(compared.p_value)
    assert math.isnan(delong_test_unpaired([True, False], [1, 0], [True] * 2, [1, 0]).p_value)


def test_a_difference_without_variance_has_no_p_value():
    positive = np.array([True] * 4 + [False] * 4)
    found = delong_test(positive, positive.astype(float), np.zeros(8))
    assert found.difference == 0.5
    assert math.isnan(found.p_value)
    assert found.notes


@pytest.mark.parametrize(
    ("positive", "score"),
    [([True, False], [0.1, np.nan]), ([True, False], [0.1]), (["a", "b"], [0.1, 0.2]), ([2, 1], [0.1, 0.2])],
)
def test_rows_that_cannot_be_judged_are_refused(positive, score):
    with pytest.raises(DataError):
        delong_interval(positive, score)


def test_wrong_levels_and_scales_are_refused():
    with pytest.raises(UsageError, match="level"):
        delong_interval([True, False], [1, 0], level=95)
    with pytest.raises(UsageError, match="scale"):
        delong_interval([True, False], [1, 0], scale="log")
