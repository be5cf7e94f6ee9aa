from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from study_tables import COLUMNS, plain_demo, tables, write_table, write_tables

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.study.dataset import assemble
from radiobone.study.recipe import Recipe
from radiobone.tables.features import manifest_path, read_features


@pytest.fixture
def recipe() -> Recipe:
    return plain_demo()


def rewrite(folder, change, **manifest):
    table = read_features(folder / "features.csv").table
    write_table(folder, change(table), **manifest)


def test_one_row_for_each_patient_of_the_blocks_that_the_recipe_names(tmp_path, recipe):
    write_tables(tmp_path)
    dataset = assemble(recipe, *tables(tmp_path))
    X = dataset.X[dataset.columns(recipe.primary_arm)]
    assert X.shape == (60, 6)
    assert list(X.columns) == [f"trabecular__{name}" for name in COLUMNS]
    assert dataset.y.value_counts().to_dict() == {"osteoporosis": 20, "osteopenia": 20, "normal": 20}
    assert list(dataset.X.index) == list(dataset.y.index) == dataset.flow.analysed


def test_every_loss_is_counted_with_class_and_reason(tmp_path, recipe):
    write_tables(tmp_path)

    def lose(table: pd.DataFrame) -> pd.DataFrame:
        failed = table["patient_id"] == "p000"
        table.loc[failed, ["status", "reason"]] = ["failed", "mask is empty | where: /some/where/p000.nii.gz"]
        table.loc[failed, COLUMNS] = np.nan
        one_level = (table["patient_id"] == "p001") & (table["level"] == "L1")
        table.loc[one_level, ["status", "reason"]] = ["failed", "label not present"]
        table.loc[table["patient_id"] == "p002", COLUMNS[0]] = [np.nan, 1.0, np.inf]
        return table[table["patient_id"] != "p003"]

    rewrite(tmp_path, lose)
    features, cohort = tables(tmp_path)
    cohort.table.loc[cohort.table["patient_id"] == "p004", "metal"] = "screw"
    cohort.table.loc[cohort.table["patient_id"] == "p005", "bmd_mg_cm3"] = ""
    changed = recipe.model_copy(update={"table": recipe.table.model_copy(update={"exclude": ("metal",)})})
    flow = assemble(changed, features, cohort).flow
    lost = flow.table[~flow.table["step"].isin(["cohort", "analysed"]) & (flow.table["rows"] > 0)]
    assert lost.to_numpy().tolist() == [
        ["excluded: label", "no label", "unknown", 1, 3],
        ["excluded: by user", "screw", "osteopenia", 1, 3],
        ["excluded: features", "mask is empty", "osteoporosis", 1, 3],
        ["excluded: missing values", "a feature has no finite value", "normal", 1, 3],
        ["rows without features", "label not present", "osteopenia", 0, 1],
    ]
    absent = flow.table[flow.table["reason"] == "not in the feature table"]
    assert absent.set_index("class").loc["osteoporosis", ["patients", "rows"]].tolist() == [1, 0]
    whole = flow.table["step"] == "cohort"
    for noun, expected in (("patients", 60), ("rows", 177)):
        assert flow.table[whole][noun].sum() == flow.table[~whole][noun].sum() == expected
    assert len(flow.analysed) == 55
    assert "p001" in flow.analysed, "a patient with one good level stays"


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"voi": {"recipe": "trabecular@2"}}, "another VOI recipe"),
        ({"voi": {"options": {"erosion_mm": 2.0, "upper_hu": None, "lower_hu": None}}}, "another VOI options"),
        ({"voi": {"options": {"erosion_mm": 3.0, "upper_hu": 300.0, "lower_hu": None}}}, "another VOI options"),
        ({"radiomics": {"parameters_sha256": "0" * 64}}, "another parameters"),
        ({"voi": {"missing_levels": "first"}}, "another policy for missing levels"),
        ({"voi": {"levels": ["L1", "L2"]}}, "levels of the recipe were not extracted: L3"),
    ],
)
def test_a_table_of_another_extraction_is_refused(tmp_path, recipe, manifest, told):
    write_tables(tmp_path)
    rewrite(tmp_path, lambda table: table, **manifest)
    with pytest.raises(TableError, match=told):
        assemble(recipe, *tables(tmp_path))


def with_voi(recipe: Recipe, **changes) -> Recipe:
    return recipe.model_copy(update={"voi": recipe.voi.model_copy(update=changes)})


def test_only_rows_of_the_levels_of_the_recipe_count(tmp_path, recipe):
    write_tables(tmp_path)
    fewer = assemble(with_voi(recipe, levels="L1-L2"), *tables(tmp_path))
    features, cohort = tables(tmp_path)
    features.table.loc[features.table["level"] == "L3", COLUMNS] = 1e9
    again = assemble(with_voi(recipe, levels="L1-L2"), features, cohort)
    pd.testing.assert_frame_equal(fewer.X, again.X, check_exact=True)
    assert assemble(recipe, features, cohort).X.to_numpy().min(axis=0)[0] > 1e8
    assert assemble(with_voi(recipe, levels=None), features, cohort).flow.table["rows"].max() == 60
    assert fewer.flow.table["rows"].max() == 40


