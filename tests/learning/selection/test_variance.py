import numpy as np
import pytest
from sklearn.feature_selection import VarianceThreshold

from radiobone.learning import VarianceFilter


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.5])
def test_keeps_what_scikit_learn_keeps(threshold):
    X = np.random.default_rng(0).normal(size=(30, 40)) * np.linspace(0, 2, 40)
    X[0, 5] = np.nan
    ours, theirs = VarianceFilter(threshold=threshold).fit(X), VarianceThreshold(threshold).fit(X)
    assert ours.get_support().tolist() == theirs.get_support().tolist()
    assert ours.variances_ == pytest.approx(np.nanvar(X, axis=0))


def test_rounding_lets_no_constant_column_pass():
    # The mean of three times 0.1 is not 0.1.
    X = np.column_stack([np.full(3, 0.1), [1.0, 2, 3], np.full(3, np.nan), [np.nan, 4, 4]])
    fitted = VarianceFilter().fit(X)
    assert fitted.get_support().tolist() == [False, True, False, False]
    assert fitted.variances_[0] == 0
    assert fitted.notes_ == ["3 columns dropped: 3 of a single value or none"]


def test_nothing_may_be_left():
    fitted = VarianceFilter(threshold=2).fit(np.eye(4))
    assert not fitted.get_support().any()
    assert fitted.notes_ == ["4 columns dropped: 0 of a single value or none"]
    assert VarianceFilter().fit([[1e200], [-1e200]]).get_support().all()
