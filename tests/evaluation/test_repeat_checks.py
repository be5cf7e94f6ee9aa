"""Repeated measurements are looked at before the first fit: enough of them, and none of a test patient."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from radiobone.evaluation import KFolds, NestedCV
from radiobone.learning import (
    DataError,
    HierarchicalClassifier,
    Repeats,
    SelectiveClassifierCV,
    StabilityFilter,
    osteoporosis_first,
)

PATIENTS = np.array([f"p{number:02d}" for number in range(60)])
CLASSES = np.repeat(["normal", "osteopenia", "osteoporosis"], 20)


def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    X["a"] += 3.0 * (np.arange(60) // 20)
    return X


def repeats(patients):
    values = np.random.default_rng(1).normal(size=(len(patients), 3)).repeat(2, axis=0)
    return Repeats(pd.DataFrame(values, columns=list("abc")), np.repeat(patients, 2), ["1", "2"] * len(patients))


class Never(LogisticRegression):
    """A model that no fold should come to."""

    def fit(self, X, y):
        raise AssertionError("a fold was fitted")


def procedure(model=None, inner=3, **stability):
    selection = Pipeline([("stability", StabilityFilter(**stability))])
    node = SelectiveClassifierCV(selection=selection, model=model or Never(), cv=inner)
    return HierarchicalClassifier(estimator=node, nodes=osteoporosis_first())


def run(estimator, y=CLASSES):
    return NestedCV(estimator, KFolds(folds=3)).run(table(), y, groups=PATIENTS)


def test_too_few_repeats_at_a_node_are_told_before_the_first_fit():
    # Ten of 40 at the second node, of whom a training set has at most 7 in some fold, and two thirds of them 4.
    with pytest.raises(DataError, match=r"too few patients.*node osteopenia_vs_normal.*some inner fold.*least 5"):
        run(procedure(repeats=repeats([*PATIENTS[:40:4], *PATIENTS[40:]])))


def test_a_patient_of_a_separate_sample_may_not_be_a_test_patient():
    # Fit sees training rows only: this patient would pass in the fold that tests it.
    with pytest.raises(DataError, match=r"1 patients of the separate sample are in the study.*got: p07"):
        run(procedure(repeats=repeats(["p07", *(f"s{number}" for number in range(9))]), sample="separate"))


def test_a_classifier_without_nodes_is_looked_at_too():
    two = np.where(CLASSES == "normal", "no", "yes")
    flat = procedure(repeats=repeats(PATIENTS[:6])).estimator
    with pytest.raises(DataError, match=r"too few patients with repeated"):
        run(flat, two)


@pytest.mark.parametrize("sample", ["training", "separate"])
def test_enough_repeats_pass(sample):
    patients = PATIENTS if sample == "training" else [f"s{number}" for number in range(6)]
    result = run(procedure(LogisticRegression(), repeats=repeats(patients), sample=sample))
    assert len(result.fits) == 3


def test_patients_written_in_two_ways_are_told_before_the_first_fit():
    strangers = repeats([f"{number:03d}" for number in range(60, 66)] + ["007"])
    numbered = procedure(repeats=strangers, sample="separate")
    with pytest.raises(DataError, match=r"written in one way.*got: 7 and 007"):
        NestedCV(numbered, KFolds(folds=3)).run(table(), CLASSES, groups=np.arange(60))


def test_patients_that_a_table_holds_as_floats_are_those_of_whole_numbers():
    numbered = procedure(repeats=repeats(np.arange(3)), sample="separate")
    with pytest.raises(DataError, match=r"3 patients of the separate sample are in the study"):
        NestedCV(numbered, KFolds(folds=3)).run(table(), CLASSES, groups=np.arange(60.0))
