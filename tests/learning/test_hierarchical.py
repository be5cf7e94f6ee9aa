import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiobone.core.errors import RadioboneWarning
from radiobone.learning import (
    CorrelationFilter,
    DataError,
    HierarchicalClassifier,
    LassoSelector,
    Node,
    NodeError,
    SelectiveClassifierCV,
    normal_first,
    osteoporosis_first,
)
from radiobone.learning.selective import default_selection

CLASSES = np.array(["osteoporosis", "osteopenia", "normal"])


def cohort(seed=0, n=90, p=12, noise=0.6, rows=1):
    """Patients whose first hidden variable is BMD; each has as many rows as asked for."""
    rng = np.random.default_rng(seed)
    bmd = rng.normal(size=n)
    y = CLASSES[np.digitize(bmd, [-0.5, 0.5])]
    X = np.column_stack([bmd + noise * rng.normal(size=n), rng.normal(size=(n, p - 1))])
    X = np.repeat(X, rows, axis=0) + 0.1 * rng.normal(size=(n * rows, p)) * (rows > 1)
    groups = np.repeat([f"p{i:03d}" for i in range(n)], rows)
    return pd.DataFrame(X, columns=[f"f{i}" for i in range(p)]), np.repeat(y, rows), groups


class Recording(StratifiedGroupKFold):
    """A splitter that remembers what it was given and what it gave."""

    calls = []  # noqa: RUF012

    def split(self, X, y=None, groups=None):
        for train, test in super().split(X, y, groups):
            Recording.calls.append((self.n_splits, np.asarray(groups)[train], np.asarray(groups)[test]))
            yield train, test


@pytest.mark.parametrize("train_on", ["members", "routed"])
def test_no_patient_straddles_any_internal_split(train_on):
    X, y, groups = cohort(n=60, rows=3)
    Recording.calls.clear()
    # Different numbers of folds tell the places apart: search 3, LASSO 4, routing 5.
    selection = default_selection().set_params(lasso__cv=Recording(4))
    node = SelectiveClassifierCV(selection=selection, grid={"C": [1.0]}, cv=Recording(3))
    HierarchicalClassifier(estimator=node, cv=Recording(5), train_on=train_on).fit(X, y, groups=groups)
    places = {n_splits for n_splits, _, _ in Recording.calls}
    assert places == ({3, 4} if train_on == "members" else {3, 4, 5})
    for _, train, test in Recording.calls:
        assert len(train)
        assert len(test)
        assert set(train) | set(test) <= set(groups)  # patients, and not something made up on the way
        assert not set(train) & set(test)


def test_groups_come_through_scikit_learns_own_cross_validation():
    X, y, groups = cohort(n=60, rows=2)
    Recording.calls.clear()
    model = HierarchicalClassifier(estimator=SelectiveClassifierCV(grid={"C": [1.0]}, cv=Recording(3)))
    with config_context(enable_metadata_routing=True):
        cross_val_predict(model, X, y, cv=StratifiedGroupKFold(3), params={"groups": groups})
    assert len(Recording.calls) == 3 * 2 * 3
    assert all(not set(train) & set(test) for _, train, test in Recording.calls)


@pytest.mark.parametrize("nodes", [osteoporosis_first(), normal_first(), None])
def test_easy_classes_are_told_apart_in_any_order(nodes):
    X, y, groups = cohort(noise=0.05)
    node = SelectiveClassifierCV(grid={"C": [1.0]}, cv=3)
    model = HierarchicalClassifier(estimator=node, nodes=nodes).fit(X, y, groups=groups)
    assert (model.predict(X) == y).mean() > 0.9
    assert (model.set_params(decision="routed").predict(X) == y).mean() > 0.9
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(model.tree_.class_proba(model.node_proba(X)), proba)
    assert list(model.estimators_) == [node.name for node in model.tree_.nodes]
    assert "f0" in model.estimators_[model.tree_.nodes[0].name].selected_features_


def test_members_trains_on_the_classes_of_a_node():
    X, y, _ = cohort()
    model = HierarchicalClassifier(estimator=LogisticRegression(), nodes=osteoporosis_first()).fit(X, y)
    second = np.isin(y, ["osteopenia", "normal"])
    alone = LogisticRegression().fit(X[second], (y[second] == "osteopenia").astype(int))
    np.testing.assert_array_equal(model.node_proba(X)[:, 1], alone.predict_proba(X)[:, 1])
    assert model.n_foreign_ == model.n_missed_ == {"osteoporosis_vs_rest": 0, "osteopenia_vs_normal": 0}
    assert model.n_train_["osteopenia_vs_normal"] == {
        "osteopenia": (y == "osteopenia").sum(),
        "normal": (y == "normal").sum(),
    }


