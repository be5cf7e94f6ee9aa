"""Prediction: a saved model on a new feature table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.batch import Status
from radiobone.core.files import write_json, write_text
from radiobone.core.hashing import sha256_file
from radiobone.core.provenance import machine, now, versions
from radiobone.tables.features import FeatureTable, manifest_path
from radiobone.tables.flow import unusable_patients
from radiobone.tables.keys import PATIENT, REASON, STATUS
from radiobone.tables.wide import Aggregation, incomplete_rows, restrict_levels, wide

if TYPE_CHECKING:
    import pandas as pd

    from radiobone.learning.manifest import FeatureSource, ModelManifest
    from radiobone.study.dataset import Dataset
    from radiobone.study.recipe import Recipe


def predict(folder: Path, features: FeatureTable) -> pd.DataFrame:
    """Predict every patient of a feature table; one who cannot be predicted keeps a row with the reason.

    Only rows of the model's levels count; a table may hold more of them than the model needs.

    Parameters
    ----------
    folder : Path
        A saved model, as `radiobone.study.training.train` writes it.
    features : FeatureTable
        The long table.

    Returns
    -------
    DataFrame
        ``patient_id``, ``status``, ``reason``, ``decision``, ``p_node_<name>``, ``p_class_<class>``,
        ``n_out_of_range`` and ``out_of_range`` (features outside the training range); sorted by patient.

    Raises
    ------
    ModelError
        If the model must not be loaded, or the table was made in another way than what the model learned from.
    """
    from radiobone.learning.persistence import load_model

    where = str(features.path)
    model = load_model(folder)
    source = model.manifest.source
    aggregation: Aggregation = "mean" if source is None else source.aggregation
    blocks = [block.name for block in source.blocks] if source is not None and source.blocks else None
    levels = None if source is None else source.levels
    found = feature_source(features, aggregation, blocks)
    model.manifest.check_source(found, where)
    reasons = unusable_patients(features, levels)
    predicted = _no_predictions(model.manifest)
    rows = restrict_levels(features, levels)
    if (rows.table[STATUS] == "ok").any():
        X = _wide(rows, aggregation, model.manifest, where)
        gaps = incomplete_rows(X)
        reasons |= gaps
        if len(gaps) < len(X):
            predicted = model.predict(X.drop(index=list(gaps)), source=found, where=where)
    return _table(predicted, reasons)


def write_predictions(out: Path, table: pd.DataFrame, folder: Path, features: FeatureTable) -> None:
    """Write predictions as CSV, and beside them a manifest that says what they stand on.

    Parameters
    ----------
    out : Path
        The table; its manifest is ``<out>.manifest.json``.
    table : DataFrame
        From `predict`.
    folder : Path
        The model.
    features : FeatureTable
        The table that was predicted.
    """
    from radiobone.learning.persistence import MANIFEST, MODEL

    write_text(out, table.to_csv(index=False, lineterminator="\n"))
    manifest = {
        "created": now(),
        "versions": versions(),
        "machine": machine(),
        "table_sha256": sha256_file(out),
        "model_sha256": sha256_file(folder / MODEL),
        "model_manifest_sha256": sha256_file(folder / MANIFEST),
        "features_sha256": sha256_file(features.path) if features.path else None,
        "counts": {str(status): int(count) for status, count in table[STATUS].value_counts().sort_index().items()},
    }
    write_json(manifest_path(out), manifest)


def feature_source(
    features: FeatureTable,
    aggregation: Aggregation,
    blocks: Sequence[str] | None,
    levels: Sequence[str] | None = None,
) -> FeatureSource:
    """Say how the columns of X came about.

    Parameters
    ----------
    features : FeatureTable
        The long table.
    aggregation : {"mean", "min", "concat"}
        How it was made wide.
    blocks : sequence of str or None
        The blocks that were used; None is all.
    levels : sequence of str, optional
        The levels whose rows were used; by default all.

    Returns
    -------
    FeatureSource
        For the model's manifest.
    """
    from radiobone.learning.manifest import FeatureSource

    if features.manifest is None:
        return FeatureSource.unknown(aggregation=aggregation, levels=levels)
    return FeatureSource.of(features.manifest, aggregation=aggregation, blocks=blocks, levels=levels)


def study_source(
    recipe: Recipe, tables: Mapping[str, FeatureTable], dataset: Dataset, columns: Sequence[str]
) -> FeatureSource:
    """Say how the columns of a study's model came about.

    Parameters
    ----------
    recipe : Recipe
        The study.
    tables : mapping of str to FeatureTable
        Its feature tables by VOI.
    dataset : Dataset
        How columns of the cohort table became numbers.
    columns : sequence of str
        The model's columns.

    Returns
    -------
    FeatureSource
        For the model's manifest.
    """
    from radiobone.learning.manifest import FeatureSource

    used = set(columns)
    codes = [code for code in dataset.codes if used & set(code.names)]
    aggregation = recipe.table.levels
    if "" not in tables:
        return FeatureSource.unknown(aggregation=aggregation).model_copy(update={"columns": codes})
    blocks = [name for name in recipe.primary_arm.blocks if "." not in name]
    levels = None if recipe.voi is None else recipe.voi.level_names
    return feature_source(tables[""], aggregation, blocks, levels).model_copy(update={"columns": codes})


def _wide(features: FeatureTable, aggregation: Aggregation, manifest: ModelManifest, where: str) -> pd.DataFrame:
    """Return the model's columns, one row for each patient with an ``ok`` row."""
    X = wide(features, aggregation)
    if aggregation == "concat":
        # A level that succeeded in no patient has no columns: its patients lack values, the table lacks none.
        known = set(features.features)
        absent = [name for name in manifest.feature_names if name not in X.columns]
        X = X.reindex(columns=[*X.columns, *(name for name in absent if name.partition("__")[2] in known)])
    # On no row: columns that are missing are refused, while rows with gaps are the caller's.
    manifest.arrange(X.iloc[:0], where)
    return X[manifest.feature_names]


def _no_predictions(manifest: ModelManifest) -> pd.DataFrame:
    """Return the columns of `radiobone.learning.persistence.SavedModel.predict` without a row."""
    import pandas as pd

    nodes = [f"p_node_{node.name}" for node in manifest.nodes]
    classes = [f"p_class_{name}" for name in manifest.classes]
    return pd.DataFrame(columns=["decision", *nodes, *classes, "n_out_of_range", "out_of_range"])


def _table(predicted: pd.DataFrame, reasons: dict[str, str]) -> pd.DataFrame:
    """Put the patients who cannot be predicted beside the others."""
    ok: Status = "ok"
    failed: Status = "failed"
    patients = sorted([*predicted.index, *reasons])
    table = predicted.reindex(patients)
    table.insert(0, STATUS, [failed if name in reasons else ok for name in patients])
    table.insert(1, REASON, [reasons.get(name, "") for name in patients])
    table["n_out_of_range"] = table["n_out_of_range"].astype("Int64")
    return table.rename_axis(PATIENT).reset_index()
