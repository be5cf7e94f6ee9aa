"""A DICOM archive as a cohort: a table of scans without names, and lists or NIfTI files that it points to."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from radiobone.core.batch import Outcome, run_cases
from radiobone.core.errors import ImageError, UsageError
from radiobone.core.files import check_output, write_json, write_text
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.core.provenance import now, versions
from radiobone.core.store import ResumeStore
from radiobone.imaging.dicom.acquisition import ACQUISITION_COLUMNS
from radiobone.imaging.dicom.archive import (
    Found,
    HeaderRequest,
    archive_files,
    file_state,
    forget,
    public_reason,
    read_archive,
)
from radiobone.imaging.dicom.judging import MASK_MODALITIES, Candidate, ImportOptions, judge
from radiobone.imaging.dicom.pixels import read_voxels
from radiobone.imaging.dicom.pseudonyms import Pseudonyms
from radiobone.imaging.dicom.series import MODALITY, Series, group_series
from radiobone.imaging.dicom.volume import read_stack
from radiobone.imaging.writing import write_image
from radiobone.tables.cohort import IMAGE, MASK
from radiobone.tables.keys import PATIENT, SCAN

COHORT_NAME = "cohort.csv"
REPORT_NAME = "import_report.csv"
MANIFEST_NAME = "import_manifest.json"
RESUME_NAME = "import.resume"

CONVERSION_REVISION = 1
"""Raised when the voxels or the grid of a converted series change."""

_IDENTIFYING = ("study_uid", "series_uid", "series_description")
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


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


def import_archive(
    folder: Path,
    out: Path,
    options: ImportOptions | None = None,
    *,
    jobs: int = 1,
    resume: bool = True,
    progress: bool = True,
) -> ImportSummary:
    """Make a cohort of all CT series of an archive.

    Nothing that identifies a patient goes into the tables, the manifest or NIfTI files, unless identifiers are
    kept. The lists of files, in ``images`` and ``masks``, necessarily hold the paths of the archive.

    Parameters
    ----------
    folder : Path
        The archive, with all of its subfolders. It is only read.
    out : Path
        Folder of the cohort. Run again on a grown archive, numbers of patients stay as they were.
    options : ImportOptions, optional
        What to take, and how.
    jobs : int, default 1
        Number of worker processes; -1 is one for each core.
    resume : bool, default True
        Whether to use what an earlier run read and converted.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    ImportSummary
        Every series, and what became of it.

    Raises
    ------
    UsageError
        If the archive is no folder, or ``out`` holds a cohort that is not this import's or was changed since.
    """
    options = options or ImportOptions()
    if not folder.is_dir():
        raise UsageError("the archive is no folder", where=str(folder))
    check_output(out / COHORT_NAME)
    names = out / RESUME_NAME / "numbers.json"
    _check_own(out, names)
    numbers, store = Pseudonyms.read(names), ResumeStore(out / RESUME_NAME)
    request = HeaderRequest(options.choice, options.keep_identifiers, numbers.salt)
    files = archive_files(folder, out)
    found = read_archive(files, request, jobs=jobs, store=store if resume else None, progress=progress)
    named, numbers = _name(group_series(one.header for one in found), numbers, options)
    numbers.write(names)
    candidates = judge(named, options, {one.header.path: one.chosen for one in found})
    outcomes = _fetch(candidates, out, options, jobs, store if resume else None, progress)
    return _write(candidates, outcomes, found, out, options)


def _check_own(out: Path, names: Path) -> None:
    """Refuse to overwrite a cohort that is not this import's own, or that has been worked on."""
    cohort, manifest = out / COHORT_NAME, out / MANIFEST_NAME
    if not cohort.exists():
        return
    try:
        own = json.loads(manifest.read_text(encoding="utf-8"))["cohort_sha256"] == sha256_file(cohort)
    except (OSError, ValueError, KeyError):
        own = False
    if not own or not names.exists():
        raise UsageError(
            "the folder holds a cohort that was changed since its import, or is not of an import",
            where=str(cohort),
            do="give your table another name (paths in it stay right in the same folder), or import elsewhere",
        )


