"""``radiobone verify``: the native engine beside PyRadiomics, on the user's own cases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radiobone.cli.options import (
    AlignOption,
    ErosionOption,
    JobsOption,
    LevelsOption,
    LowerOption,
    MissingLevelsOption,
    SchemeOption,
    UpperOption,
    VoiOption,
    wants_alignment,
)
from radiobone.core.batch import EXIT_OK, EXIT_SOME_FAILED

if TYPE_CHECKING:
    from rich.console import Console

    from radiobone.features.radiomics.agreement import Agreement, Difference
    from radiobone.features.verification import Verification

SHOWN = 10


def verify(
    cohort: Annotated[Path, typer.Option("--cohort", help="Cohort table.", dir_okay=False)],
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Number of scans, spread evenly over the table.")] = 5,
    params: Annotated[
        str, typer.Option("--params", help="Radiomics parameters: a preset's name or a PyRadiomics YAML file.")
    ] = "original",
    voi: VoiOption = "label",
    levels: LevelsOption = None,
    scheme: SchemeOption = "auto",
    missing_levels: MissingLevelsOption = "fail",
    erosion_mm: ErosionOption = 3.0,
    upper_hu: UpperOption = None,
    lower_hu: LowerOption = None,
    align: AlignOption = "none",
    jobs: JobsOption = 1,
) -> None:
    """Run both radiomics engines on some scans of a cohort and show the largest difference for each family.

    Needs PyRadiomics: [b]pip install "radiobone[pyradiomics]"[/].
    """
    from rich.console import Console

    from radiobone.features.radiomics.params import read_params
    from radiobone.features.request import make_request
    from radiobone.features.verification import spread, verify_engine
    from radiobone.tables.cohort import read_cohort
    from radiobone.voi import VoiOptions

    request = make_request(
        params=None,
        voi=voi,
        options=VoiOptions(erosion_mm, upper_hu, lower_hu),
        levels=levels,
        scheme=scheme,
        missing=missing_levels,
        align=wants_alignment(align),
    )
    scans = spread(read_cohort(cohort).scans(), n)
    result = verify_engine(scans, request, read_params(params), "native", jobs=jobs)
    show(Console(soft_wrap=True), result)
    raise typer.Exit(EXIT_OK if result.agrees else EXIT_SOME_FAILED)


def show(console: Console, result: Verification) -> None:
    """Print the table of families, what differs, and what could not be compared."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=f"native beside PyRadiomics, {result.n_vois} VOIs: relative differences",
        box=box.SIMPLE,
        title_justify="left",
    )
    table.add_column("family")
    for name in ("values", "largest", "above 1e-6", "largest where terms cancel", "above 1e-6"):
        table.add_column(name, justify="right")
    for family in result.families:
        table.add_row(*_cells(family))
    console.print(table)
    largest = max(filter(None, (family.largest for family in result.families)), key=_relative, default=None)
    if largest is not None and largest.relative:
        console.print(f"largest of all: {largest.relative:.1e}, {largest.column} of {escape(largest.case)}")
    for item in [item for family in result.families for item in family.beyond][:SHOWN]:
        console.print(
            f"[red]differs[/] {escape(item.case)}, {item.column}: native {item.ours!r}, "
            f"PyRadiomics {item.reference!r}"
        )
    for name, reason in result.failures[:SHOWN]:
        console.print(f"[red]not compared[/] {escape(name)}: {escape(reason)}")
    if len(result.failures) > SHOWN:
        console.print(f"and {len(result.failures) - SHOWN} more that could not be compared")
    if result.n_refused:
        console.print(f"{result.n_refused} VOIs are refused by both engines")
    if result.seconds:
        console.print(
            f"native {result.seconds:.2f} s, PyRadiomics on crops {result.reference_seconds:.2f} s: "
            f"{result.reference_seconds / result.seconds:.0f} times"
        )


def _cells(family: Agreement) -> tuple[str, str, str, str, str, str]:
    return (
        family.family,
        str(family.n_values),
        _largest(family.largest),
        str(len(family.beyond)),
        _largest(family.largest_cancelling),
        str(family.n_beyond_cancelling) if family.largest_cancelling else "",
    )


def _largest(item: Difference | None) -> str:
    return "" if item is None else f"{item.relative:.1e}" if item.relative else "0"


def _relative(item: Difference) -> float:
    return item.relative
