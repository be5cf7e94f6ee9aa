import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LassoCV, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from radiobone.learning import DataError
from radiobone.learning.folds import fewer_folds, inner_folds
from radiobone.learning.routing import fit_with_groups


def test_patients_stay_whole_and_classes_keep_their_shares():
    groups = np.repeat(np.arange(40), 3)
    codes = (groups % 4 == 0).astype(int)
    splits = inner_folds(5, None, codes, groups, 0)
    assert len(splits) == 5
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
        assert codes[test].mean() == pytest.approx(0.25, abs=0.05)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(120))


def test_folds_are_as_many_as_the_smallest_class_has_patients():
    codes = np.array([0] * 20 + [1] * 3)
    assert len(inner_folds(5, None, codes, None, 0)) == 3
    # Three rows, but two patients.
    groups = np.concatenate([np.arange(20), [20, 20, 21]])
    assert len(inner_folds(5, None, codes, groups, 0)) == 2


def test_fewer_folds_than_asked_for_are_told():
    assert fewer_folds(5, 3) == ["3 inner folds instead of 5: the smallest class has no more training patients"]
    assert fewer_folds(np.int64(5), 5) == []
    # A splitter gives what it gives.
    assert fewer_folds(StratifiedKFold(5), 3) == []


def test_one_patient_of_a_class_is_refused():
    codes, groups = np.array([0] * 9 + [1, 1]), np.concatenate([np.arange(9), [9, 9]])
    with pytest.raises(DataError, match="two patients"):
        inner_folds(5, None, codes, groups, 0)


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored:UserWarning")
def test_a_splitter_that_tears_patients_apart_is_refused():
    groups, codes = np.repeat(np.arange(10), 2), np.tile([0, 0, 1, 1], 5)
    with pytest.raises(DataError, match="both sides"):
        inner_folds(KFold(3), np.zeros((20, 1)), codes, groups, 0)


def test_a_training_part_without_a_class_is_refused():
    with pytest.raises(DataError, match="lacks a class"):
        inner_folds(KFold(2), np.zeros((10, 1)), np.repeat([0, 1], 5), None, 0)


def test_hidden_cross_validation_that_takes_no_groups_is_refused():
    groups, y = np.repeat(np.arange(10), 2), np.tile([0, 0, 1, 1], 5)
    X = np.random.default_rng(0).normal(size=(20, 2))
    for blind in (
        GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=StratifiedKFold(2)),
        GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2),
        make_pipeline(LassoCV(cv=3, alphas=10)),
    ):
        with pytest.raises(DataError, match="takes no groups"):
            fit_with_groups(blind, X, y, groups)
    seeing = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=StratifiedGroupKFold(2))
    assert fit_with_groups(seeing, X, y, groups).best_params_
    # Where every row is a patient, no split can tear one apart.
    assert fit_with_groups(GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2), X, y, np.arange(20)).best_params_


@pytest.mark.parametrize(
    "blind",
    [
        SVC(probability=True),
        MLPClassifier(early_stopping=True),
        make_pipeline(SGDClassifier(early_stopping=True)),
        GradientBoostingClassifier(n_iter_no_change=3),
        HistGradientBoostingClassifier(early_stopping=True),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_that_part_their_rows_by_themselves_are_refused(blind):
    groups, y = np.repeat(np.arange(10), 2), np.tile([0, 0, 1, 1], 5)
    with pytest.raises(DataError, match=r"parts rows by itself.*=(True|3)\).*expected: .*=(False|None)"):
        fit_with_groups(blind, np.ones((20, 2)), y, groups)


def test_models_that_do_not_part_their_rows_may_be_fitted_on_patients_of_several():
    groups, y = np.repeat(np.arange(10), 2), np.tile([0, 0, 1, 1], 5)
    X = np.random.default_rng(0).normal(size=(20, 2))
    for whole in (SVC(), SGDClassifier(), GradientBoostingClassifier(n_estimators=2)):
        assert fit_with_groups(whole, X, y, groups).predict(X).shape == (20,)
    assert fit_with_groups(SGDClassifier(early_stopping=True), X, y, np.arange(20)).classes_.size == 2
