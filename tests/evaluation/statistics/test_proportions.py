import math

import numpy as np
import pytest

from radiobone.evaluation.statistics.proportions import design_effect, proportion_interval
from radiobone.learning.data import DataError


def test_wilsons_interval_by_hand():
    # 81 of 263, from Newcombe, Stat Med 1998;17:857, table I: 0.2553 to 0.3662.
    found = proportion_interval(np.arange(263) < 81)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    none = proportion_interval(np.zeros(20, bool))
    assert (none.low, round(none.high, 4)) == (0.0, 0.1611)


def test_copies_of_rows_add_nothing():
    right = np.arange(40) % 3 == 0
    one, thrice = proportion_interval(right), proportion_interval(np.repeat(right, 3), groups=np.arange(120) // 3)
    assert (thrice.low, thrice.high) == pytest.approx((one.low, one.high), abs=0.004)
    # The factor 40/39 of the variance over patients is all that differs.
    assert design_effect(np.repeat(right, 3), np.arange(120) // 3) == pytest.approx(3 * 40 / 39)
    certain = proportion_interval(np.ones(30, bool), groups=np.arange(30) // 3)
    assert certain.low == proportion_interval(np.ones(10, bool)).low


def test_patients_that_balance_themselves_do_not_narrow_the_interval():
    right = np.tile([True, False], 30)
    assert design_effect(right, np.arange(60) // 2) == 1.0


def test_clusters_of_unequal_size_by_hand():
    # Patients with 2 of 2, 1 of 3 and 0 of 1: share 1/2; sums of differences 1, -1/2, -1/2.
    right, groups = np.array([1, 1, 1, 0, 0, 0], bool), ["a", "a", "b", "b", "b", "c"]
    assert design_effect(right, groups) == pytest.approx(3 / 2 * 1.5 / (6 / 4))


def test_no_rows_and_wrong_rows():
    assert math.isnan(proportion_interval([]).low)
    with pytest.raises(DataError):
        proportion_interval([0.2, 0.4])
