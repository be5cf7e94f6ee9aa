"""The segmentation of a whole cohort: one model load, a mask for each scan, a cohort table, a manifest."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from radiobone.core.batch import Outcome, run_cases
from radiobone.core.errors import TableError, UsageError
from radiobone.core.files import check_output, write_json, write_text
from radiobone.core.hashing import sha256_file
from radiobone.core.provenance import machine, now, versions
from radiobone.core.store import ResumeStore
from radiobone.imaging.writing import SUFFIXES
from radiobone.segmentation.earlier import (
    MANIFEST,
    MASKS,
    RESUME,
    foreign_masks,
    keep_foreign,
    keep_foreign_file,
    keep_table,
    mask_names,
)
from radiobone.segmentation.labels import AUTO, scheme_file
from radiobone.segmentation.naming import Anchor, parse_anchor
from radiobone.segmentation.records import SegmentationManifest, SegmentedScan, model_records
from radiobone.segmentation.scan import Naming, Predictor, given_scan, plan_naming, segment_scan
from radiobone.tables.cohort import (
    IMAGE,
    MASK,
    SCHEME,
    SEGMENTATION_REASON,
    SEGMENTATION_STATUS,
    SEGMENTS,
    Cohort,
    UnmaskedScan,
)
from radiobone.tables.keys import DEFAULT_SCAN, PATIENT, REPEAT, SCAN
from radiobone.voi.schemes import TOTALSEGMENTATOR, VERSE

TABLE, SCHEME_FILE = "cohort.csv", "scheme.yaml"

SHIPPED = (VERSE.name, TOTALSEGMENTATOR.name)

Existing = Literal["refuse", "keep"]

REFUSE, KEEP = get_args(Existing)

_USE = "give --existing keep, to use them as they are and make only the others; or move them to another folder"

ANCHOR = "anchor"
"""Column of the cohort table with the vertebra that is known in a scan."""


@dataclass(frozen=True)
class SegmentationSummary:
    """What became of a cohort.

    Parameters
    ----------
    folder : Path
        Holds the masks, the cohort table and the manifest.
    table : Path or None
        The cohort table with the column ``mask``.
    scheme : str
        What ``--scheme`` of later verbs is to be: a name, or the path of the scheme file that was written.
    counts : dict of str to int
        Scans by status.
    failures : list of (str, str)
        Name and reason of each failed scan.
    kept : int
        Scans that an earlier run had finished.
    noted : int
        Scans of which the manifest notes what was assumed or left out.
    """

    folder: Path
    table: Path | None
    scheme: str
    counts: dict[str, int]
    failures: list[tuple[str, str]]
    kept: int
    noted: int


def segment_cohort(
    cohort: Cohort,
    predictor: Predictor,
    out: Path,
    *,
    scheme: str | Path = AUTO,
    anchor: Anchor | None = None,
    resume: bool = True,
    existing: Existing = REFUSE,
    table: bool = True,
    progress: bool = True,
) -> SegmentationSummary:
    """Segment every scan of a cohort; one bad scan never stops the others.

    Parameters
    ----------
    cohort : Cohort
        From ``read_cohort(path, masks=False)``. A column ``anchor`` names the known vertebra of each scan.
    predictor : Segmenter or Cascade
        Loaded once.
    out : Path
        Folder for ``masks/<patient>_<scan>.nii.gz``, ``cohort.csv`` and ``segmentation.manifest.json``.
    scheme : str or Path, default "auto"
        As for `Segmenter`; for levels that are counted, ``auto`` is VerSe.
    anchor : Anchor, optional
        The known vertebra of all scans that have none of their own.
    resume : bool, default True
        Keep masks that an earlier run finished with the same image, models and settings; else make all anew.
    existing : {"refuse", "keep"}, default "refuse"
        What becomes of masks in the folder that were corrected, or not made here: the run is refused, or they are
        used as they are, with the status ``given``, and only the others are made.
    table : bool, default True
        Write the cohort table.
    progress : bool, default True
        Show a progress bar, if standard error is a terminal.

    Returns
    -------
    SegmentationSummary
        Where everything lies, and what became of the scans.

    Raises
    ------
    UsageError
        If an anchor is none or of no use, the scheme lacks a level, one scan has several images, the folder cannot
        be written, or it holds a cohort table or (unless they are kept) masks of these scans that were not made
        here or were changed since.
    """
    scans = cohort.unmasked_scans()
    names = mask_names(scans)
    anchors = _anchors(cohort, anchor)
    naming = plan_naming(predictor, scheme, any(anchors.values()))
    _check_folder(out, cohort, table)
    given: frozenset[str] = frozenset()
    if existing == KEEP:
        given = foreign_masks(out, names.values())
    else:
        keep_foreign(out, names.values(), _USE)
    store = ResumeStore(out / RESUME)

    def work(scan: UnmaskedScan) -> SegmentedScan:
        key = (scan.patient_id, scan.scan_id)
        path = out / MASKS / names[key]
        if path.name in given:
            return given_scan(scan, path, naming)
        return segment_scan(scan, path, predictor, naming, anchors[key], store, resume=resume)

    outcomes = run_cases(
        scans, work, name=lambda scan: scan.name, description="segmenting scans", progress=progress
    )
    results = [
        _result(scan, outcome, names[(scan.patient_id, scan.scan_id)])
        for scan, outcome in zip(scans, outcomes, strict=True)
    ]
    counts = dict(sorted(Counter(result.status for result in results).items()))
    told = _tell_scheme(naming, out / SCHEME_FILE)
    text = _table_text(out, cohort, names, results, told) if table else None
    # The manifest knows the old table as well as the new one: a run that is killed between them finds its own.
    _write_manifest(out / MANIFEST, predictor, naming, results, cohort, text)
    if text is not None:
        write_text(out / TABLE, text)
    failed = [
        (scan.name, result.reason)
        for scan, result in zip(scans, results, strict=True)
        if result.status == "failed"
    ]
    kept = sum(result.status == "ok" and result.seconds is None for result in results)
    noted = sum(bool(result.notes) for result in results)
    return SegmentationSummary(out, out / TABLE if table else None, told, counts, failed, kept, noted)


def segment_file(
    image: Path,
    predictor: Predictor,
    out: Path,
    *,
    series: str = "",
    scheme: str | Path = AUTO,
    anchor: Anchor | None = None,
    progress: bool = True,
) -> tuple[SegmentedScan, str]:
    """Segment one scan, and write ``<mask>.manifest.json`` beside its mask.

    Parameters
    ----------
    image : Path
        As `radiobone.imaging.reading.read_image` takes it.
    predictor : Segmenter or Cascade
        The model.
    out : Path
        The mask: .nii.gz, .nii, .nrrd or .mha.
    series : str, default ""
        Which DICOM series of a folder that holds several.
    scheme, anchor : str or Path, Anchor, optional
        As for `segment_cohort`.
    progress : bool, default True
        Show a bar of the windows, if standard error is a terminal.

    Returns
    -------
    SegmentedScan
        Levels and notes.
    str
        What ``--scheme`` of later verbs is to be.

    Raises
    ------
    UsageError
        If the anchor is of no use, or the mask cannot be written, or would overwrite the image or a mask that was
        not made here or was changed since.
    CaseError
        As `segment_scan`.
    """
    check_output(out, [image], SUFFIXES)
    manifest = out.with_name(f"{out.name}.manifest.json")
    keep_foreign_file(out, manifest)
    naming = plan_naming(predictor, scheme, anchor is not None)
    name = image.resolve().name.removesuffix(".gz")
    scan = UnmaskedScan(name.rpartition(".")[0] or name, DEFAULT_SCAN, image, series)
    result = segment_scan(scan, out, predictor, naming, anchor, progress=progress)
    told = _tell_scheme(naming, out.with_name(f"{out.name}.{SCHEME_FILE}"))
    _write_manifest(manifest, predictor, naming, [result])
    return result, told


def _tell_scheme(naming: Naming, path: Path) -> str:
    """Return the name of a shipped scheme, or the path of the scheme file that is written for another one."""
    if naming.scheme.name in SHIPPED:
        return naming.scheme.name
    write_text(path, yaml.safe_dump(scheme_file(naming.scheme), sort_keys=False))
    return str(path)


def _write_manifest(
    path: Path,
    predictor: Predictor,
    naming: Naming,
    results: Sequence[SegmentedScan],
    cohort: Cohort | None = None,
    table: str | None = None,
) -> None:
    old = path.with_name(TABLE)
    manifest = SegmentationManifest(
        created=now(),
        versions=versions(),
        machine=machine(),
        models=model_records(predictor.models),
        settings=predictor.settings,
        scheme=naming.scheme.name,
        cohort=os.path.relpath(cohort.path.resolve(), path.parent.resolve()) if cohort else None,
        cohort_sha256=cohort.sha256 if cohort else None,
        table_sha256=None if table is None else hashlib.sha256(table.encode()).hexdigest(),
        replaced_table_sha256=sha256_file(old) if table is not None and old.exists() else None,
        counts=dict(sorted(Counter(result.status for result in results).items())),
        scans=sorted(results, key=lambda item: (item.patient_id, item.scan_id)),
    )
    write_json(path, manifest.model_dump(mode="json"))


def _anchors(cohort: Cohort, anchor: Anchor | None) -> dict[tuple[str, str], Anchor | None]:
    """Return the known vertebra of each scan; a cell of the table comes before the one for all."""
    found: dict[tuple[str, str], Anchor | None] = {}
    for line, row in cohort.table.iterrows():
        text = str(row.get(ANCHOR, "")).strip()
        try:
            own = parse_anchor(text) if text else anchor
        except UsageError as error:
            raise TableError(
                error.what,
                where=f"{cohort.path}, {cohort.table.index.name} {line}",
                got=error.got,
                expected=error.expected,
            ) from None
        key = (row[PATIENT], row[SCAN])
        if found.setdefault(key, own) != own:
            raise TableError(
                "the rows of one scan have different anchors",
                where=f"{cohort.path}, patient {key[0]}, scan {key[1]}",
                got=f"{found[key]} and {own}",
            )
    return found


def _check_folder(out: Path, cohort: Cohort, table: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError("the output is a file", where=str(out), expected="a folder, for a cohort")
    if table:
        check_output(out / TABLE, [cohort.path])
        keep_table(out / TABLE)
    check_output(out / MASKS / "mask.nii.gz")


def _result(scan: UnmaskedScan, outcome: Outcome[SegmentedScan], name: str) -> SegmentedScan:
    result = outcome.result or SegmentedScan(
        patient_id=scan.patient_id, scan_id=scan.scan_id, status=outcome.status, reason=outcome.reason
    )
    return result.model_copy(update={"mask": f"{MASKS}/{name}"})


def _table_text(
    out: Path,
    cohort: Cohort,
    names: Mapping[tuple[str, str], str],
    results: Sequence[SegmentedScan],
    scheme: str,
) -> str:
    """Return the cohort table with the new masks; masks that it had are kept as ``mask_given``.

    A failed scan keeps its row and the place of its mask: later verbs tell it as failed, with the reason that
    stands here, and lose no patient.
    """
    table = cohort.moved(out).drop(columns=[REPEAT], errors="ignore")
    table = table.drop_duplicates([PATIENT, SCAN]).reset_index(drop=True)
    for column in (MASK, SCHEME, SEGMENTS):
        if column in table and (table[column] != "").any():
            table = table.rename(columns={column: f"{column}_given"})
    by_key: dict[Any, SegmentedScan] = {(item.patient_id, item.scan_id): item for item in results}
    keys = list(zip(table[PATIENT], table[SCAN], strict=True))
    masks = [f"{MASKS}/{names[key]}" for key in keys]
    if MASK in table:
        table = table.drop(columns=MASK)
    table.insert(list(table.columns).index(IMAGE) + 1, MASK, masks)
    table[SCHEME] = scheme if scheme in SHIPPED else SCHEME_FILE
    table[SEGMENTATION_STATUS] = [by_key[key].status for key in keys]
    table[SEGMENTATION_REASON] = [by_key[key].reason for key in keys]
    return table.to_csv(index=False, lineterminator="\n")
