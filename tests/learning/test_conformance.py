"""scikit-learn's conformance suite on every estimator; expected exceptions stand here with their reasons."""

from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiobone.learning import (
    ComBat,
    CorrelationFilter,
    HierarchicalClassifier,
    LassoSelector,
    SelectiveClassifierCV,
)

EXPECTED: dict[str, dict[str, str]] = {}


def expected(estimator: Any) -> dict[str, str]:
    return EXPECTED.get(type(estimator).__name__, {})


# Routed training fits every node several times over, so it goes through the suite with a light model.
ESTIMATORS = [
    ComBat(),
    CorrelationFilter(),
    LassoSelector(),
    SelectiveClassifierCV(),
    HierarchicalClassifier(),
    HierarchicalClassifier(estimator=LogisticRegression(), train_on="routed", cv=3),
]


# Tiny and degenerate tables make nodes fall back on the prior, and selectors keep nothing: they rightly say so.
@pytest.mark.filterwarnings("ignore:No features were selected:UserWarning")
@pytest.mark.filterwarnings("ignore::radiobone.core.errors.RadioboneWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected)
def test_conformance(estimator: Any, check: Any) -> None:
    check(estimator)
