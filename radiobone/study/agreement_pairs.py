"""The pairs of masks of a cohort table: what its other columns say of each mask, and what became of each pair."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiobone.core.config import FileModel
from radiobone.core.errors import UsageError
from radiobone.tables.cohort import (
    IMAGE,
    MASK,
    NOTHING_FOUND,
    SCHEME,
    SEGMENTS,
    SERIES,
    Cohort,
    parse_segments,
    scheme_of_cell,
    why_unsegmented,
)
from radiobone.tables.keys import PATIENT, REPEAT, SCAN, require_columns


@dataclass(frozen=True)
class MaskFile:
    """One mask.

    Parameters
    ----------
    path : Path or None
        The file; None where there is none.
    scheme : str
        What its labels mean, if not what those of all masks do.
    segments : tuple of str
        Names of its segments that are read; empty where there is nothing to choose.
    unsegmented : str
        Why there is no mask, where its making failed.
    """

    path: Path | None
    scheme: str = ""
    segments: tuple[str, ...] = ()
    unsegmented: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is no file because the model found nothing, which is an empty mask."""
        return self.unsegmented.startswith(NOTHING_FOUND)


@dataclass(frozen=True)
class MaskPair:
    """Two masks of one scan.

    Parameters
    ----------
    patient_id, scan_id, repeat : str
        Whose.
    mask_a, mask_b : MaskFile
        The masks.
    image : Path or None
        The scan, which an RTSTRUCT needs.
    series : str
        Which DICOM series of the image's folder.
    """

    patient_id: str
    scan_id: str
    mask_a: MaskFile
    mask_b: MaskFile
    image: Path | None = None
    series: str = ""
    repeat: str = ""

    @property
    def name(self) -> str:
        """The scan's name for messages."""
        repeat = f", repeat {self.repeat}" if self.repeat else ""
        return f"patient {self.patient_id}, scan {self.scan_id}{repeat}"


class PairRecord(FileModel):
    """What became of one pair of masks.

    Parameters
    ----------
    patient_id, scan_id, repeat : str
        Whose.
    status, reason : str
        ``ok``, ``failed`` or ``skipped``, and why; an empty mask beside one with levels is ``ok``.
    mask_a_sha256, mask_b_sha256 : tuple of str
        Of each file's bytes.
    notes : tuple of str
        How schemes were chosen, what was decided and done.
    """

    patient_id: str
    scan_id: str
    repeat: str = ""
    status: str
    reason: str = ""
    mask_a_sha256: tuple[str, ...] = ()
    mask_b_sha256: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def mask_pairs(cohort: Cohort, mask_a: str, mask_b: str) -> list[MaskPair]:
    """List the pairs of a cohort table.

    Parameters
    ----------
    cohort : Cohort
        From ``read_cohort(path, images=False)``.
    mask_a, mask_b : str
        The two columns of masks; paths are relative to the table's folder. What ``mask_scheme`` and ``segments``
        are for ``mask``, ``mask_scheme_given`` and ``segments_given`` are for ``mask_given``.

    Returns
    -------
    list of MaskPair
        In the order of the rows; where a cell is empty there is no mask.

    Raises
    ------
    UsageError
        If a column is missing, or both are the same.
    """
    if mask_a == mask_b:
        raise UsageError("both masks are the same column", got=mask_a, do="name two columns of the cohort")
    require_columns(list(cohort.table.columns), (mask_a, mask_b), str(cohort.path))
    base = cohort.path.parent
    return [
        MaskPair(
            patient_id=row[PATIENT],
            scan_id=row[SCAN],
            mask_a=_mask(row, mask_a, base),
            mask_b=_mask(row, mask_b, base),
            image=base / image if (image := row.get(IMAGE, "").strip()) else None,
            series=row.get(SERIES, "").strip(),
            repeat=row.get(REPEAT, ""),
        )
        for row in cohort.table.to_dict("records")
    ]


def _mask(row: Mapping[Hashable, Any], column: str, base: Path) -> MaskFile:
    cell = row[column].strip()
    path = base / cell if cell else None
    if not column.startswith(MASK):
        return MaskFile(path)
    kind = column.removeprefix(MASK)
    return MaskFile(
        path,
        scheme_of_cell(row.get(f"{SCHEME}{kind}", "").strip(), base),
        parse_segments(row.get(f"{SEGMENTS}{kind}", "")),
        why_unsegmented(row) if column == MASK else "",
    )
