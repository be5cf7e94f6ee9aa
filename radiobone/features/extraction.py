"""The extraction of a whole cohort: all scans in parallel, one table, one manifest."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radiobone.core.batch import run_cases
from radiobone.core.extras import require
from radiobone.core.files import check_output
from radiobone.core.provenance import machine, now, versions
from radiobone.core.store import ResumeStore
from radiobone.features.request import ExtractionRequest
from radiobone.features.scan import Row, ScanResult, extract_scan, failed_scan
from radiobone.tables.cohort import Cohort, Scan
from radiobone.tables.features import (
    BlockRecord,
    FeatureManifest,
    VoiRecord,
    write_features,
    write_manifest,
)
from radiobone.tables.keys import LEVEL, PATIENT, REASON, REPEAT, SCAN, STATUS, VOI
from radiobone.tables.vertebrae import level_order
from radiobone.voi import VoiQuality

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")

GREY_LEVELS_WANTED = (8, 256)
"""Fewer grey levels flatten a texture, more leave its matrices almost empty: outside, a row is flagged.

One bin width of 25 serves HU, wavelet and LoG images very differently.
"""

N_GREY_PREFIX = "qc_n_grey_"

CONTRAST_COLUMN = "qc_contrast"
"""What the cohort table says of contrast medium, or ``unknown``: it raises HU, and an image does not tell."""

UNKNOWN = "unknown"

WHOLE_NUMBERS = (N_GREY_PREFIX, "qc_voxels", "qc_components", "qc_fracture_grade")
"""Columns whose names begin so hold whole numbers, or nothing."""


@dataclass(frozen=True)
class ExtractionSummary:
    """What became of a cohort.

    Parameters
    ----------
    path : Path
        The feature table.
    counts : dict of str to int
        Rows by status.
    failures : list of (str, str)
        For each failed row, its name and reason.
    warned : int
        Number of rows with a warning.
    to_review : int
        Number of rows that need review.
    """

    path: Path
    counts: dict[str, int]
    failures: list[tuple[str, str]]
    warned: int
    to_review: int


def extract_cohort(
    scans: Sequence[Scan],
    request: ExtractionRequest,
    out: Path,
    *,
    cohort: Cohort | None = None,
    jobs: int = 1,
    resume: bool = True,
    progress: bool = True,
) -> ExtractionSummary:
    """Extract all scans and write the feature table with its manifest.

    Results are kept beside the table, in ``<table>.resume``, until the user removes that folder: a run
    that was stopped, or whose cohort grew, goes on from them.

    Parameters
    ----------
    scans : sequence of Scan
        The scans.
    request : ExtractionRequest
        What to extract.
    out : Path
        The table: CSV, or Parquet by its suffix.
    cohort : Cohort, optional
        The table that the scans come from, for the manifest.
    jobs : int, default 1
        Number of worker processes; -1 is one for each core. The table is the same for any number.
    resume : bool, default True
        Whether to use and keep finished results.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    ExtractionSummary
        Where the table lies, and what became of its rows.

    Raises
    ------
    UsageError
        If the table would overwrite an input or cannot be written, its format is not known, ``jobs`` means
        nothing, or a package that the table or an engine needs is missing.
    """
    files = (path for scan in scans for path in scan.files)
    check_output(out, [*files, *([cohort.path] if cohort else [])] if out.exists() else [], SUFFIXES)
    if out.suffix == ".parquet":
        require("pyarrow", "parquet")
    store = ResumeStore(out.with_name(f"{out.name}.resume")) if resume else None
    work = functools.partial(extract_scan, request=request, store=store)
    for block in request.blocks:
        block.prepare(jobs)
    outcomes = run_cases(
        scans, work, name=lambda scan: scan.name, jobs=jobs, description="extracting scans", progress=progress
    )
    results = [
        outcome.result or failed_scan(scan, request.levels, outcome.reason)
        for scan, outcome in zip(scans, outcomes, strict=True)
    ]
    records = [block.record for block in request.blocks]
    images = [name for block in request.blocks for name in block.images]
    table = _table(zip(scans, results, strict=True), request.recipe.name, records, images)
    sha256 = write_features(out, table)
    counts = dict(sorted(Counter(table[STATUS]).items()))
    write_manifest(out, _manifest(out, sha256, request, records, results, counts, cohort))
    failed = table[table[STATUS] == "failed"]
    names = failed[PATIENT] + ", scan " + failed[SCAN] + ", " + failed[LEVEL]
    return ExtractionSummary(
        out,
        counts,
        list(zip(names.str.removesuffix(", "), failed[REASON], strict=True)),
        int((table["qc_warnings"] != "").sum()),
        int(table["qc_needs_review"].eq(True).sum()),
    )


def _table(
    results: Iterable[tuple[Scan, ScanResult]], voi: str, records: Sequence[BlockRecord], images: Sequence[str]
) -> pd.DataFrame:
    import pandas as pd

    rows = [(scan, row) for scan, result in results for row in result.rows]
    # Sorted before anything wide is made of them, so that a large table is not copied to be sorted.
    rows.sort(key=lambda pair: (pair[0].patient_id, pair[0].scan_id, level_order(pair[1].level), pair[0].repeat))
    repeats = any(scan.repeat for scan, _ in rows)
    keys = [PATIENT, SCAN, VOI, LEVEL, *([REPEAT] if repeats else []), STATUS, REASON]
    quality = [item.name for item in fields(VoiQuality) if item.name != "qc_warnings"]
    quality += [CONTRAST_COLUMN, *(f"{N_GREY_PREFIX}{name}" for name in images), "qc_warnings"]
    features = [name for record in records for name in record.columns]
    table = pd.DataFrame([_cells(scan, voi, row) for scan, row in rows], columns=[*keys, *quality])
    values = np.full((len(rows), len(features)), np.nan)
    for number, (_, row) in enumerate(rows):
        if row.features is not None:
            values[number] = row.features
    whole = [name for name in quality if name.startswith(WHOLE_NUMBERS)]
    table = table.astype(dict.fromkeys(whole, "Int64"))
    table["qc_warnings"] = table["qc_warnings"].fillna("")
    joined: pd.DataFrame = pd.concat([table, pd.DataFrame(values, columns=features)], axis=1)
    return joined


def _cells(scan: Scan, voi: str, row: Row) -> dict[str, Any]:
    low, high = GREY_LEVELS_WANTED
    outside = [f"{name} has {count}" for name, count in row.n_grey.items() if not low <= count <= high]
    told = f"grey levels outside {low} to {high}: {', '.join(outside)}" if outside else ""
    warnings = "; ".join(filter(None, [row.quality.get("qc_warnings", ""), told]))
    return {
        PATIENT: scan.patient_id,
        SCAN: scan.scan_id,
        REPEAT: scan.repeat,
        VOI: voi,
        LEVEL: row.level,
        STATUS: row.status,
        REASON: row.reason,
        **row.quality,
        CONTRAST_COLUMN: scan.contrast or UNKNOWN,
        **{f"{N_GREY_PREFIX}{name}": count for name, count in row.n_grey.items()},
        "qc_warnings": warnings,
    }


def _manifest(
    out: Path,
    sha256: str,
    request: ExtractionRequest,
    records: Sequence[BlockRecord],
    results: Sequence[ScanResult],
    counts: dict[str, int],
    cohort: Cohort | None,
) -> FeatureManifest:
    options = {name: getattr(request.options, name) for name in request.recipe.options}
    return FeatureManifest(
        created=now(),
        versions=versions(),
        machine=machine(),
        table_sha256=sha256,
        cohort=os.path.relpath(cohort.path.resolve(), out.parent.resolve()) if cohort else None,
        cohort_sha256=cohort.sha256 if cohort else None,
        voi=VoiRecord(
            recipe=request.recipe.id,
            options=options,
            scheme=request.scheme,
            levels=list(request.levels) if request.levels else None,
            missing_levels=request.missing,
        ),
        blocks=list(records),
        counts=counts,
        scans=sorted(
            (result.record for result in results), key=lambda item: (item.patient_id, item.scan_id, item.repeat)
        ),
    )
