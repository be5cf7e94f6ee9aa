"""A DICOM archive as a cohort: a table of scans without names, and lists or NIfTI files that it points to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from radiobone.core.errors import UsageError
from radiobone.core.files import check_output
from radiobone.core.store import ResumeStore
from radiobone.imaging.dicom.archive import HeaderRequest, archive_files, forget, read_archive
from radiobone.imaging.dicom.fetching import fetch
from radiobone.imaging.dicom.import_tables import COHORT_NAME, ImportSummary, is_own, write_tables
from radiobone.imaging.dicom.judging import ImportOptions, judge
from radiobone.imaging.dicom.kinds import MODALITY
from radiobone.imaging.dicom.pseudonyms import Pseudonyms
from radiobone.imaging.dicom.series import Series, group_series

RESUME_NAME = "import.resume"


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
    kept. Two things are for those alone who may see the archive: the lists of files, in ``images`` and ``masks``,
    which necessarily hold its paths, and ``import.resume``, by which patient IDs can be tried until one fits.

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
        If the archive is no folder or holds no DICOM file, or ``out`` holds a cohort that is not this import's or
        was changed since.
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
    if not found:
        raise UsageError(
            "no DICOM files in this folder or below it",
            where=str(folder),
            got=f"{len(files)} other files",
            do="give the folder of the archive; NIfTI and NRRD files go straight into a cohort table",
        )
    named, numbers = _name(group_series(one.header for one in found), numbers, options)
    numbers.write(names)
    places = {path: place for place, path in enumerate(files, start=1)}
    named = [(patient, scan, one.labelled(places)) for patient, scan, one in named]
    candidates = judge(named, options, {one.header.path: one.chosen for one in found})
    outcomes = fetch(candidates, out, options, jobs, store if resume else None, progress)
    return write_tables(candidates, outcomes, len(found), out, options)


def _check_own(out: Path, names: Path) -> None:
    """Refuse to overwrite a cohort that is not this import's own, or that has been worked on."""
    cohort = out / COHORT_NAME
    if cohort.exists() and not (is_own(out) and names.exists()):
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
    named = [(patient, scan, one) for (patient, scan), (_, _, one) in zip(names, ordered, strict=True)]
    return sorted(named, key=lambda item: item[:2]), numbers
