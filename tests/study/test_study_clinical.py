from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from radiobone.evaluation import logistic_regression
from radiobone.learning import osteoporosis_first
from radiobone.study.clinical import CLINICAL, CLINICAL_NOTES, write_clinical_tables
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
            "kvp": 120,
        },
        index=y.index,
    )
    columns.loc["p003", "age"] = np.nan
    return SimpleNamespace(cohort_columns=columns, y=y)


def recipe(*columns):
    return SimpleNamespace(clinical=columns, tree=osteoporosis_first, evaluation=SimpleNamespace(level=0.9))


def test_every_node_and_column_has_its_row(dataset, tmp_path):
    columns = (Column(column="age"), Column(column="sex", reference="M"), Column(column="site", kind="category"))
    written = write_clinical_tables(recipe(*columns), dataset, tmp_path)
    assert written == [tmp_path / CLINICAL, tmp_path / CLINICAL_NOTES]
    rows = pd.read_csv(tmp_path / CLINICAL, dtype={"level": str, "reference": str})
    assert rows["node"].tolist() == ["osteoporosis_vs_rest"] * 3 + ["osteopenia_vs_normal"] * 3
    assert rows["predictor"].tolist() == ["age", "sex", "site"] * 2
    assert rows["reference"].tolist()[1:3] == ["M", "1"]
    assert rows["n"].tolist()[:2] == [119, 120]
    table = dataset.cohort_columns.assign(y=dataset.y)
    direct = logistic_regression(table, "y", ["age"], positive="osteoporosis", level=0.9).coefficients[0]
    np.testing.assert_allclose(rows.loc[0, ["odds_ratio", "low", "high"]].astype(float), direct.odds_ratio)
    notes = pd.read_csv(tmp_path / CLINICAL_NOTES)
    assert notes["note"][0] == "odds of true class = osteoporosis (against osteopenia or normal)"
    assert notes["note"].str.contains("1 of 120 rows lack a value").any()
    assert rows.columns[:3].tolist() == ["node", "positive", "negative"]


def test_a_constant_column_is_told_and_nothing_is_written_without_columns(dataset, tmp_path):
    write_clinical_tables(recipe(Column(column="kvp"), Column(column="sex")), dataset, tmp_path)
    rows = pd.read_csv(tmp_path / CLINICAL)
    assert rows.loc[rows["predictor"] == "kvp", "note"].tolist() == ["a predictor has one value only"] * 2
    assert write_clinical_tables(recipe(), dataset, tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
