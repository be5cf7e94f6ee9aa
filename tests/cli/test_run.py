"""``radiobone run`` and ``train`` as users call them: good input end to end, bad input told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import radiobone.evaluation.memory
from radiobone.cli.app import run

CLINICAL = {
    "name": "small",
    "title": "A class from two columns",
    "source": "a test",
    "label": {"source": "class", "column": "outcome", "classes": ["no", "yes"]},
    "clinical": ["age", "sex"],
    "validation": {"outer_folds": 3, "inner_folds": 2},
    "steps": [{"standardise": None}],
    "nodes": [{"name": "event", "positive": "yes", "negative": "no"}],
    "model": {"logistic": {"C": [1.0]}},
    "evaluation": {"figures": [], "draws": 100},
    "primary": {"node": "event"},
}


def cohort_table(n: int = 36) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    outcome = np.tile(["no", "yes", "no"], n // 3)
    age = np.round(60 + 8 * (outcome == "yes") + rng.normal(0, 5, n))
    return pd.DataFrame(
        {
            "patient_id": [f"{number:04d}" for number in range(n)],
            "outcome": outcome,
            "age": age,
            "sex": rng.choice(["f", "m"], n),
            "centre": np.repeat(["A", "B", "C"], n // 3),
        }
    )


def study(folder: Path, cohort: pd.DataFrame, features: pd.DataFrame | None = None, /, **changes: object) -> int:
    """Write recipe and tables, and run the study."""
    (folder / "recipe.yaml").write_text(yaml.safe_dump(CLINICAL | changes), encoding="utf-8")
    cohort.to_csv(folder / "cohort.csv", index=False)
    arguments = ["run", str(folder / "recipe.yaml"), "--cohort", str(folder / "cohort.csv")]
    if features is not None:
        features.to_csv(folder / "features.csv", index=False)
        arguments += ["--features", str(folder / "features.csv")]
    return run([*arguments, "--out", str(folder / "out")])


def two_scans(table: pd.DataFrame, **changes: object) -> pd.DataFrame:
    """Give each patient a second row that differs."""
    return pd.concat([table.assign(scan_id="1"), table.assign(scan_id="2", **changes)])


def results(folder: Path) -> dict:
    return json.loads((folder / "out/results.json").read_text())


def test_a_clinical_study_runs_once_and_predicts(tmp_path, capsys):
    assert study(tmp_path, cohort_table()) == 0
    found = results(tmp_path)
    assert [arm["name"] for arm in found["arms"]] == [
        "clinical", "acquisition only", "VOI volume only", "mean HU alone", "TotalSegmentator rule",
        "clinical covariates alone",
    ]  # fmt: skip
    assert found["primary"]["mean"] > 0.6
    assert found["primary"]["interval"]["method"] == "corrected resampled t"
    table = pd.read_csv(tmp_path / "out/tables/clinical_event.csv")
    assert table["predictor"].tolist() == ["age", "sex"]
    assert (tmp_path / "out/formula/event.json").is_file()
    assert set(pd.read_csv(tmp_path / "out/predictions.csv")["arm"]) == {"clinical", "clinical covariates alone"}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert study(tmp_path, cohort_table()) == 0
    assert "done before" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in before}
    new = cohort_table().head(3).drop(columns="outcome")
    new.loc[0, "sex"] = "other"
    new.to_csv(tmp_path / "new.csv", index=False)
    model, out = str(tmp_path / "out/model"), str(tmp_path / "p.csv")
    assert run(["predict", model, "--cohort", str(tmp_path / "new.csv"), "--out", out]) == 3
    assert pd.read_csv(out)["status"].tolist() == ["failed", "ok", "ok"]
    assert run(["predict", model, "--out", out]) == 2
    assert "age, sex" in capsys.readouterr().err


def test_a_changed_recipe_keeps_the_folds_that_it_does_not_change(tmp_path):
    assert study(tmp_path, cohort_table()) == 0
    kept = set((tmp_path / "out/folds.resume").rglob("*.json"))
    changed = CLINICAL["evaluation"] | {"prevalence": 0.2}  # type: ignore[operator]
    assert study(tmp_path, cohort_table(), evaluation=changed) == 0
    assert kept == set((tmp_path / "out/folds.resume").rglob("*.json"))
    assert results(tmp_path)["nodes"][0]["prevalence"] == 0.2


def test_patients_with_gaps_stay_where_a_step_fills_them(tmp_path):
    table = cohort_table()
    table.loc[:3, "age"] = np.nan
    assert study(tmp_path, table) == 0
    flow = pd.read_csv(tmp_path / "out/flow.csv")
    assert flow[flow["step"] == "excluded: missing values"]["patients"].sum() == 4
    assert study(tmp_path, table, steps=[{"missing": {"max_share": 0.5}}, {"standardise": None}]) == 0
    assert results(tmp_path)["validation"]["n_patients"] == 36


@pytest.mark.parametrize(
    ("plan", "names"),
    [
        ({"scheme": "leave_one_centre_out", "column": "centre"}, ["A", "B", "C"]),
        ({"scheme": "temporal", "column": "year", "cut": 2020}, ["from 2020.0"]),
        pytest.param(
            {"scheme": "temporal", "column": "date", "cut": "2020-01-01"},
            ["from 2020-01-01"],
            marks=pytest.mark.slow,
        ),
        ({"scheme": "split", "column": "centre", "train": "A", "tests": ["B", "C"]}, ["B", "C"]),
    ],
)
def test_every_scheme_of_validation_runs(tmp_path, plan, names):
    table = cohort_table()
    table["year"] = np.repeat([2018, 2019, 2020], 12)
    table["date"] = table["year"].astype(str) + "-07-01"
    assert study(tmp_path, table, validation=plan | {"inner_folds": 2}) == 0
    assert [fold["name"] for fold in results(tmp_path)["validation"]["folds"]] == names


def test_a_table_from_elsewhere_with_constant_empty_and_equal_columns_is_a_study(tmp_path):
    rng = np.random.default_rng(1)
    table = cohort_table()
    signal = (table["outcome"] == "yes") + rng.normal(0, 0.5, len(table))
    features = pd.DataFrame({"patient_id": table["patient_id"], "glcm": signal, "again": signal, "flat": 1.0})
    features["empty"] = np.nan
    features["text"] = "x"
    features["scan_id"] = 1
    features["needs_review"] = np.arange(len(table)) % 2
    steps = [{"missing": None}, {"variance": None}, {"standardise": None}, {"correlation": None}]
    external = {"columns": ["*"]}
    assert study(tmp_path, table, features, external=external, steps=steps) == 0
    found = results(tmp_path)
    assert found["arms"][0]["n_features"] == 3, "keys, flags and columns without any number are no features"
    assert found["columns"]["constant"]["n"] == 1
    assert found["columns"]["duplicate"]["n"] == 1
    assert [item["name"] for item in found["nodes"][0]["selected_features"]] == ["external__glcm"]


@pytest.mark.parametrize(
    ("change", "recipe", "told"),
    [
        (lambda table: table.assign(outcome="no"), {}, "no patient of class yes is left"),
        (lambda table: table.assign(outcome=["yes"] * 2 + ["no"] * 34), {}, "fewer patients than there are outer"),
        (lambda table: table.assign(outcome="maybe"), {}, "holds classes that the recipe does not name"),
        (lambda table: table.drop(columns="age"), {}, "column missing: 'age'"),
        (lambda table: table.assign(age=["old", *table["age"][1:]]), {}, "holds numbers and other text"),
        (lambda table: two_scans(table, outcome="yes"), {}, "0000: no, yes; 0002: no, yes"),
        (lambda table: two_scans(table, age=1), {}, "disagree on 'age'"),
        (lambda table: pd.concat([table, table.head(1)]), {}, "share the same patient_id"),
        (lambda table: table, {"table": {"exclude": "metal"}}, "column missing: 'metal'"),
        (lambda table: table, {"table": {"needs_review": "drop"}}, "says which rows need a review"),
        (lambda table: table, {"external": {}}, "none is given"),
        (lambda table: table, {"deep": {"backbone": "resnet50"}}, "deep: unknown key"),
        (lambda table: table, {"nodes": [{"name": "event", "positive": "yes", "negative": "never"}]}, "never"),
        (lambda table: table, {"steps": [{"stability": None}]}, "needs repeated measurements"),
    ],
)
def test_bad_input_is_told(tmp_path, capsys, change, recipe, told):
    assert study(tmp_path, change(cohort_table()), **recipe) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out/results.json").exists()


def test_a_table_beyond_memory_is_refused_with_the_estimate(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(radiobone.evaluation.memory, "free_memory", lambda: 1000)
    assert study(tmp_path, cohort_table()) == 2
    assert "36 rows x 2 columns" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.shared_data
def test_glow500_gives_the_odds_ratios_of_its_textbook(tmp_path, shared_data):
    cohort = shared_data / "tables/clinical/glow500.csv"
    assert run(["run", "clinical_glow500", "--cohort", str(cohort), "--out", str(tmp_path / "out")]) == 0
    found = results(tmp_path)
    assert 0.60 < found["primary"]["mean"] < 0.80
    assert len(found["validation"]["folds"]) == 6
    table = pd.read_csv(tmp_path / "out/tables/clinical_fracture.csv").set_index("predictor")
    # Counts of the table by hand: a history of fracture in 52 of 125 with and 74 of 375 without a new one.
    assert table.loc["priorfrac", "odds_ratio"] == pytest.approx((52 * 301) / (73 * 74), rel=1e-6)
