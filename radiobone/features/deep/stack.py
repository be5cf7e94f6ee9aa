"""Patches of every VOI of a cohort in one file: what a network of one's own is trained on.

Volumes are kept one by one beside the stack, each under a hash of everything that it depends on, so that a stopped
run goes on where it was; then they are put together, one after the other, in the order of a feature table.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.batch import run_cases
from radiobone.core.errors import CaseError, UsageError, one_line
from radiobone.core.files import check_output
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.core.provenance import machine, now, numeric_versions, versions
from radiobone.core.store import ResumeStore
from radiobone.features.deep.patch_params import PatchParams
from radiobone.features.deep.patches import make_inputs
from radiobone.features.deep.stack_files import ROW, VOXEL_MM, StackManifest, index_path, write_stack_manifest
from radiobone.features.deep.stack_volumes import KeptVolumes
from radiobone.features.prepare import prepare_scan, refuse_unsegmented
from radiobone.features.request import ExtractionRequest
from radiobone.features.resume import FileHashes, Plan, get_plan, hash_files, make_plan, plan_key, put_plan
from radiobone.features.scan import failed_scan
from radiobone.imaging import Image, Mask
from radiobone.tables.cohort import Cohort, Scan
from radiobone.tables.features import ScanRecord, VoiRecord, manifest_path, write_features
from radiobone.tables.keys import LEVEL, PATIENT, REASON, REPEAT, SCAN, STATUS, VOI
from radiobone.tables.vertebrae import level_order

if TYPE_CHECKING:
    import pandas as pd

VALUES_REVISION = 1
"""Raised with every change of a voxel."""


@dataclass(frozen=True)
class CutVoi:
    """One VOI, cut out.

    Parameters
    ----------
    level : str
        The level; empty for a scan that could not be used at all.
    status, reason : str
        ``ok``, ``failed`` or ``skipped``, and why.
    key : str
        Under which its volume is kept; empty unless ``ok``.
    voxel_mm : tuple of float
        Edges of a voxel along (z, y, x); empty unless ``ok``.
    """

    level: str
    status: str
    reason: str = ""
    key: str = ""
    voxel_mm: tuple[float, ...] = ()


@dataclass(frozen=True)
class CutScan:
    """All VOIs of one scan, cut out, and how the scan was read.

    Parameters
    ----------
    record : ScanRecord
        For the manifest.
    vois : tuple of CutVoi
        In level order.
    """

    record: ScanRecord
    vois: tuple[CutVoi, ...]


@dataclass(frozen=True)
class StackSummary:
    """What became of a cohort.

    Parameters
    ----------
    path : Path
        The stack.
    shape : tuple of int
        (n, z, y, x).
    counts : dict of str to int
        VOIs by status.
    failures : list of (str, str)
        For each VOI that failed, its name and reason.
    """

    path: Path
    shape: tuple[int, ...]
    counts: dict[str, int]
    failures: list[tuple[str, str]]


def write_stack(
    scans: Sequence[Scan],
    request: ExtractionRequest,
    params: PatchParams,
    out: Path,
    *,
    cohort: Cohort | None = None,
    jobs: int = 1,
    resume: bool = True,
    progress: bool = True,
) -> StackSummary:
    """Cut the VOIs of all scans out, and write them into one file, with its index and manifest beside it.

    Parameters
    ----------
    scans : sequence of Scan
        The scans.
    request : ExtractionRequest
        Which VOIs; its blocks play no role here.
    params : PatchParams
        What is seen of each.
    out : Path
        The stack: ``.npy``. VOIs that fail get no row in it, but a line in the index.
    cohort : Cohort, optional
        The table that the scans come from, for the manifest.
    jobs : int, default 1
        Number of worker processes; -1 is one for each core. The files are the same for any number.
    resume : bool, default True
        Whether to use and keep finished volumes, in ``<out>.resume``.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    StackSummary
        Where the stack lies, and what became of its VOIs.

    Raises
    ------
    UsageError
        If the stack would overwrite an input or cannot be written, or no VOI is left.
    """
    inputs = [path for scan in scans for path in scan.files] + ([cohort.path] if cohort else [])
    check_output(out, inputs if out.exists() else [], (".npy",))
    for beside in (index_path(out), manifest_path(out)):
        check_output(beside, inputs if beside.exists() else [])
    if index_path(out).exists() and not out.exists():
        raise UsageError(
            "the stack's index would overwrite a table",
            where=str(index_path(out)),
            expected=f"an index beside its stack, {out.name}",
            do="choose another name for --out",
        )
    kept = out.with_name(f"{out.name}.resume")
    folder = kept if resume else Path(tempfile.mkdtemp(prefix=".volumes-", dir=out.parent))
    try:
        store = ResumeStore(kept) if resume else None
        work = functools.partial(
            cut_scan, request=request, params=params, store=store, volumes=KeptVolumes(folder, params)
        )
        outcomes = run_cases(
            scans, work, name=lambda scan: scan.name, jobs=jobs, description="cutting VOIs out", progress=progress
        )
        results = [
            outcome.result or _failed(scan, request, outcome.reason)
            for scan, outcome in zip(scans, outcomes, strict=True)
        ]
        return _put_together(list(zip(scans, results, strict=True)), request, params, out, folder, cohort)
    finally:
        if not resume:
            shutil.rmtree(folder)


def cut_scan(
    scan: Scan, request: ExtractionRequest, params: PatchParams, store: ResumeStore | None, volumes: KeptVolumes
) -> CutScan:
    """Cut all VOIs of one scan out, and keep their volumes.

    Parameters
    ----------
    scan : Scan
        Who, and the files.
    request : ExtractionRequest
        Which VOIs.
    params : PatchParams
        What is seen of each.
    store : ResumeStore or None
        Where plans lie, and what is known of kept volumes.
    volumes : KeptVolumes
        Where volumes lie.

    Returns
    -------
    CutScan
        An entry for each VOI.

    Raises
    ------
    CaseError
        If image or mask cannot be used at all.
    """
    begin = time.perf_counter()
    refuse_unsegmented(scan)
    hashes = hash_files(scan, store)
    key = plan_key(hashes, request)
    plan = get_plan(store, key)
    if plan is not None:
        kept = {level: _kept(plan, level, params, store, volumes) for level in plan.vois}
        if all(item is not None for level, item in kept.items() if plan.vois[level].status == "ok"):
            return CutScan(_record(scan, hashes, plan, None), _entries(plan, kept))
    prepared = prepare_scan(scan, request)
    plan = make_plan(hashes, request, prepared)
    found: dict[str, CutVoi | None] = {}
    for level, outcome in prepared.vois.items():
        if outcome.result is not None:
            found[level] = _kept(plan, level, params, store, volumes) or _cut(
                prepared.image, outcome.result.mask, plan, level, params, store, volumes
            )
    put_plan(store, key, plan)
    return CutScan(_record(scan, hashes, plan, time.perf_counter() - begin), _entries(plan, found))


def _kept(
    plan: Plan, level: str, params: PatchParams, store: ResumeStore | None, volumes: KeptVolumes
) -> CutVoi | None:
    key = _key(plan, level, params)
    edges = store.get(key) if store else None
    return CutVoi(level, "ok", key=key, voxel_mm=tuple(edges)) if edges is not None and volumes.has(key) else None


def _cut(
    image: Image,
    voi: Mask,
    plan: Plan,
    level: str,
    params: PatchParams,
    store: ResumeStore | None,
    volumes: KeptVolumes,
) -> CutVoi:
    try:
        inputs = make_inputs(image, voi, params.volume)
    except CaseError as error:
        return CutVoi(level, "failed", one_line(error))
    key, edges = _key(plan, level, params), inputs.places[0].pixel_mm
    volumes.put(key, inputs.array[0, 0])
    if store:
        store.put(key, list(edges))
    return CutVoi(level, "ok", key=key, voxel_mm=edges)


def _key(plan: Plan, level: str, params: PatchParams) -> str:
    return sha256_json(["patch", VALUES_REVISION, plan.voi_key, level, params.sha256, numeric_versions()])


def _entries(plan: Plan, found: dict[str, CutVoi | None]) -> tuple[CutVoi, ...]:
    return tuple(found.get(level) or CutVoi(level, voi.status, voi.reason) for level, voi in plan.vois.items())


def _failed(scan: Scan, request: ExtractionRequest, reason: str) -> CutScan:
    failed = failed_scan(scan, request.levels, reason)
    return CutScan(failed.record, tuple(CutVoi(row.level, row.status, row.reason) for row in failed.rows))


def _record(scan: Scan, hashes: FileHashes, plan: Plan, seconds: float | None) -> ScanRecord:
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
        seconds=None if seconds is None else round(seconds, 3),
    )


def _put_together(
    results: Sequence[tuple[Scan, CutScan]],
    request: ExtractionRequest,
    params: PatchParams,
    out: Path,
    folder: Path,
    cohort: Cohort | None,
) -> StackSummary:
    index, keys = _index(results, request.recipe.name)
    counts = dict(sorted(Counter(index[STATUS]).items()))
    failed = index[index[STATUS] == "failed"]
    names = failed[PATIENT] + ", scan " + failed[SCAN] + ", " + failed[LEVEL]
    failures = list(zip(names.str.removesuffix(", "), failed[REASON], strict=True))
    if not keys:
        told = "; ".join(f"{name}: {reason}" for name, reason in failures[:1])
        raise UsageError("no VOI is left for the stack", got=told or "none", do="mend the masks, or other options")
    KeptVolumes(folder, params).write(out, keys)
    index_sha256 = write_features(index_path(out), index)
    options = {name: getattr(request.options, name) for name in request.recipe.options}
    manifest = StackManifest(
        created=now(),
        versions=versions(),
        machine=machine(),
        stack_sha256=sha256_file(out),
        index_sha256=index_sha256,
        cohort=os.path.relpath(cohort.path.resolve(), out.parent.resolve()) if cohort else None,
        cohort_sha256=cohort.sha256 if cohort else None,
        voi=VoiRecord(
            recipe=request.recipe.id,
            options=options,
            scheme=request.scheme,
            levels=list(request.levels) if request.levels else None,
            missing_levels=request.missing,
        ),
        values_revision=VALUES_REVISION,
        parameters=params.effective(),
        parameters_sha256=params.sha256,
        shape=[len(keys), *params.shape],
        counts=counts,
        scans=sorted(
            (cut.record for _, cut in results), key=lambda item: (item.patient_id, item.scan_id, item.repeat)
        ),
    )
    write_stack_manifest(out, manifest)
    return StackSummary(out, (len(keys), *params.shape), counts, failures)


def _index(results: Iterable[tuple[Scan, CutScan]], voi: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the lines of the index, in the order of a feature table, and the keys of the rows of the stack."""
    import pandas as pd

    pairs = [(scan, cut) for scan, result in results for cut in result.vois]
    pairs.sort(key=lambda pair: (pair[0].patient_id, pair[0].scan_id, level_order(pair[1].level), pair[0].repeat))
    repeats = any(scan.repeat for scan, _ in pairs)
    keys = [cut.key for _, cut in pairs if cut.status == "ok"]
    places = iter(range(len(keys)))
    lines = [
        {
            PATIENT: scan.patient_id,
            SCAN: scan.scan_id,
            VOI: voi,
            LEVEL: cut.level,
            REPEAT: scan.repeat,
            STATUS: cut.status,
            REASON: cut.reason,
            ROW: next(places) if cut.status == "ok" else None,
            **dict(zip(VOXEL_MM, cut.voxel_mm or (None,) * 3, strict=True)),
        }
        for scan, cut in pairs
    ]
    columns = [PATIENT, SCAN, VOI, LEVEL, *([REPEAT] if repeats else []), STATUS, REASON, ROW, *VOXEL_MM]
    return pd.DataFrame(lines, columns=columns).astype({ROW: "Int64"} | dict.fromkeys(VOXEL_MM, "float64")), keys
