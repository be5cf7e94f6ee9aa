"""From a scan and its mask to rows of the feature table, resumed VOI by VOI and block by block."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.batch import Outcome, one_line
from radiobone.core.errors import CaseError, UsageError, VoiError
from radiobone.core.hashing import sha256_files, sha256_json
from radiobone.core.store import ResumeStore
from radiobone.features.blocks import Block
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.request import ExtractionRequest
from radiobone.imaging import Image, Mask
from radiobone.imaging.alignment import align_mask, check_same_grid
from radiobone.imaging.reading import read_image, read_mask, source_files
from radiobone.tables.cohort import Scan
from radiobone.tables.features import ScanRecord
from radiobone.voi import Scheme, Voi, VoiRequest, choose_scheme, make_vois
from radiobone.voi.schemes import AUTO, find_scheme

_STORE_FORMAT = 1
"""Raised when the form of kept results changes, so that older ones are not read."""


@dataclass(frozen=True)
class Row:
    """One VOI: its status, quality and features, as JSON-like values.

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


@dataclass(frozen=True)
class ScanResult:
    """All rows of one scan, and how it was read."""

    record: ScanRecord
    rows: list[Row]


@dataclass(frozen=True)
class PreparedScan:
    """A scan that was read, and its VOIs.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        Its label map, on the image's grid.
    scheme : Scheme
        What the labels mean.
    vois : dict of str to Outcome
        An outcome for each level.
    notes : list of str
        How the scheme was chosen, and what was done to the masks.
    """

    image: Image
    mask: Mask
    scheme: Scheme
    vois: dict[str, Outcome[Voi]]
    notes: list[str]


@dataclass(frozen=True)
class _Plan:
    """What is known of a scan before any feature, as JSON-like values.

    ``vois`` holds for each level its ``status``, ``reason`` and ``quality``.
    """

    pixel_type: str
    scheme: str
    notes: list[str]
    vois: dict[str, dict[str, Any]]


def extract_scan(scan: Scan, request: ExtractionRequest, store: ResumeStore | None = None) -> ScanResult:
    """Extract all VOIs of one scan; what an earlier run finished is taken from the store.

    Parameters
    ----------
    scan : Scan
        Who, and the files.
    request : ExtractionRequest
        What to extract.
    store : ResumeStore, optional
        Where finished results lie.

    Raises
    ------
    CaseError
        If image or mask cannot be used at all. A VOI that fails becomes a row.
    """
    begin = time.perf_counter()
    hashes = _hash_files(scan)
    key = _scan_key(hashes, request)
    kept = store.get(key) if store else None
    if kept is not None:
        plan = _Plan(**kept)
        blocks = [_kept_values(block, key, plan, store) for block in request.blocks]
        if all(values is not None for values in blocks):
            rows = _rows(plan, request.blocks, [values for values in blocks if values is not None])
            return ScanResult(_record(scan, hashes, plan, None), rows)
    prepared = prepare_scan(scan, request)
    plan = _plan(prepared)
    masks = {level: outcome.result.mask for level, outcome in prepared.vois.items() if outcome.result is not None}
    computed = [_compute(block, key, prepared.image, masks, store) for block in request.blocks]
    if store and not any(voi["status"] == "failed" for voi in plan.vois.values()):
        store.put(key, vars(plan))
    return ScanResult(
        _record(scan, hashes, plan, time.perf_counter() - begin), _rows(plan, request.blocks, computed)
    )


def failed_scan(scan: Scan, levels: Sequence[str] | None, reason: str) -> ScanResult:
    """Return the rows of a scan that could not be used: one for each level asked for, or one of no level."""
    record = ScanRecord(
        patient_id=scan.patient_id, scan_id=scan.scan_id, repeat=scan.repeat, status="failed", reason=reason
    )
    return ScanResult(record, [Row(level, "failed", reason) for level in levels or ("",)])


def _hash_files(scan: Scan) -> dict[str, str | None]:
    return {
        "image": sha256_files(source_files(scan.image)),
        "mask": sha256_files(source_files(scan.mask)),
        "body_mask": sha256_files(source_files(scan.body_mask)) if scan.body_mask else None,
    }


def _scan_key(hashes: dict[str, str | None], request: ExtractionRequest) -> str:
    scheme = AUTO if request.scheme == AUTO else sorted(find_scheme(request.scheme).labels.items())
    return sha256_json(
        {
            "format": _STORE_FORMAT,
            "files": hashes,
            "scheme": [request.scheme, scheme],
            "recipe": request.recipe.text(request.options),
            "levels": request.levels,
            "missing": request.missing,
            "align": request.align,
        }
    )


