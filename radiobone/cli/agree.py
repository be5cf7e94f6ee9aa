"""``radiobone agree``: how well two masks of the same scans agree."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radiobone.cli.options import JobsOption, LevelsOption
from radiobone.core.batch import exit_code
from radiobone.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from radiobone.study.agreement_outputs import AgreementStudy
    from radiobone.study.agreement_pairs import MaskPair
    from radiobone.tables.cohort import Cohort

SHOWN_FAILURES = 10
SHOWN_METRICS = {
    "dice": ("Dice", 3),
    "hd95_mm": ("HD95 mm", 1),
    "assd_mm": ("ASSD mm", 1),
    "volume_difference_percent": ("volume %", 0),
}
"""Heading and digits of each metric in the terminal."""


def agree(
    mask_a: Annotated[
        str, typer.Option("--mask-a", help="First masks: a column of the cohort; without a cohort, a file.")
    ] = "mask",
    mask_b: Annotated[str, typer.Option("--mask-b", help="Second masks: a column, or a file.")] = "mask_b",
    cohort: Annotated[
        Path | None, typer.Option("--cohort", help="Cohort table with both columns.", dir_okay=False)
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option("--image", help="Two files: the scan, which a DICOM SEG or RTSTRUCT is placed on."),
    ] = None,
    levels: LevelsOption = None,
    strata: Annotated[
        str | None,
        typer.Option("--strata", help="Columns of the cohort to sum up by, such as sex,kvp,age:50:65 (bands)."),
    ] = None,
    scheme: Annotated[
        str,
        typer.Option("--scheme", help="What labels mean: auto, totalsegmentator, verse, raw, or a YAML file."),
    ] = "auto",
    scheme_b: Annotated[
        str | None, typer.Option("--scheme-b", help="The same for second masks, where theirs is another one.")
    ] = None,
    align: Annotated[
        str,
        typer.Option("--align", help="'b-to-a' resamples a second mask that lies on another grid than the first."),
    ] = "none",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for tables and figures.", file_okay=False)
    ] = Path("agree"),
    draws: Annotated[int, typer.Option("--draws", min=100, help="Draws of patients for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of these draws.")] = 0,
    jobs: JobsOption = 1,
) -> None:
    """Compare two masks level by level: Dice, HD95, ASSD and volume, with intervals over patients.

    A level that one of them lacks, or a whole mask that is empty, counts with a Dice of 0 and has no distances.
    Differences are the second mask less the first.
    """
    from radiobone.study.agreement import AgreementRequest
    from radiobone.study.agreement_outputs import run_agreement
    from radiobone.study.agreement_summary import SummaryOptions, parse_strata
    from radiobone.tables.vertebrae import parse_levels

    if align not in ("none", "b-to-a"):
        raise typer.BadParameter(f"{align!r} is neither 'none' nor 'b-to-a'", param_hint="--align")
    request = AgreementRequest(
        levels=parse_levels(levels) if levels is not None else None,
        scheme_a=scheme,
        scheme_b=scheme if scheme_b is None else scheme_b,
        align=align == "b-to-a",
    )
    table, pairs, names = _pairs(cohort, mask_a, mask_b, image)
    study = run_agreement(
        pairs,
        request,
        out,
        names=names,
        cohort=table,
        strata=parse_strata(strata) if strata is not None else (),
        options=SummaryOptions(draws=draws, seed=seed),
        jobs=jobs,
    )
    _show(study, out)
    raise typer.Exit(exit_code(study.agreement.counts))


def _pairs(
    cohort: Path | None, mask_a: str, mask_b: str, image: Path | None
) -> tuple[Cohort | None, list[MaskPair], tuple[str, str]]:
    """Return the pairs of a cohort, or one pair of two files."""
    from radiobone.study.agreement_pairs import MaskFile, MaskPair, mask_pairs
    from radiobone.tables.cohort import read_cohort
    from radiobone.tables.keys import DEFAULT_SCAN

    if cohort is not None:
        if image is not None:
            raise typer.BadParameter("the cohort has images of its own", param_hint="--image")
        table = read_cohort(cohort, images=False)
        return table, mask_pairs(table, mask_a, mask_b), (mask_a, mask_b)
    one, other = Path(mask_a), Path(mask_b)
    if not one.exists() and not other.exists():
        raise UsageError(
            "neither mask is there",
            got=f"{mask_a} and {mask_b}",
            do="name two files, or two columns and their table by --cohort",
        )
    name = one.resolve().name.removesuffix(".gz")
    pair = MaskPair(name.rpartition(".")[0] or name, DEFAULT_SCAN, MaskFile(one), MaskFile(other), image)
    return None, [pair], (one.name, other.name)


def _show(study: AgreementStudy, out: Path) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True)
    counts = ", ".join(f"{count} {status}" for status, count in study.agreement.counts.items())
    console.print(f"[bold]{escape(str(out))}[/]: pairs of masks: {counts}")
    table = _table(study.summary, " ")
    if console.measure(table, options=console.options.update(max_width=10_000)).maximum > console.width:
        table = _table(study.summary, "\n")
    if table.row_count:
        console.print(table)
    if table.row_count:
        only_a, only_b = (int(study.summary.iloc[0][name]) for name in ("n_only_a", "n_only_b"))
        if only_a or only_b:
            console.print(
                f"* in the first mask only: {only_a}; in the second only: {only_b}; such levels have a Dice of 0, "
                "and no distances"
            )
    failed = [record for record in study.agreement.records if record.status == "failed"]
    for record in failed[:SHOWN_FAILURES]:
        where = f"patient {record.patient_id}, scan {record.scan_id}"
        console.print(f"[red]failed[/] {escape(where)}: {escape(record.reason)}")
    if len(failed) > SHOWN_FAILURES:
        console.print(f"and {len(failed) - SHOWN_FAILURES} more, in the column reason")
    if failed and table.row_count:
        console.print("the means leave out failed pairs")


def _table(summary: pd.DataFrame, before_interval: str) -> Table:
    """Make a table of means; a line end before the intervals makes it narrow."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title="mean (95% interval over patients)", title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0)
    )
    table.add_column("", overflow="fold")
    for heading in ("rows", *(heading for heading, _ in SHOWN_METRICS.values())):
        table.add_column(heading, justify="right", no_wrap=True)
    for (part, name), rows in summary.groupby(["part", "name"], sort=False):
        first = rows.iloc[0]
        cells = [_cell(rows[rows["metric"] == metric].iloc[0], before_interval) for metric in SHOWN_METRICS]
        label = str(name) if part in ("all", "level") else f"{part} {name}"
        alone = first["n_only_a"] + first["n_only_b"] > 0
        table.add_row(escape(label), f"{first['n_rows']}{'*' if alone else ''}", *cells)
    return table


def _cell(row: pd.Series[Any], before_interval: str) -> str:
    """Write a mean with its interval, as far as there is one."""
    mean, low, high = (float(row[name]) for name in ("mean", "mean_low", "mean_high"))
    if math.isnan(mean):
        return ""
    digits = SHOWN_METRICS[row["metric"]][1]
    between = " to " if low < 0 else "-"
    interval = "" if math.isnan(low) else f"{before_interval}({low:.{digits}f}{between}{high:.{digits}f})"
    return f"{mean:.{digits}f}{interval}"
