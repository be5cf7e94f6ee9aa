"""The feature table, long: one row for each patient x scan x VOI x level, its manifest beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import SerializerFunctionWrapHandler, model_serializer

from radiobone.core.batch import Status
from radiobone.core.config import FileModel, validate
from radiobone.core.errors import TableError
from radiobone.core.files import atomic_path, write_json
from radiobone.core.hashing import sha256_file
from radiobone.tables.keys import (
    FEATURE_KEYS,
    LEVEL,
    PATIENT,
    QUALITY_PREFIX,
    REASON,
    SCAN,
    STATUS,
    VOI,
    forbid_duplicates,
    require_columns,
)
from radiobone.tables.reading import read_header, read_typed_table

if TYPE_CHECKING:
    import pandas as pd


class BlockRecord(FileModel):
    """What one block of features (radiomics, density, deep) was computed with.

    Parameters
    ----------
    name : str
        ``radiomics`` or ``density``, or ``deep-...`` with network and views.
    engine : str
        Which engine computed it.
    values_revision : int
        Raised by the engine with every change of a number.
    parameters : mapping
        The effective parameters, complete.
    parameters_sha256 : str
        Their SHA-256.
    columns : list of str
        The feature columns of this block, in order.
    weights : mapping, optional
        Of a network: whose weights, from where, by which licence. No value depends on these words; the file's hash
        is one of the parameters. The key is left out where there is none.
    """

    name: str
    engine: str
    values_revision: int
    parameters: dict[str, Any]
    parameters_sha256: str
    columns: list[str]
    weights: dict[str, str] | None = None

    @model_serializer(mode="wrap")
    def _without_empty_weights(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        if self.weights is None:
            content.pop("weights", None)
        return content


class VoiRecord(FileModel):
    """Which VOIs were made, and how.

    Parameters
    ----------
    recipe : str
        Name and version, such as ``trabecular@1``.
    options : mapping
        The recipe's options, complete.
    scheme : str
        The label scheme asked for.
    levels : list of str or None
        The levels asked for; None is every level of the mask.
    missing_levels : str
        What was done where a level was missing.
    """

    recipe: str
    options: dict[str, Any]
    scheme: str
    levels: list[str] | None
    missing_levels: str


class CalibrationRecord(FileModel):
    """How the HU of one scan became densities: density = slope * HU + intercept.

    Parameters
    ----------
    kind : str
        ``phantom``, ``asynchronous`` or ``internal``.
    slope, intercept : float
        In mg/cm3 for one HU, and in mg/cm3.
    unit : str
        With the standard, such as ``mg/cm3 HA``.
    residuals : tuple of float
        In mg/cm3, for each point.
    r2 : float or None
        Coefficient of determination; None below three points.
    points : tuple of mapping
        Materials of known density, and the HU that were found.
    notes, warnings : tuple of str
        How it was found, and what a user should know of it.
    settings_sha256 : str
        SHA-256 of the calibration file's content.
    scan : mapping
        What the cohort table said of the scan for it.
    """

    kind: str
    slope: float
    intercept: float
    unit: str
    residuals: tuple[float, ...]
    r2: float | None
    points: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    settings_sha256: str
    scan: dict[str, Any]


class ScanRecord(FileModel):
    """One scan as it was read.

    Parameters
    ----------
    patient_id, scan_id, repeat : str
        Its keys.
    status : str
        ``ok`` or ``failed``.
    reason : str
        Why it failed.
    image_sha256, mask_sha256, body_mask_sha256 : str or None
        Hashes of the files' bytes.
    pixel_type : str or None
        The file's pixel type, as it reached the engine.
    scheme : str or None
        The label scheme, and how it was chosen.
    notes : tuple of str
        What was done to the scan (an aligned mask, say).
    calibration : CalibrationRecord or None
        How HU became densities; the key is left out where no calibration was asked for.
    seconds : float or None
        Time spent; None where all was kept from an earlier run.
    """

    patient_id: str
    scan_id: str
    repeat: str = ""
    status: str
    reason: str = ""
    image_sha256: str | None = None
    mask_sha256: str | None = None
    body_mask_sha256: str | None = None
    pixel_type: str | None = None
    scheme: str | None = None
    notes: tuple[str, ...] = ()
    calibration: CalibrationRecord | None = None
    seconds: float | None = None

    @model_serializer(mode="wrap")
    def _without_empty_calibration(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        if self.calibration is None:
            content.pop("calibration", None)
        return content


class FeatureManifest(FileModel):
    """All that is needed to say how a feature table came about.

    Parameters
    ----------
    format : int
        Version of this file's form.
    created : str
        Time, UTC.
    versions : mapping
        Versions of radiobone, Python and the packages that can move a number.
    machine : str
        Operating system and processor type.
    table_sha256 : str
        SHA-256 of the table's bytes.
    cohort, cohort_sha256 : str or None
        The cohort table, relative to the feature table, and its SHA-256.
    voi : VoiRecord
        How VOIs were made.
    blocks : list of BlockRecord
        How features were computed.
    counts : mapping
        Rows by status.
    scans : list of ScanRecord
        Each scan as it was read.
    """

    format: Literal[1] = 1
    created: str
    versions: dict[str, str]
    machine: str
    table_sha256: str
    cohort: str | None
    cohort_sha256: str | None
    voi: VoiRecord
    blocks: list[BlockRecord]
    counts: dict[str, int]
    scans: list[ScanRecord]

    @property
    def feature_columns(self) -> list[str]:
        """The feature columns of all blocks, in the table's order."""
        return [name for block in self.blocks for name in block.columns]


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """A feature table in memory.

    Parameters
    ----------
    table : DataFrame
        Keys, ``status`` and ``reason`` as text, then ``qc_`` columns, then features as numbers.
    features : list of str
        The feature columns, in order.
    manifest : FeatureManifest or None
        None for a table from elsewhere.
    path : Path or None
        The file it was read from.
    """

    table: pd.DataFrame
    features: list[str]
    manifest: FeatureManifest | None = None
    path: Path | None = None


