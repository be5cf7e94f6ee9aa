"""The files of the demo cohort: CT scans, masks, and the table that a study starts from."""

from __future__ import annotations

import csv
import functools
import io
from pathlib import Path

from radiobone.core.batch import run_cases
from radiobone.core.errors import RadioboneError, UsageError
from radiobone.core.files import check_output, write_text
from radiobone.imaging.writing import write_image, write_mask
from radiobone.study.demo.images import synthesize
from radiobone.study.demo.patients import Patient, simulate_patients

COLUMNS = (
    "patient_id", "image", "mask", "bmd_mg_cm3", "age", "sex", "scanner", "kvp", "slice_thickness_mm",
)  # fmt: skip
MARK = "SYNTHETIC.txt"
MARK_TEXT = """The patients in this folder are synthetic: made by `radiobone demo`, not scanned.
Figures from them show that radiobone works, and say nothing about real patients.
"""
IMAGE_FOLDER, MASK_FOLDER = "images", "masks"


def make_demo_cohort(
    folder: Path, *, patients: int = 60, seed: int = 0, jobs: int = 1, progress: bool = True
) -> Path:
    """Make a synthetic cohort of spine CT scans with masks of L1, L2 and L3.

    Parameters
    ----------
    folder : Path
        Where the files go; made if need be. Files of an earlier run are replaced.
    patients : int, default 60
        Number of patients, one third in each class (as nearly as the number allows).
    seed : int, default 0
        The same seed gives the same bytes; a longer cohort begins with the shorter one's patients.
    jobs : int, default 1
        Number of worker processes, -1 being one for each core; it changes no byte.
    progress : bool, default True
        Show a progress bar, if standard error is a terminal.

    Returns
    -------
    Path
        The cohort table, ``cohort.csv``, with paths relative to it. BMD is in mg/cm³ by QCT of
        lumbar trabecular bone, age in years.

    Raises
    ------
    UsageError
        If ``patients`` or ``seed`` is out of range, or ``jobs`` is 0.
    RadioboneError
        If a file cannot be written.
    """
    cases = simulate_patients(patients, seed)
    _claim(folder)
    outcomes = run_cases(
        cases,
        functools.partial(_write_patient, folder=folder, seed=seed),
        name=lambda patient: patient.patient_id,
        jobs=jobs,
        description="synthetic patients",
        progress=progress,
    )
    failed = [(case, outcome) for case, outcome in zip(cases, outcomes, strict=True) if outcome.status != "ok"]
    if failed:
        case, outcome = failed[0]
        raise RadioboneError(
            f"{len(failed)} of {patients} synthetic patients could not be made",
            where=f"{folder}, first {case.patient_id}",
            got=outcome.reason,
            do="check that the folder can be written and the disk has room",
        )
    table = folder / "cohort.csv"
    write_text(table, _table(cases))
    return table


def _claim(folder: Path) -> None:
    """Mark a folder as the demo's own, or refuse one that holds something else."""
    mark = folder / MARK
    if folder.exists() and not folder.is_dir():
        raise UsageError("the demo needs a folder", where=str(folder), got="a file")
    if not mark.is_file() and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            "the folder is not empty and was not made by the demo",
            where=str(folder),
            do="choose a new folder: the demo replaces cohort.csv and features.csv in its own",
        )
    check_output(mark)
    write_text(mark, MARK_TEXT)


def _write_patient(patient: Patient, *, folder: Path, seed: int) -> None:
    image, mask = synthesize(patient, seed)
    image_path, mask_path = _paths(patient)
    write_image(image, folder / image_path)
    write_mask(mask, folder / mask_path)


def _paths(patient: Patient) -> tuple[str, str]:
    return f"{IMAGE_FOLDER}/{patient.patient_id}.nii.gz", f"{MASK_FOLDER}/{patient.patient_id}.nii.gz"


def _table(cases: tuple[Patient, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case in cases:
        scanner = case.scanner
        writer.writerow(
            [
                case.patient_id,
                *_paths(case),
                f"{case.bmd_mg_cm3:.1f}",
                f"{case.age_years:.1f}",
                case.sex,
                scanner.name,
                scanner.kvp,
                scanner.slice_thickness_mm,
            ]
        )
    return text.getvalue()
