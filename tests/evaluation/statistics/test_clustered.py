import math

import numpy as np
import pytest

from radiobone.evaluation.statistics.clustered import (
    clustered_auc_interval,
    clustered_auc_test,
    clustered_auc_variance,
)
from radiobone.evaluation.statistics.delong import auc_variance, delong_interval, delong_test
from radiobone.learning.data import DataError


def by_patients(positive, scores, groups):
    """Obuchowski's covariance matrix, patient by patient and pair by pair."""
    aucs, sums = [], []
    patients = sorted(set(groups))
    m, n = sum(positive), len(positive) - sum(positive)
    for score in scores:

        def wins(i, j, score=score):
            return 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0

        rows = range(len(score))
        ill, well = [i for i in rows if positive[i]], [i for i in rows if not positive[i]]
        auc = sum(wins(i, j) for i in ill for j in well) / (m * n)
        v10 = {i: sum(wins(i, j) for j in well) / n for i in ill}
        v01 = {j: sum(wins(i, j) for i in ill) / m for j in well}
        aucs.append(auc)
        sums.append(
            [
                (
                    sum(v10[i] - auc for i in ill if groups[i] == patient),
                    sum(v01[j] - auc for j in well if groups[j] == patient),
                )
                for patient in patients
            ]
        )
    i10 = len({groups[i] for i in range(len(groups)) if positive[i]})
    i01 = len({groups[i] for i in range(len(groups)) if not positive[i]})
    total = len(patients)
    covariance = np.zeros((len(scores), len(scores)))
    for r, first in enumerate(sums):
        for s, second in enumerate(sums):
            s10 = i10 / ((i10 - 1) * m) * sum(a[0] * b[0] for a, b in zip(first, second, strict=True))
            s01 = i01 / ((i01 - 1) * n) * sum(a[1] * b[1] for a, b in zip(first, second, strict=True))
            s11 = total / (total - 1) * sum(a[0] * b[1] for a, b in zip(first, second, strict=True))
            s11_other = total / (total - 1) * sum(a[1] * b[0] for a, b in zip(first, second, strict=True))
            covariance[r, s] = s10 / m + s01 / n + (s11 + s11_other) / (m * n)
    return aucs, covariance


@pytest.fixture
def vertebrae():
    """Forty patients with one to five vertebrae, whose classes and scores resemble one another."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), rng.integers(1, 6, 40))
    positive = rng.normal(size=40)[groups] + 0.7 * rng.normal(size=len(groups)) > 0.3
    a = np.round(positive + rng.normal(size=40)[groups] + rng.normal(size=len(groups)), 1)
    b = np.round(0.6 * a + rng.normal(size=len(groups)), 1)
    return positive, a, b, groups


def test_variance_and_test_are_those_of_the_formula(vertebrae):
    positive, a, b, groups = vertebrae
    aucs, covariance = by_patients(positive.tolist(), [a.tolist(), b.tolist()], groups.tolist())
    assert clustered_auc_variance(positive, a, groups) == pytest.approx((aucs[0], covariance[0, 0]))
    found = clustered_auc_test(positive, a, b, groups)
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert found.standard_error == pytest.approx(error)
    assert (found.a, found.b) == pytest.approx(aucs)
    assert found.statistic == pytest.approx((aucs[0] - aucs[1]) / error)


def test_one_row_for_each_patient_is_delong(vertebrae):
    positive, a, b, _ = vertebrae
    own = [f"p{number}" for number in range(len(a))]
    assert clustered_auc_variance(positive, a, own) == pytest.approx(auc_variance(positive, a), rel=1e-12)
    found, expected = clustered_auc_interval(positive, a, own), delong_interval(positive, a)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert clustered_auc_test(positive, a, b, own).p_value == pytest.approx(delong_test(positive, a, b).p_value)


def test_copies_of_rows_add_nothing():
    # Each vertebra counted three times: DeLong's variance shrinks by three, the clustered one stays.
    rng = np.random.default_rng(0)
    positive = np.arange(50) < 20
    score = rng.normal(size=50) + positive
    rows = np.repeat(np.arange(50), 3)
    auc, variance = auc_variance(positive, score)
    assert clustered_auc_variance(positive[rows], score[rows], rows) == pytest.approx((auc, variance))
    assert auc_variance(positive[rows], score[rows])[1] < 0.35 * variance


def test_undefined_and_degenerate_cases():
    assert math.isnan(clustered_auc_variance([True, True], [1, 2], [1, 2])[0])
    auc, variance = clustered_auc_variance([True, True, False, False], [4, 3, 2, 3], [1, 1, 2, 3])
    assert auc == 3.5 / 4
    assert math.isnan(variance)
    found = clustered_auc_interval([True, True, False, False], [4, 3, 2, 3], [1, 1, 2, 3])
    assert math.isnan(found.low)
    assert found.notes
    assert math.isnan(clustered_auc_test([True, True], [1, 2], [2, 1], [1, 2]).p_value)
    assert clustered_auc_test([True, True, False, False], [4, 3, 2, 3], [8, 6, 4, 6], [1, 2, 3, 4]).p_value == 1.0


def test_complete_separation_counts_patients():
    positive = np.array([True] * 20 + [False] * 20)
    groups = np.repeat(np.arange(20), 2)
    found = clustered_auc_interval(positive, positive.astype(float), groups)
    of_patients = delong_interval(positive[::2], positive[::2].astype(float))
    assert (found.low, found.high) == (of_patients.low, 1.0)


def test_patients_that_do_not_fit_the_rows_are_refused():
    with pytest.raises(DataError, match="groups"):
        clustered_auc_variance([True, False], [1, 0], [1, 2, 3])
    for missing in (None, float("nan")):
        with pytest.raises(DataError, match="no patient"):
            clustered_auc_variance([True, False], [1, 0], [missing, 2])
