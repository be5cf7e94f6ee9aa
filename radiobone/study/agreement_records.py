"""What a comparison of masks leaves: its table, and a manifest that says how it came about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from radiobone.core.config import FileModel
from radiobone.core.files import write_json
from radiobone.core.provenance import machine, now, versions
from radiobone.study.agreement import Agreement, AgreementRequest
from radiobone.study.agreement_pairs import PairRecord
from radiobone.study.agreement_summary import SummaryOptions
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import manifest_path, write_features
from radiobone.voi.agreement import PERCENTILE

if TYPE_CHECKING:
    from radiobone.evaluation.strata import Strata

TABLE = "agreement.csv"

DEFINITIONS = {
    "surface": "centres of voxels that share a face with a voxel outside the level; beyond the grid is outside",
    "hd95_mm": f"larger one of the {PERCENTILE:g}th percentiles of the surface distances in both directions",
    "assd_mm": "mean of the surface distances of both directions together",
    "dice": "0 where only one mask holds the level, or one is empty; distances are then empty",
    "volume_difference": "second mask less the first; in percent of the first",
}


class AgreementManifest(FileModel):
    """How a table of agreement came about.

    Parameters
    ----------
    format : int
        Version of this file's form.
    created, versions, machine
        When, and what it was computed with.
    table_sha256 : str
        Of the table.
    cohort, cohort_sha256 : str, optional
        The cohort table, relative to the table.
    mask_a, mask_b : str
        The columns, or the names of the files.
    levels : list of str, optional
        Those asked for.
    scheme_a, scheme_b : str
        As asked for.
    align : bool
        Whether second masks on another grid were resampled.
    strata : dict of str to tuple of float
        Columns to sum up by, and the inner edges of their bands.
    draws, seed : int
        Of the intervals.
    definitions : dict of str to str
        What the figures are.
    counts : dict of str to int
        Pairs by status.
    pairs : list of PairRecord
        Each pair.
    """

    format: Literal[1] = 1
    created: str
    versions: dict[str, str]
    machine: str
    table_sha256: str
    cohort: str | None = None
    cohort_sha256: str | None = None
    mask_a: str
    mask_b: str
    levels: list[str] | None
    scheme_a: str
    scheme_b: str
    align: bool
    strata: dict[str, tuple[float, ...]]
    draws: int
    seed: int
    definitions: dict[str, str]
    counts: dict[str, int]
    pairs: list[PairRecord]


def write_agreement(
    out: Path,
    agreement: Agreement,
    request: AgreementRequest,
    names: tuple[str, str],
    strata: Sequence[Strata],
    options: SummaryOptions,
    cohort: Cohort | None = None,
) -> None:
    """Write the table and its manifest.

    Parameters
    ----------
    out : Path
        The folder.
    agreement : Agreement
        What was found.
    request : AgreementRequest
        How masks were compared.
    names : tuple of str
        The two columns, or the names of the two files.
    strata : sequence of Strata
        By what it was summed up.
    options : SummaryOptions
        How intervals were made.
    cohort : Cohort, optional
        Where the pairs come from.
    """
    sha256 = write_features(out / TABLE, agreement.table)
    manifest = AgreementManifest(
        created=now(),
        versions=versions(),
        machine=machine(),
        table_sha256=sha256,
        cohort=os.path.relpath(cohort.path.resolve(), out.resolve()) if cohort else None,
        cohort_sha256=cohort.sha256 if cohort else None,
        mask_a=names[0],
        mask_b=names[1],
        levels=list(request.levels) if request.levels else None,
        scheme_a=request.scheme_a,
        scheme_b=request.scheme_b,
        align=request.align,
        strata={item.column: item.edges for item in strata},
        draws=options.draws,
        seed=options.seed,
        definitions=DEFINITIONS,
        counts=agreement.counts,
        pairs=agreement.records,
    )
    write_json(manifest_path(out / TABLE), manifest.model_dump(mode="json"))
