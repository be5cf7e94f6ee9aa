import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from radiobone.core.errors import RadioboneWarning
from radiobone.learning import DataError, SelectiveClassifierCV
from radiobone.learning.calibration import PlattSigmoid
from radiobone.learning.folds import inner_folds
from radiobone.learning.search import transform_steps
from radiobone.learning.selective import default_grid, default_selection


def table(seed=0, n=70, p=30, signal=1.0):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 8))
    X = hidden @ rng.normal(size=(8, p)) + 0.7 * rng.normal(size=(n, p))
    y = (signal * hidden[:, 0] + rng.normal(size=n) > 0).astype(int)
    return pd.DataFrame(X, columns=[f"f{i}" for i in range(p)]), y


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose decision value is the one column of X."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_search_equals_grid_search_over_the_whole_pipeline(seed):
    X, y = table(seed, n=35, signal=3.0)
    groups = np.repeat(np.arange(35), 2)
    X, y = X.iloc[groups] + 0.3 * np.random.default_rng(seed).normal(size=(70, 30)), y[groups]
    splits = inner_folds(3, X, y, groups, 0)
    ours = SelectiveClassifierCV(cv=splits).fit(X, y, groups=groups)
    whole = Pipeline([*default_selection().steps, ("svm", SVC(class_weight="balanced"))])
    grid = [{f"svm__{name}": values for name, values in part.items()} for part in default_grid()]
    with config_context(enable_metadata_routing=True):
        theirs = GridSearchCV(whole, grid, scoring="roc_auc", cv=splits).fit(X.to_numpy(), y, groups=groups)
    assert {f"svm__{name}": value for name, value in ours.best_params_.items()} == theirs.best_params_
    np.testing.assert_array_equal(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])
    for fold in range(3):
        np.testing.assert_array_equal(
            ours.cv_results_["split_test_score"][:, fold], theirs.cv_results_[f"split{fold}_test_score"]
        )
    np.testing.assert_array_equal(
        ours.model_.decision_function(transform_steps(ours.selection_, X)),
        theirs.decision_function(X.to_numpy()),
    )
    chosen = theirs.best_estimator_[:-1].get_feature_names_out(X.columns)
    assert ours.selected_features_.tolist() == chosen.tolist()


def test_ties_go_to_the_first_setting():
    _, y = table()
    X = y[:, None] + np.random.default_rng(0).normal(size=(70, 1))
    # The ranking of a one-column linear machine does not depend on C.
    for costs in ([1.0, 2.0], [2.0, 1.0]):
        fitted = SelectiveClassifierCV(model=SVC(kernel="linear"), grid={"C": costs}).fit(X, y)
        assert np.ptp(fitted.cv_results_["mean_test_score"]) == 0
        assert fitted.best_params_ == {"C": costs[0]}


def test_sigmoid_equals_platt_of_scikit_learn():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 80)
    values = 3.0 * (codes + rng.normal(size=80)) - 7.0
    theirs = CalibratedClassifierCV(FrozenEstimator(Scores().fit(values[:, None], codes)), method="sigmoid", cv=2)
    theirs.fit(values[:, None], codes)
    ours = PlattSigmoid().fit(values, codes)
    expected = theirs.predict_proba(values[:, None])[:, 1]
    np.testing.assert_allclose(ours.probability(values), expected, atol=1e-6)


def test_sigmoid_never_turns_a_model_round():
    values, codes = np.arange(10.0), np.array([1] * 6 + [0] * 4)
    fitted = PlattSigmoid().fit(values, codes)
    assert fitted.slope_ == 0.0
    np.testing.assert_allclose(fitted.probability(values), 0.6)
    np.testing.assert_allclose(PlattSigmoid().fit(np.ones(10), codes).probability(values), 0.6)


