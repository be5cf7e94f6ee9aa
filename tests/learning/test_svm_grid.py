import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from radiobone.learning import SelectiveClassifierCV
from radiobone.learning.svm_grid import SharedKernels, area_under_curve, shares_kernels

GRID = [
    {"kernel": ["linear"], "C": [0.01, 1.0, 10.0]},
    {"kernel": ["rbf"], "C": [0.1, 10.0], "gamma": ["scale", "auto", 0.02]},
    {"kernel": ["poly"], "C": [1.0], "degree": [2, 3], "coef0": [0.0, 1.0]},
]


def table(seed, n=90, p=12):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) @ rng.normal(size=(4, p)) + rng.normal(size=(n, p))
    return X, (X[:, 0] + 2 * rng.normal(size=n) > 0.5).astype(int)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("class_weight", ["balanced", None])
def test_decisions_are_those_of_the_machine_itself(seed, class_weight):
    X, y = table(seed)
    train, test = slice(0, 60), slice(60, 90)
    shared = SharedKernels(X[train], y[train], X[test])
    model = SVC(class_weight=class_weight)
    for settings in ParameterGrid(GRID):
        own = SVC(class_weight=class_weight, **settings).fit(X[train], y[train])
        on_train, on_test = shared.decisions(model, settings)
        np.testing.assert_allclose(on_train, own.decision_function(X[train]), atol=1e-9)
        np.testing.assert_allclose(on_test, own.decision_function(X[test]), atol=1e-9)
        assert roc_auc_score(y[test], on_test) == roc_auc_score(y[test], own.decision_function(X[test]))
    assert model.kernel == "rbf"


def test_equal_rows_have_equal_decisions():
    X, y = table(5, n=101, p=7)
    test = np.repeat(X[60:], 2, axis=0)
    _, on_test = SharedKernels(X[:60], y[:60], test).decisions(SVC(), {"C": 3.0})
    np.testing.assert_array_equal(on_test[::2], on_test[1::2])


@pytest.mark.parametrize("scoring", ["roc_auc", "balanced_accuracy"])
def test_scores_and_choice_are_those_of_a_grid_search(scoring):
    X, y = table(6)
    splits = list(StratifiedKFold(4).split(X, y))
    steps = [("scale", StandardScaler())]
    ours = SelectiveClassifierCV(selection=Pipeline(steps), model=SVC(), grid=GRID, cv=splits, scoring=scoring)
    ours.fit(X, y)
    grid = [{f"model__{name}": values for name, values in part.items()} for part in GRID]
    theirs = GridSearchCV(Pipeline([*steps, ("model", SVC())]), grid, cv=splits, scoring=scoring).fit(X, y)
    split_scores = np.column_stack([theirs.cv_results_[f"split{fold}_test_score"] for fold in range(4)])
    np.testing.assert_array_equal(ours.cv_results_["split_test_score"], split_scores)
    assert {f"model__{name}": value for name, value in ours.best_params_.items()} == theirs.best_params_


def test_other_models_and_kernels_are_left_to_themselves():
    assert shares_kernels(SVC(), [{"C": 1.0}, {"C": 2.0}])
    assert not shares_kernels(SVC(), [{"C": 1.0}])
    assert not shares_kernels(SVC(kernel="sigmoid"), [{"C": 1.0}, {"C": 2.0}])
    assert not shares_kernels(SVC(), [{"kernel": "linear"}, {"kernel": np.dot}])
    assert not shares_kernels(RandomForestClassifier(), [{}, {}])


def test_bad_values_and_settings_are_refused_as_by_the_machine_itself():
    X, y = table(7)
    shared = SharedKernels(X[:60], y[:60], X[60:])
    with pytest.raises(ValueError, match="'C' parameter"):
        shared.decisions(SVC(), {"C": -1.0})
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        SharedKernels(X[:60], y[:60], X[60:])


@pytest.mark.parametrize("decimals", [0, 1, 2, 9])
def test_area_is_that_of_scikit_learn_to_the_last_bit(decimals):
    rng = np.random.default_rng(8)
    for n in (2, 3, 5, 17, 64, 200):
        for _ in range(25):
            codes = np.zeros(n, dtype=np.intp)
            codes[: rng.integers(1, n)] = 1
            codes = rng.permutation(codes)
            values = np.round(rng.normal(size=n) + codes, decimals)
            assert area_under_curve(codes, values) == roc_auc_score(codes, values)
