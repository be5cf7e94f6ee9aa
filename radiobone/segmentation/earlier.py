"""What an earlier run left in a folder: its manifest, and which masks are its own and may be replaced."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from radiobone.core.config import validate
from radiobone.core.errors import TableError, UsageError
from radiobone.core.hashing import sha256_file
from radiobone.core.store import ResumeStore
from radiobone.core.words import counted
from radiobone.segmentation.records import GIVEN, SegmentationManifest
from radiobone.tables.cohort import UnmaskedScan

MASKS, MANIFEST, RESUME = "masks", "segmentation.manifest.json", "segmentation.resume"

SHOWN = 5

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def read_manifest(out: Path) -> SegmentationManifest:
    """Read the manifest of a folder of masks.

    Parameters
    ----------
    out : Path
        The folder.

    Returns
    -------
    SegmentationManifest
        What the masks were made from.

    Raises
    ------
    UsageError
        If it is damaged.
    """
    return _read(out / MANIFEST)


def keep_table(path: Path) -> None:
    """Refuse to replace a cohort table that an earlier run did not write, or that was worked on since.

    Parameters
    ----------
    path : Path
        The table, beside its manifest.

    Raises
    ------
    UsageError
        If there is such a table.
    """
    if not path.exists():
        return
    if (path.parent / MANIFEST).is_file():
        manifest = read_manifest(path.parent)
        if sha256_file(path) in (manifest.table_sha256, manifest.replaced_table_sha256):
            return
    raise UsageError(
        "the folder holds a cohort table that was changed after it was written, or was not written here",
        where=str(path),
        do="give that table another name (paths in it stay right in the same folder), or choose another folder",
    )


def mask_names(scans: Sequence[UnmaskedScan]) -> dict[tuple[str, str], str]:
    """Return the file name of each scan's mask, with a hash of its key where a plain one would be ambiguous.

    Parameters
    ----------
    scans : sequence of UnmaskedScan
        Each patient's scan once.

    Returns
    -------
    dict of (str, str) to str
        By patient and scan.

    Raises
    ------
    TableError
        If a scan is there twice, with different images: there would be one mask for both.
    """
    images: dict[tuple[str, str], UnmaskedScan] = {}
    for scan in scans:
        other = images.setdefault((scan.patient_id, scan.scan_id), scan)
        if other != scan:
            raise TableError(
                "the rows of one scan have different images",
                where=scan.name,
                got=" and ".join(f"{item.image} {item.series}".strip() for item in (other, scan)),
                expected="one image for each scan, whoever outlined it",
                do="tell the scans apart by a column scan_id",
            )
    plain = {key: "_".join(_UNSAFE.sub("-", part).strip(".") for part in key) for key in images}
    count = Counter(name.casefold() for name in plain.values())
    names = {}
    for key, name in plain.items():
        if name != "_".join(key) or count[name.casefold()] > 1:
            name += "-" + hashlib.sha256("\0".join(key).encode()).hexdigest()[:8]
        names[key] = f"{name}.nii.gz"
    return names


def foreign_masks(out: Path, names: Iterable[str]) -> frozenset[str]:
    """Return which masks were not made here, or were corrected by somebody since.

    Parameters
    ----------
    out : Path
        The folder that new masks are to be written to.
    names : iterable of str
        Of their files.

    Returns
    -------
    frozenset of str
        Names of files with other bytes than any mask that was made here.
    """
    present = [name for name in names if (out / MASKS / name).is_file()]
    made = _made_in(out) if present else set()
    return frozenset(name for name in present if sha256_file(out / MASKS / name) not in made)


def keep_foreign(out: Path, names: Iterable[str], do: str) -> None:
    """Refuse to replace masks that were not made here, or that somebody has corrected since.

    Parameters
    ----------
    out : Path
        The folder that new masks are to be written to.
    names : iterable of str
        Of their files.
    do : str
        How the user can have them used.

    Raises
    ------
    UsageError
        If there are any (see `foreign_masks`).
    """
    if foreign := sorted(foreign_masks(out, names)):
        told = ", ".join(f"{MASKS}/{name}" for name in foreign[:SHOWN])
        raise UsageError(
            f"{counted(len(foreign), 'mask')} changed after being made, or not made here",
            where=str(out),
            got=told + (f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""),
            do=f"{do}, or delete them, to have them made anew",
        )


def keep_foreign_file(out: Path, manifest: Path) -> None:
    """Refuse to replace one mask that was not made here, or that somebody has corrected since.

    Parameters
    ----------
    out : Path
        The mask that is to be written.
    manifest : Path
        Its own.

    Raises
    ------
    UsageError
        If the mask that is there has other bytes than its manifest says.
    """
    if not out.is_file():
        return
    made = {scan.mask_sha256 for scan in _read(manifest).scans} if manifest.is_file() else set()
    if sha256_file(out) not in made:
        raise UsageError(
            "the mask was changed after it was made, or not made here",
            where=str(out),
            do="choose another name, or delete the file",
        )


def _made_in(out: Path) -> set[str | None]:
    """Return SHA-256 of the masks that runs made in a folder, those that were stopped included."""
    manifest = read_manifest(out).scans if (out / MANIFEST).is_file() else []
    kept = ResumeStore(out / RESUME).values()
    return {
        *(scan.mask_sha256 for scan in manifest if scan.status != GIVEN),
        *(item.get("mask_sha256") for item in kept if isinstance(item, dict)),
    }


def _read(path: Path) -> SegmentationManifest:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UsageError("the manifest of the masks is damaged", where=str(path), do="delete it") from None
    return validate(SegmentationManifest, content, str(path))
