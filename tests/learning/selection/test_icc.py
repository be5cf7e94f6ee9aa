"""Intraclass correlations against a published example, statsmodels' ANOVA, and cases known by hand."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.formula.api import ols

from radiobone.learning.data import DataError
from radiobone.learning.selection.icc import intraclass_correlation as icc

# Shrout and Fleiss (1979), table 2: six subjects, four judges.
JUDGES = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)

# Estimates as published; intervals as R's psych::ICC prints them for the same table.
PUBLISHED = {"1,1": (0.17, -0.133, 0.72), "2,1": (0.29, 0.019, 0.76), "3,1": (0.71, 0.342, 0.95)}


def by_anova(ratings: np.ndarray, form: str, level: float) -> tuple[float, float, float]:
    """Take the mean squares from statsmodels, and put them into McGraw and Wong's formulas as printed."""
    n, k = ratings.shape
    long = pd.DataFrame(
        {"value": ratings.ravel(), "subject": np.repeat(np.arange(n), k), "rater": np.tile(np.arange(k), n)}
    )
    two_way = sm.stats.anova_lm(ols("value ~ C(subject) + C(rater)", long).fit())["mean_sq"]
    one_way = sm.stats.anova_lm(ols("value ~ C(subject)", long).fit())["mean_sq"]
    msr, msc, mse, msw = two_way["C(subject)"], two_way["C(rater)"], two_way["Residual"], one_way["Residual"]
    tail = 1 - (1 - level) / 2
    if form == "2,1":
        r = (msr - mse) / (msr + (k - 1) * mse + k / n * (msc - mse))
        a, b = k * r / (n * (1 - r)), 1 + k * r * (n - 1) / (n * (1 - r))
        v = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
        f_low, f_high = stats.f.ppf(tail, n - 1, v), stats.f.ppf(tail, v, n - 1)
        low = n * (msr - f_low * mse) / (f_low * (k * msc + (k * n - k - n) * mse) + n * msr)
        high = n * (f_high * msr - mse) / (k * msc + (k * n - k - n) * mse + n * f_high * msr)
        return r, low, high
    error, df = (msw, n * (k - 1)) if form == "1,1" else (mse, (n - 1) * (k - 1))
    f = msr / error
    f_low, f_high = f / stats.f.ppf(tail, n - 1, df), f * stats.f.ppf(tail, df, n - 1)
    return (f - 1) / (f + k - 1), (f_low - 1) / (f_low + k - 1), (f_high - 1) / (f_high + k - 1)


@pytest.mark.parametrize("form", PUBLISHED)
def test_shrout_and_fleiss_worked_example(form):
    found = icc(JUDGES, form)
    estimate, low, high = PUBLISHED[form]
    assert found.estimate[0] == pytest.approx(estimate, abs=0.005)
    assert found.low[0] == pytest.approx(low, abs=0.0005)
    assert found.high[0] == pytest.approx(high, abs=0.005)
    assert (found.n_subjects[0], found.n_dropped[0], found.n_raters) == (6, 0, 4)


@pytest.mark.parametrize("form", PUBLISHED)
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_many_columns_agree_with_statsmodels_anova(form, level):
    rng = np.random.default_rng(1)
    subjects = rng.normal(size=(15, 1, 6)) * np.array([0.0, 0.3, 1, 2, 5, 20])
    ratings = subjects + rng.normal(size=(1, 3, 6)) * 0.8 + rng.normal(size=(15, 3, 6)) + 40
    found = icc(ratings, form, level=level)
    for column in range(6):
        expected = by_anova(ratings[:, :, column], form, level)
        got = (found.estimate[column], found.low[column], found.high[column])
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-10)


def test_a_constant_difference_between_raters_counts_for_agreement_only():
    first = np.array([1.0, 2, 3, 4, 6])
    shifted = np.column_stack([first, first + 2])
    consistency, agreement = icc(shifted, "3,1"), icc(shifted, "2,1")
    assert consistency.estimate[0] == consistency.low[0] == consistency.high[0] == 1.0
    # By hand: B = 2 * 3.7, J = 5 * 2 * 1 * 1, E = 0, so that ICC(2,1) = 7.4 / (7.4 + 2 * 10 / 5).
    assert agreement.estimate[0] == pytest.approx(7.4 / 11.4)


def test_equal_readings_agree_wholly_and_a_constant_column_is_undefined():
    values = np.array([1.0, 5, 2, 8])
    ratings = np.stack([np.column_stack([values] * 3), np.full((4, 3), 0.1)], axis=2)
    for form in PUBLISHED:
        found = icc(ratings, form)
        assert found.estimate[0] == pytest.approx(1)
        assert found.low[0] == pytest.approx(1)
        assert np.isnan([found.estimate[1], found.low[1], found.high[1]]).all()


@pytest.mark.parametrize("form", PUBLISHED)
def test_subjects_with_a_missing_measurement_do_not_count_in_that_column(form):
    rng = np.random.default_rng(2)
    ratings = rng.normal(size=(9, 1, 3)) * 2 + rng.normal(size=(9, 2, 3))
    ratings[[1, 4], 0, 1] = np.nan
    ratings[1:, :, 2] = np.nan
    found = icc(ratings, form)
    without = icc(np.delete(ratings[:, :, 1], [1, 4], axis=0), form)
    assert found.n_subjects.tolist() == [9, 7, 1]
    assert found.n_dropped.tolist() == [0, 2, 8]
    assert found.estimate[0] == pytest.approx(icc(ratings[:, :, 0], form).estimate[0])
    assert [found.estimate[1], found.low[1]] == pytest.approx([without.estimate[0], without.low[0]])
    assert np.isnan(found.estimate[2])


@pytest.mark.parametrize("form", PUBLISHED)
def test_unit_and_origin_play_no_part(form):
    other = JUDGES[:, :, np.newaxis] * np.array([1e-200, 1.0, 1e200]) + np.array([0, 1e6, 0])
    assert icc(other, form).estimate == pytest.approx(np.repeat(icc(JUDGES, form).estimate, 3), rel=1e-6)


@pytest.mark.parametrize("form", PUBLISHED)
def test_intervals_cover_what_they_say(form):
    # 4,000 draws in the columns of one call; the true values follow from the variances that are drawn with.
    rng = np.random.default_rng(5)
    subject, rater = 2.0, (0.0 if form == "1,1" else 0.5)
    n_raters, draws = 8, 4000
    ratings = (
        rng.normal(size=(20, 1, draws)) * np.sqrt(subject)
        + rng.normal(size=(1, n_raters, draws)) * np.sqrt(rater)
        + rng.normal(size=(20, n_raters, draws))
    )
    truth = subject / (subject + 1 + (rater if form == "2,1" else 0))
    found = icc(ratings, form)
    assert np.mean((found.low <= truth) & (truth <= found.high)) == pytest.approx(0.95, abs=0.02)


def test_wrong_calls_are_told():
    with pytest.raises(DataError, match=r"no intraclass correlation.*got: 2,k"):
        icc(JUDGES, "2,k")
    with pytest.raises(DataError, match="two raters"):
        icc(JUDGES[:, :1])
    with pytest.raises(DataError, match="infinite"):
        icc(np.where(JUDGES == 9, np.inf, JUDGES))
    with pytest.raises(DataError, match="level"):
        icc(JUDGES, level=95)
