"""Principal components against what they are by definition."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from radiobone.learning import BlockSelector, PrincipalComponents, SelectiveClassifierCV, linear_formula
from radiobone.learning.disk.linear_form import FormulaError


def table(n: int = 40, deep: int = 200) -> tuple[pd.DataFrame, np.ndarray]:
    """Two plain columns, and many that three hidden ones make up."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(n, 3)) * [5.0, 2.0, 1.0]
    values = np.hstack([rng.normal(size=(n, 2)), hidden @ rng.normal(size=(3, deep))])
    names = ["hu", "glcm", *(f"trabecular__deep-resnet18-axial_{number:04d}" for number in range(deep))]
    return pd.DataFrame(values, columns=names), (hidden[:, 0] > 0).astype(int)


def test_components_hold_the_variance_and_are_no_longer_correlated():
    X, _ = table()
    fitted = PrincipalComponents(columns="*deep-*", share=1.0).fit(X)
    assert fitted.get_feature_names_out().tolist() == [
        "hu", "glcm", *(f"trabecular__deep-resnet18-axial_pca_00{number}" for number in (1, 2, 3))
    ]  # fmt: skip
    new = fitted.transform(X)
    np.testing.assert_array_equal(new[:, :2], X[["hu", "glcm"]])
    covariance = np.cov(new[:, 2:].T)
    np.testing.assert_allclose(covariance, np.diag(fitted.explained_variance_), atol=1e-9 * covariance.max())
    total = X.iloc[:, 2:].var(ddof=1).sum()
    assert fitted.explained_variance_.sum() == pytest.approx(total)
    # Back again: nothing but rounding is lost.
    np.testing.assert_allclose(new[:, 2:] @ fitted.components_ + fitted.mean_, X.iloc[:, 2:], atol=1e-9)
    largest = np.abs(fitted.components_).argmax(axis=1)
    assert (fitted.components_[np.arange(3), largest] > 0).all()


def test_no_more_components_than_the_share_or_the_number_asks_for():
    X, _ = table()
    shares = PrincipalComponents(columns="*deep-*", share=1.0).fit(X).explained_share_
    assert len(shares) == 3, "the rest is rounding"
    for share, number in ((shares[0], 1), (shares[0] + 1e-6, 2), (0.999999, 3)):
        assert len(PrincipalComponents(columns="*deep-*", share=share).fit(X).components_) == number
    assert len(PrincipalComponents(columns="*deep-*", n_components=2, share=1.0).fit(X).components_) == 2


def test_whitened_components_have_variance_one():
    X, _ = table()
    new = PrincipalComponents(columns="*deep-*", share=1.0, whiten=True).fit_transform(X)[:, 2:]
    np.testing.assert_allclose(new.var(axis=0, ddof=1), 1.0)


def test_rows_are_projected_by_what_the_training_rows_say():
    X, _ = table()
    fitted = PrincipalComponents().fit(X.head(30))
    alone = fitted.transform(X.tail(1))
    np.testing.assert_allclose(alone, fitted.transform(X.tail(10))[-1:], rtol=1e-12)
    assert fitted.mean_ == pytest.approx(X.head(30).mean().to_numpy())


def test_columns_that_are_not_there_or_do_not_vary_leave_nothing_behind():
    X, _ = table(deep=3)
    none = PrincipalComponents(columns="*density_*").fit(X)
    assert none.notes_ == ["no column of these names"]
    np.testing.assert_array_equal(none.transform(X), X)
    flat = PrincipalComponents(columns="*deep-*").fit(X.assign(**dict.fromkeys(X.columns[2:], 0.1)))
    assert flat.get_feature_names_out().tolist() == ["hu", "glcm"]
    assert flat.transform(X).shape == (len(X), 2)


def test_components_of_several_blocks_have_names_of_their_own():
    X, y = table()
    blocks = {"plain": ["hu", "glcm"], "deep": "*deep-*"}
    steps = Pipeline([("standardise", StandardScaler()), ("pca", PrincipalComponents(n_components=1))])
    names = BlockSelector(blocks=blocks, selections=steps).fit(X, y).get_feature_names_out().tolist()
    assert names == ["pca_001", "trabecular__deep-resnet18-axial_pca_001"]
    pairs = X[["hu", "glcm"]].assign(age=X["glcm"] ** 2, bmi=X["hu"] ** 2)
    blocks = {"image": ["hu", "glcm"], "clinical": ["age", "bmi"]}
    names = BlockSelector(blocks=blocks, selections=steps).fit(pairs, y).get_feature_names_out().tolist()
    assert names == ["image_pca_001", "clinical_pca_001"]


def test_a_model_on_components_is_no_formula_of_columns():
    X, y = table()
    steps = Pipeline([("standardise", StandardScaler()), ("pca", PrincipalComponents())])
    model = SelectiveClassifierCV(selection=steps, model=LogisticRegression(), grid={"C": [1.0]}, cv=3).fit(X, y)
    assert model.selected_features_.tolist()[0] == "pca_001"
    with pytest.raises(FormulaError, match="cannot be written as a formula of single columns"):
        linear_formula(model)
