import dataclasses
import functools
import inspect
import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif, mutual_info_classif
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import radiobone.learning
from radiobone.core.errors import UsageError
from radiobone.evaluation import FixedSplit, KFolds, NestedCV, fingerprint
from radiobone.evaluation.fingerprint import canonical, data_sha256, fit_sha256
from radiobone.evaluation.inputs import prepare
from radiobone.evaluation.splits import OuterFold
from radiobone.learning import (
    HierarchicalClassifier,
    Repeats,
    SelectiveClassifierCV,
    StabilityFilter,
    normal_first,
    osteoporosis_first,
)

BONE = ["osteoporosis", "osteopenia", "normal"]


def table(n=45):
    rng = np.random.default_rng(0)
    codes = np.arange(n) % 3
    X = pd.DataFrame(rng.normal(size=(n, 4)) + 0.7 * codes[:, None], columns=list("abcd"))
    return X, np.array(BONE)[codes], [f"p{i:02d}" for i in range(n)]


class Stopping(GaussianNB):
    """Count the fits, and stop after some, as a killed run would."""

    fits, allowed = 0, 10**6

    def fit(self, X, y):
        if Stopping.fits == Stopping.allowed:
            raise KeyboardInterrupt
        Stopping.fits += 1
        return super().fit(X, y)


def model():
    node = SelectiveClassifierCV(selection=StandardScaler(), model=Stopping(), cv=2, calibration=None)
    return HierarchicalClassifier(estimator=node, nodes=osteoporosis_first())


