"""The extraction of one scan: its rows of the feature table, resumed VOI by VOI and block by block."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import CaseError, one_line
from radiobone.core.store import ResumeStore
from radiobone.features.blocks import Block
from radiobone.features.prepare import PreparedScan, prepare_scan, refuse_unsegmented
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.request import ExtractionRequest
from radiobone.features.resume import (
    FileHashes,
    Plan,
    get_plan,
    get_values,
    hash_files,
    make_plan,
    plan_key,
    put_plan,
    put_values,
)
from radiobone.features.scan_calibration import calibrated, calibration_record, kept_calibrations, of_scan
from radiobone.tables.cohort import Scan
from radiobone.tables.features import CalibrationRecord, ScanRecord

Results = Mapping[str, VoiValues | CaseError]
"""Values of one block by level, or why there are none."""


@dataclass(frozen=True, eq=False)
class Row:
    """One VOI: its status, quality and features.

    Parameters
    ----------
    level : str
        The level; empty for a scan that could not be used at all.
    status, reason : str
        ``ok``, ``failed`` or ``skipped``, and why.
    quality : mapping
        Quality columns of the VOI.
    n_grey : mapping of str to int
        Grey levels of each filtered image.
    features : ndarray of shape (n_columns,), optional
        The features of all blocks in the order of their columns; None unless ``ok``. An array, since rows of
        a large cohort are held in memory until the table is written.
    """

    level: str
    status: str
    reason: str = ""
    quality: Mapping[str, Any] = field(default_factory=dict)
    n_grey: Mapping[str, int] = field(default_factory=dict)
    features: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class ScanResult:
    """All rows of one scan, and how it was read.

    Parameters
    ----------
    record : ScanRecord
        For the manifest.
    rows : list of Row
        In level order.
    """

    record: ScanRecord
    rows: list[Row]


def extract_scan(scan: Scan, request: ExtractionRequest, store: ResumeStore | None = None) -> ScanResult:
    """Extract all VOIs of one scan; what an earlier run finished is taken from the store.

    Parameters
    ----------
    scan : Scan
        Who, and the files.
    request : ExtractionRequest
        What to extract.
    store : ResumeStore, optional
        Where finished results lie. Each VOI is kept as soon as it is done.

    Returns
    -------
    ScanResult
        A row for each VOI.

    Raises
    ------
    CaseError
        If image or mask cannot be used at all. A VOI that fails becomes a row.
    """
    begin = time.perf_counter()
    refuse_unsegmented(scan)
    hashes = hash_files(scan, store)
    key = plan_key(hashes, request)
    wanted = of_scan(request.blocks, scan, store)
    plan = get_plan(store, key)
    blocks = None if plan is None else kept_calibrations(wanted, plan, store)
    if plan is not None and blocks is not None:
        kept = _all_kept(blocks, plan, store)
        if kept is not None:
            return ScanResult(_record(scan, hashes, plan, blocks, None), _rows(plan, blocks, kept))
    prepared = prepare_scan(scan, request)
    plan = make_plan(hashes, request, prepared)
    blocks = calibrated(wanted, scan, plan, prepared, store)
    results = [_compute(block, plan, prepared, store) for block in blocks]
    put_plan(store, key, plan)
    rows = _rows(plan, blocks, results)
    return ScanResult(_record(scan, hashes, plan, blocks, time.perf_counter() - begin), rows)


def failed_scan(scan: Scan, levels: Sequence[str] | None, reason: str) -> ScanResult:
    """Return the rows of a scan that could not be used.

    Parameters
    ----------
    scan : Scan
        Who.
    levels : sequence of str or None
        The levels asked for: a row for each, or one row of no level if all were asked for.
    reason : str
        Why.
    """
    record = ScanRecord(
        patient_id=scan.patient_id, scan_id=scan.scan_id, repeat=scan.repeat, status="failed", reason=reason
    )
    return ScanResult(record, [Row(level, "failed", reason) for level in levels or ("",)])


def _all_kept(blocks: Sequence[Block], plan: Plan, store: ResumeStore | None) -> list[Results] | None:
    """Return all values of a scan from the store, or None unless every one is there."""
    results: list[Results] = []
    for block in blocks:
        found = {
            level: get_values(store, block.record, plan, level)
            for level, voi in plan.vois.items()
            if voi.status == "ok"
        }
        kept = {level: values for level, values in found.items() if values is not None}
        if len(kept) < len(found):
            return None
        results.append(kept)
    return results


def _compute(block: Block, plan: Plan, prepared: PreparedScan, store: ResumeStore | None) -> Results:
    """Compute a block for the VOIs that are not in the store, and keep each one that succeeds."""
    results: dict[str, VoiValues | CaseError] = {}
    missing = {}
    for level, outcome in prepared.vois.items():
        if outcome.result is not None:
            kept = get_values(store, block.record, plan, level)
            if kept is None:
                missing[level] = outcome.result.mask
            else:
                results[level] = kept
    if missing:
        for level, values in block.stream(prepared.image, missing):
            results[level] = values
            if isinstance(values, VoiValues):
                put_values(store, block.record, plan, level, values)
    return results


def _rows(plan: Plan, blocks: Sequence[Block], results: Sequence[Results]) -> list[Row]:
    columns = [name for block in blocks for name in block.record.columns]
    rows = []
    for level, voi in plan.vois.items():
        values = [result[level] for result in results] if voi.status == "ok" else []
        errors = [one_line(item) for item in values if isinstance(item, CaseError)]
        if voi.status != "ok" or errors:
            rows.append(
                Row(level, "failed" if errors else voi.status, "; ".join(errors) or voi.reason, voi.quality)
            )
            continue
        good = [item for item in values if isinstance(item, VoiValues)]
        n_grey = {name: count for item in good for name, count in item.n_grey.items()}
        by_name = {name: value for item in good for name, value in item.features.items()}
        told = [text for item in good for text in item.warnings]
        quality = {**voi.quality, "qc_warnings": "; ".join(filter(None, [voi.quality["qc_warnings"], *told]))}
        features = np.array([by_name[name] for name in columns], dtype=np.float64)
        rows.append(Row(level, "ok", "", quality, n_grey, features))
    return rows


def _record(
    scan: Scan, hashes: FileHashes, plan: Plan, blocks: Sequence[Block], seconds: float | None
) -> ScanRecord:
    calibration = calibration_record(blocks)
    return ScanRecord(
        patient_id=scan.patient_id,
        scan_id=scan.scan_id,
        repeat=scan.repeat,
        status="ok",
        image_sha256=hashes.image,
        mask_sha256=hashes.mask,
        body_mask_sha256=hashes.body_mask,
        pixel_type=plan.pixel_type,
        scheme=plan.notes[0],
        notes=tuple(plan.notes[1:]),
        calibration=None if calibration is None else CalibrationRecord(**calibration),
        seconds=None if seconds is None else round(seconds, 3),
    )
