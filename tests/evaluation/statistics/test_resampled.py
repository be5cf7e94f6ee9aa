import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.resampled import corrected_interval, corrected_reach, corrected_test
from radiobone.learning.data import DataError

VALUES = np.array([0.80, 0.85, 0.75, 0.90, 0.70])


def test_interval_by_hand():
    # Mean 0.80, s² 0.025 / 4, factor 1/5 + 1/4, t(4) = 2.776445.
    reach = 2.776445 * math.sqrt(0.00625 * (0.2 + 0.25))
    found = corrected_interval(VALUES, 80, 20)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.8, 0.8 - reach, 0.8 + reach), rel=1e-6)
    assert found.method == "corrected resampled t"


def test_paired_test_by_hand():
    # Differences 0.05, 0.03, -0.01, 0.07: mean 0.035, s² 0.0035 / 3, factor 1/4 + 1/3.
    found = corrected_test([0.80, 0.85, 0.75, 0.90], [0.75, 0.82, 0.76, 0.83], 75, 25)
    error = math.sqrt(0.0035 / 3 * (1 / 4 + 1 / 3))
    assert (found.difference, found.standard_error) == pytest.approx((0.035, error))
    assert found.statistic == pytest.approx(0.035 / error)
    assert (found.low, found.high) == pytest.approx((0.035 - 3.182446 * error, 0.035 + 3.182446 * error), rel=1e-6)
    assert (found.a, found.b) == pytest.approx((0.825, 0.79))


def test_repeats_add_values_and_no_degrees_of_freedom():
    values = np.array([0.80, 0.85, 0.75, 0.90, 0.70, 0.78, 0.88, 0.74, 0.86, 0.79])
    found = corrected_interval(values, n_train=80, n_test=20, repeats=2)
    error = math.sqrt((1 / 10 + 20 / 80) * np.var(values, ddof=1))
    assert found.standard_error == pytest.approx(error, rel=1e-12)
    assert found.high - found.estimate == pytest.approx(2.7764451 * error, rel=1e-7), "t of 4 degrees"
    once = corrected_interval(values, n_train=80, n_test=20)
    assert once.high - once.estimate == pytest.approx(2.2621572 * error, rel=1e-7), "t of 9 degrees"
    other = np.array([0.78, 0.80, 0.76, 0.84, 0.71, 0.70, 0.85, 0.75, 0.80, 0.78])
    paired = corrected_test(values, other, 80, 20, repeats=2)
    assert paired.p_value > corrected_test(values, other, 80, 20).p_value
    several = corrected_reach(np.column_stack([values, 2 * values]), 0.25, repeats=2)
    assert several == pytest.approx([found.high - found.estimate, 2 * (found.high - found.estimate)], rel=1e-12)


def test_few_folds_keep_four_degrees_of_freedom_where_repeats_give_them():
    values = np.linspace(0.6, 0.8, 6)
    wide = corrected_interval(values, 50, 50, repeats=3)
    assert wide.high - wide.estimate == pytest.approx(2.7764451 * wide.standard_error, rel=1e-7)
    with pytest.raises(UsageError, match="repeats"):
        corrected_interval(values, 50, 50, repeats=4)


def test_without_the_correction_it_is_the_plain_t():
    plain = ttest_1samp(VALUES - 0.75, 0)
    found = corrected_test(VALUES, np.full(5, 0.75), 1e12, 1)
    assert (found.statistic, found.p_value) == pytest.approx((plain.statistic, plain.pvalue), rel=1e-6)
    interval = plain.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_sizes_of_folds_may_differ():
    found = corrected_interval(VALUES, [80, 81, 80, 80, 79], [20, 19, 20, 20, 21])
    assert found == corrected_interval(VALUES, 400, 100)


def test_an_undefined_fold_leaves_all_undefined_and_is_counted():
    found = corrected_interval([0.8, np.nan, 0.7, np.nan], 30, 10)
    assert all(math.isnan(value) for value in (found.estimate, found.low, found.high))
    assert (found.n_undefined, found.notes) == (2, ("undefined in 2 of 4 folds",))
    compared = corrected_test([0.8, np.nan, 0.7], [np.nan, 0.6, 0.7], 20, 10)
    assert math.isnan(compared.p_value)
    assert compared.n_undefined == 2


def test_one_fold_has_a_mean_and_no_interval():
    found = corrected_interval([0.8], 30, 10)
    assert found.estimate == 0.8
    assert math.isnan(found.low)
    assert found.notes


def test_differences_that_are_all_alike():
    same = corrected_test(VALUES, VALUES, 80, 20)
    assert (same.statistic, same.p_value, same.low, same.high) == (0.0, 1.0, 0.0, 0.0)
    # These differ by rounding alone.
    shifted = corrected_test(VALUES + 0.1, VALUES, 80, 20)
    assert shifted.difference == pytest.approx(0.1)
    assert math.isnan(shifted.p_value)
    assert shifted.notes


def test_an_interval_is_cut_at_its_bounds():
    found = corrected_interval([1.0, 0.9, 1.0, 0.8], 75, 25, bounds=(0, 1))
    assert found.high == 1.0
    assert corrected_interval([1.0, 0.9, 1.0, 0.8], 75, 25).high > 1


def test_wrong_input_is_refused():
    with pytest.raises(UsageError, match="n_train"):
        corrected_interval(VALUES, [80, 80], 20)
    with pytest.raises(UsageError, match="n_test"):
        corrected_interval(VALUES, 80, 0)
    with pytest.raises(DataError):
        corrected_interval([], 80, 20)
    with pytest.raises(DataError, match="different folds"):
        corrected_test(VALUES, VALUES[:4], 80, 20)
