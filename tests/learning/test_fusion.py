import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from radiobone.core.errors import RadioboneWarning
from radiobone.learning import (
    DataError,
    FlatClassifier,
    HierarchicalClassifier,
    LateFusionClassifier,
    SelectiveClassifierCV,
)
from radiobone.learning.folds import inner_folds
from radiobone.learning.operating import OperatingPoint

PARTS = {"image": (["hu", "glcm"], LogisticRegression()), "clinical": ("age", LogisticRegression())}


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.4, "ill", "well")
    well = y == "well"
    X = pd.DataFrame(
        {"age": rng.normal(size=n) - 0.8 * well, "hu": rng.normal(size=n) + 1.6 * well, "glcm": rng.normal(size=n)}
    )
    return X, y


def out_of_fold(X, codes, cv=5):
    splits = inner_folds(cv, X, codes, None, 0)
    return np.column_stack(
        [
            cross_val_predict(part, X[[columns] if isinstance(columns, str) else columns].to_numpy(), codes,
                              cv=splits, method="predict_proba")[:, 1]
            for columns, part in PARTS.values()
        ]
    )  # fmt: skip


def test_mean_of_the_parts():
    X, y = table()
    model = LateFusionClassifier(parts=PARTS).fit(X, y)
    codes = (y == "well").astype(int)
    image = LogisticRegression().fit(X[["hu", "glcm"]].to_numpy(), codes)
    clinical = LogisticRegression().fit(X[["age"]].to_numpy(), codes)
    expected = [
        image.predict_proba(X[["hu", "glcm"]].to_numpy())[:, 1],
        clinical.predict_proba(X[["age"]].to_numpy())[:, 1],
    ]
    np.testing.assert_allclose(model.part_proba(X), np.column_stack(expected))
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], np.mean(expected, axis=0))
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)
    assert model.weights_.tolist() == [0.5, 0.5]
    assert ((model.predict(X) == "well") == (np.mean(expected, axis=0) > 0.5)).all()


def test_weights_follow_the_out_of_fold_auc():
    X, y = table()
    codes = (y == "well").astype(int)
    model = LateFusionClassifier(parts=PARTS, method="weighted").fit(X, y)
    aucs = [roc_auc_score(codes, column) for column in out_of_fold(X, codes).T]
    np.testing.assert_allclose(list(model.oof_auc_.values()), aucs)
    above = np.array(aucs) - 0.5
    np.testing.assert_allclose(model.weights_, above / above.sum())
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], model.part_proba(X) @ model.weights_)
    assert model.weights_[0] > model.weights_[1]


def test_stacking_learns_from_out_of_fold_probabilities():
    X, y = table()
    codes = (y == "well").astype(int)
    model = LateFusionClassifier(parts=PARTS, method="stacked").fit(X, y)
    held_out = out_of_fold(X, codes)
    meta = LogisticRegression().fit(np.log(held_out / (1 - held_out)), codes)
    np.testing.assert_allclose(model.meta_.coef_, meta.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.meta_.intercept_, meta.intercept_, rtol=1e-5, atol=1e-8)
    assert (model.meta_.coef_ > 0).all()
    assert roc_auc_score(codes, model.predict_proba(X)[:, 1]) > max(model.oof_auc_.values())


@pytest.mark.parametrize("method", ["mean", "weighted", "stacked"])
def test_the_operating_point_is_that_of_the_fused_probability(method):
    X, y = table()
    codes = (y == "well").astype(int)
    model = LateFusionClassifier(parts=PARTS, method=method, operating_point=("specificity", 0.9)).fit(X, y)
    held_out = out_of_fold(X, codes)
    fused = held_out @ model.weights_ if method != "stacked" else model._fused(held_out)
    point = OperatingPoint("specificity", 0.9).choose(fused, codes)
    assert model.threshold_ == pytest.approx(point.value)
    assert point.specificity >= 0.9
    assert model.notes_ == [point.note(OperatingPoint("specificity", 0.9))]
    plain = LateFusionClassifier(parts=PARTS, method=method).fit(X, y)
    assert plain.threshold_ == 0.5
    np.testing.assert_array_equal(plain.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(model.predict(X) == "well", model.predict_proba(X)[:, 1] > model.threshold_)
    tree = HierarchicalClassifier(estimator=model, decision="routed").fit(X, y)
    assert tree.thresholds_.tolist() == [tree.estimators_["ill_vs_well"].threshold_]
    assert tree.thresholds_[0] != 0.5


def test_parts_that_know_nothing_weigh_the_same_and_say_so():
    _, y = table(60)
    X = pd.DataFrame({"a": np.zeros(60), "b": np.ones(60)})
    parts = {name: (name, LogisticRegression()) for name in "ab"}
    model = LateFusionClassifier(parts=parts, method="weighted").fit(X, y)
    assert model.weights_.tolist() == [0.5, 0.5]
    assert "no part ranked" in model.notes_[0]
    with pytest.warns(RadioboneWarning, match="prior"):
        prior = LateFusionClassifier(method="stacked").fit(X, y)
    assert prior.predicts_prior_
    assert prior.selected_features_.tolist() == []
    assert "so does the fusion" in prior.notes_[-1]
    np.testing.assert_allclose(prior.predict_proba(X)[:, 1], (y == "well").mean(), rtol=1e-12)


def test_patients_stay_whole_and_parts_see_their_columns():
    calls = []

    class Recording(StratifiedGroupKFold):
        def split(self, X, y=None, groups=None):
            calls.append(X.shape[1])
            for train, test in super().split(X, y, groups):
                assert not set(np.asarray(groups)[train]) & set(np.asarray(groups)[test])
                yield train, test

    X, y = table(80)
    patients = np.arange(80) // 2
    y = y[patients]
    X["hu"] += 3.0 * (y == "well")
    node = SelectiveClassifierCV(model=LogisticRegression(), cv=Recording(3))
    parts = {"image": (["hu", "glcm"], node), "clinical": ("age", LogisticRegression())}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RadioboneWarning)
        fused = LateFusionClassifier(parts=parts, method="stacked", cv=3)
        tree = HierarchicalClassifier(estimator=fused).fit(X, y, groups=patients)
    assert calls == [2] * 4
    part = tree.estimators_[tree.tree_.nodes[0].name]
    assert part.estimators_["image"].feature_names_in_.tolist() == ["hu", "glcm"]
    assert tree.estimators_["ill_vs_well"].selected_features_.tolist()[0] == "hu"


