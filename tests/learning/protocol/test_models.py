import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.ensemble import AdaBoostClassifier
from sklearn.model_selection import ParameterGrid, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiobone.learning import BoostedTreesClassifier, HierarchicalClassifier, SelectiveClassifierCV
from radiobone.learning.protocol.models import ModelChoice

SMALL = {
    "random_forest": {"trees": 10},
    "extra_trees": {"trees": 10},
    "adaboost": {"trees": [10]},
    "gradient_boosting": {"trees": [10]},
    "mlp": {"hidden": [[4]]},
    "lightgbm": {"trees": [20], "leaves": [3]},
    "stacking": {"of": [{"naive_bayes": {"smoothing": [1e-9]}}, {"lda": None}], "folds": 2},
}
WEIGHTED = ("svm", "logistic", "random_forest", "extra_trees", "lightgbm", "decision_tree", "sgd")


def options(name, **given):
    return ModelChoice.model_validate({name: {**SMALL.get(name, {}), **given} or None}).chosen


def table(n=60, shift=1.5, seed=0):
    rng = np.random.default_rng(seed)
    patients = np.arange(n) // 2
    y = patients % 2
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
    X["a"] += shift * y
    X["b"] -= shift * y
    return X, y, patients


SLOW = ("stacking", "adaboost", "gradient_boosting", "extra_trees", "mlp")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in ModelChoice.model_fields],
)
def test_every_model_learns_the_same_thing_twice(name, capfd):
    X, y, patients = table()
    chosen = options(name)
    fits = []
    for seed in (3, 3):
        model = SelectiveClassifierCV(
            selection=StandardScaler(), model=chosen.build(seed), grid=chosen.grid()[0], cv=3
        )
        fits.append(model.fit(X, y, groups=patients))
    one, two = (fit.predict_proba(X) for fit in fits)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(fits[0].cv_results_["split_test_score"], fits[1].cv_results_["split_test_score"])
    assert fits[0].best_score_ > 0.8
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", list(ModelChoice.model_fields))
def test_settings_belong_to_the_model_and_simple_ones_come_first(name):
    chosen = options(name)
    for settings in ParameterGrid(chosen.grid()):
        chosen.build(0).set_params(**settings)
    with pytest.raises(ValidationError):
        options(name, no_such_option=1)


def test_grid_order_is_the_order_of_the_recipe():
    grid = options("svm", kernel=["poly", "linear"], C=[1.0, 0.1], degree=[2, 3], gamma=["scale"]).grid()
    assert [settings["kernel"] for settings in ParameterGrid(grid)] == ["poly"] * 4 + ["linear"] * 2
    assert [settings["C"] for settings in ParameterGrid(grid)] == [1.0, 1.0, 0.1, 0.1, 1.0, 0.1]
    assert options("logistic", penalty="none").grid() == [{}]
    assert options("logistic", penalty="elastic_net", C=[1.0]).grid() == [{"C": [1.0], "l1_ratio": [0.5]}]
    assert options("naive_bayes", distribution="bernoulli").grid() == [{"alpha": [1.0]}]
    for empty in ({"svm": {"C": []}}, {"knn": {"neighbours": []}}, {"stacking": {"of": [{"lda": None}]}}):
        with pytest.raises(ValidationError):
            ModelChoice.model_validate(empty)


@pytest.mark.parametrize("name", WEIGHTED)
def test_class_weights_move_the_rare_class_up(name):
    rng = np.random.default_rng(0)
    y = (np.arange(120) % 6 == 0).astype(int)
    X = StandardScaler().fit_transform(rng.normal(size=(120, 3)) + y[:, None])
    called = []
    for weight in ("balanced", None):
        chosen = options(name, class_weight=weight)
        model = chosen.build(0).set_params(**next(iter(ParameterGrid(chosen.grid())))).fit(X, y)
        called.append(int((model.predict(X) == 1).sum()))
    assert called[0] > called[1]


def test_a_stacking_keeps_patients_whole_in_every_split():
    calls = []

    class Recording(StratifiedGroupKFold):
        def split(self, X, y=None, groups=None):
            for train, test in super().split(X, y, groups):
                calls.append(set(np.asarray(groups)[train]) & set(np.asarray(groups)[test]))
                yield train, test

    X, y, patients = table()
    stacking = options("stacking").build(0)
    stacking.set_params(cv=Recording(3))
    for _, part in stacking.parts.values():
        part.set_params(cv=Recording(2))
    SelectiveClassifierCV(selection=StandardScaler(), model=stacking, cv=3).fit(X, y, groups=patients)
    # For each of four fits of the stacking: its own folds, and those of the parts in each of them and at the end.
    assert len(calls) == 4 * (3 + 2 * (3 + 1) * 2)
    assert not set().union(*calls)


def test_parts_of_a_stacking_have_names_of_their_own():
    chosen = options("stacking", of=[{"lda": None}, {"naive_bayes": None}, {"lda": {"shrinkage": [0.5]}}])
    parts = chosen.build(0).parts
    assert list(parts) == ["lda_1", "naive_bayes", "lda_3"]
    assert parts["lda_3"][1].grid == [{"shrinkage": [0.5]}]


def test_models_without_routing_are_fitted_and_hide_no_groups():
    X, y, patients = table()
    for estimator in (
        AdaBoostClassifier(n_estimators=5),
        SelectiveClassifierCV(model=AdaBoostClassifier(n_estimators=5)),
    ):
        assert HierarchicalClassifier(estimator=estimator).fit(X, y, groups=patients).predict(X).shape == (60,)
    with pytest.raises(NotImplementedError, match="routing"):
        HierarchicalClassifier(estimator=make_pipeline(StandardScaler(), AdaBoostClassifier())).fit(
            X, y, groups=patients
        )


def test_boosted_trees_are_those_of_lightgbm():
    import lightgbm

    X, y, _ = table(80)
    X.iloc[::9, 0] = np.nan
    ours = BoostedTreesClassifier(n_trees=15, class_weight="balanced").fit(X, y)
    theirs = lightgbm.LGBMClassifier(
        n_estimators=15, num_leaves=7, learning_rate=0.05, min_child_samples=10, class_weight="balanced", n_jobs=1,
        verbosity=-1,
    ).fit(X.to_numpy(), y)  # fmt: skip
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.booster_.predict(X.to_numpy())[:, None] @ [[-1, 1]] + [1, 0], atol=1e-12
    )
    np.testing.assert_array_equal(ours.predict(X), ours.predict_proba(X).argmax(axis=1))


def test_a_single_value_needs_no_brackets():
    plain = ModelChoice.model_validate({"svm": {"kernel": "rbf", "C": 1, "gamma": "scale"}})
    assert plain == ModelChoice.model_validate({"svm": {"kernel": ["rbf"], "C": [1.0], "gamma": ["scale"]}})
