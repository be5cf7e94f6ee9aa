"""scikit-learn's conformance suite on the network, which takes the suite's tables for flattened volumes."""

from typing import Any

import numpy as np
import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiobone.learning import NetworkClassifier

# No check is expected to fail. Each column is a voxel of a row of voxels: so no mirrors and no shifts, which would
# exchange columns.
TABLES = NetworkClassifier(
    architecture="resnet10",
    width=4,
    learning_rate=0.01,
    epochs=12,
    batch_size=16,
    stop_folds=3,
    flips=(),
    max_shift=0,
    shape=(1, 1, -1),
)


@pytest.mark.deep
@pytest.mark.slow
@parametrize_with_checks([TABLES])
def test_conformance(estimator: Any, check: Any) -> None:
    check(estimator)


def test_without_a_shape_a_network_says_that_it_takes_no_tables():
    # scikit-learn's suite hands over tables only, and leaves out an estimator that says so.
    tags = get_tags(NetworkClassifier()).input_tags
    assert tags.three_d_array
    assert not tags.two_d_array
    assert get_tags(TABLES).input_tags.two_d_array
    with pytest.raises(ValueError, match="X is a table"):
        NetworkClassifier().fit(np.ones((4, 27)), [0, 1, 0, 1])