def manifest_path(table: Path) -> Path:
    """Return the path of the manifest beside a feature table.

    Parameters
    ----------
    table : Path
        The feature table.

    Returns
    -------
    Path
        ``<table>.manifest.json``.
    """
    return table.with_name(f"{table.name}.manifest.json")


def write_features(path: Path, table: pd.DataFrame) -> str:
    """Write a feature table atomically.

    Parameters
    ----------
    path : Path
        Parquet by its suffix, else CSV.
    table : DataFrame
        The rows.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    with atomic_path(path) as part:
        if path.suffix == ".parquet":
            table.to_parquet(part, index=False)
        else:
            # Floats are written as their shortest exact text, so that they come back to the last bit.
            table.to_csv(part, index=False, lineterminator="\n", encoding="utf-8")
    return sha256_file(path)


def write_manifest(table: Path, manifest: FeatureManifest) -> None:
    """Write the manifest beside its feature table.

    Parameters
    ----------
    table : Path
        The feature table.
    manifest : FeatureManifest
        Its manifest.
    """
    write_json(manifest_path(table), manifest.model_dump(mode="json"))


def read_features(path: Path) -> FeatureTable:
    """Read a feature table and, where there is one, its manifest.

    Parameters
    ----------
    path : Path
        CSV, or Parquet by its suffix.

    Returns
    -------
    FeatureTable
        Every column that is no key, no ``status`` or ``reason`` and no ``qc_`` column is a feature.

    Raises
    ------
    TableError
        If a key column is missing, a row is there twice, a feature is no number, or the table is not
        the one that its manifest speaks of.
    """
    columns = read_header(path)
    where = str(path)
    require_columns(columns, (PATIENT, SCAN, VOI, LEVEL, STATUS, REASON), where)
    text = {*FEATURE_KEYS, STATUS, REASON}
    features = [name for name in columns if name not in text and not name.startswith(QUALITY_PREFIX)]
    table = read_typed_table(path, numeric=features)
    keys = [name for name in FEATURE_KEYS if name in columns]
    forbid_duplicates(table, keys, where, "remove the copies, or extract again")
    unknown = sorted(set(table[STATUS]) - set(get_args(Status)))
    if unknown:
        raise TableError(
            "the column status holds values that mean nothing",
            where=where,
            got=", ".join(map(repr, unknown[:5])),
            expected=", ".join(get_args(Status)),
            do="mend the table, or extract again",
        )
    manifest = _read_manifest(path)
    if manifest is not None and features != manifest.feature_columns:
        raise TableError(
            "the feature columns are not those of the manifest",
            where=where,
            got=f"{len(features)} columns",
            expected=f"{len(manifest.feature_columns)} columns in the manifest's order",
            do="extract again, or remove the manifest if the table is meant to differ",
        )
    return FeatureTable(table, features, manifest, path)


def _read_manifest(table: Path) -> FeatureManifest | None:
    path = manifest_path(table)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TableError("manifest is not JSON", where=str(path), got=error) from None
    manifest = validate(FeatureManifest, content, str(path))
    if sha256_file(table) != manifest.table_sha256:
        raise TableError(
            "the table was changed after its manifest was written",
            where=str(table),
            got="another SHA-256",
            expected=manifest.table_sha256,
            do="extract again, or remove the manifest if the change is meant",
        )
    return manifest
