import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.metrics import roc_auc_score

from radiobone.learning import DataError, HuThresholdClassifier, hu_alone, hu_columns
from radiobone.learning.disk.persistence import TRUSTED_TYPES

COLUMN = "trabecular__density_median_hu"
CLASSES = ["normal", "osteopenia", "osteoporosis"]


def table(hu) -> pd.DataFrame:
    return pd.DataFrame({"age": np.arange(len(hu), dtype=float), COLUMN: hu})


@pytest.mark.parametrize("labels", [CLASSES, ["none", "osteoporosis"], [0, 1], [False, True]], ids=str)
def test_the_rule_cuts_strictly_below_the_threshold(labels):
    y = np.repeat(labels, 4)
    fitted = HuThresholdClassifier().fit(table(np.linspace(50, 200, len(y))), y)
    hu = [-300.0, 0.0, 90.0, np.nextafter(90.25, 0.0), 90.25, 90.5, 105.0, 3000.0]
    below = (fitted.predict(table(hu)) == fitted.positive_).tolist()
    assert below == [True] * 4 + [False] * 4
    assert fitted.positive_ == labels[-1]


def test_probabilities_rank_by_hu_and_share_the_rest_by_the_prior():
    y = np.repeat(CLASSES, [30, 15, 10])
    rng = np.random.default_rng(0)
    fitted = HuThresholdClassifier().fit(table(rng.normal(120, 40, 55)), y)
    hu = np.linspace(-2000.0, 5000.0, 5001)
    proba = fitted.predict_proba(table(hu))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_allclose(proba[:, 0] / proba[:, 1], 2.0)
    assert (np.diff(proba[:, 2]) < 0.0).all()
    assert fitted.predict(table(hu)).tolist() == np.array(CLASSES)[proba.argmax(axis=1)].tolist()
    assert set(fitted.predict(table(hu))) == {"normal", "osteoporosis"}
    truth = rng.random(200) < 0.5
    values = rng.normal(np.where(truth, 80.0, 120.0), 30.0)
    assert roc_auc_score(truth, fitted.predict_proba(table(values))[:, 2]) == roc_auc_score(truth, -values)


def test_nothing_is_learned_from_hu():
    y = np.repeat(CLASSES, [30, 15, 10])
    one = HuThresholdClassifier().fit(table(np.full(55, 1000.0)), y)
    other = HuThresholdClassifier().fit(table(np.linspace(0, 200, 55)), y)
    hu = table(np.linspace(0, 200, 21))
    np.testing.assert_array_equal(one.predict_proba(hu), other.predict_proba(hu))


def test_contrast_phases_have_thresholds_of_their_own():
    y = ["normal", "osteoporosis"]
    fitted = HuThresholdClassifier(threshold_hu=90.25 + 14.75).fit(table([1.0, 2.0]), y)
    assert fitted.predict(table([104.9, 105.0])).tolist() == ["osteoporosis", "normal"]


def test_of_several_vertebrae_the_lowest_counts():
    X = pd.DataFrame(
        {
            "L1.trabecular__density_median_hu": [95.0, 150.0, np.nan],
            "L2.trabecular__density_median_hu": [85.0, 140.0, 91.0],
            "L1.trabecular__density_mean_hu": [0.0, 0.0, 0.0],
        }
    )
    fitted = HuThresholdClassifier().fit(X, ["osteoporosis", "normal", "normal"])
    assert fitted.columns_ == [0, 1]
    assert fitted.predict(X).tolist() == ["osteoporosis", "normal", "normal"]
    with pytest.raises(DataError, match=r"rows without a value of HU.*1 rows"):
        fitted.predict(X.assign(**{"L2.trabecular__density_median_hu": np.nan}))


@pytest.mark.parametrize("column", [1, COLUMN, [COLUMN], [1]])
def test_the_column_is_found_by_name_or_place(column):
    X = table([60.0, 120.0])
    fitted = HuThresholdClassifier(column=column).fit(X, ["osteoporosis", "normal"])
    assert fitted.predict(X).tolist() == ["osteoporosis", "normal"]
    if isinstance(column, int):
        assert HuThresholdClassifier(column=1).fit(X.to_numpy(), [1, 0]).predict(X.to_numpy()).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("options", "columns", "message"),
    [
        (
            {},
            ["age", "trabecular__density_mean_hu"],
            r"no column density_median_hu.*expected.*ends in __density_median",
        ),
        ({}, [COLUMN, "body__density_median_hu"], r"for 2 VOIs.*name the column"),
        ({"column": "hu"}, ["age", COLUMN], "no column of X.*got: hu"),
        ({"column": 2}, ["age", COLUMN], "no such column"),
        ({"positive": "fracture"}, ["age", COLUMN], r"none of the classes.*fracture"),
    ],
)
def test_wrong_use_is_named(options, columns, message):
    X = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=columns)
    with pytest.raises(DataError, match=message):
        HuThresholdClassifier(**options).fit(X, ["normal", "osteoporosis"])


def test_an_array_has_no_names_and_its_first_column_is_taken_and_told():
    fitted = HuThresholdClassifier().fit(np.array([[60.0, 1.0], [120.0, 1.0]]), [1, 0])
    assert fitted.notes_ == ["no column was named; the first is taken for HU"]
    assert fitted.predict([[90.0, 0.0]]).tolist() == [1]


def test_hu_alone_looks_at_its_column_only():
    rng = np.random.default_rng(0)
    y = np.repeat(CLASSES, 20)
    X = table(np.repeat([160.0, 110.0, 70.0], 20) + rng.normal(0.0, 8.0, 60)).rename(
        columns={COLUMN: "body__density_mean_hu"}
    )
    assert hu_columns(X.columns) == ["body__density_mean_hu"]
    fitted = hu_alone(hu_columns(X.columns)).fit(X, y)
    assert (fitted.predict(X) == y).mean() > 0.9
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(X.assign(age=1e9)))


def test_a_saved_rule_is_trusted_and_gives_the_same():
    X = table([60.0, 120.0, 95.0])
    for model in (HuThresholdClassifier(), hu_alone(COLUMN)):
        fitted = model.fit(X, ["osteoporosis", "normal", "normal"])
        dumped = skops.io.dumps(fitted)
        assert set(skops.io.get_untrusted_types(data=dumped)) <= set(TRUSTED_TYPES)
        loaded = skops.io.loads(dumped, trusted=list(TRUSTED_TYPES))
        np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
