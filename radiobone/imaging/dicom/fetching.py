"""What a cohort points to: a list of the files of each series, or a NIfTI file."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from radiobone.core.batch import Outcome, run_cases
from radiobone.core.errors import ImageError
from radiobone.core.files import write_text
from radiobone.core.hashing import sha256_json
from radiobone.core.store import ResumeStore
from radiobone.imaging.dicom.archive import file_state
from radiobone.imaging.dicom.judging import Candidate, ImportOptions
from radiobone.imaging.dicom.pixels import read_voxels
from radiobone.imaging.dicom.truncation import UNCOMPRESSED
from radiobone.imaging.dicom.volume import read_stack
from radiobone.imaging.writing import write_image

CONVERSION_REVISION = 2
"""Raised when the voxels or the grid of a converted series change."""


def fetch(
    candidates: Sequence[Candidate],
    out: Path,
    options: ImportOptions,
    jobs: int,
    store: ResumeStore | None,
    progress: bool,
) -> dict[str, Outcome[list[str]]]:
    """Write the list or the NIfTI file of every scan that is to be used.

    Parameters
    ----------
    candidates : sequence of Candidate
        All series of the archive; only those that are ``ok`` are fetched.
    out : Path
        Folder of the cohort.
    options : ImportOptions
        Whether to convert.
    jobs : int
        Number of worker processes.
    store : ResumeStore or None
        Which series were converted before.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of str to Outcome
        By the name of each scan, what was done to it or why it failed: a scan whose pixels cannot be decoded, say.
    """
    for part in (out / "images").glob(".part-*"):
        part.unlink()  # left by a run that was killed
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
        if middle.header.transfer_syntax not in UNCOMPRESSED:
            read_voxels([middle], where)  # a process that nobody can decode is told now, and not by each verb
        write_list(out / "images" / f"{one.name}.txt", one.series.files)
        return []
    path = out / "images" / f"{one.name}.nii.gz"
    # A list from an earlier run would still hold the paths of the archive, beside files meant to be without them.
    path.with_name(f"{one.name}.txt").unlink(missing_ok=True)
    key = sha256_json([CONVERSION_REVISION, *(file_state(file) for file in one.series.files), one.series.part])
    kept = store.get(key) if store else None
    if kept is not None and path.is_file() and kept["state"] == file_state(path):
        return [str(note) for note in kept["notes"]]
    image, notes = read_stack(one.stack, where)
    write_image(image, path)
    if store:
        store.put(key, {"notes": notes, "state": file_state(path)})
    return notes


def write_list(path: Path, files: Sequence[Path]) -> None:
    """Write a list of files that `source_files` reads.

    Parameters
    ----------
    path : Path
        The list.
    files : sequence of Path
        What it is to hold.

    Raises
    ------
    ImageError
        If a path cannot stand on a line of text.
    """
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
