import warnings

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.base import clone
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from radiobone.core.errors import RadioboneWarning
from radiobone.learning import (
    BlockSelector,
    DataError,
    HierarchicalClassifier,
    LassoSelector,
    SelectiveClassifierCV,
)
from radiobone.learning.column_choice import choose_columns
from radiobone.learning.protocol.choices import StepContext
from radiobone.learning.protocol.steps import SelectionStep

BLOCKS = {"radiomics": "original_*", "deep": ["deep_*"], "clinical": ["age", "sex"]}


def table(n=80, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    wide = {f"original_{i}": rng.normal(size=n) for i in range(6)}
    deep = {f"deep_{i}": rng.normal(size=n) for i in range(4)}
    X = pd.DataFrame({"age": rng.normal(60, 8, n), **wide, **deep, "sex": rng.integers(0, 2, n)})
    X["original_2"] += 2 * y
    X["deep_1"] += 1.5 * y
    return X, y


def k_best(k):
    return Pipeline([("scale", StandardScaler()), ("best", SelectKBest(k=k))])


def test_each_block_is_selected_by_itself():
    X, y = table()
    selections = {"radiomics": k_best(2), "deep": k_best(1), "clinical": "passthrough"}
    selector = BlockSelector(blocks=BLOCKS, selections=selections).fit(X, y)
    names = selector.get_feature_names_out().tolist()
    assert names[:2] == sorted(names[:2])
    assert "original_2" in names[:2]
    assert names[2:] == ["deep_1", "age", "sex"]
    out = selector.transform(X)
    np.testing.assert_array_equal(out[:, 3:], X[["age", "sex"]])
    alone = k_best(1).fit(X.filter(like="deep_"), y).transform(X.filter(like="deep_"))
    np.testing.assert_allclose(out[:, [2]], alone)
    assert selector.notes_ == []
    one_for_all = BlockSelector(blocks=BLOCKS, selections=k_best(1)).fit(X, y)
    assert one_for_all.get_feature_names_out().tolist()[:2] == ["original_2", "deep_1"]


def test_a_block_that_keeps_nothing_is_said():
    X, y = table()
    X[["age", "sex"]] = 1.0
    selections = {"radiomics": k_best(2), "deep": k_best(1), "clinical": LassoSelector()}
    selector = BlockSelector(blocks=BLOCKS, selections=selections).fit(X, y)
    assert selector.notes_ == ["block clinical keeps none of its 2 columns"]
    assert selector.transform(X).shape == (80, 3)
    model = SelectiveClassifierCV(selection=selector, model=LogisticRegression(), cv=3).fit(X, y)
    assert "selection: block clinical keeps none of its 2 columns" in model.notes_
    assert model.selected_features_.tolist() == selector.get_feature_names_out().tolist()


def test_nothing_in_any_block_means_the_training_prior():
    y = np.array([0] * 30 + [1] * 10)
    X = pd.DataFrame(np.ones((40, 4)), columns=list("abcd"))
    selection = BlockSelector(blocks={"one": ["a", "b"], "two": ["c", "d"]}, selections=LassoSelector())
    with pytest.warns(RadioboneWarning, match="training prior"):
        model = SelectiveClassifierCV(selection=selection).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1], np.full(40, 0.25))
    assert model.selected_features_.tolist() == []


def test_columns_belong_to_exactly_one_block():
    X, y = table()
    with pytest.raises(DataError, match=r"no block.*age, sex"):
        BlockSelector(blocks={"radiomics": "original_*", "deep": "deep_*"}, selections="passthrough").fit(X, y)
    with pytest.raises(DataError, match=r"several blocks.*deep_1"):
        BlockSelector(blocks={"all": "*", "deep": "deep_1"}, selections="passthrough").fit(X, y)
    with pytest.raises(DataError, match=r"block deep.*resnet"):
        BlockSelector(blocks={**BLOCKS, "deep": "resnet*"}, selections="passthrough").fit(X, y)
    with pytest.raises(DataError, match="do not match"):
        BlockSelector(blocks=BLOCKS, selections={"radiomics": k_best(1)}).fit(X, y)


def test_names_come_before_patterns_and_places():
    names = ["glcm[1]", "glcm1", "b", 7]
    assert choose_columns("glcm[1]", names, "").tolist() == [0]
    assert choose_columns("glcm*", names, "").tolist() == [0, 1]
    assert choose_columns(["b", "glcm1"], names, "").tolist() == [1, 2]
    assert choose_columns([7, 0], names, "").tolist() == [0, 3]
    assert choose_columns(None, names, "").tolist() == [0, 1, 2, 3]
    for wrong in ("x*", -1, 4):
        with pytest.raises(DataError, match="no column"):
            choose_columns(wrong, names, "block x")


def test_gaps_and_text_may_enter_the_block_that_takes_them():
    X, y = table()
    X.loc[::5, "age"] = np.nan
    filling = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    selections = {"radiomics": k_best(2), "deep": k_best(1), "clinical": filling}
    model = SelectiveClassifierCV(
        selection=BlockSelector(blocks=BLOCKS, selections=selections), model=LogisticRegression(), cv=3
    )
    assert np.isfinite(model.fit(X, y).predict_proba(X)).all()
    X.loc[0, "original_0"] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        clone(model).fit(X, y)


def test_patients_stay_whole_in_every_block():
    calls = []

    class Recording(StratifiedGroupKFold):
        def split(self, X, y=None, groups=None):
            for train, test in super().split(X, y, groups):
                calls.append(set(np.asarray(groups)[train]) & set(np.asarray(groups)[test]))
                yield train, test

    X, y = table()
    patients = np.arange(80) // 4
    y = (patients % 2).astype(int)
    X["original_2"] += 2 * y
    selection = BlockSelector(blocks=BLOCKS, selections=LassoSelector(cv=Recording(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RadioboneWarning)
        node = SelectiveClassifierCV(selection=selection, model=LogisticRegression(), cv=3)
        HierarchicalClassifier(estimator=node).fit(X, y, groups=patients)
    assert len(calls) == 4 * 3 * 3
    assert not set().union(*calls)


def test_blocks_of_a_recipe():
    text = {
        "blocks": {
            "of": {
                "radiomics": {
                    "columns": ["original_*"],
                    "steps": [{"standardise": None}, {"lasso": {"folds": 3}}],
                },
                "rest": {"columns": ["age", "sex", "deep_*"]},
            }
        }
    }
    step = SelectionStep.model_validate(text)
    assert step.name == "blocks"
    selector = step.chosen.build(StepContext(inner_folds=5, seed=7))
    assert [name for name, _ in selector.selections["radiomics"].steps] == ["standardise", "lasso"]
    assert selector.selections["radiomics"][-1].random_state == 7
    X, y = table()
    kept = selector.fit(X, y).get_feature_names_out().tolist()
    assert "original_2" in kept
    assert kept[-6:] == ["age", *[f"deep_{i}" for i in range(4)], "sex"]
    for wrong in ({"of": {}}, {"of": {"a": {"columns": []}}}, {"of": {"a": {"columns": ["x"], "step": []}}}):
        with pytest.raises(ValidationError):
            SelectionStep.model_validate({"blocks": wrong})