class Rule(ClassifierMixin, BaseEstimator):
    """Call positive what lies below a fixed limit in column ``f0``; nothing is learned."""

    def __init__(self, *, limit=0.0):
        self.limit = limit

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = sorted(X["f1"])
        return self

    def predict_proba(self, X):
        second = (X["f0"].to_numpy() < self.limit).astype(float)
        return np.column_stack([1 - second, second])


def test_routed_training_takes_those_who_arrive():
    # Ten patients of each class; the first node errs on known ones.
    value = {"osteoporosis": [-1] * 7 + [1] * 3, "osteopenia": [1] * 8 + [-1] * 2, "normal": [1] * 9 + [-1]}
    y = np.repeat(list(value), 10)
    X = pd.DataFrame({"f0": np.concatenate(list(value.values())), "f1": np.arange(30)})
    model = HierarchicalClassifier(estimator=Rule(), nodes=osteoporosis_first(), train_on="routed").fit(X, y)
    assert model.n_train_["osteopenia_vs_normal"] == {"osteopenia": 8, "normal": 9}
    assert model.n_foreign_ == {"osteoporosis_vs_rest": 0, "osteopenia_vs_normal": 3}
    assert model.n_missed_ == {"osteoporosis_vs_rest": 0, "osteopenia_vs_normal": 3}
    arrived = X[(X["f0"] > 0) & (y != "osteoporosis")]
    assert model.estimators_["osteopenia_vs_normal"].seen_ == sorted(arrived["f1"])


def test_routed_training_uses_out_of_fold_decisions():
    class Memory(ClassifierMixin, BaseEstimator):
        """Right on every row that it was fitted on; calls all others positive."""

        def fit(self, X, y):
            self.classes_ = np.array([0, 1])
            self.known_ = dict(zip(X["f1"].tolist(), y.tolist(), strict=True))
            return self

        def predict_proba(self, X):
            second = np.array([float(self.known_.get(key, 1)) for key in X["f1"].tolist()])
            return np.column_stack([1 - second, second])

    y = np.repeat(CLASSES, 10)
    X = pd.DataFrame({"f0": 0.0, "f1": np.arange(30)})
    model = HierarchicalClassifier(estimator=Memory(), nodes=osteoporosis_first(), train_on="routed")
    with pytest.warns(RadioboneWarning, match="fewer than two"):
        model.fit(X, y)
    # In-sample decisions would send all twenty others on; out of fold the model sends none.
    assert model.n_missed_["osteopenia_vs_normal"] == 20
    assert "training prior" in model.notes_["osteopenia_vs_normal"][0]


def test_foreign_rows_go_on_down_a_deeper_tree():
    y = np.repeat(list("abcd"), 6)
    X = pd.DataFrame({"f0": np.repeat([1.0, 1.0, 1.0, 1.0], 6), "f1": np.arange(24)})
    X.loc[0:1, "f0"] = -1.0  # two of "a" are told as such, the others are sent on twice
    X.loc[6:8, "f0"] = -1.0  # three of "b" are called "a"
    model = HierarchicalClassifier(estimator=Rule(), train_on="routed").fit(X, y)
    assert model.n_foreign_ == {"a_vs_rest": 0, "b_vs_rest": 4, "c_vs_d": 7}
    assert model.n_missed_ == {"a_vs_rest": 0, "b_vs_rest": 3, "c_vs_d": 0}


def test_estimator_by_node_name():
    X, y, _ = cohort()
    by_name = {
        "osteoporosis_vs_rest": LogisticRegression(),
        "osteopenia_vs_normal": make_pipeline(StandardScaler(), CorrelationFilter(), LogisticRegression()),
    }
    model = HierarchicalClassifier(estimator=by_name, nodes=osteoporosis_first()).fit(X, y)
    assert [type(part).__name__ for part in model.estimators_.values()] == ["LogisticRegression", "Pipeline"]
    with pytest.raises(NodeError, match="do not match"):
        HierarchicalClassifier(estimator=by_name, nodes=normal_first()).fit(X, y)


def test_a_node_with_one_patient_on_a_side_predicts_the_prior():
    X, y, groups = cohort(rows=2)
    keep = (y != "osteopenia") | (groups == groups[y == "osteopenia"][0])
    model = HierarchicalClassifier(nodes=osteoporosis_first())
    with pytest.warns(RadioboneWarning, match="osteopenia_vs_normal: fewer than two"):
        model.fit(X[keep], y[keep], groups=groups[keep])
    expected = 2 / (2 + (y == "normal").sum())
    np.testing.assert_allclose(model.node_proba(X)[:, 1], expected)


