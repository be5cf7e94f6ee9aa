"""``radiobone extract``: scans and masks to a feature table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radiobone.cli.options import (
    AlignOption,
    CohortOption,
    DeepOption,
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
from radiobone.core.batch import exit_code
from radiobone.tables.keys import DEFAULT_SCAN

if TYPE_CHECKING:
    from radiobone.features.extraction import ExtractionSummary
    from radiobone.tables.cohort import Scan

SHOWN_FAILURES = 10


def extract(
    image: Annotated[
        Path | None, typer.Argument(help="One scan: a file, or a folder with one DICOM series.")
    ] = None,
    mask: Annotated[Path | None, typer.Argument(help="Its mask: a file, or a folder of label files.")] = None,
    cohort: CohortOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Feature table: .csv or .parquet.")] = Path(
        "features.csv"
    ),
    params: Annotated[
        str,
        typer.Option(
            "--params",
            help="Radiomics parameters: a preset's name, a PyRadiomics YAML file, or none for no radiomics.",
        ),
    ] = "original",
    deep: DeepOption = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            help="File of weights for --deep, where they are not to be fetched: FILE, or LABEL=FILE with a label "
            "such as resnet50_imagenet where several networks take one. May be given several times.",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option("--device", help="Where networks of --deep run: auto (a GPU if there is one), cpu or cuda."),
    ] = "auto",
    voi: VoiOption = "label",
    levels: LevelsOption = None,
    scheme: SchemeOption = "auto",
    missing_levels: MissingLevelsOption = "fail",
    body_mask: Annotated[
        Path | None, typer.Option("--body-mask", help="For one scan: a mask of vertebral bodies.", dir_okay=False)
    ] = None,
    series: Annotated[
        str,
        typer.Option(
            "--series",
            help="For one folder with several DICOM series: largest, a series number, or words of its "
            "description. A cohort has a column series.",
        ),
    ] = "",
    segments: Annotated[
        str,
        typer.Option(
            "--segments",
            help="For one scan: which segments of a SEG, RTSTRUCT, .seg.nrrd or folder of label files, with "
            "; between their names. Default: those named as vertebrae, else all.",
        ),
    ] = "",
    erosion_mm: ErosionOption = 3.0,
    upper_hu: UpperOption = None,
    lower_hu: LowerOption = None,
    voi_option: MoreVoiOption = None,
    align: AlignOption = "none",
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Calibration file (YAML), for vBMD beside HU: by rods of a phantom, equations of scanners, or "
            "fat and muscle.",
            dir_okay=False,
        ),
    ] = None,
    calibration_mask: Annotated[
        Path | None,
        typer.Option(
            "--calibration-mask",
            help="For one scan: labels of a phantom's rods or of tissues. A cohort has a column calibration_mask.",
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", help="Radiomics engine: native, or pyradiomics as the reference.")
    ] = "native",
    memory_limit_gb: Annotated[
        float | None,
        typer.Option(
            "--memory-limit-gb",
            help="A VOI that would need more memory is refused, with the estimate. Default: 8, in each worker. "
            "pyradiomics ignores it.",
        ),
    ] = None,
    jobs: JobsOption = 1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute all anew; neither use nor keep earlier results.")
    ] = False,
) -> None:
    """Extract features of every VOI of a cohort, or of one scan, into one table.

    Finished VOIs are kept beside the table in [b]<table>.resume[/], so that a stopped run goes on where it was.
    """
    from radiobone.features.extraction import extract_cohort
    from radiobone.features.request import make_request
    from radiobone.tables.cohort import read_cohort

    if (cohort is None) == (image is None) or (image is None) != (mask is None):
        raise typer.BadParameter("give either --cohort, or an IMAGE and its MASK")
    if cohort is not None and body_mask is not None:
        raise typer.BadParameter("--body-mask is for one scan; a cohort table has a column body_mask")
    if cohort is not None and series:
        raise typer.BadParameter("--series is for one scan; a cohort table has a column series")
    if cohort is not None and segments:
        raise typer.BadParameter("--segments is for one scan; a cohort table has a column segments")
    if cohort is not None and calibration_mask is not None:
        raise typer.BadParameter(
            "--calibration-mask is for one scan; a cohort table has a column calibration_mask"
        )
    if calibration_mask is not None and calibration is None:
        raise typer.BadParameter("--calibration-mask is read for --calibration only: give both")
    if not deep and (weights or device != "auto"):
        raise typer.BadParameter("--weights and --device are for --deep only: give all of them")
    request = make_request(
        params=params,
        engine=engine,
        memory_limit_gb=memory_limit_gb,
        deep=deep or (),
        weights=weights or (),
        device=device,
        voi=voi,
        options=voi_options(erosion_mm, upper_hu, lower_hu, voi_option),
        levels=levels,
        scheme=scheme,
        missing=missing_levels,
        align=wants_alignment(align),
        calibration=calibration,
    )
    if cohort is None and request.cohort_columns:
        raise typer.BadParameter(
            f"{calibration} reads columns of a cohort table ({', '.join(request.cohort_columns)}): give --cohort"
        )
    table = read_cohort(cohort) if cohort else None
    one = [] if table else [one_scan(image, mask, body_mask, series, segments, calibration_mask)]
    scans = table.scans(request.cohort_columns) if table else one
    summary = extract_cohort(scans, request, out, cohort=table, jobs=jobs, resume=not fresh)
    raise typer.Exit(show(summary))


def show(summary: ExtractionSummary) -> int:
    """Print what became of a cohort, and return the exit code."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True)
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts.items())
    console.print(f"[bold]{escape(str(summary.path))}[/]: {counts}")
    if summary.warned:
        console.print(f"rows with a warning, in the column qc_warnings: {summary.warned}")
    if summary.to_review:
        console.print(f"rows to review, with the reason in the column qc_review_reason: {summary.to_review}")
    for name, reason in summary.failures[:SHOWN_FAILURES]:
        console.print(f"[red]failed[/] {escape(name)}: {escape(reason)}")
    if len(summary.failures) > SHOWN_FAILURES:
        console.print(f"and {len(summary.failures) - SHOWN_FAILURES} more, in the column reason")
    return exit_code(summary.counts)


def one_scan(
    image: Path | None,
    mask: Path | None,
    body_mask: Path | None = None,
    series: str = "",
    segments: str = "",
    calibration_mask: Path | None = None,
) -> Scan:
    """Make a scan of two files; the patient is named by the image."""
    from radiobone.tables.cohort import Scan, parse_segments

    assert image is not None
    assert mask is not None
    name = image.resolve().name.removesuffix(".gz")
    return Scan(
        name.rpartition(".")[0] or name,
        DEFAULT_SCAN,
        image,
        mask,
        body_mask,
        series=series,
        segments=parse_segments(segments),
        calibration_mask=calibration_mask,
    )
