import dataclasses
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from study_tables import COLUMNS, plain_demo, tables, write_table, write_tables
from threadpoolctl import threadpool_info, threadpool_limits

import radiobone.learning.routing
import radiobone.study.training
from radiobone.core.errors import ModelError, RadioboneWarning, TableError, UsageError
from radiobone.learning.disk.persistence import load_model
from radiobone.study.arms import fit_final, plan_arms
from radiobone.study.dataset import assemble
from radiobone.study.prediction import predict
from radiobone.study.recipe import Recipe
from radiobone.study.training import train
from radiobone.tables.cohort import read_cohort
from radiobone.tables.features import manifest_path, read_features

NOT_COMPARED = {"created", "versions", "machine", "inputs"}


def quick(recipe: Recipe) -> Recipe:
    """The demo recipe with a smaller grid and fewer folds."""
    svm = recipe.model.chosen.model_copy(update={"kernel": ("linear",), "C": (0.1, 1.0)})
    return recipe.model_copy(
        update={
            "model": type(recipe.model)(svm=svm),
            "validation": recipe.validation.model_copy(update={"outer_folds": 3, "inner_folds": 2}),
            "evaluation": recipe.evaluation.model_copy(update={"figures": (), "draws": 100}),
        }
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_tables(folder)
    return folder, train(quick(plain_demo()), *tables(folder), folder / "out", progress=False)


def test_everything_that_was_promised_is_written(study):
    folder, _ = study
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {
        "results.json", "predictions.csv", "folds.csv", "flow.csv", "tables", "formula", "model", "steps.json",
        "folds.resume",
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
    assert results["nodes"][0]["on_true_members"]["n_patients"] == 60
    assert results["nodes"][1]["on_true_members"]["n_patients"] == 40


def test_no_patient_is_on_both_sides_of_a_fold(study):
    folder, _ = study
    folds = pd.read_csv(folder / "out/folds.csv", dtype=str)
    sides = folds.groupby(["repeat", "fold", "group"])["role"].nunique()
    assert (sides == 1).all()
    tested = folds[folds["role"] == "test"].groupby("repeat")["group"]
    assert (tested.nunique() == 60).all()


@pytest.mark.slow
def test_bytes_are_the_same_for_any_jobs_and_any_order_of_rows(study, tmp_path):
    folder, done = study
    write_tables(tmp_path)
    table = read_features(tmp_path / "features.csv").table
    shuffled = table.sample(frac=1.0, random_state=1).reset_index(drop=True)
    write_table(tmp_path, shuffled)
    written = read_features(tmp_path / "features.csv").table
    assert written["patient_id"].tolist() == shuffled["patient_id"].tolist() != table["patient_id"].tolist()
    assert set(table.groupby("patient_id").size()) == {3}, "two terms have the same sum in either order"
    one, other = (assemble(plain_demo(), *tables(each)).X for each in (folder, tmp_path))
    assert one.to_numpy().tobytes() == other.to_numpy().tobytes()
    again = train(quick(plain_demo()), *tables(tmp_path), tmp_path / "out", jobs=2, progress=False)
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
    column = f"trabecular__{COLUMNS[2]}"
    assert predicted.loc["p002", "reason"] == f"a feature has no finite value | got: {column} (1 columns)"
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


def predict_table(folder, tmp_path, change, **manifest) -> pd.DataFrame:
    """Predict nine new patients after a change of their table."""
    write_tables(tmp_path, n=9, seed=7)
    write_table(tmp_path, change(read_features(tmp_path / "features.csv").table), **manifest)
    return predict(folder / "out/model", read_features(tmp_path / "features.csv")).set_index("patient_id")


def test_one_infinite_value_stops_one_patient_only(study, tmp_path):
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[(table["patient_id"] == "p004") & (table["level"] == "L2"), COLUMNS[0]] = np.inf
        return table

    predicted = predict_table(study[0], tmp_path, change)
    assert (predicted["status"] == "failed").tolist() == [name == "p004" for name in predicted.index]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {COLUMNS[0]: np.nan},
            "a feature has no finite value | got: trabecular__original_firstorder_F0 (1 columns)",
        ),
        ({"status": "failed", "reason": "mask is empty", **dict.fromkeys(COLUMNS, np.nan)}, "mask is empty"),
        ({"level": ["T10", "T11", "T12"] * 9}, "no row of level L1, L2, L3"),
    ],
)
def test_a_table_in_which_nobody_can_be_predicted_still_gives_all_rows(study, tmp_path, changes, reason):
    every = predict_table(study[0], tmp_path / "one", lambda table: table)
    predicted = predict_table(
        study[0], tmp_path / "two", lambda table: table.assign(**changes), voi={"levels": None}
    )
    assert list(predicted.index) == list(every.index)
    assert list(predicted.columns) == list(every.columns)
    assert set(predicted["status"]) == {"failed"}
    assert set(predicted["reason"]) == {reason}
    assert predicted.drop(columns=["status", "reason"]).isna().all(axis=None)
    empty = predicted.to_csv().splitlines()[1]
    assert empty.endswith("," * (len(every.columns) - 2)), "cells are empty"


