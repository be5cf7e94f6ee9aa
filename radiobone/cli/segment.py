"""``radiobone segment``: scans to masks, by an nnU-Net v2 model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radiobone.core.batch import exit_code

if TYPE_CHECKING:
    from radiobone.segmentation.batch import SegmentationSummary
    from radiobone.segmentation.naming import Anchor
    from radiobone.segmentation.scan import Predictor

SHOWN_FAILURES = 10


def segment(
    model: Annotated[
        Path,
        typer.Option("--model", "-m", help="Model folder: dataset.json, plans.json, fold_0, ...", file_okay=False),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="One scan: the mask (.nii.gz, .nrrd, .mha). A cohort: a folder.")
    ],
    image: Annotated[
        Path | None, typer.Argument(help="One scan: a file, or a folder with one DICOM series.")
    ] = None,
    cohort: Annotated[
        Path | None, typer.Option("--cohort", help="Cohort table (CSV): patient_id, image.", dir_okay=False)
    ] = None,
    series: Annotated[
        str,
        typer.Option(
            "--series",
            help="For one folder with several DICOM series: largest, a series number, or words of its "
            "description. A cohort has a column series.",
        ),
    ] = "",
    coarse: Annotated[
        Path | None,
        typer.Option("--coarse", help="Model of a first pass that finds the spine's box.", file_okay=False),
    ] = None,
    margin_mm: Annotated[
        float, typer.Option("--margin-mm", help="With --coarse: how far beyond the coarse mask to look.")
    ] = 20.0,
    folds: Annotated[
        str | None,
        typer.Option("--folds", help="Folds to average, such as 0,1 or all. Default: all numbered ones."),
    ] = None,
    scheme: Annotated[
        str,
        typer.Option(
            "--scheme", help="Values of levels in masks: auto, verse, totalsegmentator, model, or a YAML file."
        ),
    ] = "auto",
    anchor: Annotated[
        str | None,
        typer.Option(
            "--anchor",
            help="For a model with one label for all vertebrae: the known one, such as lowest=L5. "
            "A column 'anchor' of the cohort table comes first.",
        ),
    ] = None,
    orientation: Annotated[
        str | None,
        typer.Option(
            "--orientation",
            help="Order of axes of the files that the model learned from: RAS, LPS, ..., or as_is. "
            "Default: as the model says, else RAS.",
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    step_size: Annotated[
        float, typer.Option("--step-size", help="Distance of windows as a share of one, up to 1.")
    ] = 0.5,
    mirroring: Annotated[
        bool, typer.Option("--mirroring/--no-mirroring", help="Average over mirrored windows, if the model did.")
    ] = True,
    memory_limit_gb: Annotated[
        float | None,
        typer.Option(
            "--memory-limit-gb",
            help="A scan that would need more memory is refused, with the estimate. Default: what is free.",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Default: all processors.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Segment all anew; keep no earlier masks.")] = False,
    existing: Annotated[
        str,
        typer.Option(
            "--existing",
            help="Masks of a cohort that were corrected in the folder, or not made there: refuse, or keep (they "
            "are used as they are, and only the others made).",
        ),
    ] = "refuse",
) -> None:
    """Segment vertebrae in every scan of a cohort, or in one, with an nnU-Net v2 model that is loaded once.

    Needs the extra [b]segment[/]. Finished masks of a cohort are kept, so that a stopped run goes on where it was.
    """
    from radiobone.segmentation import SegmentOptions, make_predictor, parse_anchor

    if (cohort is None) == (image is None):
        raise typer.BadParameter("give either --cohort, or an IMAGE")
    if cohort is not None and series:
        raise typer.BadParameter("--series is for one scan; a cohort table has a column series")
    if existing not in ("refuse", "keep"):
        raise typer.BadParameter(f"{existing!r} is neither 'refuse' nor 'keep'", param_hint="--existing")
    if cohort is None and existing == "keep":
        raise typer.BadParameter("is for a cohort", param_hint="--existing")
    known = parse_anchor(anchor) if anchor else None

    predictor = make_predictor(
        SegmentOptions(
            model=model,
            coarse=coarse,
            margin_mm=margin_mm,
            folds=tuple(folds.split(",")) if folds else None,
            scheme=scheme,
            orientation=orientation,
            device=device,
            step_size=step_size,
            mirroring=mirroring,
            memory_limit_gb=memory_limit_gb,
            threads=threads,
        )
    )
    if cohort is not None:
        raise typer.Exit(_cohort(cohort, predictor, out, scheme, known, fresh, existing == "keep"))
    assert image is not None
    _one(image, series, predictor, out, scheme, known)


def _cohort(
    cohort: Path, predictor: Predictor, out: Path, scheme: str, anchor: Anchor | None, fresh: bool, keep: bool
) -> int:
    from radiobone.segmentation.batch import KEEP, REFUSE, segment_cohort
    from radiobone.tables.cohort import MASK, read_cohort

    table = read_cohort(cohort, masks=False)
    given = MASK in table.table and bool((table.table[MASK] != "").any())
    existing = KEEP if keep else REFUSE
    return _show(
        segment_cohort(table, predictor, out, scheme=scheme, anchor=anchor, resume=not fresh, existing=existing),
        given,
    )


def _show(summary: SegmentationSummary, given: bool) -> int:
    """Print what became of a cohort, and return the exit code."""
    from rich.console import Console
    from rich.markup import escape

    from radiobone.core.words import counted
    from radiobone.segmentation.earlier import MANIFEST
    from radiobone.segmentation.records import GIVEN

    console = Console(soft_wrap=True)
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts.items())
    kept = f" ({summary.kept} kept from an earlier run)" if summary.kept else ""
    console.print(
        f"[bold]{escape(str(summary.table))}[/]: {counts}{kept}; read with --scheme {escape(summary.scheme)}"
    )
    if summary.counts.get(GIVEN):
        console.print(
            "[yellow]note[/] masks counted as given were corrected, or not made here: they are used as they are"
        )
    if given:
        console.print("[yellow]note[/] masks that the cohort had stand in the column mask_given")
    if summary.noted:
        manifest = escape(str(summary.folder / MANIFEST))
        scans = f"{summary.noted} of {counted(sum(summary.counts.values()), 'scan')}"
        console.print(f"[yellow]note[/] what was assumed or left out in {scans} stands in {manifest}")
    for name, reason in summary.failures[:SHOWN_FAILURES]:
        console.print(f"[red]failed[/] {escape(name)}: {escape(reason)}")
    if len(summary.failures) > SHOWN_FAILURES:
        console.print(f"and {len(summary.failures) - SHOWN_FAILURES} more, in the column segmentation_reason")
    return exit_code(summary.counts)


def _one(image: Path, series: str, predictor: Predictor, out: Path, scheme: str, anchor: Anchor | None) -> None:
    from rich.console import Console
    from rich.markup import escape

    from radiobone.segmentation.batch import segment_file

    result, told = segment_file(image, predictor, out, series=series, scheme=scheme, anchor=anchor)
    console = Console(soft_wrap=True)
    console.print(f"[bold]{escape(str(out))}[/]: {', '.join(result.levels)}; read with --scheme {escape(told)}")
    for note in result.notes:
        console.print(f"[yellow]note[/] {escape(note)}")
