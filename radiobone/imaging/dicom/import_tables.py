"""The tables of an import: the cohort, the report on every series, and the manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from radiobone.core.batch import Outcome
from radiobone.core.errors import ImageError
from radiobone.core.files import write_json, write_text
from radiobone.core.hashing import sha256_file
from radiobone.core.provenance import now, versions
from radiobone.core.words import without_name
from radiobone.imaging.dicom.acquisition import ACQUISITION_COLUMNS
from radiobone.imaging.dicom.archive import public_reason
from radiobone.imaging.dicom.fetching import write_list
from radiobone.imaging.dicom.judging import MASK_MODALITIES, Candidate, ImportOptions
from radiobone.tables.cohort import IMAGE, MASK
from radiobone.tables.keys import PATIENT, SCAN

COHORT_NAME = "cohort.csv"
REPORT_NAME = "import_report.csv"
MANIFEST_NAME = "import_manifest.json"

_IDENTIFYING = ("study_uid", "series_uid", "series_description")


@dataclass(frozen=True)
class ReportRow:
    """One series of the archive in the report.

    Parameters
    ----------
    patient_id, scan_id : str
        As in the cohort.
    modality, kind : str
        Of the series; the kind is ``stack``, ``scout`` or ``other``.
    series_number : str
        As the header tells it.
    n_slices, n_files : int
        How much of it there is.
    status, reason : str
        ``ok``, ``failed`` or ``skipped``, and why.
    notes : str
        What was done, and what a user should know.
    """

    patient_id: str
    scan_id: str
    modality: str
    kind: str
    series_number: str
    n_slices: int
    n_files: int
    status: str
    reason: str
    notes: str


@dataclass(frozen=True)
class ImportSummary:
    """What became of an archive.

    Parameters
    ----------
    cohort, report : Path
        The tables.
    rows : list of ReportRow
        Of every series.
    files : int
        Number of DICOM files.
    masks : int
        Scans with a mask.
    """

    cohort: Path
    report: Path
    rows: list[ReportRow]
    files: int
    masks: int


def write_tables(
    candidates: Sequence[Candidate],
    outcomes: Mapping[str, Outcome[list[str]]],
    files: int,
    out: Path,
    options: ImportOptions,
) -> ImportSummary:
    """Write all tables of an import.

    Parameters
    ----------
    candidates : sequence of Candidate
        Every series of the archive.
    outcomes : mapping of str to Outcome
        From `fetch`.
    files : int
        Number of DICOM files.
    out : Path
        Folder of the cohort.
    options : ImportOptions
        What was asked for.
    """
    notes, masks = _notes(candidates), _masks(candidates)
    rows, scans, n_masks = [], [], 0
    for one in candidates:
        outcome = outcomes.get(one.name) or Outcome(one.status, one.reason)
        uneven = [one.stack.note] if one.stack is not None and one.stack.note else []
        told = [*(outcome.result or []), *notes[one.name], *uneven, *one.series.notes()]
        if outcome.status == "ok":
            mask, note = _write_masks(one, masks.get((one.patient_id, one.series.first.series), []), out)
            told += [note] if note else []
            n_masks += bool(mask)
            scans.append(_cohort_row(one, mask, options))
        first = one.series.first
        rows.append(
            ReportRow(
                _patient_id(one, options),
                one.scan_id,
                first.modality,
                one.series.kind,
                "" if first.number is None else str(first.number),
                len(one.series.slices),
                len(one.series.headers),
                outcome.status,
                without_name(public_reason(outcome.reason), f"{one.patient_id} {one.scan_id}"),
                "; ".join(dict.fromkeys(told)),
            )
        )
    extra = _IDENTIFYING if options.keep_identifiers else ()
    cohort = _table_text([PATIENT, SCAN, IMAGE, MASK, *ACQUISITION_COLUMNS, "n_slices", *extra], scans)
    write_text(out / REPORT_NAME, _table_text([item.name for item in fields(ReportRow)], map(asdict, rows)))
    # The cohort comes last, and the manifest knows the old one as well: killed in between, the next run takes
    # either for its own.
    _write_manifest(out, cohort, rows, scans, files, options)
    write_text(out / COHORT_NAME, cohort)
    return ImportSummary(out / COHORT_NAME, out / REPORT_NAME, rows, files, n_masks)


def _patient_id(one: Candidate, options: ImportOptions) -> str:
    return one.series.first.patient or one.patient_id if options.keep_identifiers else one.patient_id


def _cohort_row(one: Candidate, mask: str, options: ImportOptions) -> dict[str, str]:
    suffix = ".nii.gz" if options.convert or one.needs_conversion else ".txt"
    first = one.series.first
    row = {
        PATIENT: _patient_id(one, options),
        SCAN: one.scan_id,
        IMAGE: f"images/{one.name}{suffix}",
        MASK: mask,
        **one.series.acquisition().columns(),
        "n_slices": str(len(one.series.slices)),
    }
    if options.keep_identifiers:
        row |= dict(zip(_IDENTIFYING, (first.study, first.series, first.description), strict=True))
    return row


def _notes(candidates: Sequence[Candidate]) -> dict[str, list[str]]:
    """Return what is odd about who the patients are."""
    births: dict[str, set[str]] = defaultdict(set)
    for one in candidates:
        births[one.patient_id] |= {header.birth_date for header in one.series.headers if header.birth_date}
    notes: dict[str, list[str]] = defaultdict(list)
    for one in candidates:
        if not one.series.first.patient:
            notes[one.name].append("no patient ID: each study counts as a patient")
        if len(births[one.patient_id]) > 1:
            notes[one.name].append("one patient ID with several birth dates: two persons?")
    return notes


def _masks(candidates: Sequence[Candidate]) -> dict[tuple[str, str], list[Path]]:
    """Return the SEG and RTSTRUCT files by patient and the series that they were drawn on.

    Those that name no series belong to the only CT series of their frame of reference, if there is only one.
    Where patients share a UID, a mask belongs to the series of its own.
    """
    by_frame: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    for one in candidates:
        if one.status == "ok" and one.series.first.series:
            by_frame[one.series.first.frame_of_reference].add(one.series.first.series)
            owners[one.series.first.series].add(one.patient_id)
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for one in candidates:
        for header in one.series.headers if one.series.first.modality in MASK_MODALITIES else ():
            same = by_frame.get(header.frame_of_reference, set()) if header.frame_of_reference else set()
            for series in header.refers_to or (tuple(same) if len(same) == 1 else ()):
                held_by = owners[series]
                for owner in held_by if len(held_by) == 1 else held_by & {one.patient_id}:
                    found[owner, series].append(header.path)
    return found


def _write_masks(one: Candidate, masks: Sequence[Path], out: Path) -> tuple[str, str]:
    """Write a list for each mask of a scan; return the one to use, and a note where there are several."""
    names = [
        f"masks/{one.name}{f'_{number}' if len(masks) > 1 else ''}.txt" for number in range(1, len(masks) + 1)
    ]
    try:
        for name, mask in zip(names, masks, strict=True):
            write_list(out / name, [mask])
    except ImageError as error:
        return "", f"a mask was found and cannot be listed: {error.got}"
    if len(names) > 1:
        return "", f"{len(names)} masks refer to this series: put one into the column mask ({', '.join(names)})"
    return (names[0] if names else ""), ""


def is_own(out: Path) -> bool:
    """Return whether the cohort of a folder is as an import left it.

    Parameters
    ----------
    out : Path
        Folder of the cohort.
    """
    try:
        manifest = json.loads((out / MANIFEST_NAME).read_text(encoding="utf-8"))
        return sha256_file(out / COHORT_NAME) in (
            manifest["cohort_sha256"],
            manifest.get("replaced_cohort_sha256"),
        )
    except (OSError, ValueError, KeyError):
        return False


def _table_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write_manifest(
    out: Path,
    cohort: str,
    rows: Sequence[ReportRow],
    scans: Sequence[Mapping[str, str]],
    files: int,
    options: ImportOptions,
) -> None:
    old = out / COHORT_NAME
    notes = {(row.patient_id, row.scan_id): row.notes for row in rows}
    write_json(
        out / MANIFEST_NAME,
        {
            "created": now(),
            "versions": versions(),
            "options": {**asdict(options), "choice": _choice(options)},
            "identifiers": "kept" if options.keep_identifiers else "removed: pseudonyms, year of the date only",
            "dicom_files": files,
            "series": dict(sorted(Counter(row.status for row in rows).items())),
            "resampled": [f"{row.patient_id} {row.scan_id}" for row in rows if "resampled" in row.notes],
            "cohort_sha256": hashlib.sha256(cohort.encode()).hexdigest(),
            "replaced_cohort_sha256": sha256_file(old) if old.exists() else None,
            "report_sha256": sha256_file(out / REPORT_NAME),
            "scans": [{**scan, "notes": notes[scan[PATIENT], scan[SCAN]]} for scan in scans],
        },
    )


def _choice(options: ImportOptions) -> str | None:
    """Return which series were asked for; a UID would tell whose they are."""
    if options.choice is None:
        return None
    return "a SeriesInstanceUID" if options.choice.is_uid and not options.keep_identifiers else options.choice.text
