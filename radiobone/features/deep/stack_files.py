"""A stack of patches on disk: volumes, an index that says whose they are, a manifest that says how they came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from radiobone.core.config import FileModel, validate
from radiobone.core.errors import ConfigError, TableError
from radiobone.core.files import write_json
from radiobone.core.hashing import sha256_file
from radiobone.tables.features import ScanRecord, VoiRecord, manifest_path
from radiobone.tables.keys import FEATURE_KEYS, LEVEL, PATIENT, REASON, SCAN, STATUS, VOI, require_columns
from radiobone.tables.reading import read_header, read_typed_table

if TYPE_CHECKING:
    import pandas as pd

ROW = "row"
"""Column of the index: the row of the stack, from 0; empty where there is none."""

VOXEL_MM = ("voxel_z_mm", "voxel_y_mm", "voxel_x_mm")
"""Columns of the index: edges of a voxel of the volume."""


class StackManifest(FileModel):
    """All that is needed to say how a stack of patches came about.

    Parameters
    ----------
    format : int
        Version of this file's form.
    created : str
        Time, UTC.
    versions : mapping
        Versions of radiobone, Python and the packages that can move a number.
    machine : str
        Operating system and processor type.
    stack_sha256, index_sha256 : str
        SHA-256 of the stack and of its index.
    cohort, cohort_sha256 : str or None
        The cohort table, relative to the stack, and its SHA-256.
    voi : VoiRecord
        How VOIs were made.
    values_revision : int
        Raised with every change of a voxel.
    parameters, parameters_sha256 : mapping, str
        What volumes show.
    axes : str
        Which way (z, y, x) run.
    shape : list of int
        Of the stack: (n, z, y, x).
    counts : mapping
        VOIs by status.
    scans : list of ScanRecord
        Each scan as it was read.
    """

    format: Literal[1] = 1
    created: str
    versions: dict[str, str]
    machine: str
    stack_sha256: str
    index_sha256: str
    cohort: str | None
    cohort_sha256: str | None
    voi: VoiRecord
    values_revision: int
    parameters: dict[str, Any]
    parameters_sha256: str
    axes: str = "z to the head, y to the back, x to the left"
    shape: list[int]
    counts: dict[str, int]
    scans: list[ScanRecord]


@dataclass(frozen=True, eq=False)
class PatchStack:
    """A stack of patches that was checked; its volumes are not read.

    Parameters
    ----------
    path : Path
        The ``.npy`` file of shape (n, z, y, x).
    index : DataFrame
        Keys as in a feature table, ``status``, ``reason``, ``row`` and the edges of a voxel, for every VOI.
    manifest : StackManifest
        How it came about.
    """

    path: Path
    index: pd.DataFrame
    manifest: StackManifest


def index_path(stack: Path) -> Path:
    """Return the path of the index beside a stack.

    Parameters
    ----------
    stack : Path
        Such as ``patches.npy``.

    Returns
    -------
    Path
        Such as ``patches.csv``.
    """
    return stack.with_suffix(".csv")


def write_stack_manifest(stack: Path, manifest: StackManifest) -> None:
    """Write the manifest beside its stack.

    Parameters
    ----------
    stack : Path
        The stack.
    manifest : StackManifest
        Its manifest.
    """
    write_json(manifest_path(stack), manifest.model_dump(mode="json"))


def read_stack(path: Path) -> PatchStack:
    """Read the index and the manifest of a stack, and check that all three belong together.

    Parameters
    ----------
    path : Path
        The ``.npy`` file.

    Returns
    -------
    PatchStack
        The volumes stay in the file.

    Raises
    ------
    TableError
        If a file is missing, damaged, or not the one that the manifest speaks of.
    """
    manifest = _read_manifest(path)
    for file, expected in ((path, manifest.stack_sha256), (index_path(path), manifest.index_sha256)):
        if not file.is_file():
            raise TableError("file not found", where=str(file), do="keep stack, index and manifest side by side")
        found = sha256_file(file)
        if found != expected:
            raise TableError(
                "the file is not the one that the manifest beside the stack speaks of",
                where=str(file),
                got=f"SHA-256 {found}",
                expected=expected,
                do="write the stack anew",
            )
    where = str(index_path(path))
    require_columns(read_header(index_path(path)), (PATIENT, SCAN, VOI, LEVEL, STATUS, REASON, ROW), where)
    index = read_typed_table(index_path(path), numeric=(ROW, *VOXEL_MM))
    keys = [name for name in FEATURE_KEYS if name in index.columns]
    return PatchStack(path, index[[*keys, STATUS, REASON, ROW, *VOXEL_MM]].astype({ROW: "Int64"}), manifest)


def _read_manifest(path: Path) -> StackManifest:
    where = str(manifest_path(path))
    try:
        content = json.loads(manifest_path(path).read_text(encoding="utf-8"))
        return validate(StackManifest, content, where)
    except FileNotFoundError:
        raise TableError("file not found", where=where, do="keep stack, index and manifest side by side") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TableError("the manifest is damaged", where=where, got=error, do="write the stack anew") from None
    except ConfigError as error:
        raise TableError("the manifest is not valid", where=where, got=error.got) from None