@pytest.mark.slow
@pytest.mark.parametrize("learned", ["native", "pyradiomics"])
def test_a_model_takes_tables_of_either_engine_and_says_so(tmp_path, learned):
    other = {"native": "pyradiomics", "pyradiomics": "native"}[learned]
    write_tables(tmp_path)
    write_table(tmp_path, read_features(tmp_path / "features.csv").table, radiomics={"engine": learned})
    train(quick(plain_demo()), *tables(tmp_path), tmp_path / "out", progress=False)
    same = predict_table(tmp_path, tmp_path / "one", lambda table: table, radiomics={"engine": learned})
    with pytest.warns(RadioboneWarning) as told:
        predicted = predict_table(tmp_path, tmp_path / "two", lambda table: table, radiomics={"engine": other})
    pd.testing.assert_frame_equal(predicted, same, check_exact=True)
    (warning,) = told
    assert f"radiomics: {other} (revision 1) instead of {learned} (revision 1)" in str(warning.message)
    assert "'radiobone verify'" in str(warning.message)


def test_missing_columns_are_refused_even_if_nobody_could_be_predicted(study, tmp_path):
    fewer = [name for name in COLUMNS if name != COLUMNS[1]]
    with pytest.raises(ModelError, match=COLUMNS[1]):
        predict_table(
            study[0],
            tmp_path,
            lambda table: table.drop(columns=COLUMNS[1]).assign(**{COLUMNS[0]: np.nan}),
            radiomics={"columns": fewer},
        )


