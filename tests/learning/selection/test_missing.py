"""Columns with gaps: dropped or filled, by training rows alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.impute import SimpleImputer

from radiobone.learning import MissingValues

NAN = float("nan")


def holed(seed: int = 0, n_rows: int = 40) -> pd.DataFrame:
    """Columns of which 0, 10, 20, 30 and 100 percent are missing."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n_rows, 5)) + 3, columns=[f"f{share}" for share in (0, 10, 20, 30, 100)])
    for column, share in enumerate((0, 0.1, 0.2, 0.3, 1)):
        X.iloc[rng.permutation(n_rows)[: round(share * n_rows)], column] = NAN
    return X


def test_a_column_is_dropped_above_the_share_and_the_others_are_filled():
    X = holed()
    fitted = MissingValues(max_share=0.2).fit(X)
    assert fitted.get_feature_names_out().tolist() == ["f0", "f10", "f20"]
    assert fitted.missing_.tolist() == [0, 4, 8, 12, 40]
    assert fitted.notes_ == [
        "2 of 5 columns dropped: missing in more than 20% of training rows",
        "2 columns filled by median",
    ]
    assert fitted.transform(X).tolist() == SimpleImputer(strategy="median").fit_transform(X.iloc[:, :3]).tolist()


def test_a_share_that_meets_the_limit_exactly_is_kept():
    for n_missing, n_rows in ((29, 100), (7, 100), (3, 10)):
        X = np.arange(float(n_rows))[:, np.newaxis]
        X[:n_missing] = NAN
        assert MissingValues(max_share=n_missing / n_rows).fit(X).get_support().all()
        assert not MissingValues(max_share=n_missing / n_rows - 0.001).fit(X).get_support().any()


def test_a_column_that_all_rows_lack_goes_whatever_the_share():
    fitted = MissingValues(max_share=1).fit(holed())
    assert fitted.get_support().tolist() == [True, True, True, True, False]
    assert not np.isnan(fitted.transform(holed(1))).any()


@pytest.mark.parametrize(("strategy", "fill"), [("median", 3.0), ("mean", 4.0)])
def test_gaps_of_later_rows_are_filled_as_training_rows_say(strategy, fill):
    fitted = MissingValues(strategy=strategy).fit([[1.0, 1], [2, 2], [3, 3], [4, 4], [10, 5]])
    assert fitted.transform([[NAN, 500.0], [1e6, NAN]]).tolist() == [[fill, 500.0], [1e6, 3.0]]


def test_nearest_rows_are_found_whatever_the_unit():
    # The first column tells which rows are near; the second one is large and says nothing.
    near = np.repeat([0.0, 10.0], 10)
    rng = np.random.default_rng(0)
    X = np.column_stack([near, rng.normal(size=20), near + 1])
    row = np.array([[10.0, 0.0, NAN]])
    plain = MissingValues(strategy="knn", n_neighbors=3).fit(X).transform(row)
    assert plain[0, 2] == pytest.approx(11)
    scales = np.array([1e-6, 1e6, 1.0])
    scaled = MissingValues(strategy="knn", n_neighbors=3).fit(X * scales).transform(row * scales)
    assert scaled[0, 2] == pytest.approx(11)


def test_values_that_are_there_come_out_as_they_went_in():
    X = holed()
    for strategy in ("median", "mean", "knn"):
        filled = MissingValues(strategy=strategy, max_share=0.3).fit_transform(X)
        there = X.iloc[:, :4].notna().to_numpy()
        assert filled[there].tolist() == X.iloc[:, :4].to_numpy()[there].tolist()
        assert not np.isnan(filled).any()


def test_columns_with_any_gap_can_be_dropped():
    fitted = MissingValues(strategy="drop_columns").fit(holed())
    assert fitted.get_feature_names_out().tolist() == ["f0"]
    assert fitted.notes_ == ["4 of 5 columns dropped: missing in any training rows"]
    row = holed().iloc[:1].assign(f0=NAN)
    assert fitted.transform(row).tolist() == [[holed()["f0"].median()]]


def test_infinity_is_no_missing_value():
    with pytest.raises(ValueError, match="infinity"):
        MissingValues().fit([[1.0], [np.inf]])
    with pytest.raises(ValueError, match="infinity"):
        MissingValues().fit([[1.0], [2.0]]).transform([[-np.inf]])


def test_nothing_may_be_left():
    assert not MissingValues().fit([[NAN, NAN], [NAN, NAN]]).get_support().any()


def test_output_that_is_set_for_all_of_scikit_learn_changes_nothing_within():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    X[::7, 1] = np.nan
    with config_context(transform_output="pandas"):
        filter_ = MissingValues(strategy="knn").fit(X)
    # A scaler that gave tables in the fit would now warn of missing names.
    assert filter_.transform(X).tolist() == MissingValues(strategy="knn").fit_transform(X).tolist()
