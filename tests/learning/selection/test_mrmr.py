"""mRMR against a plain implementation of the published rule, and cases known by hand."""

import functools
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import f_classif
from sklearn.metrics import mutual_info_score

from radiobone.learning import DataError, MRMRSelector


def plain(X: np.ndarray, y: np.ndarray, k: int, form: str) -> list[int]:
    """Write the rule out, one pair of columns at a time, with scikit-learn's and pandas' measures."""
    if form.startswith("F"):
        relevance = f_classif(X, y)[0]
        correlations = pd.DataFrame(X).corr().abs().to_numpy()

        def alike(one: int, other: int) -> float:
            return float(correlations[one, other])

    else:
        z = (X - X.mean(axis=0)) / X.std(axis=0)
        states = np.where(z >= 1, 1, np.where(z <= -1, -1, 0))
        relevance = np.array([mutual_info_score(y, column) for column in states.T])

        @functools.cache
        def alike(one: int, other: int) -> float:
            return float(mutual_info_score(states[:, one], states[:, other]))

    taken = [int(np.argmax(relevance))]
    while len(taken) < k:
        scores = {}
        for column in set(range(X.shape[1])) - set(taken):
            mean_redundancy = np.mean([alike(column, other) for other in taken])
            scores[column] = (
                relevance[column] / mean_redundancy if form.endswith("Q") else relevance[column] - mean_redundancy
            )
        taken.append(max(scores, key=lambda column: (round(scores[column], 12), -column)))
    return taken


def blocks(n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Five hidden variables, six columns of each, of which some follow the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, 90)
    hidden = rng.normal(size=(90, 5)) + y[:, np.newaxis] * np.array([1.2, 0.8, 0.5, 0.2, 0])
    return np.repeat(hidden, 6, axis=1) + rng.normal(size=(90, 30)) * 0.6, y


@pytest.mark.parametrize("form", ["FCD", "FCQ", "MID", "MIQ"])
@pytest.mark.parametrize(("n_classes", "seed"), [(2, 0), (2, 1), (3, 2)])
def test_takes_what_the_plain_rule_takes(form, n_classes, seed):
    X, y = blocks(n_classes, seed)
    fitted = MRMRSelector(k=12, form=form).fit(X, y)
    assert fitted.order_.tolist() == plain(X, y, 12, form)
    assert fitted.get_support().sum() == 12


def test_worked_example_of_mutual_information():
    # Columns of two values; y has four of each class. a agrees with y in 7 of 8 rows, b is a copy of a,
    # c agrees in 6 of 8 rows and errs in other ones.
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    a = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    c = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    fitted = MRMRSelector(k=2, form="MID").fit(np.column_stack([a, a, c]).astype(float), y)

    def information(one: np.ndarray, other: np.ndarray) -> float:
        def entropy(*columns: np.ndarray) -> float:
            counts = Counter(zip(*(column.tolist() for column in columns), strict=True))
            return -sum(count / 8 * math.log(count / 8) for count in counts.values())

        return entropy(one) + entropy(other) - entropy(one, other)

    assert fitted.relevance_ == pytest.approx([information(a, y), information(a, y), information(c, y)])
    assert fitted.order_.tolist() == [0, 2]
    assert fitted.scores_ == pytest.approx([information(a, y), information(c, y) - information(a, c)])


def test_a_copy_is_passed_over_for_what_is_new():
    X, y = blocks(2, 5)
    doubled = np.column_stack([X[:, 0], X[:, 0] * 3 - 2, X[:, 6]])
    for form in ("FCQ", "MIQ"):
        assert MRMRSelector(k=2, form=form).fit(doubled, y).order_.tolist() == [0, 2]


def test_equal_columns_tie_to_the_left():
    X, y = blocks(2, 3)
    same = np.repeat(X[:, :1], 6, axis=1)
    assert MRMRSelector(k=3).fit(same, y).order_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("form", ["FCD", "FCQ", "MID", "MIQ"])
def test_constant_columns_are_left_out_and_fewer_than_k_are_all_kept(form):
    X, y = blocks(2, 4)
    few = np.column_stack([np.full(90, 0.1), X[:, :3]])
    fitted = MRMRSelector(k=10, form=form).fit(few, y)
    assert fitted.get_support().tolist() == [False, True, True, True]
    assert fitted.relevance_[0] == 0
    assert fitted.notes_ == [
        "1 constant columns left out",
        "k=10 columns were asked for, and there are 3: all are kept",
    ]
    assert not MRMRSelector(form=form).fit(np.ones((90, 2)), y).get_support().any()


@pytest.mark.parametrize("form", ["FCD", "FCQ", "MID", "MIQ"])
def test_unit_and_origin_play_no_part(form):
    X, y = blocks(2, 6)
    order = MRMRSelector(k=8, form=form).fit(X, y).order_
    assert MRMRSelector(k=8, form=form).fit(X * np.logspace(-150, 150, 30), y).order_.tolist() == order.tolist()


def test_a_column_that_parts_the_classes_wholly_comes_first():
    X, y = blocks(2, 7)
    parted = np.column_stack([X, y * 2.0])
    for form in ("FCD", "FCQ", "MID", "MIQ"):
        assert MRMRSelector(k=3, form=form).fit(parted, y).order_[0] == 30


def test_one_class_is_told():
    with pytest.raises(DataError, match="two classes"):
        MRMRSelector().fit(np.eye(4), np.zeros(4))
