"""scikit-learn's conformance suite on every estimator; expected exceptions stand here with their reasons."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiobone.learning import (
    BlockSelector,
    BoostedTreesClassifier,
    ComBat,
    CorrelationFilter,
    EliminationSelector,
    FlatClassifier,
    HierarchicalClassifier,
    HuThresholdClassifier,
    ImportanceSelector,
    LassoSelector,
    LateFusionClassifier,
    MissingValues,
    MRMRSelector,
    PrincipalComponents,
    Repeats,
    SelectiveClassifierCV,
    StabilityFilter,
    UnivariateFilter,
    VarianceFilter,
)
from radiobone.learning.protocol.models import ModelChoice

OFF_THE_TOP = {"check_classifiers_train": "the class called need not be the most probable one, as is asked for"}

NO_BATCH = {
    "check_estimators_pickle": "puts gaps into the first column, here the batch, without which no row can be"
}


def expected(estimator: Any) -> dict[str, str]:
    if isinstance(estimator, ComBat) and estimator.batch_column is not None:
        return NO_BATCH
    settings = estimator.get_params(deep=True)
    points = [value for name, value in settings.items() if name.split("__")[-1] == "operating_point"]
    return OFF_THE_TOP if any(points) or settings.get("decision") == "routed" else {}


class AnyColumns(Repeats):
    """Repeated measurements of whatever columns a check asks for; every second column comes out alike."""

    def __init__(self) -> None:
        super().__init__(pd.DataFrame({"x": [1.0, 2.0]}), ["a", "a"], ["1", "2"])

    def cube(self, columns: Any, subjects: Any = None) -> Any:
        n_columns = columns if isinstance(columns, int) else len(columns)
        cube = np.random.default_rng(0).normal(size=(8, 2, n_columns))
        cube[:, 1, ::2] = cube[:, 0, ::2]
        return [f"p{row}" for row in range(8)], cube


PARTS = {"all": (None, LogisticRegression()), "first": (0, LogisticRegression(C=0.1))}

# The quick suite tries every class once, with a light model inside; further settings are slow.
ESTIMATORS = [
    ComBat(batch_column=0, unseen="identity"),
    HuThresholdClassifier(),
    CorrelationFilter(),
    EliminationSelector(k=3),
    ImportanceSelector(n_estimators=10),
    LassoSelector(n_alphas=20, cv=3),
    MissingValues(),
    MRMRSelector(),
    PrincipalComponents(),
    StabilityFilter(repeats=AnyColumns(), sample="separate"),
    UnivariateFilter(),
    VarianceFilter(),
    BlockSelector(selections=StandardScaler()),
    BoostedTreesClassifier(n_trees=10),
    LateFusionClassifier(parts={"all": (None, LogisticRegression())}),
    FlatClassifier(estimator=LogisticRegression()),
    SelectiveClassifierCV(selection=StandardScaler(), model=LogisticRegression(), cv=3),
    HierarchicalClassifier(estimator=LogisticRegression()),
]


# Tiny and degenerate tables make nodes fall back on the prior, and selectors keep nothing: they rightly say so.
@pytest.mark.filterwarnings("ignore:No features were selected:UserWarning")
@pytest.mark.filterwarnings("ignore::radiobone.core.errors.RadioboneWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected)
def test_conformance(estimator: Any, check: Any) -> None:
    check(estimator)


def of(name: str, **options: Any) -> SelectiveClassifierCV:
    """One setting of a model of recipes, without selection, so that the model is all that is tried."""
    chosen = ModelChoice.model_validate({name: options}).chosen
    settings = next(iter(ParameterGrid(chosen.grid())))
    model = chosen.build(0).set_params(**settings)
    return SelectiveClassifierCV(selection=StandardScaler(), model=model, cv=3)


FURTHER = [
    ComBat(),
    HuThresholdClassifier(column=0),
    CorrelationFilter(keep="largest_univariate"),
    CorrelationFilter(keep="smallest_mean_correlation"),
    LassoSelector(),
    LassoSelector(loss="binomial"),
    LassoSelector(l1_ratio=[0.5, 1.0]),
    MissingValues(strategy="knn"),
    MRMRSelector(k=2, form="MID"),
    StabilityFilter(),
    UnivariateFilter(test="kruskal", correction="holm"),
    LateFusionClassifier(parts=PARTS, method="stacked", cv=3),
    SelectiveClassifierCV(),
    HierarchicalClassifier(),
    HierarchicalClassifier(estimator=LogisticRegression(), train_on="routed", cv=3),
    BlockSelector(),
    of("svm", kernel=["poly"]),
    of("logistic"),
    of("logistic", penalty="elastic_net"),
    of("logistic", penalty="none"),
    of("random_forest", trees=10),
    of("extra_trees", trees=10),
    of("lightgbm", trees=[5]),
    of("knn", neighbours=[3]),
    of("naive_bayes"),
    of("naive_bayes", distribution="bernoulli"),
    of("mlp", hidden=[[4]]),
    of("stacking", of=[{"logistic": None}, {"naive_bayes": None}], folds=2),
    of("decision_tree"),
    of("sgd"),
    of("adaboost", trees=[5]),
    of("gradient_boosting", trees=[5]),
    of("lda"),
    SelectiveClassifierCV(calibration="isotonic"),
    SelectiveClassifierCV(operating_point="youden"),
    SelectiveClassifierCV(selection="passthrough", model=LogisticRegression(), calibration=None),
    LateFusionClassifier(),
    LateFusionClassifier(parts=PARTS, method="weighted", cv=3),
    HierarchicalClassifier(estimator=LogisticRegression(), decision="routed"),
    HierarchicalClassifier(estimator=LateFusionClassifier(parts=PARTS), decision="routed"),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:No features were selected:UserWarning")
@pytest.mark.filterwarnings("ignore::radiobone.core.errors.RadioboneWarning")
@parametrize_with_checks(FURTHER, expected_failed_checks=expected)
def test_conformance_of_further_settings(estimator: Any, check: Any) -> None:
    check(estimator)
