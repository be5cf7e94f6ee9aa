"""Vertebrae as the rows of a study: each patient whole, each level with a class of its own if need be."""

import numpy as np
import pandas as pd
import pytest
from study_tables import COLUMNS, plain_demo, tables, write_table, write_tables
from test_study_training import quick

from radiobone.core.errors import TableError
from radiobone.learning.disk.persistence import load_model
from radiobone.reporting.flow import flow_figure
from radiobone.study.arms import plan_arms
from radiobone.study.dataset import assemble
from radiobone.study.learned import curve, permutations
from radiobone.study.prediction import predict
from radiobone.study.recipe import Recipe
from radiobone.study.training import train
from radiobone.tables.features import read_features

LEVELS = ["L1", "L2", "L3"]


def by_level(recipe: Recipe, **table: object) -> Recipe:
    """A recipe whose rows are levels."""
    keys = recipe.model_dump(exclude_unset=True)
    return Recipe.model_validate(keys | {"table": {"unit": "level", **table}})


def write_levels(folder, n=60, seed=0):
    """Tables whose BMD differs from level to level, with some levels lost in every way there is."""
    write_tables(folder, n=n, seed=seed)
    cohort = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    bmd = cohort.pop("bmd_mg_cm3").astype(float)
    for number, level in enumerate(LEVELS):
        cohort[f"bmd_mg_cm3.{level}"] = (bmd + 15 * (number - 1)).round(1).astype(str)
    cohort.loc[0, "bmd_mg_cm3.L1"] = ""
    cohort.loc[1, "metal"] = "yes"
    cohort["age"] = 60 + np.arange(n) % 7
    cohort.to_csv(folder / "cohort.csv", index=False)
    table = read_features(folder / "features.csv").table
    lost = (table["patient_id"] == "p002") & (table["level"] == "L2")
    table.loc[lost, ["status", "reason"]] = ["failed", "mask is empty | where: p002"]
    table.loc[lost, COLUMNS] = np.nan
    table.loc[(table["patient_id"] == "p003") & (table["level"] == "L3"), COLUMNS[0]] = np.nan
    whole = (table["patient_id"] == "p004") & (table["level"] == "L1")
    table.loc[whole, ["level", "status", "reason"]] = ["", "failed", "image cannot be read"]
    table = table[(table["patient_id"] != "p004") | whole]
    table = table[(table["patient_id"] != "p005") | (table["level"] != "L1")]
    write_table(folder, table.reset_index(drop=True))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels")
    write_levels(folder)
    recipe = by_level(quick(plain_demo()), exclude=["metal"])
    return folder, recipe, train(recipe, *tables(folder), folder / "out", progress=False)


def test_each_level_is_a_row_with_its_own_class_and_features(study):
    folder, recipe, _ = study
    features, cohort = tables(folder)
    data = assemble(recipe, features, cohort)
    assert data.labels_by == "row"
    assert data.keys.loc["p006 L2"].tolist() == ["p006", "L2"]
    bmd = float(cohort.table.set_index("patient_id").loc["p006", "bmd_mg_cm3.L1"])
    assert data.y["p006 L1"] == ("osteoporosis" if bmd < 80 else "osteopenia")
    assert data.y.groupby(data.patients).nunique().max() > 1
    rows = features.table.set_index(["patient_id", "level"])
    expected = rows.loc[("p006", "L2"), COLUMNS].astype(float).to_numpy()
    np.testing.assert_array_equal(data.X.loc["p006 L2", [f"trabecular__{name}" for name in COLUMNS]], expected)


def test_every_lost_level_is_counted(study):
    folder, _, _ = study
    flow = pd.read_csv(folder / "out/flow.csv").groupby(["step", "reason"], dropna=False, sort=False)["rows"].sum()
    assert flow.xs("cohort").sum() == 180
    assert flow["excluded: label", "no label"] == 1
    assert flow["excluded: by user", "yes"] == 3
    found = {reason: count for (step, reason), count in flow.items() if str(step).startswith("excluded: features")}
    assert found == {"mask is empty": 1, "image cannot be read": 3, "not in the feature table": 1}
    assert flow.xs("analysed").sum() == 180 - 1 - 3 - 5 - 1
    table = pd.read_csv(folder / "out/flow.csv")
    for name in ("patients", "rows"):
        sums = table.groupby([table["step"] == "cohort", "class"])[name].sum()
        assert sums[True].to_dict() == sums[False].to_dict()