def test_a_level_that_no_row_holds_was_not_extracted(tmp_path, recipe):
    write_tables(tmp_path, levels=("L1", "L2"))
    rewrite(tmp_path, lambda table: table, voi={"levels": None})
    with pytest.raises(TableError, match="not extracted: L3"):
        assemble(recipe, *tables(tmp_path))


def test_the_first_level_present_agrees_with_the_same_request_only(tmp_path, recipe):
    write_tables(tmp_path)
    first = with_voi(recipe, missing_levels="first")
    with pytest.raises(TableError, match="another policy for missing levels"):
        assemble(first, *tables(tmp_path))
    rewrite(tmp_path, lambda table: table.drop_duplicates("patient_id"), voi={"missing_levels": "first"})
    assert assemble(first, *tables(tmp_path)).X.shape == (60, 7)
    with pytest.raises(TableError, match="another list of levels"):
        assemble(with_voi(first, levels="L2,L1,L3"), *tables(tmp_path))


def test_patients_with_other_levels_only_are_counted_as_such(tmp_path, recipe):
    write_tables(tmp_path)

    def raise_scan(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[table["patient_id"] == "p000", "level"] = ["T10", "T11", "T12"]
        whole = table["patient_id"] == "p001"
        table.loc[whole, ["level", "status", "reason"]] = ["", "failed", "file not found | where: x"]
        return table[~whole | ~table.duplicated(["patient_id", "level"])]

    rewrite(tmp_path, raise_scan, voi={"levels": None})
    flow = assemble(recipe, *tables(tmp_path)).flow.table
    found = flow[(flow["step"] == "excluded: features") & (flow["patients"] > 0)]
    assert found[["reason", "patients", "rows"]].to_numpy().tolist() == [
        ["file not found", 1, 1],
        ["no row of level L1, L2, L3", 1, 0],
    ]


def test_classes_of_no_node_are_left_out_without_a_warning(tmp_path, recipe):
    write_tables(tmp_path)
    node = recipe.nodes[0].model_copy(update={"negative": ("normal",)})
    two = recipe.model_copy(update={"nodes": (node,)})
    dataset = assemble(two, *tables(tmp_path))
    assert set(dataset.y) == {"osteoporosis", "normal"}
    flow = dataset.flow.table.set_index(["step", "class"])["patients"]
    assert flow["excluded: class", "osteopenia"] == 20


def test_reasons_of_the_user_do_not_depend_on_the_order_of_rows(tmp_path, recipe):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    scans = cohort.table.assign(scan_id="2", metal="screw")[cohort.table["patient_id"] == "p000"]
    cohort.table.loc[cohort.table["patient_id"] == "p000", "metal"] = "cage"
    changed = recipe.model_copy(update={"table": recipe.table.model_copy(update={"exclude": ("metal",)})})
    for rows in ([cohort.table, scans], [scans, cohort.table]):
        flow = assemble(changed, features, replace(cohort, table=pd.concat(rows, ignore_index=True))).flow.table
        assert flow[flow["step"] == "excluded: by user"]["reason"].unique().tolist() == ["cage; screw"]


def test_a_table_without_manifest_is_taken_whole_and_told(tmp_path, recipe):
    write_tables(tmp_path)
    manifest_path(tmp_path / "features.csv").unlink()
    with pytest.warns(RadioboneWarning, match="provenance of its columns is unknown"):
        dataset = assemble(recipe, *tables(tmp_path))
    assert dataset.X.shape == (60, 7)


def test_patients_that_the_cohort_does_not_know_are_an_error(tmp_path, recipe):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    features.table.loc[features.table["patient_id"] == "p000", "patient_id"] = "stranger"
    with pytest.raises(TableError, match="stranger"):
        assemble(recipe, features, cohort)


def test_a_class_without_patients_is_an_error(tmp_path, recipe):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    cohort.table["bmd_mg_cm3"] = cohort.table["bmd_mg_cm3"].str.replace(r"^14.*|^13.*|^15.*", "100", regex=True)
    with pytest.raises(TableError, match=r"no patient of class normal .*none is in the cohort"):
        assemble(recipe, features, cohort)


def test_it_is_told_where_the_patients_of_a_class_were_lost(tmp_path, recipe):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    normal = cohort.table["bmd_mg_cm3"].astype(float) > 120
    cohort.table.loc[normal, "metal"] = "screw"
    changed = recipe.model_copy(update={"table": recipe.table.model_copy(update={"exclude": ("metal",)})})
    with (
        pytest.warns(RadioboneWarning, match="are lost|differs between"),
        pytest.raises(TableError, match="20 normal excluded: by user, screw"),
    ):
        assemble(changed, features, cohort)


def test_bmd_of_the_same_scan_is_noticed(tmp_path, recipe):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    bmd = cohort.table.set_index("patient_id")["bmd_mg_cm3"].astype(float)
    features.table["density_mean_hu"] = 1.1 * features.table["patient_id"].map(bmd) + 20
    with pytest.warns(RadioboneWarning, match="most likely measured in the same scans"):
        assemble(recipe, features, cohort)


def test_rows_of_another_voi_recipe_are_refused(tmp_path, recipe):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    other = features.table.assign(voi="body")
    both = type(features)(
        pd.concat([features.table, other], ignore_index=True), features.features, features.manifest
    )
    with pytest.raises(TableError, match="VOIs of another recipe"):
        assemble(recipe, both, cohort)