def test_what_is_no_part_is_refused():
    X, y = table(40)
    for parts in ({"a": LogisticRegression()}, {"a": ("hu", StratifiedGroupKFold())}, {}):
        with pytest.raises(DataError, match="part"):
            LateFusionClassifier(parts=parts).fit(X, y)
    with pytest.raises(DataError, match="part a"):
        LateFusionClassifier(parts={"a": ("ct*", LogisticRegression())}).fit(X, y)


def bone(n=150, seed=1):
    rng = np.random.default_rng(seed)
    bmd = rng.normal(size=n)
    y = np.array(["osteoporosis", "osteopenia", "normal"])[np.digitize(bmd, [-0.8, 0.4])]
    return pd.DataFrame({"hu": bmd + 0.3 * rng.normal(size=n), "noise": rng.normal(size=n)}), y


def test_a_flat_classifier_is_one_against_the_rest():
    X, y = bone()
    flat = FlatClassifier(estimator=LogisticRegression()).fit(X, y)
    own = np.column_stack(
        [LogisticRegression().fit(X, y == name).predict_proba(X)[:, 1] for name in sorted(set(y))]
    )
    np.testing.assert_allclose(flat.predict_proba(X), own / own.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(flat.predict_proba(X).sum(axis=1), 1.0)
    assert flat.classes_.tolist() == sorted(set(y))
    assert (flat.predict(X) == y).mean() > 0.5


def test_two_flat_classes_are_one_node():
    X, y = bone()
    two = y != "normal"
    flat = FlatClassifier().fit(X[two], y[two])
    tree = HierarchicalClassifier().fit(X[two], y[two])
    assert len(flat.estimators_) == 1
    np.testing.assert_allclose(flat.predict_proba(X)[:, 0], tree.predict_proba(X)[:, 0], atol=0.05)


def test_a_flat_class_of_one_patient_has_its_prior():
    X, y = bone()
    rows = [*np.flatnonzero(y != "osteoporosis").tolist(), int(np.flatnonzero(y == "osteoporosis")[0])]
    with pytest.warns(RadioboneWarning, match="osteoporosis: fewer than two"):
        flat = FlatClassifier(estimator=LogisticRegression()).fit(X.iloc[rows], y[rows])
    assert flat.estimators_[2].prior_ == 1 / len(rows)
    assert "osteoporosis" in flat.notes_[0]
    assert set(flat.predict(X)) <= {"normal", "osteopenia"}


def test_two_patients_of_a_class_stop_neither_flat_classes_nor_fusion():
    X, y = bone()
    rows = [*np.flatnonzero(y != "osteoporosis").tolist(), *np.flatnonzero(y == "osteoporosis")[:2].tolist()]
    few, labels = X.iloc[rows], y[rows]
    with pytest.warns(RadioboneWarning, match="osteoporosis: fewer than two .* of an inner fold"):
        flat = FlatClassifier(cv=2).fit(few, labels)
    assert flat.estimators_[2].prior_ == 2 / len(rows)
    parts = {"narrow": ([0], LogisticRegression()), "lasso": ([1], SelectiveClassifierCV(cv=2))}
    with pytest.warns(RadioboneWarning, match="lasso: fewer than two"):
        fused = LateFusionClassifier(parts=parts).fit(few, labels == "osteoporosis")
    (note,) = fused.notes_
    assert note.startswith("lasso: fewer than two training patients")
    assert note.endswith("the part predicts the training prior")


def test_flat_shares_stand_where_all_classes_are_ruled_out():
    class Never(LogisticRegression):
        def predict_proba(self, X):
            return np.tile([1.0, 0.0], (len(X), 1))

    X, y = bone()
    flat = FlatClassifier(estimator=Never()).fit(X, y)
    expected = [np.mean(y == name) for name in flat.classes_]
    np.testing.assert_allclose(flat.predict_proba(X[:2]), [expected, expected])


class Never(LogisticRegression):
    """A model that no part should come to."""

    def fit(self, X, y):
        raise AssertionError("a part was fitted")


def test_an_unknown_operating_point_is_told_before_the_first_fit():
    X, y = table(20)
    with pytest.raises(DataError, match="operating_point"):
        LateFusionClassifier(parts={"all": (None, Never())}, operating_point=("recall", 0.9)).fit(X, y)