def test_sigmoid_stands_separable_and_huge_values():
    codes = np.array([0] * 5 + [1] * 5)
    fitted = PlattSigmoid().fit(np.where(codes, 1e6, -1e6).astype(float), codes)
    probability = fitted.probability(np.array([-1e300, -1e6, 1e6, 1e300]))
    np.testing.assert_allclose(probability, [0, 1 / 7, 6 / 7, 1], atol=1e-6)


def test_probabilities_mean_what_they_say():
    X, y = table(3, n=1600, signal=2.0)
    fitted = SelectiveClassifierCV(grid={"C": [0.1, 1.0]}).fit(X[:800], y[:800])
    probability = fitted.predict_proba(X[800:])[:, 1]
    for low, high in ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)):
        here = (probability >= low) & (probability < high)
        assert here.sum() > 50
        assert y[800:][here].mean() == pytest.approx(probability[here].mean(), abs=0.1)


@pytest.mark.slow
def test_offsets_that_jump_between_models_do_no_harm():
    # With this little cost nearly every row is a support vector and the offset of the machine is arbitrary:
    # unaligned, whole tables land on one side.
    balanced = []
    for seed in range(12):
        X, y = table(seed, n=348, p=20, signal=3.0)
        weak = SelectiveClassifierCV(model=SVC(class_weight="balanced"), grid={"C": [0.05], "gamma": [0.01]})
        probability = weak.fit(X[:48], y[:48]).predict_proba(X[48:])[:, 1]
        called = probability > 0.5
        balanced.append((called[y[48:] == 1].mean() + (~called)[y[48:] == 0].mean()) / 2)
    assert min(balanced) > 0.65


def test_nothing_survives_means_the_training_prior():
    y = np.array([0] * 30 + [1] * 10)
    # Every column has the same values in each class: nothing is correlated with it.
    X = np.tile(np.random.default_rng(1).normal(size=(10, 5)), (4, 1))
    selection = default_selection().set_params(lasso__rule="1se")
    with pytest.warns(RadioboneWarning, match="training prior"):
        fitted = SelectiveClassifierCV(selection=selection).fit(X, y)
    assert fitted.predicts_prior_
    assert fitted.model_ is None
    assert fitted.selected_features_.tolist() == []
    np.testing.assert_array_equal(fitted.predict_proba(X), np.tile([0.75, 0.25], (40, 1)))
    assert fitted.predict(X).tolist() == [0] * 40
    assert "nothing survived" in fitted.notes_[0]
    with pytest.warns(RadioboneWarning, match="training prior"):
        constant = SelectiveClassifierCV().fit(np.ones((40, 3)), y)
    np.testing.assert_array_equal(constant.predict_proba(np.ones((2, 3)))[:, 1], [0.25, 0.25])


