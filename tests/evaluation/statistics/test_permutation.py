import math

import numpy as np
import pytest

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.permutation import permutation_test, permute_labels
from radiobone.learning.data import DataError


def test_p_value_counts_the_true_labelling():
    figures = iter([0.7, 0.6, 0.7, np.nan, 0.8, 0.1, 0.2, 0.3, 0.4, 0.5])
    calls = []
    found = permutation_test(
        lambda labels: next(figures), [0, 1, 0, 1], permutations=9, progress=lambda *c: calls.append(c)
    )
    # At least as good: 0.7, 0.8 and the one without a figure.
    assert (found.score, found.p_value, found.n_undefined) == (0.7, 4 / 10, 1)
    assert calls == [(number, 10) for number in range(1, 11)]
    figures = iter([0.2, 0.1, 0.2, 0.3])
    errors = permutation_test(lambda labels: next(figures), [0, 1], permutations=3, greater_is_better=False)
    assert errors.p_value == 3 / 4


def test_a_figure_that_the_true_labels_lack_has_no_p_value():
    assert math.isnan(permutation_test(lambda labels: math.nan, [0, 1], permutations=2).p_value)


def test_p_values_under_noise_are_uniform():
    rng = np.random.default_rng(0)

    def p_value(seed):
        feature, labels = rng.normal(size=24), np.arange(24) % 2
        return permutation_test(lambda y: feature[y == 1].mean(), labels, permutations=39, seed=seed).p_value

    p_values = np.array([p_value(seed) for seed in range(250)])
    # 0.2 holds 8 of 40 labellings: 50 of 250, SD 6.
    assert (p_values <= 0.2).sum() == pytest.approx(50, abs=22)
    assert p_values.min() >= 1 / 40


def test_labels_move_from_patient_to_patient():
    groups = np.array(["c", "a", "b", "a", "d", "c", "c"])
    labels = np.array([1, 0, 1, 0, 0, 1, 1])
    seen = set()
    for number in range(40):
        permuted = permute_labels(labels, groups, 0, number)
        of_patient = {name: set(permuted[groups == name]) for name in "abcd"}
        assert all(len(kept) == 1 for kept in of_patient.values())
        assert sorted(kept.pop() for kept in of_patient.values()) == [0, 0, 1, 1]
        seen.add(tuple(permuted))
    assert len(seen) == 6


def test_labels_of_vertebrae_stay_together_and_in_order():
    groups = np.array([1, 1, 2, 2, 3, 3, 3, 4])
    labels = np.array(["x", "y", "z", "z", "x", "x", "y", "z"])
    found = {tuple(permute_labels(labels, groups, 0, number)) for number in range(20)}
    assert found == {tuple(labels), ("z", "z", "x", "y", "x", "x", "y", "z")}
    noted = permutation_test(lambda y: 0.0, labels, groups=groups, permutations=2)
    assert noted.notes == ("2 patients kept their labels: no other has as many rows",)


def test_each_permutation_depends_on_seed_and_number_alone():
    labels = np.arange(30) % 3
    assert (permute_labels(labels, None, 5, 7) == permute_labels(labels, None, 5, 7)).all()
    assert (permute_labels(labels, None, 5, 7) != permute_labels(labels, None, 5, 8)).any()
    assert (permute_labels(labels, None, 5, 7) != permute_labels(labels, None, 6, 7)).any()


@pytest.mark.parametrize(("labels", "groups"), [([1, 1, 1], None), ([0, 1, 0], [1, 1, 2]), ([0, 1], [1, 1])])
def test_labels_that_cannot_move_are_refused(labels, groups):
    with pytest.raises(DataError, match="cannot be permuted"):
        permutation_test(lambda y: 0.0, labels, groups=groups)


def test_wrong_numbers_are_refused():
    with pytest.raises(UsageError, match="permutations"):
        permutation_test(lambda y: 0.0, [0, 1], permutations=0)
