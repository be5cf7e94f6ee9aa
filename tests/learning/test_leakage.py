"""What is held out must not move what is learned; and what hierarchies do with errors of their nodes."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from radiobone.core.errors import RadioboneWarning
from radiobone.learning import (
    BlockSelector,
    CorrelationFilter,
    FlatClassifier,
    HierarchicalClassifier,
    LateFusionClassifier,
    MissingValues,
    Node,
    SelectiveClassifierCV,
    chain,
    normal_first,
    osteoporosis_first,
)

CLASSES = ("osteoporosis", "osteopenia", "normal")
LEARNED = []


class Scale(StandardScaler):
    def fit(self, X, y=None, sample_weight=None):
        super().fit(X, y)
        LEARNED.append(joblib.hash([self.mean_, self.scale_]))
        return self


class Machine(SVC):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y)
        LEARNED.append(joblib.hash([self.support_, self.dual_coef_, self.intercept_]))
        return self


def table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=list("abcdef"))
    X["a"] += 2 * y
    X["d"] += 2 * y
    return X, y


def nan(rows):
    return rows * np.nan


def shifted(rows):
    return rows + 1e6


@pytest.mark.parametrize("poison", [nan, shifted])
def test_poison_in_a_held_out_part_changes_nothing_learned_without_it(poison):
    X, y = table()
    train, test = np.arange(40), np.arange(40, 60)
    spoilt = X.copy()
    spoilt.iloc[test] = poison(X.iloc[test])
    steps = [("fill", MissingValues(max_share=0.5)), ("scale", Scale()), ("correlation", CorrelationFilter())]
    selection = Pipeline(steps)
    model = SelectiveClassifierCV(
        selection=selection, model=Machine(), grid={"C": [0.1, 1.0]}, scoring="accuracy", cv=[(train, test)]
    )
    runs = []
    for values in (X, spoilt):
        LEARNED.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RadioboneWarning)
            model.fit(values, y)
        runs.append(list(LEARNED))
    # One scaler and two machines within the fold; then the fit on all rows, which has to differ.
    assert len(runs[0]) >= 4
    assert runs[0][:3] == runs[1][:3]
    assert runs[0][3] != runs[1][3]


def everything():
    blocks = {"first": ["a", "b", "c"], "second": ["d", "e", "f"]}
    best = Pipeline([("scale", StandardScaler()), ("best", SelectKBest(k=1))])
    selection = Pipeline([("fill", MissingValues()), ("blocks", BlockSelector(blocks=blocks, selections=best))])
    node = SelectiveClassifierCV(
        selection=selection, model=LogisticRegression(), calibration="isotonic", operating_point="youden", cv=3
    )
    one = SelectiveClassifierCV(selection=MissingValues(), model=LogisticRegression(), cv=3)
    parts = {"all": (None, node), "f": (["a", "f"], one)}
    return [
        HierarchicalClassifier(estimator=node, decision="routed"),
        FlatClassifier(estimator=node),
        HierarchicalClassifier(estimator=LateFusionClassifier(parts=parts, method="stacked", cv=2)),
    ]


BLOCKS, FLAT, FUSION = everything()


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(BLOCKS, id="blocks"),
        pytest.param(FLAT, id="flat", marks=pytest.mark.slow),
        pytest.param(FUSION, id="fusion", marks=pytest.mark.slow),
    ],
)
def test_poison_in_a_test_fold_changes_nothing_learned(model):
    X, y = table()
    train, test = np.arange(40), np.arange(40, 60)
    states = []
    for poison in (None, nan, shifted):
        values = X.copy()
        if poison is not None:
            values.iloc[test] = poison(X.iloc[test])
        model.fit(values.iloc[train], y[train])
        before = joblib.hash(model)
        proba = model.predict_proba(values.iloc[test])
        assert joblib.hash(model) == before
        assert np.isfinite(proba).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
        states.append(joblib.hash(model.predict_proba(X)))
        # Rows do not speak to one another: one alone gets what it gets in company.
        np.testing.assert_allclose(model.predict_proba(values.iloc[test[:1]])[0], proba[0], rtol=1e-12)
    assert len(set(states)) == 1


class Told(ClassifierMixin, BaseEstimator):
    """Call positive what column ``column`` says; nothing is learned."""

    def __init__(self, *, column="told"):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        second = X[self.column].to_numpy(dtype=float)
        return np.column_stack([1 - second, second])


def told(nodes, y, wrong=None):
    """A table in which each node finds its answer, right for all rows but those of ``wrong`` by node."""
    X = pd.DataFrame(index=range(len(y)))
    for node in nodes:
        answer = np.isin(y, node.positive)
        for row in (wrong or {}).get(node.name, ()):
            answer[row] = ~answer[row]
        X[node.name] = answer.astype(float)
    return X, {node.name: Told(column=node.name) for node in nodes}


def confusion(y, called):
    return [[int(((y == true) & (called == name)).sum()) for name in CLASSES] for true in CLASSES]


ORDERS = {
    "osteoporosis_first": osteoporosis_first(),
    "normal_first": normal_first(),
    "one_vs_rest": chain(["osteopenia", "normal", "osteoporosis"]),
    "backwards": normal_first()[::-1],
}


@pytest.mark.parametrize("nodes", list(ORDERS.values()), ids=list(ORDERS))
@pytest.mark.parametrize("decision", ["argmax", "routed"])
@pytest.mark.parametrize("train_on", ["members", "routed"])
def test_perfect_nodes_give_the_identity_in_any_order(nodes, decision, train_on):
    y = np.repeat(CLASSES, [20, 30, 50])
    X, estimators = told(nodes, y)
    model = HierarchicalClassifier(estimator=estimators, nodes=nodes, decision=decision, train_on=train_on)
    assert confusion(y, model.fit(X, y).predict(X)) == [[20, 0, 0], [0, 30, 0], [0, 0, 50]]
    assert set(model.n_foreign_.values()) == set(model.n_missed_.values()) == {0}


@pytest.mark.parametrize("decision", ["argmax", "routed"])
def test_rates_of_nodes_multiply(decision):
    # 100 abnormal patients of each kind: the first node finds 90 of each; of those found the second is right on
    # 80 %. End to end 0.9 x 0.8 of either class is right, and nobody who was lost on the way comes back.
    y = np.repeat(CLASSES, [100, 100, 50])
    wrong = {
        "abnormal_vs_normal": [*range(10), *range(100, 110), *range(200, 205)],
        "osteoporosis_vs_osteopenia": [*range(10, 28), *range(110, 128)],
    }
    X, estimators = told(normal_first(), y, wrong)
    model = HierarchicalClassifier(estimator=estimators, nodes=normal_first(), decision=decision).fit(X, y)
    assert confusion(y, model.predict(X)) == [[72, 18, 10], [18, 72, 10], [0, 5, 45]]
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1.0)


def test_probabilities_of_uncertain_nodes_multiply_too():
    rng = np.random.default_rng(0)
    y = np.repeat(CLASSES, 20)
    X = pd.DataFrame(rng.random((60, 2)), columns=[node.name for node in normal_first()])
    estimators = {node.name: Told(column=node.name) for node in normal_first()}
    model = HierarchicalClassifier(estimator=estimators, nodes=normal_first()).fit(X, y)
    abnormal, worse = X.to_numpy().T
    expected = {"osteoporosis": abnormal * worse, "osteopenia": abnormal * (1 - worse), "normal": 1 - abnormal}
    proba = pd.DataFrame(model.predict_proba(X), columns=model.classes_)
    for name, values in expected.items():
        np.testing.assert_allclose(proba[name], values)


def test_a_tree_of_five_classes_splits_groups():
    y = np.repeat(list("abcde"), 10)
    nodes = [
        Node("ab_vs_cde", ("a", "b"), ("c", "d", "e")),
        Node("d_vs_e", ("d",), ("e",)),
        Node("c_vs_de", ("c",), ("d", "e")),
        Node("a_vs_b", ("a",), ("b",)),
    ]
    X, estimators = told(nodes, y)
    model = HierarchicalClassifier(estimator=estimators, nodes=nodes, decision="routed", train_on="routed").fit(
        X, y
    )
    assert (model.predict(X) == y).all()
    assert list(model.estimators_) == [node.name for node in nodes]