def test_a_table_of_more_levels_is_predicted_by_the_rows_of_the_model(study, tmp_path):
    plain = predict_table(study[0], tmp_path / "one", lambda table: table)

    def add_level(table: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([table, table[table["level"] == "L1"].assign(level="L4", **dict.fromkeys(COLUMNS, 1e9))])

    more = predict_table(study[0], tmp_path / "two", add_level, voi={"levels": ["L1", "L2", "L3", "L4"]})
    pd.testing.assert_frame_equal(plain, more, check_exact=True)
    every = predict_table(study[0], tmp_path / "three", add_level, voi={"levels": None})
    pd.testing.assert_frame_equal(plain, every, check_exact=True)


@pytest.mark.slow
def test_the_model_knows_the_levels_of_the_recipe_not_of_the_table(tmp_path):
    write_tables(tmp_path)
    recipe = quick(plain_demo())
    recipe = recipe.model_copy(update={"voi": recipe.voi.model_copy(update={"levels": "L1,L2"})})
    train(recipe, *tables(tmp_path), tmp_path / "out", progress=False)
    manifest = json.loads((tmp_path / "out/model/manifest.json").read_text())
    assert manifest["source"]["levels"] == ["L1", "L2"]
    fewer = predict_table(
        tmp_path, tmp_path / "new", lambda table: table[table["level"] != "L3"], voi={"levels": ["L1", "L2"]}
    )
    assert set(fewer["status"]) == {"ok"}


@pytest.mark.slow
def test_a_model_of_a_table_without_manifest_keeps_its_levels_and_aggregation(tmp_path):
    write_tables(tmp_path)
    manifest_path(tmp_path / "features.csv").unlink()
    recipe = quick(plain_demo())
    changes = {
        "voi": recipe.voi.model_copy(update={"levels": "L1,L2"}),
        "table": recipe.table.model_copy(update={"levels": "min"}),
    }
    with pytest.warns(RadioboneWarning, match="no manifest"):
        train(recipe.model_copy(update=changes), *tables(tmp_path), tmp_path / "out", progress=False)
    source = load_model(tmp_path / "out/model").manifest.source
    assert source is not None
    assert (source.levels, source.aggregation) == (["L1", "L2"], "min")
    predicted = predict_table(tmp_path, tmp_path / "new", lambda table: table)
    assert set(predicted["status"]) == {"ok"}


@pytest.mark.slow
def test_a_stopped_second_study_leaves_no_results_of_the_first(study, tmp_path, monkeypatch):
    shutil.copytree(study[0], tmp_path, dirs_exist_ok=True)
    features, cohort = tables(tmp_path)
    strangers = replace(features, table=features.table.replace({"patient_id": {"p000": "stranger"}}))
    with pytest.raises(TableError, match="stranger"):
        train(quick(plain_demo()), strangers, cohort, tmp_path / "out", progress=False)
    assert (tmp_path / "out/results.json").is_file(), "nothing was written yet"

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(radiobone.study.training, "write_report", stop)
    other = quick(plain_demo()).model_copy(update={"decision": "routed"})
    with pytest.raises(KeyboardInterrupt):
        train(other, features, cohort, tmp_path / "out", progress=False)
    assert (tmp_path / "out/flow.csv").is_file()
    assert not (tmp_path / "out/results.json").exists()


def test_the_final_fit_holds_one_native_thread(study, monkeypatch):
    recipe = quick(plain_demo())
    data = assemble(recipe, *tables(study[0]))
    (arm,) = plan_arms(recipe, data)
    fit, threads = radiobone.learning.routing.fit_with_groups, []

    def spy(*args: object) -> object:
        threads.append({pool["num_threads"] for pool in threadpool_info()})
        return fit(*args)

    monkeypatch.setattr(radiobone.learning.routing, "fit_with_groups", spy)
    with threadpool_limits(limits=2):
        fit_final(arm, data)
    assert threads == [{1}]


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"voi": {"levels": ["L1", "L2"]}}, r"levels: \['L1', 'L2'\] instead of \['L1', 'L2', 'L3'\]"),
        ({"voi": {"missing_levels": "first"}}, "first level only"),
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
        train(quick(plain_demo()), features, cohort, tmp_path / "out", progress=False)


@pytest.mark.parametrize("name", ["flow.csv", "predictions.csv"])
def test_an_input_in_the_folder_of_results_is_never_touched(tmp_path, name):
    write_tables(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    source = tmp_path / ("cohort.csv" if name == "flow.csv" else "features.csv")
    (out / name).write_bytes(source.read_bytes())
    features = read_features(out / name if name == "predictions.csv" else tmp_path / "features.csv")
    features = dataclasses.replace(features, manifest=read_features(tmp_path / "features.csv").manifest)
    cohort = read_cohort(out / name if name == "flow.csv" else tmp_path / "cohort.csv", images=False)
    with pytest.raises(UsageError, match="overwrite an input"):
        train(quick(plain_demo()), features, cohort, out, progress=False)
    assert (out / name).read_bytes() == source.read_bytes()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    write_tables(tmp_path)
    (tmp_path / "out/model").mkdir(parents=True)
    (tmp_path / "out/results.json").write_text("[]")
    with pytest.raises(UsageError, match="no study of radiobone"):
        train(quick(plain_demo()), *tables(tmp_path), tmp_path / "out", progress=False)
    assert (tmp_path / "out/results.json").read_text() == "[]"


def test_a_second_study_takes_the_place_of_the_first_and_of_nothing_else(study, tmp_path):
    folder, _ = study
    write_tables(tmp_path)
    out = tmp_path / "out"
    shutil.copytree(folder / "out", out)
    (out / "model/mine.txt").write_text("mine")
    (out / "mine.txt").write_text("mine")
    train(quick(plain_demo()), *tables(tmp_path), out, progress=False)
    assert (out / "mine.txt").exists()
    assert (out / "model/mine.txt").exists()
    assert (out / "results.json").exists()
