from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from radiobone.evaluation import logistic_regression
from radiobone.learning import osteoporosis_first
from radiobone.study.clinical import clinical_tables
from radiobone.study.recipe.table import Column

CLASSES = ["normal", "osteopenia", "osteoporosis"]


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    y = pd.Series(np.repeat(CLASSES, 40), index=[f"p{i:03d}" for i in range(120)])
    columns = pd.DataFrame(
        {
            "age": rng.normal(60.0, 8.0, 120) + 6.0 * (y == "osteoporosis").to_numpy(),
            "sex": rng.choice(["F", "M"], 120),
            "site": rng.choice([1, 2], 120),
        },
        index=y.index,
    )
    columns.loc["p003", "age"] = np.nan
    return SimpleNamespace(cohort_columns=columns, y=y, keys=y.index.to_frame(name="patient_id"))


def recipe(*columns, wanted=True):
    return SimpleNamespace(
        clinical=columns,
        nodes=osteoporosis_first(),
        evaluation=SimpleNamespace(level=0.9, clinical_table=wanted),
    )


def test_every_node_has_each_column_alone_and_all_together(dataset):
    columns = (Column(column="age"), Column(column="sex", reference="M"), Column(column="site", kind="category"))
    first, second = clinical_tables(recipe(*columns), dataset)
    assert (first.node, second.node) == ("osteoporosis_vs_rest", "osteopenia_vs_normal")
    for one in (first, second):
        assert one.table["predictor"].tolist() == ["age", "sex", "site"]
        assert one.table["reference"].tolist()[1:] == ["M", "1"]
        assert one.table["adjusted_odds_ratio"].notna().all()
    assert first.table["n"].tolist() == [119, 120, 120]
    assert second.table["n"].tolist() == [79, 80, 80]
    table = dataset.cohort_columns.assign(y=dataset.y)
    direct = logistic_regression(table, "y", ["age"], positive="osteoporosis", level=0.9).coefficients[0]
    np.testing.assert_allclose(first.table.loc[0, ["odds_ratio", "low", "high"]].astype(float), direct.odds_ratio)
    assert first.notes[0] == "odds of outcome = osteoporosis (against osteopenia or normal)"
    assert any(note.startswith("1 of 120 rows lack a value") for note in first.notes)


def test_a_column_with_one_value_is_told_and_stops_no_other(dataset):
    dataset.cohort_columns["centre"] = "A"
    first, _ = clinical_tables(recipe(Column(column="age"), Column(column="centre")), dataset)
    assert any("centre" in note for note in first.notes)
    assert first.table.loc[first.table["predictor"] == "age", "odds_ratio"].notna().all()


def test_nothing_is_fitted_without_columns_or_unasked(dataset):
    assert clinical_tables(recipe(), dataset) == []
    assert clinical_tables(recipe(Column(column="age"), wanted=False), dataset) == []


def test_vertebrae_of_a_patient_are_no_independent_rows(dataset):
    (first, _) = clinical_tables(recipe(Column(column="age")), dataset)
    twice = {
        name: pd.concat([part, part.set_axis([f"{row} L2" for row in part.index])])
        for name, part in (("cohort_columns", dataset.cohort_columns), ("y", dataset.y), ("keys", dataset.keys))
    }
    (again, _) = clinical_tables(recipe(Column(column="age")), SimpleNamespace(**twice))
    assert again.table.loc[0, "odds_ratio"] == pytest.approx(first.table.loc[0, "odds_ratio"])
    width, of_twice = (one.table.loc[0, "high"] - one.table.loc[0, "low"] for one in (first, again))
    assert of_twice == pytest.approx(width, rel=0.1), "each row twice tells no more"
