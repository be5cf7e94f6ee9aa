"""Arms, columns, repeats and further VOIs of a study, on made-up tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from study_tables import COLUMNS, tables, write_table, write_tables

from radiobone.core.errors import ConfigError, RadioboneWarning, TableError
from radiobone.learning.disk.persistence import load_model
from radiobone.study.dataset import assemble
from radiobone.study.prediction import predict
from radiobone.study.recipe import Recipe, read_recipe
from radiobone.study.training import train
from radiobone.tables.cohort import Cohort, read_cohort
from radiobone.tables.features import FeatureTable, read_features

OPTIONS = {"erosion_mm": 3.0, "upper_hu": None, "lower_hu": None}
SMALL = {
    "name": "small",
    "title": "Two nodes on made-up features",
    "source": "a test",
    "label": {"source": "bmd", "column": "bmd_mg_cm3", "reference": "QCT"},
    "voi": {"levels": "L1-L3"},
    "validation": {"outer_folds": 2, "inner_folds": 2},
    "steps": [{"standardise": None}],
    "nodes": [
        {"name": "porous", "positive": "osteoporosis", "negative": ["osteopenia", "normal"]},
        {"name": "thin", "positive": "osteopenia", "negative": "normal"},
    ],
    "model": {"logistic": {"C": [1.0]}},
    "evaluation": {"figures": [], "draws": 100},
    "primary": {"node": "porous"},
}


def small(folder: Path, **changes: object) -> Recipe:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL | changes), encoding="utf-8")
    return read_recipe(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cohort with age, sex and scanner beside BMD, and its features."""
    write_tables(tmp_path)
    cohort = pd.read_csv(tmp_path / "cohort.csv", dtype=str, keep_default_na=False)
    rng = np.random.default_rng(0)
    cohort["age"] = rng.integers(50, 80, len(cohort)).astype(str)
    cohort["sex"] = rng.choice(["f", "m"], len(cohort))
    cohort["scanner"] = np.tile(["A", "A", "A", "B", "B", "B"], len(cohort) // 6)
    cohort.to_csv(tmp_path / "cohort.csv", index=False)
    write_table(tmp_path, read_features_unchecked(tmp_path))
    return tmp_path


def read_features_unchecked(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "features.csv", dtype={"scan_id": str}, keep_default_na=False)


def given(folder: Path) -> tuple[FeatureTable, Cohort]:
    return tables(folder)


def test_text_becomes_a_column_for_each_category_but_the_reference(folder):
    clinical = ["age", {"column": "sex", "reference": "m"}, {"column": "bmi", "optional": True}]
    dataset = assemble(small(folder, clinical=clinical), *given(folder))
    assert dataset.blocks["clinical"] == ["clinical__age", "clinical__sex=f"]
    cohort = given(folder)[1].table.set_index("patient_id")
    pd.testing.assert_series_equal(
        dataset.X["clinical__sex=f"], (cohort["sex"] == "f").astype(float), check_names=False
    )


def test_a_column_with_one_value_is_left_out_and_told(folder):
    features, cohort = given(folder)
    cohort.table["sex"] = "f"
    with pytest.warns(RadioboneWarning, match="'sex' holds 'f' only, and is left out"):
        dataset = assemble(small(folder, clinical=["age", "sex"]), features, cohort)
    assert dataset.blocks["clinical"] == ["clinical__age"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arm", "n_features"),
    [
        pytest.param({"blocks": ["radiomics", "density"], "columns": "clinical"}, 9, marks=pytest.mark.slow),
        ({"blocks": ["radiomics", "density"], "columns": "clinical", "fusion": "blockwise"}, 9),
        pytest.param({"blocks": ["radiomics"], "columns": "age", "fusion": "late"}, 7, marks=pytest.mark.slow),
        pytest.param({"blocks": ["radiomics"], "flat": True}, 6, marks=pytest.mark.slow),
        pytest.param({"blocks": ["radiomics", "density"], "features": "density_*"}, 1, marks=pytest.mark.slow),
        ({"blocks": ["radiomics"], "steps": [{"combat": {"batch_column": "scanner"}}, {"standardise": None}]}, 7),
    ],
)
def test_arms_of_every_kind_stand_on_the_same_folds(folder, arm, n_features):
    arms = [{"name": "first", "blocks": "radiomics"}, {"name": "other", **arm}]
    recipe = small(folder, clinical=["age", "sex"], acquisition=["scanner"], arms=arms)
    done = train(recipe, *given(folder), folder / "out", progress=False)
    found = {line["name"]: line for line in done.results["arms"]}
    assert found["other"]["n_features"] == n_features
    assert found["other"]["figure"]["mean"] > 0.8
    predictions = pd.read_csv(folder / "out/predictions.csv", dtype=str)
    folds = predictions.set_index("patient_id").groupby("arm")["fold"]
    assert len({tuple(part.sort_index()) for _, part in folds}) == 1


def test_combat_refuses_to_harmonise_age(folder):
    steps = [{"combat": {"batch_column": "scanner"}}, {"standardise": None}]
    arms = [{"name": "a", "blocks": "radiomics", "columns": "clinical", "steps": steps}]
    with pytest.raises(ConfigError, match="combat would harmonise columns of the cohort table"):
        train(small(folder, clinical=["age"], arms=arms), *given(folder), folder / "out", progress=False)


@pytest.mark.slow
def test_repeats_feed_stability_and_stay_out_of_the_model(folder):
    table = read_features_unchecked(folder)
    rng = np.random.default_rng(1)
    again = table.copy()
    again[COLUMNS[:2]] += rng.normal(0, 1, (len(again), 2))
    again[COLUMNS[2:]] = rng.normal(0, 1, (len(again), len(COLUMNS) - 2))
    table.insert(4, "repeat", "reader1")
    again.insert(4, "repeat", "reader2")
    write_table(folder, pd.concat([table, again]))
    stability = [{"stability": {"threshold": 0.75}}, {"standardise": None}]
    recipe = small(folder, table={"repeat": "reader1"}, steps=stability, clinical=["age"],
                   arms=[{"name": "both", "blocks": "radiomics", "columns": "age"}])  # fmt: skip
    done = train(recipe, *given(folder), folder / "out", progress=False)
    selected = {item["name"] for item in done.results["nodes"][0]["selected_features"]}
    assert selected == {*(f"trabecular__{name}" for name in COLUMNS[:2]), "clinical__age"}
    model = load_model(folder / "out/model").estimator
    assert model.estimators_["porous"].selection_.named_steps["stability"].repeats == "forgotten"


@pytest.mark.slow
def test_one_more_voi_has_columns_arms_and_a_model_of_its_own(folder):
    extra = {"body": {"recipe": "trabecular", "erosion_mm": 2.0}}
    recipe = small(folder, more_vois=extra, arms=[{"name": "body", "blocks": "body.density"}])
    other = folder / "body"
    write_tables(other)
    write_table(other, read_features_unchecked(other), voi={"options": {**OPTIONS, "erosion_mm": 2.0}})
    features, cohort = given(folder)
    body = read_features(other / "features.csv")
    with pytest.raises(TableError, match="a feature table is missing"):
        assemble(recipe, features, cohort)
    with pytest.raises(TableError, match="another VOI options"):
        assemble(recipe, {"": features, "body": features}, cohort)
    both = {"": features, "body": body}
    train(recipe, both, cohort, folder / "out", progress=False)
    predicted = predict(folder / "out/model", {"body": body})
    assert (predicted["status"] == "ok").all()


def test_flagged_rows_are_dropped_or_kept_as_the_recipe_says(folder):
    table = read_features_unchecked(folder)
    table.insert(6, "qc_needs_review", np.where(table["patient_id"] == "p000", "yes", ""))
    write_table(folder, table)
    assert len(assemble(small(folder), *given(folder)).X) == 60
    dropped = assemble(small(folder, table={"needs_review": "drop"}), *given(folder))
    flow = dropped.flow.table
    assert len(dropped.X) == 59
    assert flow[flow["reason"] == "needs review"]["patients"].sum() == 1


def test_patients_without_features_are_kept_where_gaps_are_filled(folder):
    table = read_features_unchecked(folder)
    failed = table["patient_id"] == "p000"
    table.loc[failed, ["status", "reason"]] = ["failed", "mask is empty"]
    table.loc[failed, [*COLUMNS, "density_mean_hu"]] = np.nan
    write_table(folder, table)
    keep = small(folder, table={"status": "keep"}, steps=[{"missing": None}, {"standardise": None}])
    dataset = assemble(keep, *given(folder))
    assert dataset.X.loc["p000"].isna().all()
    assert len(assemble(small(folder), *given(folder)).X) == 59


def test_gaps_are_filled_only_where_every_node_of_every_arm_has_the_step(folder):
    fills, plain = [{"missing": None}, {"standardise": None}], [{"standardise": None}]
    with_steps = [{**node, "steps": fills} for node in SMALL["nodes"]]
    without = [SMALL["nodes"][0], {**SMALL["nodes"][1], "steps": plain}]
    assert small(folder, nodes=with_steps).imputes
    assert small(folder, steps=fills).imputes
    assert not small(folder, steps=fills, nodes=without).imputes
    assert not small(folder, steps=fills, arms=[{"name": "one", "blocks": "density", "steps": plain}]).imputes
    with pytest.raises(ConfigError, match="every arm needs a step 'missing'"):
        small(folder, table={"status": "keep"}, steps=fills, nodes=without)


def test_gaps_count_in_columns_that_some_arm_learns_from(folder):
    table = read_features_unchecked(folder)
    table[COLUMNS[5]] = np.nan
    table.loc[table["patient_id"] == "p001", COLUMNS[4]] = np.nan
    write_table(folder, table)
    with pytest.raises(TableError, match="1 columns hold no value of any patient") as caught:
        assemble(small(folder), *given(folder))
    assert caught.value.got == f"trabecular__{COLUMNS[5]}"
    few = {"name": "few", "blocks": "radiomics", "features": [*COLUMNS[:4]]}
    assert len(assemble(small(folder, arms=[few]), *given(folder)).X) == 60
    few["features"] = [*COLUMNS[:5]]
    assert len(assemble(small(folder, arms=[few]), *given(folder)).X) == 59


def test_a_flat_arm_has_no_steps_of_nodes(folder):
    combat = [{"combat": {"batch_column": "scanner"}}, {"standardise": None}]
    nodes = [{**node, "steps": combat} for node in SMALL["nodes"]]
    arms = [{"name": "tree", "blocks": "radiomics"}, {"name": "flat", "blocks": "radiomics", "flat": True}]
    recipe = small(folder, nodes=nodes, arms=arms)
    assert [recipe.batches(arm) for arm in recipe.all_arms] == [("scanner",), ()]


@pytest.mark.slow
def test_another_primary_arm_is_fitted_anew(folder):
    arms = [{"name": "texture", "blocks": "radiomics"}, {"name": "density", "blocks": "density"}]
    for primary, n_features in (("texture", 6), ("density", 1)):
        recipe = small(folder, arms=arms, primary={"node": "porous", "arm": primary})
        train(recipe, *given(folder), folder / "out", progress=False)
        assert len(load_model(folder / "out/model").manifest.feature_names) == n_features


@pytest.mark.slow
def test_a_damaged_output_is_made_again(folder):
    recipe = small(folder)
    train(recipe, *given(folder), folder / "out", progress=False)
    whole = (folder / "out/predictions.csv").read_bytes()
    (folder / "out/predictions.csv").write_bytes(whole[:100])
    train(recipe, *given(folder), folder / "out", progress=False)
    assert (folder / "out/predictions.csv").read_bytes() == whole
    steps = json.loads((folder / "out/steps.json").read_text())["steps"]
    assert list(steps) == ["label", "validate", "fit", "report"]


@pytest.mark.slow
def test_permutations_and_a_learning_curve_are_run_on_request(folder):
    asked = {"figures": [], "draws": 100, "permutations": 4, "learning_curve": [0.5, 1.0]}
    done = train(small(folder, evaluation=asked), *given(folder), folder / "out", progress=False)
    assert done.results["permutation"]["p_value"] == pytest.approx(1 / 5)
    assert done.results["learning_curve"]["n_patients"] == [30, 60]


def test_rows_without_a_column_of_patients_are_named_by_their_lines(tmp_path):
    (tmp_path / "plain.csv").write_text("age\n50\n60\n")
    assert read_cohort(tmp_path / "plain.csv", images=False, patient=None).table["patient_id"].tolist() == [
        "line_2",
        "line_3",
    ]
    (tmp_path / "named.csv").write_text("id,age\n01,50\n")
    assert read_cohort(tmp_path / "named.csv", images=False, patient="id").table["patient_id"].tolist() == ["01"]