def prepare_scan(scan: Scan, request: ExtractionRequest) -> PreparedScan:
    """Read a scan and its masks, and make its VOIs.

    Parameters
    ----------
    scan : Scan
        The files.
    request : ExtractionRequest
        Which VOIs; its blocks play no role here.

    Raises
    ------
    CaseError
        If image or mask cannot be used, or the label scheme cannot be told. A level that fails is an outcome.
    """
    image = read_image(scan.image)
    notes: list[str] = []
    mask = _on_grid(image, scan.mask, scan.name, request.align, notes)
    body_mask = None
    if scan.body_mask is not None:
        body_mask = _on_grid(image, scan.body_mask, scan.name, request.align, notes)
    scheme, chosen = choose_scheme(request.scheme, mask)
    try:
        voi_request = VoiRequest(scheme, request.recipe, request.levels, request.missing, request.options)
    except UsageError as error:
        # A detected scheme belongs to this mask alone; others may know the level.
        raise VoiError(error.what, where=scan.name, got=error.got, expected=error.expected) from None
    return PreparedScan(image, mask, scheme, make_vois(image, mask, voi_request, body_mask), [chosen, *notes])


def _on_grid(image: Image, path: Path, where: str, align: bool, notes: list[str]) -> Mask:
    """Read a mask and bring it onto the image's grid, or say how the grids differ."""
    mask = read_mask(path)
    if not align:
        check_same_grid(image, mask, f"{where}, {path}")
        return mask
    aligned, note = align_mask(mask, image, f"{where}, {path}")
    notes.extend([note] if note else [])
    return aligned


def _plan(prepared: PreparedScan) -> _Plan:
    vois = {
        level: {
            "status": outcome.status,
            "reason": outcome.reason,
            "quality": outcome.result.quality.columns() if outcome.result is not None else {},
        }
        for level, outcome in prepared.vois.items()
    }
    return _Plan(str(prepared.image.array.dtype), prepared.scheme.name, prepared.notes, vois)


def _block_key(block: Block, scan_key: str, level: str) -> str:
    record = block.record
    return sha256_json(
        [scan_key, level, record.name, record.engine, record.values_revision, record.parameters_sha256]
    )


def _kept_values(
    block: Block, scan_key: str, plan: _Plan, store: ResumeStore | None
) -> dict[str, VoiValues | CaseError] | None:
    """Return a block's kept values of all VOIs, or None unless every one is there."""
    values: dict[str, VoiValues | CaseError] = {}
    for level, voi in plan.vois.items():
        if voi["status"] == "ok":
            found = store.get(_block_key(block, scan_key, level)) if store else None
            if found is None:
                return None
            values[level] = VoiValues(**found)
    return values


def _compute(
    block: Block, scan_key: str, image: Image, masks: Mapping[str, Mask], store: ResumeStore | None
) -> dict[str, VoiValues | CaseError]:
    """Compute a block for the VOIs that are not in the store, and keep what succeeds."""
    results: dict[str, VoiValues | CaseError] = {}
    for level in masks:
        found = store.get(_block_key(block, scan_key, level)) if store else None
        if found is not None:
            results[level] = VoiValues(**found)
    missing = {level: mask for level, mask in masks.items() if level not in results}
    if missing:
        computed = block.compute(image, missing)
        for level, values in computed.items():
            if store and isinstance(values, VoiValues):
                store.put(_block_key(block, scan_key, level), vars(values))
        results.update(computed)
    return results


def _rows(
    plan: _Plan, blocks: Sequence[Block], results: Sequence[Mapping[str, VoiValues | CaseError]]
) -> list[Row]:
    columns = [name for block in blocks for name in block.record.columns]
    rows = []
    for level, voi in plan.vois.items():
        if voi["status"] != "ok":
            rows.append(Row(level, voi["status"], voi["reason"], voi["quality"]))
            continue
        values = [result[level] for result in results]
        errors = [one_line(item) for item in values if isinstance(item, CaseError)]
        if errors:
            rows.append(Row(level, "failed", "; ".join(errors), voi["quality"]))
            continue
        good = [item for item in values if isinstance(item, VoiValues)]
        n_grey = {name: count for item in good for name, count in item.n_grey.items()}
        by_name = {name: value for item in good for name, value in item.features.items()}
        told = [text for item in good for text in item.warnings]
        quality = {
            **voi["quality"],
            "qc_warnings": "; ".join(filter(None, [voi["quality"]["qc_warnings"], *told])),
        }
        features = np.array([by_name[name] for name in columns], dtype=np.float64)
        rows.append(Row(level, "ok", "", quality, n_grey, features))
    return rows


def _record(scan: Scan, hashes: dict[str, str | None], plan: _Plan, seconds: float | None) -> ScanRecord:
    return ScanRecord(
        patient_id=scan.patient_id,
        scan_id=scan.scan_id,
        repeat=scan.repeat,
        status="ok",
        image_sha256=hashes["image"],
        mask_sha256=hashes["mask"],
        body_mask_sha256=hashes["body_mask"],
        pixel_type=plan.pixel_type,
        scheme=plan.scheme,
        notes=tuple(plan.notes),
        seconds=None if seconds is None else round(seconds, 3),
    )
