import numpy as np
import pytest

from radiobone.evaluation.statistics.multiplicity import benjamini_hochberg, holm
from radiobone.learning.data import DataError

# The fifteen p values of Benjamini and Hochberg's own example (1995, section 4), of which at 0.05 the method
# finds four, and Bonferroni and Holm three.
NEUHAUS = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]


def test_published_example():
    assert (benjamini_hochberg(NEUHAUS) <= 0.05).sum() == 4
    assert (holm(NEUHAUS) <= 0.05).sum() == 3


def test_adjusted_by_hand_and_in_the_given_order():
    order = [3, 0, 2, 1]
    p_values = np.array([0.01, 0.02, 0.03, 0.9])
    assert holm(p_values) == pytest.approx([0.04, 0.06, 0.06, 0.9])
    assert benjamini_hochberg(p_values) == pytest.approx([0.04, 0.04, 0.04, 0.9])
    assert holm(p_values[order]) == pytest.approx(holm(p_values)[order])
    assert benjamini_hochberg(p_values[order]) == pytest.approx(benjamini_hochberg(p_values)[order])


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_an_undefined_test_stays_in_the_family(adjust):
    found = adjust([0.01, np.nan, 0.02])
    assert np.isnan(found[1])
    assert found[[0, 2]] == pytest.approx(adjust([0.01, 1.0, 0.02])[[0, 2]])
    assert adjust([]).size == 0


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_numbers_that_are_no_p_values_are_refused(adjust):
    with pytest.raises(DataError, match="p values"):
        adjust([0.5, 1.5])
