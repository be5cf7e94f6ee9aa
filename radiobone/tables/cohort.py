"""The cohort table: who was scanned, where image and mask lie, and what else is known of them."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.core.errors import TableError
from radiobone.core.hashing import sha256_file
from radiobone.tables.keys import (
    DEFAULT_SCAN,
    PATIENT,
    REPEAT,
    SCAN,
    forbid_duplicates,
    forbid_near_misses,
    require_columns,
)
from radiobone.tables.reading import read_text_table

if TYPE_CHECKING:
    import pandas as pd

IMAGE = "image"
MASK = "mask"
BODY_MASK = "body_mask"
SERIES = "series"
SEGMENTS = "segments"
SCHEME = "mask_scheme"
SEGMENTATION_STATUS, SEGMENTATION_REASON = "segmentation_status", "segmentation_reason"
NOTHING_FOUND = "the model found nothing in the image"
"""How the reason begins where a model left its mask empty."""

CALIBRATION_MASK = "calibration_mask"
CONTRAST = "contrast"

_KEYS = (PATIENT, SCAN, REPEAT, IMAGE, MASK, BODY_MASK, SERIES, SEGMENTS, SCHEME, CALIBRATION_MASK)
"""Columns whose mistyped names are refused, since they would be passed over without a word."""

_MASKS_ARE_MADE = "or have masks made by `radiobone segment`, or by the key segment of a recipe"

PATHS = (IMAGE, MASK, BODY_MASK, CALIBRATION_MASK)
"""Columns that hold paths, relative to the table."""


@dataclass(frozen=True)
class Scan:
    """One row of the cohort table.

    Parameters
    ----------
    patient_id, scan_id : str
        Who, and which of their scans.
    image, mask : Path
        The files or folders, absolute or relative to the working folder.
    body_mask : Path or None
        A mask that tells vertebral bodies from arches, where there is one.
    repeat : str
        Which reader or perturbation made the mask; empty where there is none.
    series : str
        Which DICOM series of a folder that holds several; empty where there is nothing to choose.
    segments : tuple of str
        Names of the mask's segments that are read; empty where there is nothing to choose.
    contrast : str
        Contrast medium or its phase, in the words of the table; empty where nothing is known.
    scheme : str
        What the labels of this mask mean: the name of a scheme, or the path of a scheme file; empty where it is as
        for all masks.
    unsegmented : str
        Why there is no mask, where its making failed.
    columns : tuple of (str, str)
        Further columns of its row that were asked for, and what they hold.
    calibration_mask : Path or None
        A mask of the rods of a phantom, or of tissues, where there is one.
    """

    patient_id: str
    scan_id: str
    image: Path
    mask: Path
    body_mask: Path | None = None
    repeat: str = ""
    series: str = ""
    segments: tuple[str, ...] = ()
    contrast: str = ""
    scheme: str = ""
    unsegmented: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    calibration_mask: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Image, mask and, where there are any, body mask and calibration mask."""
        paths = (self.image, self.mask, self.body_mask, self.calibration_mask)
        return tuple(path for path in paths if path is not None)

    @property
    def name(self) -> str:
        """The scan's name for messages."""
        repeat = f", repeat {self.repeat}" if self.repeat else ""
        return f"patient {self.patient_id}, scan {self.scan_id}{repeat}"


@dataclass(frozen=True)
class UnmaskedScan:
    """A scan of the cohort table that may have no mask yet.

    Parameters
    ----------
    patient_id, scan_id : str
        Who, and which of their scans.
    image : Path
        The file, or a folder with DICOM slices; absolute or relative to the working folder.
    series : str
        Which DICOM series of a folder that holds several; empty where there is nothing to choose.
    """

    patient_id: str
    scan_id: str
    image: Path
    series: str = ""

    @property
    def name(self) -> str:
        """The scan's name for messages."""
        return f"patient {self.patient_id}, scan {self.scan_id}"


@dataclass(frozen=True, eq=False)
class Cohort:
    """A validated cohort table.

    Parameters
    ----------
    path : Path
        The file.
    table : DataFrame
        All columns as text, ``scan_id`` filled in where it is missing.
    sha256 : str
        SHA-256 of the file's bytes.
    """

    path: Path
    table: pd.DataFrame
    sha256: str

    def scans(self, columns: Sequence[str] = ()) -> list[Scan]:
        """List the scans; paths are relative to the table's folder.

        Parameters
        ----------
        columns : sequence of str, default ()
            Further columns that each scan is to carry.

        Returns
        -------
        list of Scan
            In the order of the rows.

        Raises
        ------
        TableError
            If a further column is missing.
        """
        require_columns(list(self.table.columns), columns, str(self.path))
        base = self.path.parent
        has_body, has_repeat = BODY_MASK in self.table, REPEAT in self.table
        return [
            Scan(
                patient_id=row[PATIENT],
                scan_id=row[SCAN],
                image=base / row[IMAGE],
                mask=base / row[MASK],
                body_mask=base / row[BODY_MASK] if has_body and row[BODY_MASK] else None,
                repeat=row[REPEAT] if has_repeat else "",
                series=row.get(SERIES, "").strip(),
                segments=parse_segments(row.get(SEGMENTS, "")),
                columns=tuple((name, row[name]) for name in columns),
                calibration_mask=base / rods if (rods := row.get(CALIBRATION_MASK, "").strip()) else None,
                contrast=row.get(CONTRAST, "").strip(),
                scheme=scheme_of_cell(row.get(SCHEME, "").strip(), base),
                unsegmented=why_unsegmented(row),
            )
            for row in self.table.to_dict("records")
        ]

    def moved(self, folder: Path) -> pd.DataFrame:
        """Return the table with its paths relative to another folder.

        Parameters
        ----------
        folder : Path
            Where the table is to be written.

        Returns
        -------
        DataFrame
            All columns; empty cells stay empty.
        """
        base, there = self.path.resolve().parent, folder.resolve()
        table = self.table.copy()
        for column in (name for name in PATHS if name in table):
            table[column] = [os.path.relpath(base / cell, there) if cell.strip() else "" for cell in table[column]]
        if SCHEME in table:
            names = [(cell.strip(), scheme_of_cell(cell.strip(), base)) for cell in table[SCHEME]]
            table[SCHEME] = [name if name == path else os.path.relpath(path, there) for name, path in names]
        return table

    def unmasked_scans(self) -> list[UnmaskedScan]:
        """List the scans without their masks, whether they have any or not.

        Returns
        -------
        list of UnmaskedScan
            In the order of the rows; a scan that several readers outlined is there once.
        """
        found = [
            UnmaskedScan(row[PATIENT], row[SCAN], self.path.parent / row[IMAGE], row.get(SERIES, "").strip())
            for row in self.table.to_dict("records")
        ]
        return list(dict.fromkeys(found))


