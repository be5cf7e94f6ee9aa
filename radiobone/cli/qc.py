"""``radiobone qc``: the checks of ``inspect`` as a page with pictures of every scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from radiobone.cli.inspect import compare_classes
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
    from radiobone.study.qc import QcSummary


def qc(
    cohort: Annotated[Path, typer.Option("--cohort", help="Cohort table.", dir_okay=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page.", file_okay=False)] = Path("qc"),
    voi: VoiOption = "label",
    levels: LevelsOption = None,
    scheme: SchemeOption = "auto",
    missing_levels: MissingLevelsOption = "fail",
    erosion_mm: ErosionOption = 3.0,
    upper_hu: UpperOption = None,
    lower_hu: LowerOption = None,
    voi_option: MoreVoiOption = None,
    align: AlignOption = "none",
    recipe: Annotated[str | None, typer.Option("--recipe", help="Study recipe whose label rule is used.")] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Columns of the cohort shown with each scan, such as sex,kvp."),
    ] = None,
    scans_per_page: Annotated[
        int, typer.Option("--scans-per-page", min=1, help="More scans than this go on further pages, worst first.")
    ] = 100,
    jobs: JobsOption = 1,
) -> None:
    """Check a cohort as inspect does, and show every scan with its VOIs on one page to open in a browser.

    The page needs no network and no other file. It shows pictures of patients: keep it as you keep the scans.
    """
    from radiobone.features.request import make_request
    from radiobone.study.qc import write_qc
    from radiobone.tables.cohort import read_cohort

    table = read_cohort(cohort)
    classes = compare_classes(table, recipe)
    request = make_request(
        params=None,
        voi=voi,
        options=voi_options(erosion_mm, upper_hu, lower_hu, voi_option),
        levels=levels,
        scheme=scheme,
        missing=missing_levels,
        align=wants_alignment(align),
    )
    named = [name.strip() for name in columns.split(",")] if columns is not None else []
    summary = write_qc(
        table, request, out, columns=named, classes=classes, scans_per_page=scans_per_page, jobs=jobs
    )
    _show(summary)
    raise typer.Exit(EXIT_SOME_FAILED if summary.flags.get("error") else EXIT_OK)


def _show(summary: QcSummary) -> None:
    from rich.console import Console

    from radiobone.core.words import counted

    console = Console(soft_wrap=True)
    words = {"error": "with errors", "warning": "to review", "note": "with notes", "clear": "clear"}
    told = ", ".join(f"{count} {words[flag]}" for flag, count in summary.flags.items())
    console.print(f"{counted(len(summary.reports), 'scan')}: {told}")
    pages = f", and {counted(len(summary.pages) - 1, 'more page')}" if len(summary.pages) > 1 else ""
    console.print(f"[bold]{escape(str(summary.pages[0]))}[/]{pages}")