def test_a_node_that_predicts_the_prior_says_that_it_uses_nothing():
    X, y, _ = cohort(n=30)
    keep = (y != "osteopenia") | (np.arange(30) == np.flatnonzero(y == "osteopenia")[0])
    with pytest.warns(RadioboneWarning, match="fewer than two"):
        model = HierarchicalClassifier(nodes=osteoporosis_first()).fit(X[keep], y[keep])
    node = model.estimators_["osteopenia_vs_normal"]
    assert node.predicts_prior_
    assert node.selected_features_.tolist() == []


@pytest.mark.parametrize("train_on", ["members", "routed"])
def test_a_node_with_two_patients_on_a_side_does_not_stop_a_study(train_on):
    # The LASSO within an inner fold is left with one of them.
    X, y, _ = cohort(n=40, p=3)
    keep = np.sort(np.concatenate([np.flatnonzero(y != "osteoporosis"), np.flatnonzero(y == "osteoporosis")[:2]]))
    model = HierarchicalClassifier(nodes=osteoporosis_first(), train_on=train_on, cv=3)
    with pytest.warns(RadioboneWarning, match="osteoporosis_vs_rest: fewer than two .* of an inner fold"):
        model.fit(X.iloc[keep], y[keep])
    np.testing.assert_allclose(model.node_proba(X)[:, 0], 2 / len(keep))
    assert "predicts the training prior" in model.notes_["osteoporosis_vs_rest"][0]
    assert not model.estimators_["osteopenia_vs_normal"].predicts_prior_
    # Without another cross-validation inside, two are enough.
    plain = SelectiveClassifierCV(selection="passthrough", model=LogisticRegression(), calibration=None, cv=3)
    enough = HierarchicalClassifier(estimator=plain, nodes=osteoporosis_first()).fit(X.iloc[keep], y[keep])
    assert isinstance(enough.estimators_["osteoporosis_vs_rest"], SelectiveClassifierCV)


def test_fewer_folds_for_the_routing_are_noted():
    X, y, _ = cohort()
    keep = np.sort(np.concatenate([np.flatnonzero(y != "osteoporosis"), np.flatnonzero(y == "osteoporosis")[:3]]))
    model = HierarchicalClassifier(
        estimator=LogisticRegression(), nodes=osteoporosis_first(), train_on="routed", cv=4
    ).fit(X.iloc[keep], y[keep])
    assert model.notes_ == {
        "osteoporosis_vs_rest": [
            "routing: 3 inner folds instead of 4: the smallest class has no more training patients"
        ],
        "osteopenia_vs_normal": [],
    }


def test_anything_indexable_by_row_may_be_x():
    class Patches(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            assert X.ndim == 4
            self.classes_ = np.unique(y)
            self.middle_ = X.mean()
            return self

        def predict_proba(self, X):
            second = (X.mean(axis=(1, 2, 3)) > self.middle_).astype(float)
            return np.column_stack([1 - second, second])

    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 2, 3, 3)) + np.repeat([0.0, 5.0], 6)[:, None, None, None]
    y = np.repeat(["low", "high"], 6)
    model = HierarchicalClassifier(estimator=Patches(), nodes=[Node("high_vs_low", ["high"], ["low"])])
    assert model.fit(X, y).predict(X).tolist() == y.tolist()


def test_hidden_cross_validation_without_groups_is_refused():
    X, y, groups = cohort(rows=2)
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import GridSearchCV

    for blind in (GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=3), LogisticRegressionCV(cv=3)):
        with pytest.raises(DataError, match="takes no groups"):
            HierarchicalClassifier(estimator=blind).fit(X, y, groups=groups)


def test_wrong_input_is_told():
    X, y, groups = cohort()
    with pytest.raises(DataError, match="one class"):
        HierarchicalClassifier().fit(X, np.full(90, "normal"))
    with pytest.raises(NodeError, match=r"no node names.*normal"):
        HierarchicalClassifier(nodes=[Node("a", ["osteoporosis"], ["osteopenia"])]).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        HierarchicalClassifier().fit(X, y, groups=groups[:-1])
    with pytest.raises(ValueError, match="train_on"):
        HierarchicalClassifier(train_on="all").fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        HierarchicalClassifier().fit(X.mask(X > 1.5), y)


def test_lasso_selector_in_a_plain_pipeline_takes_groups():
    X, y, groups = cohort(rows=2)
    Recording.calls.clear()
    pipeline = make_pipeline(StandardScaler(), LassoSelector(cv=Recording(3)), LogisticRegression())
    HierarchicalClassifier(estimator=pipeline).fit(X, y, groups=groups)
    assert len(Recording.calls) == 6
    assert all(not set(train) & set(test) for _, train, test in Recording.calls)
