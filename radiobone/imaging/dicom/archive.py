"""The headers of a whole archive: read in parallel, kept for the next run, and stripped of who was scanned."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from radiobone.core.batch import run_cases
from radiobone.core.hashing import sha256_json
from radiobone.core.store import ResumeStore
from radiobone.imaging.dicom.acquisition import Acquisition
from radiobone.imaging.dicom.choice import SeriesChoice
from radiobone.imaging.dicom.frames import Plane
from radiobone.imaging.dicom.headers import Header, read_header
from radiobone.imaging.dicom.series import dicom_files

HEADER_REVISION = 2
"""Raised with every change of what a header holds, so that no kept one is taken for a new one."""

_FILES_AT_ONCE = 256


@dataclass(frozen=True)
class HeaderRequest:
    """What is read of an archive, and what is forgotten at once.

    Parameters
    ----------
    choice : SeriesChoice or None
        Which series are wanted; None for all. Descriptions are compared here and forgotten.
    keep_identifiers : bool
        Whether to keep what identifies a patient.
    salt : str
        Mixed into the hashes that stand for identifiers: without it, nobody finds a patient's number by trying
        all.
    """

    choice: SeriesChoice | None
    keep_identifiers: bool
    salt: str


@dataclass(frozen=True)
class Found:
    """One DICOM file of an archive.

    Parameters
    ----------
    header : Header
        Without identifiers, unless they are kept: hashes stand for them.
    chosen : bool
        Whether the file's series is wanted.
    """

    header: Header
    chosen: bool


def read_archive(
    files: Sequence[Path],
    request: HeaderRequest,
    *,
    jobs: int = 1,
    store: ResumeStore | None = None,
    progress: bool = True,
) -> list[Found]:
    """Read the headers of all DICOM files of an archive.

    Parameters
    ----------
    files : sequence of Path
        Files of any kind.
    request : HeaderRequest
        What is kept of them.
    jobs : int, default 1
        Number of worker processes; -1 is one for each core.
    store : ResumeStore, optional
        Where headers of files that have not been touched since are kept.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    list of Found
        In the order of ``files``; what is no DICOM is left out.
    """
    parts = list(_parts(files))
    work = functools.partial(_read_part, request=request, store=store)
    outcomes = run_cases(
        parts,
        work,
        name=lambda part: str(part[0].parent),
        jobs=jobs,
        description="reading headers",
        progress=progress,
    )
    found: list[Found] = []
    for part, outcome in zip(parts, outcomes, strict=True):
        if outcome.result is None:
            found += [Found(Header(path, fault=public_reason(outcome.reason)), True) for path in part]
        else:
            found += outcome.result
    return found


def public_reason(reason: str) -> str:
    """Return why a case failed without what an unforeseen error may quote of a file or its path.

    Parameters
    ----------
    reason : str
        Of an `Outcome`.
    """
    return reason.partition(":")[0] if reason.startswith("unexpected ") else reason


def archive_files(folder: Path, without: Path) -> list[Path]:
    """List the files of an archive and all of its subfolders.

    Parameters
    ----------
    folder : Path
        The archive.
    without : Path
        A folder whose files are left out: that of the outputs, which may lie inside.
    """
    outside = without.resolve()
    return [path for path in dicom_files(folder.resolve(), recursive=True) if outside not in path.parents]


def _parts(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Split files into pieces of work, none of them of two folders."""
    for _, group in groupby(files, key=lambda path: path.parent):
        members = list(group)
        for begin in range(0, len(members), _FILES_AT_ONCE):
            yield members[begin : begin + _FILES_AT_ONCE]


def _read_part(files: list[Path], request: HeaderRequest, store: ResumeStore | None) -> list[Found]:
    key = sha256_json([HEADER_REVISION, asdict(request), [file_state(path) for path in files]])
    kept = store.get(key) if store else None
    if kept is not None:
        return [Found(_header(files[place], values), chosen) for place, values, chosen in kept]
    found = [(place, _read_file(path, request)) for place, path in enumerate(files)]
    good = [(place, one) for place, one in found if one is not None]
    # What could not be read is tried again: a network may have failed, and not the file.
    if store and not any(one.header.fault for _, one in good):
        store.put(key, [[place, _values(one.header), one.chosen] for place, one in good])
    return [one for _, one in good]


def file_state(path: Path) -> list[str | int]:
    """Return what changes whenever a file does.

    Parameters
    ----------
    path : Path
        The file, or a link that leads nowhere.
    """
    try:
        state = path.stat()
    except OSError:
        return [str(path)]
    return [str(path), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def _read_file(path: Path, request: HeaderRequest) -> Found | None:
    header = read_header(path)
    if header is None:
        return None
    chosen = request.choice is None or request.choice.fits(header)
    return Found(header if request.keep_identifiers else forget(header, request.salt), chosen)


def forget(header: Header, salt: str) -> Header:
    """Return a header in which nothing identifies a patient: hashes stand for names, and the year for the date.

    Parameters
    ----------
    header : Header
        As it was read.
    salt : str
        Mixed into the hashes.
    """
    return replace(
        header,
        patient=hashed_name(header.patient, salt),
        birth_date=hashed_name(header.birth_date, salt),
        study=hashed_name(header.study, salt),
        series=hashed_name(header.series, salt),
        instance=hashed_name(header.instance, salt),
        frame_of_reference=hashed_name(header.frame_of_reference, salt),
        refers_to=tuple(hashed_name(uid, salt) for uid in header.refers_to),
        description="",
        acquisition=replace(header.acquisition, date=header.acquisition.date[:4]),
    )


def hashed_name(text: str, salt: str) -> str:
    """Return what stands for an identifier; an empty one stays empty.

    Parameters
    ----------
    text : str
        The identifier.
    salt : str
        Mixed into the hash.
    """
    return sha256_json([salt, text])[:32] if text else ""


def _values(header: Header) -> dict[str, Any]:
    values = asdict(header)
    del values["path"]
    return values


def _header(path: Path, values: Mapping[str, Any]) -> Header:
    """Make a header of what was kept of it; JSON knows no tuples."""
    planes = tuple(Plane(**{name: _tupled(value) for name, value in plane.items()}) for plane in values["planes"])
    others = {name: _tupled(value) for name, value in values.items() if name not in ("planes", "acquisition")}
    return Header(path, **others, planes=planes, acquisition=Acquisition(**values["acquisition"]))


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
