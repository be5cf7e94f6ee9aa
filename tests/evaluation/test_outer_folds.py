import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from radiobone.core.errors import UsageError
from radiobone.evaluation import KFolds, NestedCV, outer_folds
from radiobone.learning import DataError

CODES = np.repeat([0, 1, 2], [30, 18, 12])
GROUPS = np.array([f"p{i:02d}" for i in range(60)])


def test_each_row_is_tested_once_in_each_repeat():
    folds = outer_folds(CODES, GROUPS, classes="abc", folds=5, repeats=3, seed=1)
    assert [(fold.repeat, fold.fold) for fold in folds[:6]] == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 1)]
    for repeat in (1, 2, 3):
        tested = np.concatenate([fold.test for fold in folds if fold.repeat == repeat])
        assert sorted(tested) == list(range(60))
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        np.testing.assert_allclose(np.bincount(CODES[fold.test]), [6, 3.6, 2.4], atol=0.7)
    assert {tuple(folds[0].test)} != {tuple(folds[5].test)}


def test_seed_decides():
    first, again, other = (
        outer_folds(CODES, GROUPS, classes="abc", seed=seed)[0].test.tolist() for seed in (4, 4, 5)
    )
    assert first == again != other


def test_repeat_r_is_the_first_of_the_next_seed():
    second = outer_folds(CODES, GROUPS, classes="abc", repeats=2, seed=7)[5].test
    np.testing.assert_array_equal(second, outer_folds(CODES, GROUPS, classes="abc", seed=8)[0].test)


def test_patients_with_several_rows_stay_whole():
    codes, groups = np.repeat(CODES, 3), np.repeat(GROUPS, 3)
    for fold in outer_folds(codes, groups, classes="abc"):
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert set(codes[fold.test]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ({"folds": 1}, "folds is out of range.*got: 1.*from 2"),
        ({"folds": 0}, "folds is out of range"),
        ({"folds": 2.0}, "folds is out of range.*whole number"),
        ({"folds": True}, "folds is out of range"),
        ({"repeats": 0}, "repeats is out of range.*from 1"),
        ({"repeats": -1}, "repeats is out of range"),
        ({"seed": -1}, "seed is out of range.*from 0"),
        ({"seed": None}, "seed is out of range.*got: None"),
        ({"seed": 2**32}, "seed is too large"),
        ({"seed": 2**32 - 1, "repeats": 2}, "seed is too large.*last of 2 repeats"),
    ],
)
def test_a_plan_that_is_out_of_range_is_refused(plan, told):
    with pytest.raises(UsageError, match=told):
        outer_folds(CODES, GROUPS, classes="abc", **plan)
    with pytest.raises(UsageError, match=told):
        KFolds(**plan)


@pytest.mark.parametrize("jobs", [0, -2, 1.5, None, True])
def test_a_number_of_jobs_that_is_none_is_refused(jobs):
    with pytest.raises(UsageError, match=r"jobs is out of range.*-1 for one job on each core"):
        NestedCV(GaussianNB(), jobs=jobs)


def test_the_ends_of_the_range_are_taken():
    assert NestedCV(GaussianNB(), KFolds(np.int64(2), repeats=1, seed=2**32 - 1), jobs=-1)
    assert len(outer_folds(CODES, GROUPS, classes="abc", folds=2, seed=2**32 - 1)) == 2


def test_too_few_patients_are_named():
    codes, groups = np.repeat([0, 1], [20, 6]), np.concatenate([GROUPS[:20], np.repeat(GROUPS[20:23], 2)])
    with pytest.raises(DataError, match=r"got: osteoporosis: 3 patients.*at least 5"):
        outer_folds(codes, groups, classes=["normal", "osteoporosis"])
