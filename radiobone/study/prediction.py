"""Prediction: a saved model on a new feature table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.batch import Status
from radiobone.core.files import write_json, write_text
from radiobone.core.hashing import sha256_file
from radiobone.core.provenance import machine, now, versions
from radiobone.study.blocks import block_columns, external_table, short_prefix, single_blocks
from radiobone.study.dataset import Tables
from radiobone.study.model_inputs import joined, model_rows, names_of, refuse_missing, unusable_rows
from radiobone.tables.cohort import Cohort, read_cohort
from radiobone.tables.features import FeatureTable, manifest_path, read_features
from radiobone.tables.keys import PATIENT, REASON, STATUS
from radiobone.tables.units import cohort_of_levels, features_of_levels, with_level
from radiobone.tables.wide import Aggregation

if TYPE_CHECKING:
    import pandas as pd

    from radiobone.learning.disk.manifest import FeatureSource, ModelManifest
    from radiobone.study.dataset import Dataset
    from radiobone.study.recipe import Recipe


def predict(
    folder: Path, features: Tables | FeatureTable | None = None, cohort: Cohort | None = None
) -> pd.DataFrame:
    """Predict every patient, or level of each; what cannot be predicted keeps a row with the reason.

    Only rows of the model's levels count; a table may hold more of them than the model needs.

    Parameters
    ----------
    folder : Path
        A saved model, as `radiobone.study.training.train` writes it.
    features : mapping of str to FeatureTable, FeatureTable or None
        The long tables by VOI; one alone is the main one; none for a model of clinical columns alone.
    cohort : Cohort, optional
        The table with the clinical and acquisition columns, where the model has any.

    Returns
    -------
    DataFrame
        ``patient_id`` (and ``level``, for a model of levels), ``status``, ``reason``, ``decision``,
        ``p_node_<name>``, ``p_class_<class>``, ``n_out_of_range`` and ``out_of_range`` (features outside the
        training range); sorted by patient.

    Raises
    ------
    ModelError
        If the model must not be loaded, a table is missing, or one was made in another way than what the model
        learned from.
    """
    from radiobone.learning.disk.persistence import load_model

    model = load_model(folder)
    manifest, source = model.manifest, model.manifest.source
    tables = {"": features} if isinstance(features, FeatureTable) else dict(features or {})
    refuse_missing(manifest, tables, cohort)
    if source is not None and source.unit == "level":
        levels = source.levels or []
        tables = {voi: features_of_levels(table, levels) for voi, table in tables.items()}
        cohort = None if cohort is None else cohort_of_levels(cohort, levels)
    given: list[object] = [*(table.path for table in tables.values()), cohort and cohort.path]
    where = ", ".join(str(path) for path in given if path is not None)
    found = source
    parts: list[pd.DataFrame] = []
    reasons: dict[str, str] = {}
    for voi in ["", *(source.more if source is not None else ())]:
        names = names_of(manifest, voi)
        if not names:
            continue
        own = source if voi == "" or source is None else source.more[voi]
        made = _made(tables[voi], own)
        manifest.model_copy(update={"source": own}).check_source(made, where)
        found = made if voi == "" else found
        part, unusable = model_rows(tables[voi], voi, own, names)
        parts.append(part)
        reasons |= unusable
    X = joined(manifest, parts, cohort, reasons)
    # On no row: columns that are missing are refused, while rows with gaps are told one by one.
    manifest.arrange(X.iloc[:0], where)
    X = X[manifest.feature_names]
    gaps = unusable_rows(X, manifest)
    reasons |= gaps
    predicted = _no_predictions(manifest)
    if len(gaps) < len(X):
        predicted = model.predict(X.drop(index=list(gaps)), source=found, where=where)
    table = _table(predicted, reasons)
    return table if source is None or source.unit == "patient" else with_level(table)


def read_inputs(
    folder: Path, features: Mapping[str, Path], cohort: Path | None
) -> tuple[dict[str, FeatureTable], Cohort | None]:
    """Read new tables by the names that a saved model's tables had.

    Parameters
    ----------
    folder : Path
        The model.
    features : mapping of str to Path
        Feature tables by VOI.
    cohort : Path or None
        The cohort table.

    Returns
    -------
    tables : dict of str to FeatureTable
        By VOI.
    cohort : Cohort or None
        The cohort table.
    """
    from radiobone.learning.disk.persistence import load_model

    manifest = load_model(folder).manifest
    source = manifest.source
    external = None if source is None else source.external
    tables = {
        voi: read_features(path)
        if external is None
        else external_table(path, external, [short_prefix(name) for name in names_of(manifest, "")])
        for voi, path in features.items()
    }
    patient = PATIENT if source is None else source.patient
    return tables, None if cohort is None else read_cohort(cohort, images=False, patient=patient)


def _made(features: FeatureTable, model: FeatureSource | None) -> FeatureSource:
    """Say how the columns of a new table came about, as far as the model asks."""
    aggregation: Aggregation = "mean" if model is None else model.aggregation
    blocks = [block.name for block in model.blocks] if model is not None and model.blocks else None
    return feature_source(features, aggregation, blocks)


def write_predictions(
    out: Path, table: pd.DataFrame, folder: Path, features: Tables | FeatureTable, cohort: Cohort | None = None
) -> None:
    """Write predictions as CSV, and beside them a manifest that says what they stand on.

    Parameters
    ----------
    out : Path
        The table; its manifest is ``<out>.manifest.json``.
    table : DataFrame
        From `predict`.
    folder : Path
        The model.
    features : mapping of str to FeatureTable, or FeatureTable
        The tables that were predicted.
    cohort : Cohort, optional
        The cohort table.
    """
    from radiobone.learning.disk.persistence import MANIFEST, MODEL

    write_text(out, table.to_csv(index=False, lineterminator="\n"))
    tables = {"": features} if isinstance(features, FeatureTable) else features
    hashes = {
        f"features_{name}_sha256" if name else "features_sha256": sha256_file(one.path)
        for name, one in tables.items()
        if one.path is not None
    }
    if cohort is not None:
        hashes["cohort_sha256"] = cohort.sha256
    manifest = {
        "created": now(),
        "versions": versions(),
        "machine": machine(),
        "table_sha256": sha256_file(out),
        "model_sha256": sha256_file(folder / MODEL),
        "model_manifest_sha256": sha256_file(folder / MANIFEST),
        "features_sha256": None,
        **hashes,
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
    from radiobone.learning.disk.manifest import FeatureSource

    if features.manifest is None:
        return FeatureSource.unknown(aggregation=aggregation, levels=levels)
    return FeatureSource.of(features.manifest, aggregation=aggregation, blocks=blocks, levels=levels)


def study_source(recipe: Recipe, tables: Tables, dataset: Dataset, columns: Sequence[str]) -> FeatureSource:
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
    from radiobone.learning.disk.manifest import FeatureSource

    used = set(columns)
    facts: dict[str, object] = {
        "columns": [code for code in dataset.codes if used & set(code.names)],
        "patient": None if recipe.cohort.rows == "patients" else recipe.cohort.patient,
        "external": None if recipe.external is None else recipe.external.patient,
    }
    aggregation = recipe.table.levels
    blocks: dict[str, list[str]] = {}
    for block in recipe.primary_arm.blocks:
        voi, _, name = block.rpartition(".")
        blocks.setdefault(voi, []).append(name)
    sources = {
        voi: feature_source(
            tables[voi],
            aggregation,
            single_blocks(names, block_columns(tables[voi])),
            recipe.vois[voi].level_names if recipe.vois else None,
        )
        for voi, names in blocks.items()
    }
    main = sources.pop("", None) or FeatureSource.unknown(aggregation=aggregation)
    if recipe.unit_levels is not None:
        facts |= {"unit": "level", "levels": list(recipe.unit_levels)}
    return main.model_copy(update=facts | {"more": sources})


def _no_predictions(manifest: ModelManifest) -> pd.DataFrame:
    """Return the columns of `radiobone.learning.disk.persistence.SavedModel.predict` without a row."""
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
