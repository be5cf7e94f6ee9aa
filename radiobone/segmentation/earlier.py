"""What an earlier run left in a folder: its manifest, and masks that nobody but it may replace."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from radiobone.core.config import validate
from radiobone.core.errors import UsageError
from radiobone.core.hashing import sha256_file
from radiobone.segmentation.records import SegmentationManifest

MASKS, MANIFEST, RESUME = "masks", "segmentation.manifest.json", "segmentation.resume"

SHOWN = 5


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
    path = out / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UsageError("the manifest of the masks is damaged", where=str(path), do="delete it") from None
    return validate(SegmentationManifest, content, str(path))


def keep_foreign(out: Path, keys: Collection[tuple[str, str]]) -> None:
    """Refuse to replace masks that were not made here, or that somebody has corrected since.

    Parameters
    ----------
    out : Path
        The folder that new masks are to be written to.
    keys : collection of (str, str)
        Patient and scan of each.

    Raises
    ------
    UsageError
        If the folder holds masks without a manifest, or masks of these scans whose bytes have changed.
    """
    folder = out / MASKS
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (out / MANIFEST).is_file():
        if (out / RESUME).is_dir():
            return
        raise UsageError(
            "the folder holds masks that were not made here",
            where=str(folder),
            do="choose another folder, or name them in the column mask of the cohort table",
        )
    changed = [
        scan.mask
        for scan in read_manifest(out).scans
        if scan.mask and scan.mask_sha256 and (scan.patient_id, scan.scan_id) in keys
        if (out / scan.mask).is_file() and sha256_file(out / scan.mask) != scan.mask_sha256
    ]
    if changed:
        raise UsageError(
            f"{len(changed)} masks were changed after they were made",
            where=str(out),
            got=", ".join(changed[:SHOWN]),
            do="move them, and name them in the column mask of the cohort table; or delete them, to have them "
            "made anew",
        )
