import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from radiobone.learning import EliminationSelector, ImportanceSelector


def informative() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(
        n_samples=120, n_features=40, n_informative=4, n_redundant=0, class_sep=2, shuffle=False, random_state=0
    )
    return StandardScaler().fit_transform(X), y


def test_elimination_is_that_of_scikit_learn():
    X, y = informative()
    fitted = EliminationSelector(k=6, step=0.2).fit(X, np.where(y == 1, "well", "ill"))
    expected = RFE(SVC(kernel="linear", class_weight="balanced"), n_features_to_select=6, step=0.2).fit(X, y)
    assert fitted.ranking_.tolist() == expected.ranking_.tolist()
    assert fitted.get_support().sum() == 6
    assert fitted.notes_ == []


def test_elimination_finds_the_columns_that_matter_and_keeps_all_where_there_are_few():
    X, y = informative()
    kept = EliminationSelector(k=4).fit(X, y).get_support(indices=True)
    assert len(set(kept) & {0, 1, 2, 3}) >= 3
    few = EliminationSelector(k=50).fit(X, y)
    assert few.get_support().all()
    assert few.notes_ == ["k=50 columns were asked for, and there are 40: all are kept"]


def test_importance_is_that_of_a_random_forest():
    X, y = informative()
    fitted = ImportanceSelector(k=5, n_estimators=60, criterion="entropy", random_state=3).fit(X, y)
    forest = RandomForestClassifier(60, criterion="entropy", random_state=3).fit(X, y)
    assert fitted.importances_.tolist() == forest.feature_importances_.tolist()
    assert fitted.order_.tolist() == np.argsort(-forest.feature_importances_)[:5].tolist()
    assert len(set(fitted.order_) & {0, 1, 2, 3}) >= 3
    again = ImportanceSelector(k=5, n_estimators=60, criterion="entropy", random_state=3).fit(X, y)
    assert again.order_.tolist() == fitted.order_.tolist()


def test_columns_of_no_importance_are_not_kept():
    X, y = informative()
    padded = np.column_stack([np.ones((120, 3)), X[:, :2]])
    fitted = ImportanceSelector(k=4, n_estimators=20).fit(padded, y)
    assert fitted.get_support().tolist() == [False, False, False, True, True]
    assert fitted.notes_ == ["k=4 columns were asked for, and 2 are of any importance"]
    assert not ImportanceSelector(n_estimators=5).fit(np.ones((20, 2)), y[:20]).get_support().any()


@pytest.mark.parametrize("wrong", [{"k": 0}, {"step": 1.0}, {"C": 0.0}])
def test_parameters_are_checked_at_fit(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EliminationSelector(**wrong).fit(*informative())
