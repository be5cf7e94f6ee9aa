"""scikit-learn's conformance suite on every estimator; expected exceptions stand here with their reasons."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiobone.learning import (
    ComBat,
    CorrelationFilter,
    EliminationSelector,
    HierarchicalClassifier,
    ImportanceSelector,
    LassoSelector,
    MissingValues,
    MRMRSelector,
    Repeats,
    SelectiveClassifierCV,
    StabilityFilter,
    UnivariateFilter,
    VarianceFilter,
)

EXPECTED: dict[str, dict[str, str]] = {}


def expected(estimator: Any) -> dict[str, str]:
    return EXPECTED.get(type(estimator).__name__, {})


class AnyColumns(Repeats):
    """Repeated measurements of whatever columns a check asks for; every second column comes out alike."""

    def __init__(self) -> None:
        super().__init__(pd.DataFrame({"x": [1.0, 2.0]}), ["a", "a"], ["1", "2"])

    def cube(self, columns: Any, subjects: Any = None) -> Any:
        n_columns = columns if isinstance(columns, int) else len(columns)
        cube = np.random.default_rng(0).normal(size=(8, 2, n_columns))
        cube[:, 1, ::2] = cube[:, 0, ::2]
        return [f"p{row}" for row in range(8)], cube


# Routed training fits every node several times over, so it goes through the suite with a light model.
ESTIMATORS = [
    ComBat(),
    CorrelationFilter(),
    CorrelationFilter(keep="largest_univariate"),
    CorrelationFilter(keep="smallest_mean_correlation"),
    EliminationSelector(k=3),
    ImportanceSelector(n_estimators=10),
    LassoSelector(),
    MissingValues(),
    MissingValues(strategy="knn"),
    MRMRSelector(),
    MRMRSelector(k=2, form="MID"),
    StabilityFilter(),
    StabilityFilter(repeats=AnyColumns(), sample="separate"),
    UnivariateFilter(),
    UnivariateFilter(test="kruskal", correction="holm"),
    VarianceFilter(),
    LassoSelector(loss="binomial"),
    LassoSelector(l1_ratio=[0.5, 1.0]),
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