def test_the_flow_of_levels_is_drawn_in_vertebrae(study):
    folder, _, _ = study
    figure = flow_figure(pd.read_csv(folder / "out/flow.csv", keep_default_na=False), unit="vertebrae")
    told = "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)
    assert "Cohort: 180 vertebrae" in told
    assert "Excluded, features: 5 vertebrae" in told
    assert "Analysed: 170 vertebrae" in told
    assert "patients" not in told


def test_predictions_and_folds_name_patient_and_level_and_patients_are_whole(study):
    folder, _, done = study
    predictions = pd.read_csv(folder / "out/predictions.csv", dtype=str)
    assert predictions[predictions["arm"] == predictions["arm"][0]].groupby(["patient_id", "level"]).ngroups == 170
    folds = pd.read_csv(folder / "out/folds.csv", dtype=str)
    assert (folds["group"] == folds["patient_id"]).all()
    assert (folds.groupby(["repeat", "fold", "group"])["role"].nunique() == 1).all()
    counts = done.results["validation"]
    assert (counts["n_rows"], counts["n_patients"]) == (170, 58)


def test_a_model_of_levels_predicts_levels(study, tmp_path):
    folder, _, _ = study
    assert load_model(folder / "out/model").manifest.source.unit == "level"
    write_levels(tmp_path, n=9, seed=7)
    found = predict(folder / "out/model", read_features(tmp_path / "features.csv")).set_index(
        ["patient_id", "level"]
    )
    assert len(found) == 9 * 3 - 1
    assert found.loc[("p002", "L2"), "reason"].startswith("mask is empty")
    assert (found.xs("p004")["reason"] == "image cannot be read").all()
    assert (found.loc[("p003", "L3"), "status"], found.loc[("p003", "L1"), "status"]) == ("failed", "ok")
    assert found.loc[("p006", "L1"), "decision"] == "osteoporosis"


def test_the_class_of_a_patient_holds_for_every_level(tmp_path):
    write_tables(tmp_path)
    data = assemble(by_level(plain_demo()), *tables(tmp_path))
    assert len(data.X) == 180
    assert data.y.groupby(data.patients).nunique().max() == 1
    cohort = pd.read_csv(tmp_path / "cohort.csv", dtype=str).assign(**{"bmd_mg_cm3.L1": "70"})
    cohort.to_csv(tmp_path / "cohort.csv", index=False)
    with pytest.raises(TableError, match="there for patients and for levels"):
        assemble(by_level(plain_demo()), *tables(tmp_path))


@pytest.mark.slow
def test_labels_are_permuted_and_samples_drawn_by_patient(study, tmp_path):
    folder, recipe, _ = study
    asked = recipe.evaluation.model_copy(update={"permutations": 2, "learning_curve": (0.5, 1.0)})
    recipe = recipe.model_copy(update={"evaluation": asked})
    data = assemble(recipe, *tables(folder))
    arm = plan_arms(recipe, data)[0]
    sizes = curve(recipe, data, arm, tmp_path, 1, progress=False)
    assert sizes.n_patients.tolist() == [29, 58], "patients, not their 170 levels"
    assert np.isfinite(sizes.mean).all()
    assert np.isfinite(permutations(recipe, data, arm, tmp_path, 1, progress=False).permuted).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"table": {"unit": "level", "levels": "mean"}}, "levels makes one row"),
        ({"voi": {}}, "needs voi.levels"),
        ({"voi": {"levels": "L1-L3", "missing_levels": "first"}}, "missing_levels: first"),
        ({"steps": [{"stability": {"form": "2,1", "threshold": 0.75}}]}, "stability"),
    ],
)
def test_what_levels_cannot_be_is_refused(change, told):
    keys = plain_demo().model_dump(exclude_unset=True) | {"table": {"unit": "level"}}
    with pytest.raises(ValueError, match=told):
        Recipe.model_validate(keys | change)
