"""Steps of a recipe: every key builds what it names, with its options."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, clone

from radiobone.core.config import validate
from radiobone.core.errors import ConfigError
from radiobone.learning import Repeats
from radiobone.learning.disk.persistence import TRUSTED_TYPES
from radiobone.learning.protocol.choices import StepContext
from radiobone.learning.protocol.steps import SelectionStep
from radiobone.learning.selection.stability import without_repeats

REPEATS = Repeats(pd.DataFrame({"f": [1.0, 2.0]}), ["a", "a"], ["1", "2"])
CONTEXT = StepContext(inner_folds=4, seed=7, repeats=REPEATS)


def build(**step: object) -> BaseEstimator:
    return validate(SelectionStep, step, "recipe.yaml").chosen.build(CONTEXT)


# Options that are not the defaults, and the parameters of the estimator that they must reach.
OPTIONS = {
    "combat": (
        {"batch_column": "centre", "covariates": ["age"], "unseen": "identity", "mean_only": True},
        {"batch_column": "centre", "covariates": ("age",), "unseen": "identity", "mean_only": True},
    ),
    "missing": (
        {"max_share": 0.1, "strategy": "knn", "neighbours": 3},
        {"max_share": 0.1, "strategy": "knn", "n_neighbors": 3},
    ),
    "stability": (
        {"form": "3,1", "threshold": 0.8, "on": "lower", "level": 0.9, "sample": "separate", "min_subjects": 9},
        {
            "form": "3,1",
            "threshold": 0.8,
            "on": "lower",
            "level": 0.9,
            "sample": "separate",
            "min_subjects": 9,
            "repeats": REPEATS,
        },
    ),
    "variance": ({"threshold": 0.5}, {"threshold": 0.5}),
    "univariate": (
        {"test": "welch", "alpha": 0.1, "correction": "holm", "normality": 0.01},
        {"test": "welch", "alpha": 0.1, "correction": "holm", "normality": 0.01},
    ),
    "correlation": (
        {"method": "pearson", "threshold": 0.8, "keep": "largest_univariate"},
        {"method": "pearson", "threshold": 0.8, "keep": "largest_univariate"},
    ),
    "mrmr": ({"k": 30, "form": "MID"}, {"k": 30, "form": "MID"}),
    "pca": (
        {"columns": "*deep-*", "share": 0.8, "components": 9, "whiten": True},
        {"columns": ("*deep-*",), "share": 0.8, "n_components": 9, "whiten": True},
    ),
    "rfe": (
        {"k": 5, "step": 0.2, "C": 0.5, "class_weight": None},
        {"k": 5, "step": 0.2, "C": 0.5, "class_weight": None},
    ),
    "importance": (
        {"k": 5, "trees": 50, "criterion": "entropy", "class_weight": "balanced"},
        {"k": 5, "n_estimators": 50, "criterion": "entropy", "class_weight": "balanced", "random_state": 7},
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_reaches_the_estimator(name):
    options, expected = OPTIONS[name]
    parameters = build(**{name: options}).get_params()
    assert {key: parameters[key] for key in expected} == expected


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - {"combat"}))
def test_defaults_of_a_recipe_are_those_of_the_estimator(name):
    built = build(**{name: None})
    own = type(built)()
    given = {"repeats": REPEATS, "random_state": 7}
    for key, value in own.get_params().items():
        assert built.get_params()[key] == (given.get(key, value)), key
    assert clone(built).get_params() == built.get_params()


@pytest.mark.parametrize(
    ("method", "kind"), [("zscore", "StandardScaler"), ("minmax", "MinMaxScaler"), ("robust", "RobustScaler")]
)
def test_ways_of_scaling(method, kind):
    assert type(build(standardise={"method": method})).__name__ == kind


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"mrmr": {"k": 0}}, "mrmr.k"),
        ({"univariate": {"corection": "holm"}}, "corection"),
        ({"stability": {"form": "2,k"}}, "stability.form"),
        ({"combat": {}}, "batch_column"),
        ({"mrmr": {}, "rfe": {}}, "exactly one of"),
        ({"icc": {}}, "icc"),
    ],
)
def test_mistakes_are_told_with_their_key(step, message):
    with pytest.raises(ConfigError, match=message):
        validate(SelectionStep, step, "recipe.yaml")


def test_stability_without_repeated_measurements_is_refused():
    step = validate(SelectionStep, {"stability": {}}, "recipe.yaml")
    with pytest.raises(ConfigError, match="needs repeated measurements"):
        step.chosen.build(StepContext(inner_folds=5, seed=0))


@pytest.mark.parametrize(
    "step",
    [
        *({"missing": {"strategy": strategy}} for strategy in ("median", "mean", "knn", "drop_columns")),
        {"stability": {"sample": "separate", "min_subjects": 2}},
        *({name: {}} for name in ("variance", "standardise", "univariate", "correlation", "mrmr", "rfe")),
        {"importance": {"trees": 5}},
        {"pca": {}},
    ],
    ids=str,
)
def test_a_fitted_step_is_saved_and_read_with_trusted_types_only(step):
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame(rng.normal(size=(40, 6)), columns=list("abcdef")), np.repeat([0, 1], 20)
    X["a"] += 2 * y
    if "missing" in step:
        X.iloc[::10, 2] = np.nan
    read = pd.DataFrame(np.repeat(rng.normal(size=(3, 6)), 2, axis=0), columns=list("abcdef"))
    repeats = Repeats(read, ["p", "p", "q", "q", "r", "r"], ["1", "2"] * 3)
    chosen = validate(SelectionStep, step, "recipe.yaml").chosen
    fitted = chosen.build(StepContext(inner_folds=4, seed=7, repeats=repeats)).fit(X, y)
    stored = skops.io.dumps(without_repeats(fitted))
    assert set(skops.io.get_untrusted_types(data=stored)) <= set(TRUSTED_TYPES)
    loaded = skops.io.loads(stored, trusted=list(TRUSTED_TYPES))
    assert loaded.transform(X).tolist() == fitted.transform(X).tolist()