def _name(
    series: Sequence[Series], numbers: Pseudonyms, options: ImportOptions
) -> tuple[list[tuple[str, str, Series]], Pseudonyms]:
    """Name series: patients in the order of their files, series by date and number, what is no CT last."""
    by_patient: dict[str, list[tuple[str, Series]]] = defaultdict(list)
    studies: dict[str, int] = {}
    for one in series:
        # A patient has one number, whether identifiers are kept or not.
        first = forget(one.first, numbers.salt) if options.keep_identifiers else one.first
        patient = first.patient or (f"study {first.study}" if first.study else f"folder {first.path.parent}")
        by_patient[patient].append((f"{first.series or first.path}|{one.kind}|{one.part}", one))
        studies.setdefault(one.first.study, len(studies))

    def order(item: tuple[str, Series]) -> tuple[bool, str, int, int, str, int]:
        one, first = item[1], item[1].first
        number = -1 if first.number is None else first.number
        other = one.kind != "stack" or first.modality != MODALITY
        return other, first.acquisition.date, studies[first.study], number, str(first.path), one.part

    ordered = [
        (patient, which, one)
        for patient, members in by_patient.items()
        for which, one in sorted(members, key=order)
    ]
    names, numbers = numbers.number([(patient, which) for patient, which, _ in ordered])
    named = [(patient, scan, one.labelled()) for (patient, scan), (_, _, one) in zip(names, ordered, strict=True)]
    return sorted(named, key=lambda item: item[:2]), numbers


def _fetch(
    candidates: Sequence[Candidate],
    out: Path,
    options: ImportOptions,
    jobs: int,
    store: ResumeStore | None,
    progress: bool,
) -> dict[str, Outcome[list[str]]]:
    """Convert or try every scan that is to be used; return what became of each by its name."""
    good = [one for one in candidates if one.status == "ok"]
    work = functools.partial(_fetch_one, out=out, convert=options.convert, store=store)
    told = "converting series" if options.convert else "looking at series"
    outcomes = run_cases(good, work, name=lambda one: one.name, jobs=jobs, description=told, progress=progress)
    return {one.name: outcome for one, outcome in zip(good, outcomes, strict=True)}


def _fetch_one(one: Candidate, out: Path, convert: bool, store: ResumeStore | None) -> list[str]:
    """Write one scan, as a list of files or as NIfTI, and return what was done to it."""
    assert one.stack is not None
    where = f"{one.patient_id} {one.scan_id}"
    if not (convert or one.needs_conversion):
        middle = one.stack.slices[len(one.stack.slices) // 2]
        if middle.header.transfer_syntax not in _UNCOMPRESSED:
            read_voxels([middle], where)  # a process that nobody can decode is told now, and not by each verb
        _write_list(out / "images" / f"{one.name}.txt", one.series.files)
        return []
    path = out / "images" / f"{one.name}.nii.gz"
    key = sha256_json([CONVERSION_REVISION, *(file_state(file) for file in one.series.files), one.series.part])
    kept = store.get(key) if store else None
    if kept is not None and path.is_file() and kept["state"] == file_state(path):
        return [str(note) for note in kept["notes"]]
    image, notes = read_stack(one.stack, where)
    write_image(image, path)
    if store:
        store.put(key, {"notes": notes, "state": file_state(path)})
    return notes


def _write_list(path: Path, files: Sequence[Path]) -> None:
    lines = [str(file) for file in files]
    for line in lines:
        # A reader strips lines, and splits text at more signs than the end of a line.
        if [line] != line.strip().splitlines() or line.encode(errors="replace") != os.fsencode(line):
            raise ImageError(
                "a path cannot stand in a list of files",
                where=path.stem,
                got="line ends, blanks at its ends, or bytes that are no text",
                do="rename the file, or import with --convert",
            )
    write_text(path, "\n".join(lines) + "\n")


def _write(
    candidates: Sequence[Candidate],
    outcomes: dict[str, Outcome[list[str]]],
    found: Sequence[Found],
    out: Path,
    options: ImportOptions,
) -> ImportSummary:
    notes, masks = _notes(candidates), _masks(candidates)
    rows, scans, n_masks = [], [], 0
    for one in candidates:
        outcome = outcomes.get(one.name) or Outcome(one.status, one.reason)
        told = [*(outcome.result or []), *notes[one.name], *one.series.notes()]
        if outcome.status == "ok":
            mask, note = _write_masks(one, masks.get(one.series.first.series, []), out)
            told += [note] if note else []
            n_masks += bool(mask)
            scans.append(_cohort_row(one, mask, out, options))
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
    _write_manifest(out, rows, len(found), options)
    return ImportSummary(out / COHORT_NAME, out / REPORT_NAME, rows, len(found), n_masks)


def _patient_id(one: Candidate, options: ImportOptions) -> str:
    return one.series.first.patient or one.patient_id if options.keep_identifiers else one.patient_id


def _cohort_row(one: Candidate, mask: str, out: Path, options: ImportOptions) -> dict[str, str]:
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
        if one.status == "ok" and one.series.first.frame_of_reference:
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
    for name, mask in zip(names, masks, strict=True):
        _write_list(out / name, [mask])
    if len(names) > 1:
        return "", f"{len(names)} masks refer to this series: put one into the column mask ({', '.join(names)})"
    return (names[0] if names else ""), ""


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _write_manifest(out: Path, rows: Sequence[ReportRow], files: int, options: ImportOptions) -> None:
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
        },
    )
