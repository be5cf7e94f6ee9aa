import math

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.mcnemar import mcnemar_test
from radiobone.learning.data import DataError


def rows(both, only_a, only_b, neither):
    counts = [both, only_a, only_b, neither]
    return np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)


# Airway hyper-responsiveness before and after transplantation, in Fagerland and others, BMC Med Res Methodol
# 2013;13:91, table 5.
@pytest.mark.parametrize(
    ("method", "p_value"), [("chi2", 0.0339), ("chi2 corrected", 0.0771), ("exact", 0.0703), ("mid-p", 0.0391)]
)
def test_published_p_values(method, p_value):
    found = mcnemar_test(*rows(1, 1, 7, 12), method=method)
    assert found.p_value == pytest.approx(p_value, abs=5e-5)
    assert (found.n_both, found.n_only_a, found.n_only_b, found.n_neither) == (1, 1, 7, 12)
    assert found.difference == -6 / 21


def test_published_chi_square():
    # Approval of the prime minister in two surveys: Agresti, Categorical Data Analysis (1990), page 350.
    counts = (794, 150, 86, 570)
    assert mcnemar_test(*rows(*counts), method="chi2").statistic == pytest.approx(17.36, abs=0.005)
    assert mcnemar_test(*rows(*counts), method="chi2 corrected").statistic == pytest.approx(16.82, abs=0.005)


@pytest.mark.parametrize("counts", [(3, 4, 9, 2), (0, 6, 6, 1), (5, 0, 3, 5), (40, 20, 31, 9)])
def test_agrees_with_statsmodels(counts):
    table = np.reshape(counts, (2, 2))
    for method, options in {
        "exact": {"exact": True},
        "chi2": {"exact": False, "correction": False},
        "chi2 corrected": {"exact": False, "correction": True},
    }.items():
        # statsmodels takes 1 from a difference of 0 too.
        if method == "chi2 corrected" and counts[1] == counts[2]:
            continue
        found, expected = mcnemar_test(*rows(*counts), method=method), mcnemar(table, **options)
        assert found.p_value == pytest.approx(expected.pvalue)
        if method != "exact":
            assert found.statistic == pytest.approx(expected.statistic)


@pytest.mark.parametrize("method", ["mid-p", "exact", "chi2", "chi2 corrected"])
def test_decisions_that_are_right_together_do_not_differ(method):
    found = mcnemar_test(*rows(8, 0, 0, 2), method=method)
    assert (found.p_value, found.difference) == (1.0, 0.0)
    assert mcnemar_test(*rows(8, 3, 3, 2), method=method).p_value == 1.0


def test_clustered_by_hand():
    # Of patients 1 to 4 the shares of rows that the first gained are 2/3, -1/2, 1 and 1/4.
    right_a = [1, 1, 0, 0, 1, 1, 1, 0, 0, 1]
    right_b = [0, 0, 0, 1, 1, 0, 0, 0, 0, 1]
    groups = [1, 1, 1, 2, 2, 3, 4, 4, 4, 4]
    shares = np.array([2 / 3, -1 / 2, 1, 1 / 4])
    found = mcnemar_test(right_a, right_b, groups=groups)
    assert found.statistic == pytest.approx(shares.sum() ** 2 / (shares**2).sum())
    assert (found.n_only_a, found.n_only_b) == (4, 1)
    assert "Durkalski" in found.method


def test_clustered_with_one_row_each_is_chi_square():
    a, b = rows(12, 9, 4, 6)
    found, expected = mcnemar_test(a, b, groups=np.arange(31)), mcnemar_test(a, b, method="chi2")
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.p_value))
    thrice = mcnemar_test(np.repeat(a, 3), np.repeat(b, 3), groups=np.repeat(np.arange(31), 3))
    assert thrice.p_value == pytest.approx(expected.p_value)
    assert mcnemar_test(*rows(3, 0, 0, 1), groups=[1, 1, 2, 2]).p_value == 1.0


def test_no_rows_at_all():
    found = mcnemar_test([], [])
    assert math.isnan(found.difference)
    assert found.p_value == 1.0


def test_wrong_input_is_refused():
    with pytest.raises(UsageError, match="method"):
        mcnemar_test([1], [1], method="yates")
    with pytest.raises(DataError, match="different rows"):
        mcnemar_test([1, 0], [1])
    with pytest.raises(DataError, match="positive side"):
        mcnemar_test([1, 2], [1, 0])
