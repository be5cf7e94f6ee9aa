"""``radiobone import``: a DICOM archive to a cohort table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radiobone.cli.options import JobsOption
from radiobone.core.batch import EXIT_OK, exit_code

if TYPE_CHECKING:
    from radiobone.imaging.dicom import ImportSummary

SHOWN = 10


def import_(
    archive: Annotated[
        Path, typer.Argument(help="Folder of an archive, searched with all subfolders.", file_okay=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the cohort to be.", file_okay=False)] = Path(
        "cohort"
    ),
    series: Annotated[
        str,
        typer.Option(
            "--series",
            help="Which series of each study: all, largest (most slices), a series number, or words of its "
            "description.",
        ),
    ] = "all",
    min_slices: Annotated[int, typer.Option("--min-slices", min=2, help="Shorter series are skipped.")] = 2,
    convert: Annotated[
        bool, typer.Option("--convert", help="Write NIfTI files instead of lists of the series' files.")
    ] = False,
    fix_tilt: Annotated[
        bool,
        typer.Option(
            "--fix-tilt",
            help="Resample series with a tilted gantry onto an orthogonal grid (written as NIfTI) instead of "
            "refusing them.",
        ),
    ] = False,
    keep_identifiers: Annotated[
        bool,
        typer.Option(
            "--keep-identifiers",
            help="Keep patient IDs, UIDs, series descriptions and full dates. Without it patients become P0001 "
            "and so on, and of a date only the year stays.",
        ),
    ] = False,
    bids: Annotated[
        bool,
        typer.Option(
            "--bids",
            help="The folder is a BIDS data set of NIfTI files, such as VerSe: masks are found by name. The "
            "options above do not apply.",
        ),
    ] = False,
    jobs: JobsOption = 1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read and convert all anew; numbers of patients stay.")
    ] = False,
) -> None:
    """Build a cohort table of all CT series of a DICOM archive, or of a BIDS data set.

    By default nothing is copied: each scan is a list ([b]images/*.txt[/]) of its
    files, which therefore holds their paths; names in these paths stay there.
    The tables hold none. [b]import_report.csv[/] tells of every series why it is in
    the cohort or not. A stopped run goes on where it was. By [b]import.resume[/]
    patient IDs can be tried until one fits: give it to nobody who may not see
    the archive.
    """
    from radiobone.imaging.dicom import ImportOptions, SeriesChoice, import_archive
    from radiobone.imaging.dicom.import_tables import COHORT_NAME

    if bids:
        if convert or fix_tilt or keep_identifiers or series != "all":
            raise typer.BadParameter("--bids takes NIfTI files as they are: the options for DICOM do not apply")
        _import_bids(archive, out / COHORT_NAME)
        raise typer.Exit(EXIT_OK)
    choice = None if series.strip().casefold() == "all" else SeriesChoice(series)
    options = ImportOptions(choice, min_slices, convert, fix_tilt, keep_identifiers)
    raise typer.Exit(_show(import_archive(archive, out, options, jobs=jobs, resume=not fresh)))


def _show(summary: ImportSummary) -> int:
    """Print what became of an archive, and return the exit code."""
    from rich.console import Console
    from rich.markup import escape

    from radiobone.core.errors import UsageError
    from radiobone.core.words import counted

    console = Console(soft_wrap=True)
    statuses = Counter(row.status for row in summary.rows)
    patients = len({row.patient_id for row in summary.rows if row.status == "ok"})
    console.print(
        f"[bold]{escape(str(summary.cohort))}[/]: {counted(statuses['ok'], 'scan')} of "
        f"{counted(patients, 'patient')}, {summary.masks} with a mask"
    )
    console.print(
        f"{escape(str(summary.report))}: {len(summary.rows)} series in {counted(summary.files, 'DICOM file')}, "
        f"{statuses['failed']} failed, {statuses['skipped']} skipped"
    )
    failed = [row for row in summary.rows if row.status == "failed"]
    for row in failed[:SHOWN]:
        console.print(f"[red]failed[/] {escape(row.patient_id)} {row.scan_id}: {escape(row.reason)}")
    if len(failed) > SHOWN:
        console.print(f"and {len(failed) - SHOWN} more, in the report")
    if statuses.keys() == {"skipped"}:
        reasons = Counter(row.reason for row in summary.rows).most_common(SHOWN)
        raise UsageError(
            "the cohort is empty: all series were skipped",
            where=str(summary.report),
            got="; ".join(f"{reason} ({count} series)" for reason, count in reasons),
        )
    return exit_code(statuses)


def _import_bids(folder: Path, out: Path) -> None:
    """Write the cohort table of a BIDS data set, and tell of it."""
    from rich.console import Console
    from rich.markup import escape

    from radiobone.core.words import counted
    from radiobone.imaging.masks.bids import find_bids_scans, write_bids_cohort

    scans = find_bids_scans(folder)
    write_bids_cohort(scans, out)
    unmasked = [scan.image.name for scan in scans if scan.mask is None]
    patients = len({scan.patient_id for scan in scans})
    console = Console(soft_wrap=True)
    console.print(
        f"[bold]{escape(str(out))}[/]: {counted(len(scans), 'scan')} of {counted(patients, 'patient')}, "
        f"{len(scans) - len(unmasked)} with a mask"
    )
    if unmasked:
        more = f" and {len(unmasked) - SHOWN} more" if len(unmasked) > SHOWN else ""
        console.print(f"without a mask: {escape(', '.join(unmasked[:SHOWN]))}{more}")