def test_a_stopped_run_goes_on_from_its_finished_folds(tmp_path):
    X, y, ids = table()
    validation = NestedCV(model(), KFolds(4), classes=BONE)
    Stopping.fits, Stopping.allowed = 0, 10**6
    whole = validation.run(X, y, groups=ids)
    per_fold = Stopping.fits // 4
    Stopping.fits, Stopping.allowed = 0, 2 * per_fold + 1
    with pytest.raises(KeyboardInterrupt):
        validation.run(X, y, groups=ids, keep=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 2
    Stopping.fits, Stopping.allowed = 0, 10**6
    calls = []
    order = np.random.default_rng(0).permutation(45)
    shuffled = X.iloc[order].reset_index(drop=True)
    resumed = validation.run(
        shuffled,
        y[order],
        groups=np.array(ids)[order],
        keep=tmp_path,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert Stopping.fits == 2 * per_fold
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert resumed.predictions.to_csv() == whole.predictions.to_csv()
    assert resumed.results() == whole.results()
    Stopping.fits = 0
    again = NestedCV(model(), KFolds(4), classes=BONE, jobs=2).run(X, y, groups=ids, keep=tmp_path)
    assert Stopping.fits == 0
    assert again.results() == whole.results()


def test_what_a_fit_depends_on_decides_whether_it_is_taken(tmp_path):
    X, y, ids = table()

    def fits(estimator=None, X=X, y=y, plan=None):
        Stopping.fits, Stopping.allowed = 0, 10**6
        estimator = Stopping() if estimator is None else estimator
        NestedCV(estimator, plan or KFolds(3)).run(X, y, groups=ids, keep=tmp_path)
        return Stopping.fits

    assert fits() == 3
    assert fits() == 0
    changed = X.copy()
    changed.iloc[7, 2] = np.nextafter(changed.iloc[7, 2], 9.0)
    assert fits(X=changed) == 3
    assert fits(X=X.rename(columns={"a": "A"})) == 3
    swapped = y.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert fits(y=swapped) == 3
    assert fits(Stopping(var_smoothing=1e-8)) == 3
    assert fits(plan=KFolds(3, seed=1)) == 3
    # The folds of the second repeat are those of the next seed.
    assert fits(plan=KFolds(3, repeats=2)) == 0


def test_folds_of_a_second_repeat_are_fitted_under_their_own_name(tmp_path):
    X, y, ids = table()
    once = NestedCV(GaussianNB(), KFolds(3, seed=1)).run(X, y, groups=ids, keep=tmp_path)
    twice = NestedCV(GaussianNB(), KFolds(3, repeats=2)).run(X, y, groups=ids, keep=tmp_path)
    second = twice.predictions[twice.predictions["repeat"] == 2]
    columns = [name for name in second if name != "repeat"]
    pd.testing.assert_frame_equal(second[columns].reset_index(drop=True), once.predictions[columns])


def test_a_damaged_file_counts_as_none(tmp_path):
    X, y, ids = table()
    Stopping.fits, Stopping.allowed = 0, 10**6
    first = NestedCV(Stopping(), KFolds(3)).run(X, y, groups=ids, keep=tmp_path)
    sorted(tmp_path.rglob("*.json"))[0].write_text('{"half')
    second = NestedCV(Stopping(), KFolds(3)).run(X, y, groups=ids, keep=tmp_path)
    assert Stopping.fits == 4
    pd.testing.assert_frame_equal(first.predictions, second.predictions)


@pytest.mark.parametrize("damage", ["no key", "short", "nothing"])
def test_json_that_is_no_fit_counts_as_none(tmp_path, damage):
    X, y, ids = table()
    Stopping.fits, Stopping.allowed = 0, 10**6
    first = NestedCV(Stopping(), KFolds(3)).run(X, y, groups=ids, keep=tmp_path)
    path = sorted(tmp_path.rglob("*.json"))[0]
    (content,) = json.loads(path.read_text())
    if damage == "no key":
        del content["argmax"]
    else:
        content["argmax"] = content["argmax"][:-1] if damage == "short" else None
    path.write_text(json.dumps([content]))
    second = NestedCV(Stopping(), KFolds(3)).run(X, y, groups=ids, keep=tmp_path)
    assert Stopping.fits == 4
    pd.testing.assert_frame_equal(first.predictions, second.predictions)


class Base(GaussianNB):
    """What a model inherits from."""


class Model(Base):
    """A model whose own lines never change."""


def test_a_base_class_is_part_of_the_key(monkeypatch):
    before = canonical(Model())
    source = inspect.getsource
    monkeypatch.setattr(inspect, "getsource", lambda value: source(value) + ("#" if value is Base else ""))
    assert canonical(Model()) != before


def test_a_class_without_source_is_refused():
    space = {"__name__": "__main__", "GaussianNB": GaussianNB}
    exec("class Typed(GaussianNB):\n    pass", space)
    with pytest.raises(UsageError, match=r"source cannot be read.*Typed"):
        canonical(space["Typed"]())


def test_a_changed_file_of_any_folder_of_learning_makes_kept_fits_stale(tmp_path, monkeypatch):
    step = tmp_path / "selection/mrmr.py"
    step.parent.mkdir()
    monkeypatch.setattr(radiobone.learning, "__file__", str(tmp_path / "__init__.py"))
    fold = OuterFold(1, 1, np.arange(3), np.arange(3, 5))
    keys = []
    for content in ("relevance - redundancy", "relevance / redundancy"):
        step.write_text(content)
        fingerprint._code.cache_clear()
        keys.append(fit_sha256("data", GaussianNB(), None, [fold]))
    fingerprint._code.cache_clear()
    assert keys[0] != keys[1]


def test_several_test_sets_are_kept_with_their_one_model(tmp_path):
    X, y, ids = table()
    attributes = pd.DataFrame({"split": np.repeat(["train", "test", "external"], 15)})
    validation = NestedCV(Stopping(), FixedSplit("split", tests=["test", "external"]))
    Stopping.fits, Stopping.allowed = 0, 10**6
    first = validation.run(X, y, groups=ids, attributes=attributes, keep=tmp_path)
    second = validation.run(X, y, groups=ids, attributes=attributes, keep=tmp_path)
    assert Stopping.fits == 1
    assert first.results() == second.results()


class Scale:
    """An object whose methods are steps."""

    def __init__(self, by):
        self.by = by

    def times(self, values):
        return values * self.by

    def over(self, values):
        return values / self.by


def repeats(patient):
    values = pd.DataFrame({"a": [1.0, 1.1, 2.0, 2.1]})
    return Repeats(values, patients=np.array(["p0", "p0", patient, patient], dtype=object), repeats=[1, 2, 1, 2])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SVC(C=1.0), SVC(C=2.0)),
        (SVC(C=1), SVC(C=True)),
        (SVC(), LogisticRegression()),
        (RandomForestClassifier(random_state=1), RandomForestClassifier(random_state="1")),
        (make_pipeline(StandardScaler(), SVC()), make_pipeline(StandardScaler(with_mean=False), SVC())),
        (SelectKBest(f_classif), SelectKBest()),
        (
            HierarchicalClassifier(nodes=osteoporosis_first()),
            HierarchicalClassifier(nodes=normal_first()),
        ),
        (
            SelectiveClassifierCV(cv=StratifiedGroupKFold(5, shuffle=True, random_state=1)),
            SelectiveClassifierCV(cv=StratifiedGroupKFold(5, shuffle=True, random_state=2)),
        ),
        (
            SelectKBest(functools.partial(mutual_info_classif, n_neighbors=3)),
            SelectKBest(functools.partial(mutual_info_classif, n_neighbors=5)),
        ),
        (SVC(random_state=np.random.RandomState(0)), SVC(random_state=np.random.RandomState(1))),
        (FunctionTransformer(np.log1p), FunctionTransformer(np.sqrt)),
        (FunctionTransformer(Scale(1).times), FunctionTransformer(Scale(2).times)),
        (FunctionTransformer(Scale(1).times), FunctionTransformer(Scale(1).over)),
        (FunctionTransformer(math.exp), FunctionTransformer(math.log)),
        (
            FrozenEstimator(StandardScaler().fit([[0.0], [1.0]])),
            FrozenEstimator(StandardScaler().fit([[0.0], [2.0]])),
        ),
        (StabilityFilter(repeats=repeats("p1")), StabilityFilter(repeats=repeats("p2"))),
        (SelectiveClassifierCV(grid={"C": [1.0]}), SelectiveClassifierCV(grid={"C": np.array([1.0])})),
    ],
)
def test_estimators_are_told_apart_by_their_parameters(one, other):
    assert canonical(one) == canonical(clone(one))
    if isinstance(one, SelectKBest) and one.score_func is f_classif:
        assert canonical(one) == canonical(other), "f_classif is the default"
    else:
        assert canonical(one) != canonical(other)