def unrankable():
    """A table whose inner out-of-fold decisions rank the classes worse than chance, though columns survive."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        X, y = pd.DataFrame(rng.normal(size=(30, 4)), columns=list("abcd")), np.arange(30) % 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RadioboneWarning)
            fitted = SelectiveClassifierCV(selection=StandardScaler(), grid={"C": [1.0]}).fit(X, y)
        if fitted.calibrator_.slope_ == 0.0:
            return X, y
    raise AssertionError("no such table")


def test_a_model_that_is_not_asked_uses_no_features():
    X, y = unrankable()
    with pytest.warns(RadioboneWarning, match="no better than chance"):
        fitted = SelectiveClassifierCV(selection=StandardScaler(), grid={"C": [1.0]}).fit(X, y)
    assert fitted.predicts_prior_
    np.testing.assert_array_equal(fitted.predict_proba(X)[:, 1], np.full(30, 0.5))
    assert fitted.selected_features_.tolist() == []
    assert fitted.surviving_features_.tolist() == list("abcd")
    X["a"] += 3.0 * y
    used = SelectiveClassifierCV(selection=StandardScaler(), grid={"C": [1.0]}).fit(X, y)
    assert used.selected_features_.tolist() == used.surviving_features_.tolist() == list("abcd")


def test_fewer_folds_are_noted_and_change_no_prediction():
    X, y = table(0, n=60, signal=4.0)
    rows = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:4]])
    fitted = SelectiveClassifierCV(grid={"C": [1.0]}).fit(X.iloc[rows], y[rows])
    assert fitted.n_splits_ == 4
    # Four patients of a class: four folds for the settings, four for the LASSO on all rows, three inside a fold.
    assert fitted.notes_[:3] == [
        "4 inner folds instead of 5: the smallest class has no more training patients",
        "lasso: 4 inner folds instead of 5: the smallest class has no more training patients",
        "in 4 of 4 inner folds, lasso: 3 inner folds instead of 5: "
        "the smallest class has no more training patients",
    ]
    assert fitted.predicts_prior_ == (fitted.calibrator_ is None or fitted.calibrator_.slope_ == 0.0)
    assert SelectiveClassifierCV(grid={"C": [1.0]}).fit(X, y).notes_ == []


def test_an_uncertified_lasso_is_noted_wherever_it_was_fitted():
    X, y = table(0, n=40, p=10, signal=3.0)
    selection = default_selection().set_params(correlation__threshold=1.0, lasso__tol=1e-300, lasso__max_iter=1)
    with pytest.warns(RadioboneWarning, match="not certified"):
        fitted = SelectiveClassifierCV(selection=selection, grid={"C": [1.0]}, cv=3).fit(X, y)
    assert sum(note.startswith("lasso: LASSO path not certified") for note in fitted.notes_) == 1
    assert sum("inner folds, lasso: LASSO path not certified" in note for note in fitted.notes_) == 3
    assert not fitted.predicts_prior_
    assert len(fitted.selected_features_)


def test_a_fold_without_survivors_counts_as_a_constant():
    X, y = table(0, n=40, p=5, signal=0.2)
    selection = default_selection().set_params(lasso__rule="1se", correlation__threshold=1.0)
    found = set()
    light = {"model": LogisticRegression(), "grid": {"C": [0.1, 1.0]}}
    for seed in range(8):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RadioboneWarning)
            fitted = SelectiveClassifierCV(selection=selection, random_state=seed, **light).fit(X, y)
        empty = fitted.cv_results_["n_selected"] == 0
        assert (fitted.cv_results_["split_test_score"][:, empty] == 0.5).all()
        found.add((empty.any(), empty.all()))
        if (True, False) in found:
            break
    assert (True, False) in found


def test_grouped_rows_and_models_with_probabilities():
    X, y = table(5, signal=2.0)
    forest = RandomForestClassifier(n_estimators=20, random_state=0)
    own = SelectiveClassifierCV(model=forest, calibration=None).fit(X, y)
    inside = own.model_.predict_proba(transform_steps(own.selection_, X))
    np.testing.assert_array_equal(own.predict_proba(X)[:, 1], inside[:, 1])
    sigmoid = SelectiveClassifierCV(model=forest, grid={"max_depth": [1, 3]}).fit(X, y)
    assert ((sigmoid.predict_proba(X)[:, 1] > 0.5) == y).mean() > 0.7
    with pytest.raises(DataError, match="no probabilities"):
        SelectiveClassifierCV(calibration=None).fit(X, y)


def test_number_of_jobs_changes_nothing():
    X, y = table(2)
    groups = np.arange(70) // 2
    one, two = (
        SelectiveClassifierCV(grid={"C": [1.0]}, cv=2, n_jobs=jobs).fit(X, y, groups=groups) for jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_any_transformer_may_select():
    X, y = table(2, signal=2.0)
    fitted = SelectiveClassifierCV(selection=default_selection()[0], model=LogisticRegression()).fit(X, y)
    assert fitted.selected_features_.tolist() == X.columns.tolist()


def test_a_grid_without_settings_is_refused():
    X, y = table(2)
    with pytest.raises(DataError, match=r"the grid holds no setting.*pass \{\}"):
        SelectiveClassifierCV(selection="passthrough", grid=[]).fit(X, y)
