"""``radiobone inspect``: what is wrong with a cohort, before hours are spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

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

    from radiobone.study.checks import ScanReport
    from radiobone.study.confounding import ClassComparison
    from radiobone.tables.cohort import Cohort

SHOWN = 10
COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


def inspect(
    cohort: Annotated[Path, typer.Option("--cohort", help="Cohort table.", dir_okay=False)],
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
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also write the findings as CSV.")] = None,
    jobs: JobsOption = 1,
) -> None:
    """Check every image and mask of a cohort, and the classes against how patients were scanned."""
    from rich.console import Console

    from radiobone.core.files import check_output
    from radiobone.features.request import make_request
    from radiobone.study.checks import inspect_scans
    from radiobone.tables.cohort import read_cohort

    table = read_cohort(cohort)
    if out is not None:
        files = (path for scan in table.scans() for path in scan.files)
        check_output(out, [cohort, *files] if out.exists() else [], (".csv",))
    # Labels first: a wrong cell in the table must not wait for the last scan.
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
    reports = inspect_scans(table.scans(), request, jobs=jobs)
    if out is not None:
        _write_findings(out, reports)
    console = Console(soft_wrap=True)
    _show_scans(console, reports)
    _show_findings(console, reports)
    _show_classes(console, classes)
    failed = any(finding.severity == "error" for report in reports for finding in report.findings)
    raise typer.Exit(EXIT_SOME_FAILED if failed else EXIT_OK)


def compare_classes(table: Cohort, recipe: str | None) -> ClassComparison | None:
    """Compare the classes of a cohort by the label rule of a recipe, or by a column that radiobone knows."""
    from radiobone.study import confounding
    from radiobone.study.recipe import read_recipe

    rule = None if recipe is None else read_recipe(recipe).label
    return confounding.compare_classes(table.table, rule, str(table.path))


def _show_scans(console: Console, reports: list[ScanReport]) -> None:
    """Print how many scans share each kind of geometry, pixel type and set of levels."""
    from collections import Counter

    from rich import box
    from rich.table import Table

    from radiobone.core.words import counted

    names = ("spacing_mm", "pixel_type", "scheme", "levels")
    kinds = Counter(tuple(report.facts[name] for name in names) for report in reports if report.facts)
    review = sum(report.needs_review for report in reports)
    title = f"{counted(len(reports), 'scan')}, {sum(kinds.values())} readable, {review} to review"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in ("scans", *names):
        table.add_column(name, overflow="fold")
    for kind, count in kinds.most_common(SHOWN):
        table.add_row(str(count), *map(escape, kind))
    if len(kinds) > SHOWN:
        table.add_row(
            str(sum(kinds.values()) - sum(count for _, count in kinds.most_common(SHOWN))), "other kinds"
        )
    console.print(table)


def _show_findings(console: Console, reports: list[ScanReport]) -> None:
    from radiobone.core.words import counted

    findings = [finding for report in reports for finding in report.findings]
    if not findings:
        console.print("[green]nothing found[/] in any scan")
    for severity, colour in COLOURS.items():
        found = [finding for finding in findings if finding.severity == severity]
        if found:
            console.print(f"[{colour}]{counted(len(found), severity)}[/]")
        for finding in found[:SHOWN]:
            console.print(f"  {escape(finding.scan)}: {finding.check}: {escape(finding.message)}")
        if len(found) > SHOWN:
            console.print(f"  and {len(found) - SHOWN} more; --out writes them all")


def _show_classes(console: Console, classes: ClassComparison | None) -> None:
    from rich import box
    from rich.table import Table

    from radiobone.study.confounding import SUSPICIOUS_P

    if classes is None:
        console.print("no column bmd_mg_cm3 or t_score: classes are not counted (--recipe names another rule)")
        return
    rule = classes.rule
    console.print(escape(classes.counted))
    if not classes.found:
        console.print("no column of kVp, kernel, thickness, contrast, scanner, sex or age to compare")
        return
    table = Table(
        title="class against acquisition and demographics",
        caption="p by chi-square (categories) or Kruskal-Wallis (numbers)",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    for name in (*rule.names, "p"):
        table.add_column(name, no_wrap=True)
    for item in classes.found:
        colour = "[yellow]" if item.p < SUSPICIOUS_P else ""
        for label, *cells, p in item.lines(rule.names):
            table.add_row(escape(label), *cells, f"{colour}{p}")
    console.print(table)
    if classes.linked:
        console.print(
            f"[yellow]{escape(', '.join(classes.linked))}[/] differ between the classes (p < {SUSPICIOUS_P}):"
        )
        console.print("  a model may learn them instead of bone; give the figures in their strata")


def _write_findings(path: Path, reports: list[ScanReport]) -> None:
    import csv
    import io

    from radiobone.core.files import write_text

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("scan", "check", "severity", "message"))
    writer.writerows(
        (finding.scan, finding.check, finding.severity, finding.message)
        for report in reports
        for finding in report.findings
    )
    write_text(path, text.getvalue())
