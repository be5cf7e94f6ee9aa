"""Tables of made-up patients whose features follow their BMD, without any image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from radiobone.core.hashing import sha256_json
from radiobone.features.radiomics.params import read_params
from radiobone.study.recipe import Recipe, read_recipe
from radiobone.tables.cohort import Cohort, read_cohort
from radiobone.tables.features import (
    BlockRecord,
    FeatureManifest,
    FeatureTable,
    VoiRecord,
    read_features,
    write_features,
    write_manifest,
)

COLUMNS = [f"original_firstorder_F{number}" for number in range(6)]
DENSITY = ["density_mean_hu"]


def plain_demo() -> Recipe:
    """The demo's study without what its cohort table has beside BMD: one arm, no clinical columns, no strata."""
    recipe = read_recipe("demo")
    keys = recipe.model_dump(
        exclude={"clinical", "acquisition", "arms", "evaluation", "primary"}, exclude_unset=True
    )
    return Recipe.model_validate(keys | {"primary": {"node": recipe.primary.node}})


def write_tables(folder: Path, n: int = 60, seed: int = 0, levels: tuple[str, ...] = ("L1", "L2", "L3")) -> None:
    """Write ``cohort.csv`` and ``features.csv`` with its manifest."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    bmd = np.round(np.tile([60.0, 100.0, 140.0], n // 3) + rng.normal(0, 5, n), 1)
    names = [f"p{number:03d}" for number in range(n)]
    pd.DataFrame({"patient_id": names, "bmd_mg_cm3": bmd, "metal": ""}).to_csv(folder / "cohort.csv", index=False)
    rows = []
    for name, value in zip(names, bmd, strict=True):
        for level in levels:
            signal = value + rng.normal(0, 15, 2)
            values = [*signal, *rng.normal(0, 1, 4), value + rng.normal(0, 20)]
            rows.append([name, "1", "trabecular", level, "ok", "", "", *values])
    keys = ["patient_id", "scan_id", "voi", "level", "status", "reason", "qc_warnings"]
    table = pd.DataFrame(rows, columns=[*keys, *COLUMNS, *DENSITY])
    write_table(folder, table)


def write_table(folder: Path, table: pd.DataFrame, **changes: object) -> None:
    """Write a feature table with the manifest of a trabecular extraction with the preset ``ct_trabecular``."""
    path = folder / "features.csv"
    radiomics = {
        "name": "radiomics",
        "engine": "native",
        "values_revision": 1,
        "parameters": {},
        "parameters_sha256": read_params("ct_trabecular").sha256,
        "columns": COLUMNS,
    }
    density = {**radiomics, "name": "density", "engine": "radiobone", "columns": DENSITY}
    density["parameters_sha256"] = sha256_json({})
    voi = {
        "recipe": "trabecular@1",
        "options": {"erosion_mm": 3.0, "upper_hu": None, "lower_hu": None},
        "scheme": "verse",
        "levels": ["L1", "L2", "L3"],
        "missing_levels": "fail",
    }
    manifest = FeatureManifest(
        created="2026-01-01T00:00:00+00:00",
        versions={},
        machine="test",
        table_sha256=write_features(path, table),
        cohort="cohort.csv",
        cohort_sha256=read_cohort(folder / "cohort.csv", images=False).sha256,
        voi=VoiRecord.model_validate(voi | changes.get("voi", {})),  # type: ignore[operator]
        blocks=[
            BlockRecord.model_validate(radiomics | changes.get("radiomics", {})),  # type: ignore[operator]
            BlockRecord.model_validate(density),
        ],
        counts={"ok": len(table)},
        scans=[],
    )
    write_manifest(path, manifest)


def tables(folder: Path) -> tuple[FeatureTable, Cohort]:
    """Read both tables back."""
    return read_features(folder / "features.csv"), read_cohort(folder / "cohort.csv", images=False)
