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
    MoreVoiOption,
    SchemeOption,
    UpperOption,
    VoiOption,
    voi_options,
    wants_alignment,
)
from radiobone.core.batch import EXIT_OK, EXIT_SOME_FAILED

if TYPE_CHECKING:
    from rich.console import Console

    from radiobone.features.radiomics.agreement import Agreement, Difference
    from radiobone.features.verification import Timing, Verification

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
    voi_option: MoreVoiOption = None,
    align: AlignOption = "none",
    whole: Annotated[
        bool,
        typer.Option(
            "--whole/--crops-only",
            help="Compare one VOI of each scan with PyRadiomics on the whole image, which may take minutes and "
            "gigabytes for each scan and job where there are wavelets; or all VOIs on crops alone, which shows no "
            "error in resampling, normalisation and resegmentation, since those are radiobone's own there.",
        ),
    ] = True,
    jobs: JobsOption = 1,
) -> None:
    r"""Compute some scans of a cohort with PyRadiomics as well and show the largest difference for each family.

    One VOI of each scan is compared with PyRadiomics on the whole image, all others with PyRadiomics on crops.

    The exit code is 3 if a value differs by more than 1e-6, or a VOI could not be compared.

    Needs PyRadiomics: [b]pip install "radiobone\[pyradiomics]"[/].
    """
    from rich.console import Console

    from radiobone.features.radiomics.params import read_params
    from radiobone.features.request import make_request
    from radiobone.features.verification import spread, verify_engine
    from radiobone.tables.cohort import read_cohort

    request = make_request(
        params=None,
        voi=voi,
        options=voi_options(erosion_mm, upper_hu, lower_hu, voi_option),
        levels=levels,
        scheme=scheme,
        missing=missing_levels,
        align=wants_alignment(align),
    )
    scans = spread(read_cohort(cohort).scans(), n)
    result = verify_engine(scans, request, read_params(params), "native", whole=whole, jobs=jobs)
    show(Console(soft_wrap=True), result)
    raise typer.Exit(EXIT_OK if result.agrees else EXIT_SOME_FAILED)


def show(console: Console, result: Verification) -> None:
    """Print the table of families, what differs, and what could not be compared."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="native beside PyRadiomics: differences", box=box.SIMPLE, title_justify="left")
    table.add_column("family")
    for name in ("values", "largest", "largest where\nterms cancel", "above 1e-6"):
        table.add_column(name, justify="right")
    for family in result.families:
        table.add_row(*_cells(family))
    if result.families:
        console.print(table)
        console.print("As shares of PyRadiomics' value or, where terms cancel, of their absolute sum.")
    for line in [*_compared(result), *_speed(result)]:
        console.print(line)
    beyond = [item for family in result.families for item in family.beyond]
    for item in beyond[:SHOWN]:
        console.print(
            f"[red]differs[/] {escape(item.case)}, {item.column}: native {item.ours!r}, "
            f"PyRadiomics {item.reference!r}"
        )
    if len(beyond) > SHOWN:
        console.print(f"and {len(beyond) - SHOWN} more values that differ")
    if any(item.column.startswith("log-sigma") for item in beyond):
        console.print(
            "A LoG image may differ in the last bit of single precision: now and then that\n"
            "takes one voxel over the edge of a bin, and changes this image's features."
        )
    for name, reason in result.failures[:SHOWN]:
        console.print(f"[red]not compared[/] {escape(name)}: {escape(reason)}")
    if len(result.failures) > SHOWN:
        console.print(f"and {len(result.failures) - SHOWN} more that could not be compared")


def _compared(result: Verification) -> list[str]:
    """Say how many VOIs were compared with which reference."""
    lines = []
    if result.n_whole:
        lines.append(f"{_vois(result.n_whole)} compared with PyRadiomics on the whole image")
    if result.n_crops:
        lines.append(f"{_vois(result.n_crops)} compared with PyRadiomics on crops made by radiobone")
    if result.n_refused:
        lines.append(f"{_vois(result.n_refused)} refused by both")
    return lines or ["[red]no VOI was compared[/]"]


def _speed(result: Verification) -> list[str]:
    """Say how long a VOI takes; compiling and loading of kernels, and reading of files, are not counted."""
    if not result.ours.seconds:
        return []
    lines = [f"Mean time of one VOI, kernels loaded, files read: native {_seconds(result.ours)}"]
    for timing, what in ((result.whole, "on the whole image"), (result.crops, "on crops")):
        if timing.n_vois:
            ratio = timing.each / result.ours.each
            lines.append(f"  PyRadiomics {what} {_seconds(timing)}, {ratio:.0f} times as long")
    return lines


def _seconds(timing: Timing) -> str:
    return f"{timing.each:.0f} s" if timing.each >= 10 else f"{timing.each:.2g} s"


def _vois(n: int) -> str:
    return f"{n} VOI" if n == 1 else f"{n} VOIs"


def _cells(family: Agreement) -> tuple[str, str, str, str, str]:
    return (
        family.family,
        f"{family.n_values:,}",
        _largest(family.largest),
        _largest(family.largest_cancelling),
        str(len(family.beyond)),
    )


def _largest(item: Difference | None) -> str:
    return "" if item is None else f"{item.share:.1e}" if item.share else "0"
