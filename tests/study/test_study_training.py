import json

import numpy as np
import pandas as pd
import pytest
from study_tables import COLUMNS, tables, write_table, write_tables

from radiobone.core.errors import ModelError, TableError
from radiobone.study.prediction import predict
from radiobone.study.recipe import Recipe, read_recipe
from radiobone.study.training import train
from radiobone.tables.features import read_features

NOT_COMPARED = {"created", "versions", "machine"}


def quick(recipe: Recipe) -> Recipe:
    """The demo recipe with a smaller grid and three inner folds."""
    svm = recipe.model.chosen.model_copy(update={"kernel": ("linear",), "C": (0.1, 1.0)})
    return recipe.model_copy(
        update={
            "model": type(recipe.model)(svm=svm),
            "validation": recipe.validation.model_copy(update={"outer_folds": 4, "inner_folds": 3}),
        }
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_tables(folder)
    return folder, train(quick(read_recipe("demo")), *tables(folder), folder / "out", progress=False)


def test_everything_that_was_promised_is_written(study):
    folder, _ = study
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {
        "results.json", "predictions.csv", "folds.csv", "flow.csv", "roc.png", "confusion.png", "model",
    }  # fmt: skip


def test_results_name_nodes_in_order_and_the_primary_figure(study):
    folder, done = study
    results = json.loads((folder / "out/results.json").read_text())
    assert results == done.results
    assert [node["name"] for node in results["nodes"]] == ["osteoporosis_vs_rest", "osteopenia_vs_normal"]
    assert results["decision"] == "argmax"
    primary = results["primary"]
    assert primary["positive"] == ["osteoporosis"]
    assert primary["mean"] == results["nodes"][0]["on_true_members"]["auc"]["mean"]
    assert primary["mean"] > 0.9, "the made-up classes are far apart"
    assert results["nodes"][0]["on_true_members"]["n"] == 60
    assert results["nodes"][1]["on_true_members"]["n"] == 40


def test_no_patient_is_on_both_sides_of_a_fold(study):
    folder, _ = study
    folds = pd.read_csv(folder / "out/folds.csv", dtype=str)
    sides = folds.groupby(["repeat", "fold", "group"])["role"].nunique()
    assert (sides == 1).all()
    tested = folds[folds["role"] == "test"].groupby("repeat")["group"]
    assert (tested.nunique() == 60).all()


def test_bytes_are_the_same_for_any_jobs_and_any_order_of_rows(study, tmp_path):
    folder, done = study
    write_tables(tmp_path)
    table = read_features(tmp_path / "features.csv").table
    shuffled = table.sample(frac=1.0, random_state=1).reset_index(drop=True)
    write_table(tmp_path, shuffled)
    again = train(quick(read_recipe("demo")), *tables(tmp_path), tmp_path / "out", jobs=2, progress=False)
    for name in ("predictions.csv", "folds.csv", "flow.csv"):
        assert (folder / "out" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    same = {key: value for key, value in again.results.items() if key not in NOT_COMPARED}
    assert same == {key: value for key, value in done.results.items() if key not in NOT_COMPARED}


def test_a_saved_model_predicts_new_patients_and_flags_what_it_has_not_seen(study, tmp_path):
    folder, _ = study
    write_tables(tmp_path, n=9, seed=7)
    table = read_features(tmp_path / "features.csv").table
    table.loc[table["patient_id"] == "p000", COLUMNS[0]] = 1e6
    lost = table["patient_id"] == "p001"
    table.loc[lost, ["status", "reason"]] = ["failed", "mask is empty"]
    table.loc[lost, COLUMNS] = np.nan
    table.loc[table["patient_id"] == "p002", COLUMNS[2]] = np.nan
    write_table(tmp_path, table)
    predicted = predict(folder / "out/model", read_features(tmp_path / "features.csv")).set_index("patient_id")
    assert len(predicted) == 9
    assert predicted["status"].tolist() == ["ok", "failed", "failed", *["ok"] * 6]
    assert predicted.loc["p001", "reason"] == "mask is empty"
    assert predicted.loc["p002", "reason"] == "a feature has no value"
    assert f"trabecular__{COLUMNS[0]}" in predicted.loc["p000", "out_of_range"]
    ok = predicted[predicted["status"] == "ok"]
    np.testing.assert_allclose(ok.filter(like="p_class_").sum(axis=1), 1.0)
    bmd = tables(tmp_path)[1].table.set_index("patient_id")["bmd_mg_cm3"].astype(float)
    assert (ok.loc[["p003", "p006"], "decision"] == "osteoporosis").all(), bmd
    assert (ok.loc[["p005", "p008"], "decision"] == "normal").all(), bmd


def test_the_order_of_columns_does_not_matter(study, tmp_path):
    folder, _ = study
    write_tables(tmp_path, n=9, seed=7)
    first = predict(folder / "out/model", read_features(tmp_path / "features.csv"))
    table = read_features(tmp_path / "features.csv").table
    keys = [name for name in table.columns if name not in COLUMNS]
    turned = COLUMNS[::-1]
    others = [name for name in keys if not name.startswith("density")]
    write_table(tmp_path, table[[*others, *turned, "density_mean_hu"]], radiomics={"columns": turned})
    pd.testing.assert_frame_equal(first, predict(folder / "out/model", read_features(tmp_path / "features.csv")))


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"radiomics": {"parameters_sha256": "0" * 64}}, "parameters of radiomics"),
        ({"radiomics": {"values_revision": 2}}, "values revision of radiomics"),
        ({"voi": {"recipe": "body@1"}}, "VOI recipe"),
    ],
)
def test_a_table_made_in_another_way_is_refused(study, tmp_path, manifest, told):
    folder, _ = study
    write_tables(tmp_path, n=9)
    write_table(tmp_path, read_features(tmp_path / "features.csv").table, **manifest)
    with pytest.raises(ModelError, match=told):
        predict(folder / "out/model", read_features(tmp_path / "features.csv"))


def test_missing_columns_are_refused(study, tmp_path):
    folder, _ = study
    write_tables(tmp_path, n=9)
    table = read_features(tmp_path / "features.csv").table.drop(columns=COLUMNS[1])
    write_table(tmp_path, table, radiomics={"columns": [name for name in COLUMNS if name != COLUMNS[1]]})
    with pytest.raises(ModelError, match=COLUMNS[1]):
        predict(folder / "out/model", read_features(tmp_path / "features.csv"))


def test_a_table_of_another_cohort_is_refused(study, tmp_path):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    cohort.table["patient_id"] = cohort.table["patient_id"].str.upper()
    with pytest.raises(TableError, match="not in the cohort table"):
        train(quick(read_recipe("demo")), features, cohort, tmp_path / "out", progress=False)