def test_what_cannot_be_told_apart_is_refused(tmp_path):
    X, y, ids = table()
    loose = make_pipeline(FunctionTransformer(lambda values: values), GaussianNB())
    with pytest.raises(UsageError, match=r"no name in a module.*func"):
        NestedCV(loose, KFolds(3)).run(X, y, groups=ids, keep=tmp_path)
    assert NestedCV(loose, KFolds(3)).run(X, y, groups=ids)
    data = prepare([list(row) for row in X.to_numpy()], y, ids, None, BONE)
    assert data_sha256(data) == data_sha256(prepare(X.to_numpy(), y, ids, None, BONE))


def test_a_file_larger_than_a_block_is_hashed_whole(tmp_path, monkeypatch):
    X, y, ids = table()
    whole = data_sha256(prepare(X.to_numpy(), y, ids, None, BONE))
    monkeypatch.setattr("radiobone.evaluation.fingerprint._BLOCK", 100)
    assert data_sha256(prepare(X.to_numpy(), y, ids, None, BONE)) == whole


def test_a_stack_of_patches_in_a_file_is_an_arm_and_is_kept(tmp_path):
    _, y, ids = table()
    stack = np.memmap(tmp_path / "stack.dat", dtype="float32", mode="w+", shape=(45, 2, 4, 4))
    stack[:] = np.random.default_rng(0).normal(size=stack.shape) + (y == "normal")[:, None, None, None]
    validation = NestedCV(Brightness(), KFolds(3))
    found = validation.run(stack, y, groups=ids, keep=tmp_path / "kept")
    assert found.results()["validation"]["n_features"] is None
    assert found.results()["columns"] is None
    Brightness.fits = 0
    again = validation.run(stack, y, groups=ids, keep=tmp_path / "kept")
    assert Brightness.fits == 0
    assert again.results() == found.results()
    changed = np.array(stack)
    changed[3, 1, 2, 2] += 1
    validation.run(changed, y, groups=ids, keep=tmp_path / "kept")
    assert Brightness.fits == 3


class Brightness(GaussianNB):
    """A classifier of patches by their mean."""

    fits = 0

    def fit(self, X, y):
        Brightness.fits += 1
        return super().fit(X.mean(axis=(1, 2, 3))[:, None], y)

    def predict_proba(self, X):
        return super().predict_proba(X.mean(axis=(1, 2, 3))[:, None])


class Fewer(FixedSplit):
    """The same test set, learned from half of the training rows."""

    def divide(self, data):
        return [dataclasses.replace(fold, train=fold.train[::2]) for fold in super().divide(data)]


def test_the_training_rows_are_part_of_the_key(tmp_path):
    X, y, ids = table()
    attributes = pd.DataFrame({"split": np.repeat(["train", "train", "test"], 15)})
    Stopping.fits, Stopping.allowed = 0, 10**6
    for plan in (FixedSplit("split"), Fewer("split")):
        NestedCV(Stopping(), plan).run(X, y, groups=ids, attributes=attributes, keep=tmp_path)
    assert Stopping.fits == 2
