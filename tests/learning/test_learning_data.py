"""Rows without a class or a patient, and patients of two kinds, whoever asks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from radiobone.learning import DataError, FlatClassifier, HierarchicalClassifier, SelectiveClassifierCV
from radiobone.learning.data import check_groups, check_labels

Y = np.repeat(["a", "b"], 10)
X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["f", "g"])


@pytest.mark.parametrize(
    "groups",
    [
        [None, *range(1, 20)],
        [np.nan, *range(1, 20)],
        pd.array([pd.NA, *range(1, 20)], dtype="Int64"),
        pd.Series([None, *map(str, range(1, 20))]),
    ],
    ids=["None", "NaN", "NA", "text"],
)
def test_a_row_without_a_patient_is_refused(groups):
    # Such rows would count as rows of one patient "nan", or not be sorted at all.
    with pytest.raises(DataError, match=r"rows without a patient.*got: 1 rows"):
        check_groups(groups, Y)
    with pytest.raises(DataError, match="rows without a patient"):
        SelectiveClassifierCV().fit(X, Y, groups=groups)


def test_patients_that_are_text_and_numbers_are_refused():
    with pytest.raises(DataError, match=r"text and numbers at once.*astype\(str\)"):
        check_groups([1, "1", *range(2, 20)], Y)
    assert check_groups([np.int64(1), 1, *range(2, 20)], Y).tolist() == [1, 1, *range(2, 20)]
    assert check_groups(None, Y) is None


@pytest.mark.parametrize("rows", [X, X.to_numpy()], ids=["table", "array"])
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA], ids=["None", "NaN", "NA"])
def test_a_row_without_a_class_is_refused(rows, missing):
    y = np.array([missing, *Y[1:]], dtype=object)
    for model in (SelectiveClassifierCV(), HierarchicalClassifier(), FlatClassifier()):
        with pytest.raises(DataError, match=r"rows without a class.*got: 1 rows"):
            model.fit(rows, y)


def test_labels_of_any_kind_are_classes():
    for y in (pd.Categorical(Y), pd.Series(Y, dtype="string"), Y == "b", pd.Series(Y, index=range(5, 25))):
        model = HierarchicalClassifier(estimator=LogisticRegression()).fit(X, y)
        assert len(model.classes_) == 2
    assert check_labels(pd.array([1, 0], dtype="Int64")).tolist() == [1, 0]
