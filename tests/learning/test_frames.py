import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from radiobone.learning import (
    BlockSelector,
    DataError,
    HierarchicalClassifier,
    LateFusionClassifier,
    SelectiveClassifierCV,
)
from radiobone.learning.frames import is_text, rows_of


def table(n=60):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    X["a"] += 1.5 * y
    return X, y


class Centre(TransformerMixin, BaseEstimator):
    """Subtract each batch's mean, by name; keep what came in for the tests to see."""

    def fit(self, X, y=None):
        assert isinstance(X, pd.DataFrame)
        self.feature_names_in_ = np.array([name for name in X.columns if name != "centre"], dtype=object)
        self.means_ = X.groupby("centre").mean()
        return self

    def transform(self, X):
        assert isinstance(X, pd.DataFrame)
        names = self.feature_names_in_
        return X[names].to_numpy() - self.means_.loc[X["centre"], names].to_numpy()

    def get_feature_names_out(self, input_features=None):
        return self.feature_names_in_


class Names(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.seen_ = list(X.columns)
        return self

    def transform(self, X):
        assert list(X.columns) == self.seen_
        return X

    def get_feature_names_out(self, input_features=None):
        return np.asarray(input_features, dtype=object)


class Model(ClassifierMixin, BaseEstimator):
    """Asks for groups, and for plain numbers."""

    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    def fit(self, X, y, groups=None):
        assert type(X) is np.ndarray
        assert X.flags.writeable
        assert X.dtype == np.float64
        self.groups_ = groups
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]

    def decision_function(self, X):
        assert type(X) is np.ndarray
        return X[:, 0]


def test_steps_see_names_and_the_first_may_consume_text():
    X, y = table()
    X.insert(2, "centre", np.where(np.arange(60) % 3, "north", "south"))
    selection = Pipeline([("centre", Centre()), ("scale", StandardScaler()), ("names", Names())])
    patients = np.arange(60) // 2
    y = y[patients]
    X["a"] += 3.0 * y
    model = SelectiveClassifierCV(selection=selection, model=Model(), cv=3).fit(X, y, groups=patients)
    assert model.selection_[-1].seen_ == list("abcd")
    assert model.selected_features_.tolist() == list("abcd")
    np.testing.assert_array_equal(model.model_.groups_, patients)
    assert model.feature_names_in_.tolist() == ["a", "b", "centre", "c", "d"]
    assert model.predict_proba(X).shape == (60, 2)
    tree = HierarchicalClassifier(estimator=SelectiveClassifierCV(selection=selection, cv=3)).fit(X, y)
    assert tree.predict(X).shape == (60,)


def test_text_that_no_step_consumes_is_named():
    X, y = table()
    X["ward"] = "east"
    with pytest.raises(DataError, match="ward"):
        SelectiveClassifierCV(selection=Names(), model=LogisticRegression()).fit(X, y)


def test_a_table_gives_the_numbers_of_its_array():
    X, y = table()
    for table_ in (X, pd.concat([X[[name]] for name in X], axis=1)):
        framed = SelectiveClassifierCV().fit(table_, y)
        plain = SelectiveClassifierCV().fit(X.to_numpy(), y)
        np.testing.assert_allclose(framed.predict_proba(X), plain.predict_proba(X.to_numpy()), rtol=1e-12)
    assert rows_of(X, np.array([3, 1])).index.tolist() == [3, 1]


def test_gaps_pass_until_a_step_fills_them():
    X, y = table()
    X.iloc[::7, 1] = np.nan
    filling = SelectiveClassifierCV(
        selection=Pipeline([("scale", StandardScaler()), ("fill", SimpleImputer())]), model=LogisticRegression()
    )
    assert get_tags(filling).input_tags.allow_nan
    assert np.isfinite(filling.fit(X, y).predict_proba(X)).all()
    late = SelectiveClassifierCV(selection=StandardScaler(), model=LogisticRegression())
    assert not get_tags(late).input_tags.allow_nan
    with pytest.raises(DataError, match=r"contains NaN.*got: b \(9 of 60 rows\) \| do: .*MissingValues"):
        late.fit(X, y)
    with pytest.raises(DataError, match="b \\(1 of 1 rows"):
        late.fit(X.fillna(0.0), y).predict(X.iloc[:1])
    everywhere = X.assign(**{f"e{number}": np.nan for number in range(6)})
    with pytest.raises(DataError, match=r"got: b .*, e0 \(60 of 60 rows\), .*, e3 \(60 .* and 2 more columns"):
        late.fit(everywhere, y)
    with pytest.raises(ValueError, match="infinity"):
        filling.fit(X.replace(np.nan, np.inf), y)


def test_columns_of_one_name_are_refused():
    X, y = table()
    doubled = X.set_axis(["a", "b", "b", "d"], axis=1)
    for estimator in (SelectiveClassifierCV(), BlockSelector(), LateFusionClassifier()):
        with pytest.raises(DataError, match=r"same name.*got: b"):
            estimator.fit(doubled, y)


def test_numbers_in_object_columns_are_numbers():
    frame = pd.DataFrame({"i": [1, 2], "o": np.array([1.0, None], dtype=object), "t": ["1", "2"]})
    frame["c"] = pd.Categorical([1, 2])
    frame["k"] = pd.Categorical(["x", "y"])
    frame["b"] = [True, False]
    assert [name for name in frame if is_text(frame[name])] == ["t", "k"]


def test_an_array_gets_the_names_of_the_fit_after_one_warning():
    X, y = table()
    model = SelectiveClassifierCV(selection=StandardScaler(), model=LogisticRegression()).fit(X, y)
    with pytest.warns(UserWarning, match="valid feature names") as caught:
        proba = model.predict_proba(X.to_numpy())
    assert len(caught) == 1
    np.testing.assert_array_equal(proba, model.predict_proba(X))


@pytest.mark.parametrize("kind", ["text", "category", "date"])
def test_text_that_meets_a_step_of_numbers_is_named(kind):
    X, y = table(20)
    text = {"text": "A", "category": pd.Categorical(["A"] * 20), "date": pd.Timestamp("2020-01-01")}
    X["centre"] = text[kind]
    model = SelectiveClassifierCV(selection=StandardScaler(), model=LogisticRegression(), cv=2)
    with pytest.raises(DataError, match=r"columns of text.*where: step selection.*got: centre \(1 columns\)"):
        model.fit(X, y)


def test_steps_that_do_nothing_may_stand_in_a_pipeline():
    X, y = table()
    bare = Pipeline([("scale", StandardScaler())])
    with_gaps = Pipeline([("a", "passthrough"), ("scale", StandardScaler()), ("b", None)])
    one, other = (
        SelectiveClassifierCV(selection=steps, model=LogisticRegression(), cv=2).fit(X, y)
        for steps in (bare, with_gaps)
    )
    assert one.predict_proba(X).tolist() == other.predict_proba(X).tolist()
    assert other.selected_features_.tolist() == list("abcd")