def scheme_of_cell(cell: str, base: Path) -> str:
    """Return a scheme's name, or the path of its file from the working folder.

    Parameters
    ----------
    cell : str
        What the column `SCHEME` holds.
    base : Path
        The table's folder.
    """
    return str(base / cell) if Path(cell).suffix in {".yaml", ".yml"} else cell


def why_unsegmented(row: Mapping[Hashable, Any]) -> str:
    """Return why a row has no mask, or nothing.

    Parameters
    ----------
    row : mapping
        Of the cohort table.
    """
    if row.get(SEGMENTATION_STATUS) != "failed":
        return ""
    return str(row.get(SEGMENTATION_REASON, "")).strip() or "no reason is told"


def parse_segments(text: str) -> tuple[str, ...]:
    """Read names of segments, with ``;`` between them.

    Parameters
    ----------
    text : str
        Such as ``L1; L2``; names are compared without regard to capitals.
    """
    return tuple(name.strip() for name in text.split(";") if name.strip())


def read_cohort(path: Path, *, images: bool = True, masks: bool = True, patient: str | None = PATIENT) -> Cohort:
    """Read and check a cohort table.

    Parameters
    ----------
    path : Path
        CSV or Parquet with the columns ``patient_id``, ``image``, ``mask``, optional ``scan_id``,
        ``repeat``, ``body_mask``, ``series``, ``segments`` and ``mask_scheme``, and any others.
    images : bool, default True
        Whether ``image`` and ``mask`` are needed; training needs only the patients.
    masks : bool, default True
        With ``images``, whether ``mask`` is needed; the scans of a table without masks are `unmasked_scans`.
    patient : str or None
        The column that names patients, which becomes ``patient_id``; None for a table without one, whose rows are
        patients, named by their line (``line_0007``).

    Returns
    -------
    Cohort
        The table with ``scan_id``; its index names rows as `radiobone.tables.reading.read_text_table` says.

    Raises
    ------
    TableError
        If a key column is missing or mistyped, a key is empty, or a row is there twice.
    """
    table = _name_patients(read_text_table(path), patient, str(path))
    where = str(path)
    required = (PATIENT,) if not images else (PATIENT, IMAGE, MASK) if masks else (PATIENT, IMAGE)
    unmasked = MASK in required and MASK not in table.columns
    made = f"rename or add the column; {_MASKS_ARE_MADE}" if unmasked else "rename or add the column"
    require_columns(list(table.columns), required, where, made)
    forbid_near_misses(list(table.columns), _KEYS, where)
    keys = [name for name in (PATIENT, SCAN, REPEAT) if name in table.columns]
    for column in {*required, *keys, *({BODY_MASK} & set(table.columns))}:
        table[column] = table[column].str.strip()
    for column in required if SCAN not in table.columns else (*required, SCAN):
        empty = table.index[table[column] == ""]
        if len(empty):
            made = f"; {_MASKS_ARE_MADE}" if column == MASK else ""
            raise TableError(
                f"column {column!r} is empty",
                where=f"{where}, {table.index.name} {empty[0]}",
                got=f"{len(empty)} empty cells",
                do=f"fill them in, or remove these rows{made}",
            )
    forbid_duplicates(
        table, keys, where, "remove the copies, or tell scans of one patient apart by a column scan_id"
    )
    if SCAN not in table.columns:
        table.insert(1, SCAN, DEFAULT_SCAN)
    return Cohort(path, table, sha256_file(path))


def _name_patients(table: pd.DataFrame, patient: str | None, where: str) -> pd.DataFrame:
    """Bring the names of patients into their column."""
    if patient == PATIENT:
        return table
    if PATIENT in table.columns:
        raise TableError(
            f"the table has a column {PATIENT!r} already",
            where=where,
            got=f"patients named by {patient!r}" if patient else "each row a patient",
            do="leave the recipe's key cohort out, or rename the column",
        )
    if patient is not None:
        require_columns(list(table.columns), (patient,), where)
        return table.rename(columns={patient: PATIENT})
    width = len(str(table.index.max()))
    table.insert(0, PATIENT, [f"{table.index.name}_{number:0{width}d}" for number in table.index])
    return table
