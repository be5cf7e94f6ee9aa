"""The tables of an import: the cohort, the report on every series, and the manifest."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from radiobone.core.batch import Outcome
from radiobone.core.errors import ImageError
from radiobone.core.files import write_json, write_text
from radiobone.core.hashing import sha256_file
from radiobone.core.provenance import now, versions
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
        told = [*(outcome.result or []), *notes[one.name], *one.series.notes()]
        if outcome.status == "ok":
            mask, note = _write_masks(one, masks.get(one.series.first.series, []), out)
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
                public_reason(outcome.reason),
                "; ".join(dict.fromkeys(told)),
            )
        )
    extra = _IDENTIFYING if options.keep_identifiers else ()
    _write_table(out / COHORT_NAME, [PATIENT, SCAN, IMAGE, MASK, *ACQUISITION_COLUMNS, "n_slices", *extra], scans)
    _write_table(out / REPORT_NAME, [item.name for item in fields(ReportRow)], [asdict(row) for row in rows])
    _write_manifest(out, rows, scans, files, options)
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


def _masks(candidates: Sequence[Candidate]) -> dict[str, list[Path]]:
    """Return the SEG and RTSTRUCT files by the series that they were drawn on.

    Those that name no series belong to the only CT series of their frame of reference, if there is only one.
    """
    by_frame: dict[str, set[str]] = defaultdict(set)
    for one in candidates:
        if one.status == "ok" and one.series.first.frame_of_reference and one.series.first.series:
            by_frame[one.series.first.frame_of_reference].add(one.series.first.series)
    found: dict[str, list[Path]] = defaultdict(list)
    for one in candidates:
        for header in one.series.headers if one.series.first.modality in MASK_MODALITIES else ():
            same = by_frame.get(header.frame_of_reference, set())
            for series in header.refers_to or (tuple(same) if len(same) == 1 else ()):
                found[series].append(header.path)
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


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _write_manifest(
    out: Path, rows: Sequence[ReportRow], scans: Sequence[Mapping[str, str]], files: int, options: ImportOptions
) -> None:
    notes = {(row.patient_id, row.scan_id): row.notes for row in rows}
    write_json(
        out / MANIFEST_NAME,
        {
            "created": now(),
            "versions": versions(),
            "options": asdict(options),
            "identifiers": "kept" if options.keep_identifiers else "removed: pseudonyms, year of the date only",
            "dicom_files": files,
            "series": dict(sorted(Counter(row.status for row in rows).items())),
            "resampled": [f"{row.patient_id} {row.scan_id}" for row in rows if "resampled" in row.notes],
            "cohort_sha256": sha256_file(out / COHORT_NAME),
            "report_sha256": sha256_file(out / REPORT_NAME),
            "scans": [{**scan, "notes": notes[scan[PATIENT], scan[SCAN]]} for scan in scans],
        },
    )
