import numpy as np
import pandas as pd
import pytest
from study_tables import COLUMNS, tables, write_table, write_tables

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.study.dataset import assemble
from radiobone.study.recipe import Recipe, read_recipe
from radiobone.tables.features import manifest_path, read_features


@pytest.fixture
def recipe() -> Recipe:
    return read_recipe("demo")


def rewrite(folder, change, **manifest):
    table = read_features(folder / "features.csv").table
    write_table(folder, change(table), **manifest)


def test_one_row_for_each_patient_of_the_blocks_that_the_recipe_names(tmp_path, recipe):
    write_tables(tmp_path)
    dataset = assemble(recipe, *tables(tmp_path))
    assert dataset.X.shape == (60, 6)
    assert list(dataset.X.columns) == [f"trabecular__{name}" for name in COLUMNS]
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
        table.loc[table["patient_id"] == "p002", COLUMNS[0]] = np.nan
        return table[table["patient_id"] != "p003"]

    rewrite(tmp_path, lose)
    features, cohort = tables(tmp_path)
    cohort.table.loc[4, "metal"] = "screw"
    cohort.table.loc[5, "bmd_mg_cm3"] = ""
    changed = recipe.model_copy(update={"table": recipe.table.model_copy(update={"exclude": "metal"})})
    flow = assemble(changed, features, cohort).flow
    lost = flow.table[flow.table["step"].str.startswith("excluded") & (flow.table["patients"] > 0)]
    assert lost.drop(columns="class").to_numpy().tolist() == [
        ["excluded: label", "no label", 1],
        ["excluded: by user", "screw", 1],
        ["excluded: features", "mask is empty", 1],
        ["excluded: features", "not in the feature table", 1],
        ["excluded: missing values", "a feature has no value", 1],
    ]
    assert len(flow.analysed) == 55
    assert "p001" in flow.analysed, "a patient with one good level stays"


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"voi": {"recipe": "trabecular@2"}}, "another VOI recipe"),
        ({"voi": {"options": {"erosion_mm": 2.0, "upper_hu": None, "lower_hu": None}}}, "another VOI options"),
        ({"radiomics": {"parameters_sha256": "0" * 64}}, "another parameters"),
    ],
)
def test_a_table_of_another_extraction_is_refused(tmp_path, recipe, manifest, told):
    write_tables(tmp_path)
    rewrite(tmp_path, lambda table: table, **manifest)
    with pytest.raises(TableError, match=told):
        assemble(recipe, *tables(tmp_path))


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
    with pytest.raises(TableError, match="no patient of class normal"):
        assemble(recipe, features, cohort)


def test_bmd_of_the_same_scan_is_noticed(tmp_path, recipe):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    bmd = cohort.table.set_index("patient_id")["bmd_mg_cm3"].astype(float)
    features.table["density_mean_hu"] = 1.1 * features.table["patient_id"].map(bmd) + 20
    with pytest.warns(RadioboneWarning, match="most likely measured in the same scans"):
        assemble(recipe, features, cohort)
