"""BIDS data sets, as VerSe is one: the mask of each CT found by its name, and a cohort table of them.

A BIDS name is made of entities and a suffix: ``sub-verse012_ct.nii.gz`` is a CT, and
``sub-verse012_seg-vert_msk.nii.gz``, which commonly lies in ``derivatives``, the mask of its vertebrae.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radiobone.core.errors import UsageError
from radiobone.core.files import check_output, write_text
from radiobone.tables.cohort import BODY_MASK, IMAGE, MASK
from radiobone.tables.keys import DEFAULT_SCAN, PATIENT, SCAN

FILE_SUFFIXES = (".nii.gz", ".nii")
CT, MASKS = "ct", ("msk", "dseg")

VERTEBRAE, SUBREGIONS = ("", "vert"), ("subreg",)
"""Values of the entity ``seg`` of masks of vertebrae, and of masks that tell bodies from arches."""

_OF_THE_MASK = ("seg", "desc")
"""Entities that a mask's name has beside those of its CT."""


@dataclass(frozen=True)
class BidsScan:
    """A CT of a BIDS data set, and its masks.

    Parameters
    ----------
    patient_id, scan_id : str
        The subject, and all other entities of the name.
    image : Path
        The CT.
    mask, body_mask : Path or None
        Masks of vertebrae and of their parts, where there are any.
    """

    patient_id: str
    scan_id: str
    image: Path
    mask: Path | None
    body_mask: Path | None


def find_bids_scans(folder: Path) -> list[BidsScan]:
    """Find the CTs of a BIDS data set, and the mask of each by its name.

    Parameters
    ----------
    folder : Path
        The data set; ``rawdata`` and ``derivatives`` may lie in it in any depth.

    Returns
    -------
    list of BidsScan
        In the order of their names.

    Raises
    ------
    UsageError
        If there is no CT, a CT is there twice, or several masks fit one.
    """
    files = sorted(path for path in folder.rglob("*") if path.name.endswith(FILE_SUFFIXES))
    named = [(path, _parse(path)) for path in files]
    masks: dict[tuple[tuple[str, str], ...], dict[str, list[Path]]] = {}
    for path, (suffix, entities) in named:
        if suffix in MASKS:
            masks.setdefault(_key(entities), {}).setdefault(entities.get("seg", ""), []).append(path)
    scans: dict[tuple[str, str], BidsScan] = {}
    for path, (suffix, entities) in named:
        if suffix != CT or "sub" not in entities:
            continue
        other = "_".join(f"{name}-{value}" for name, value in entities.items() if name != "sub")
        found = masks.get(_key(entities), {})
        scan = BidsScan(
            entities["sub"],
            other or DEFAULT_SCAN,
            path,
            _only(found, VERTEBRAE, path),
            _only(found, SUBREGIONS, path),
        )
        if (scan.patient_id, scan.scan_id) in scans:
            raise UsageError("a CT is there twice", where=str(folder), got=path.name, expected="each name once")
        scans[scan.patient_id, scan.scan_id] = scan
    if not scans:
        raise UsageError(
            "no CT in this folder",
            where=str(folder),
            got=f"{len(files)} NIfTI files",
            expected="sub-..._ct.nii.gz",
        )
    return list(scans.values())


def write_bids_cohort(scans: Sequence[BidsScan], out: Path) -> None:
    """Write a cohort table of scans; ``mask`` is empty where there is none.

    Parameters
    ----------
    scans : sequence of BidsScan
        From `find_bids_scans`.
    out : Path
        The table, ``.csv``; paths in it are relative to its folder.

    Raises
    ------
    UsageError
        If it cannot be written, or another table stands there, which may hold a user's own columns.
    """
    check_output(out, [], (".csv",))
    bodies = [BODY_MASK] if any(scan.body_mask for scan in scans) else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([PATIENT, SCAN, IMAGE, MASK, *bodies])
    for scan in scans:
        paths = [scan.image, scan.mask, *([scan.body_mask] if bodies else [])]
        writer.writerow([scan.patient_id, scan.scan_id, *(_relative(path, out.parent) for path in paths)])
    if out.exists() and out.read_text(encoding="utf-8") != text.getvalue():
        raise UsageError(
            "another cohort stands there, and would be overwritten",
            where=str(out),
            do="import elsewhere, or move it away",
        )
    write_text(out, text.getvalue())


def _relative(path: Path | None, base: Path) -> str:
    return "" if path is None else Path(os.path.relpath(path, base)).as_posix()


def _parse(path: Path) -> tuple[str, dict[str, str]]:
    """Return the suffix and the entities of a name."""
    stem = path.name
    for ending in FILE_SUFFIXES:
        stem = stem.removesuffix(ending)
    *parts, suffix = stem.split("_")
    return suffix, {name: value for name, _, value in (part.partition("-") for part in parts)}


def _key(entities: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in entities.items() if name not in _OF_THE_MASK))


def _only(found: Mapping[str, list[Path]], kinds: Iterable[str], image: Path) -> Path | None:
    paths = [path for kind in kinds for path in found.get(kind, [])]
    if len(paths) > 1:
        raise UsageError(
            "several masks fit one CT",
            where=image.name,
            got=", ".join(path.name for path in paths),
            expected="one mask of vertebrae",
            do="leave one of them in the data set, or write the cohort table by hand",
        )
    return paths[0] if paths else None
