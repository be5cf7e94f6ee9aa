import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import chi2

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.reliability import calibration, calibration_curve
from radiobone.learning.data import DataError


@pytest.fixture
def rows():
    """Probabilities that are too extreme and too low: log odds of the truth are 0.4 + 0.6 of theirs."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-0.5, 1.5, 400)
    return rng.random(400) < expit(0.4 + 0.6 * log_odds), expit(log_odds)


def likelihood(positive, log_odds):
    return lambda values: np.sum(np.logaddexp(0, np.where(positive, -1, 1) * (values[0] + values[1] * log_odds)))


def test_recalibration_is_the_likeliest(rows):
    positive, probability = rows
    found = calibration(positive, probability)
    both = minimize(likelihood(positive, logit(probability)), [0.0, 1.0], tol=1e-10)
    assert (found.intercept.estimate, found.slope.estimate) == pytest.approx(both.x, abs=1e-4)
    shift = minimize(lambda value: likelihood(positive, logit(probability))([value[0], 1.0]), [0.0], tol=1e-10)
    assert found.in_the_large.estimate == pytest.approx(shift.x[0], abs=1e-4)
    # The information at the estimate gives the standard errors.
    mean = expit(found.intercept.estimate + found.slope.estimate * logit(probability))
    design = np.stack([np.ones(400), logit(probability)])
    errors = np.sqrt(np.diag(np.linalg.inv(design * mean * (1 - mean) @ design.T)))
    assert [found.intercept.standard_error, found.slope.standard_error] == pytest.approx(errors, rel=1e-4)
    assert found.slope.high == pytest.approx(found.slope.estimate + 1.959964 * found.slope.standard_error)
    assert found.slope.low < 0.6 < found.slope.high < 1


def test_recalibrated_probabilities_are_calibrated(rows):
    positive, probability = rows
    first = calibration(positive, probability)
    again = calibration(positive, expit(first.intercept.estimate + first.slope.estimate * logit(probability)))
    assert again.slope.estimate == pytest.approx(1, abs=1e-6)
    assert [again.intercept.estimate, again.in_the_large.estimate] == pytest.approx([0, 0], abs=1e-6)
    assert again.expected == pytest.approx(again.observed)
    assert first.hosmer_lemeshow_p < 0.01 < again.hosmer_lemeshow_p


def test_bins_by_hand():
    # Two bins: 0.1, 0.2, 0.3 with one positive of three, and 0.6, 0.8, 0.9 with two of three.
    probability, positive = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.6]), np.array([0, 1, 1, 1, 0, 0])
    found = calibration(positive, probability, bins=2)
    assert found.expected_error == pytest.approx((abs(1 - 0.6) + abs(2 - 2.3)) / 6)
    mean = [0.6 / 3, 2.3 / 3]
    parts = [gap**2 / (3 * p * (1 - p)) for gap, p in zip((0.4, 0.3), mean, strict=True)]
    assert found.hosmer_lemeshow == pytest.approx(sum(parts))
    assert found.hosmer_lemeshow_p == pytest.approx(chi2.sf(sum(parts), 2))
    curve = calibration_curve(positive, probability, bins=2)
    assert curve.probability == pytest.approx(mean)
    assert curve.observed == pytest.approx([1 / 3, 2 / 3])
    assert curve.n.tolist() == [3, 3]


def test_hosmer_lemeshow_on_the_training_rows_has_two_degrees_fewer(rows):
    here, elsewhere = calibration(*rows, fitted_here=True), calibration(*rows)
    assert (here.degrees, elsewhere.degrees) == (8, 10)
    assert here.hosmer_lemeshow == elsewhere.hosmer_lemeshow
    assert here.hosmer_lemeshow_p == pytest.approx(chi2.sf(here.hosmer_lemeshow, 8))
    assert math.isnan(calibration(*rows, bins=2, fitted_here=True).hosmer_lemeshow_p)


def test_wilson_intervals(rows):
    curve = calibration_curve(*rows, level=0.9)
    z = 1.6448536
    centre = (curve.observed + z**2 / (2 * curve.n)) / (1 + z**2 / curve.n)
    root = np.sqrt(curve.observed * (1 - curve.observed) / curve.n + z**2 / (4 * curve.n**2))
    assert curve.low == pytest.approx(centre - z * root / (1 + z**2 / curve.n), abs=1e-7)
    assert curve.high == pytest.approx(centre + z * root / (1 + z**2 / curve.n), abs=1e-7)
    assert curve.n.tolist() == [40] * 10


def test_equal_probabilities_share_a_bin():
    probability = np.repeat([0.1, 0.3, 0.5], [70, 5, 25])
    curve = calibration_curve(np.arange(100) % 2, probability)
    assert curve.n.tolist() == [70, 30]
    assert curve.probability == pytest.approx([0.1, (5 * 0.3 + 25 * 0.5) / 30])
    assert len(calibration_curve(np.arange(100) % 2, np.full(100, 0.4)).smooth_probability) == 0
    assert calibration(np.arange(100) % 2, probability).degrees == 2


def test_smooth_curve_follows_the_truth():
    rng = np.random.default_rng(1)
    log_odds = rng.normal(0, 1.5, 4000)
    positive = rng.random(4000) < expit(0.5 * log_odds)
    curve = calibration_curve(positive, expit(log_odds))
    inner = (curve.smooth_probability > 0.1) & (curve.smooth_probability < 0.9)
    truth = expit(0.5 * logit(curve.smooth_probability[inner]))
    assert np.abs(curve.smooth_observed[inner] - truth).max() < 0.06
    assert curve.smooth_observed.min() >= 0


def test_copies_of_rows_add_nothing_to_clustered_intervals(rows):
    positive, probability = rows[0][:120], rows[1][:120]
    one = calibration(positive, probability, groups=np.arange(120))
    thrice = calibration(np.repeat(positive, 3), np.repeat(probability, 3), groups=np.repeat(np.arange(120), 3))
    assert thrice.slope.estimate == pytest.approx(one.slope.estimate)
    assert thrice.slope.standard_error == pytest.approx(one.slope.standard_error, rel=0.01)
    assert "clustered" in thrice.slope.method
    rowwise = calibration(np.repeat(positive, 3), np.repeat(probability, 3))
    assert rowwise.slope.standard_error < 0.7 * one.slope.standard_error
    curve = calibration_curve(positive, probability, bins=4)
    copies = calibration_curve(
        np.repeat(positive, 3), np.repeat(probability, 3), bins=4, groups=np.repeat(np.arange(120), 3)
    )
    assert copies.high - copies.low == pytest.approx(curve.high - curve.low, rel=0.03)


def test_what_rows_cannot_show_is_undefined():
    one_class = calibration([1, 1, 1], [0.5, 0.7, 0.9])
    assert math.isnan(one_class.in_the_large.estimate)
    assert "missing" in one_class.slope.notes[0]
    tied = calibration([1, 0, 1, 0], [0.4] * 4)
    assert tied.in_the_large.estimate == pytest.approx(-logit(0.4))
    assert "no slope" in tied.slope.notes[0]
    separated = calibration([1, 1, 0, 0], [0.9, 0.8, 0.7, 0.2])
    assert math.isnan(separated.slope.estimate)
    assert math.isfinite(separated.in_the_large.estimate)
    empty = calibration([], [])
    assert math.isnan(empty.expected_error)
    assert math.isnan(empty.hosmer_lemeshow_p)


def test_certainties_that_fail_do_not_break_the_fit():
    positive = np.array([1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0])
    found = calibration(positive, [1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1])
    # Of six each with log odds of ±13.8, four and three were positive.
    assert found.intercept.estimate == pytest.approx((logit(4 / 6) + logit(3 / 6)) / 2)
    assert found.slope.estimate == pytest.approx((logit(4 / 6) - logit(3 / 6)) / 2 / logit(1 - 1e-6))
    assert math.isfinite(found.in_the_large.estimate)
    one = calibration(positive, np.linspace(0.1, 0.9, 12), groups=["a"] * 12)
    assert "single patient" in one.slope.notes[0]


def test_certainties_are_counted():
    found = calibration([1, 0, 1, 0, 1, 0], [1.0, 0.0, 0.6, 0.6, 0.3, 0.3], bins=4)
    assert found.n_clipped == 2
    assert math.isfinite(found.slope.estimate)
    assert math.isfinite(found.hosmer_lemeshow)
    refuted = calibration([0, 0, 1, 0, 1, 0], [1.0, 0.0, 0.6, 0.6, 0.3, 0.3], bins=6)
    assert refuted.hosmer_lemeshow == math.inf
    assert refuted.hosmer_lemeshow_p == 0.0


def test_wrong_input_is_refused():
    with pytest.raises(DataError, match="probability"):
        calibration([1, 0], [1.2, 0.1])
    with pytest.raises(UsageError, match="bins"):
        calibration_curve([1, 0], [0.2, 0.1], bins=0)
