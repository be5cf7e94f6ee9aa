"""``radiobone attribute``: where in a VOI and its surroundings a network looks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radiobone.cli.extract import SHOWN_FAILURES, one_scan
from radiobone.cli.options import (
    AlignOption,
    CohortOption,
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

if TYPE_CHECKING:
    from radiobone.study.attribution import AttributionSummary


def attribute(
    image: Annotated[
        Path | None, typer.Argument(help="A scan: an image file, or a folder with DICOM slices.")
    ] = None,
    mask: Annotated[Path | None, typer.Argument(help="Its mask.")] = None,
    cohort: CohortOption = None,
    deep: Annotated[
        str,
        typer.Option("--deep", help="The network: a preset's name, or a YAML file of your own."),
    ] = "resnet50_imagenet",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the table, maps and pictures.", file_okay=False)
    ] = Path("attribution"),
    method: Annotated[
        str,
        typer.Option("--method", help="occlusion (covers part after part) or grad_cam (quick, by a gradient)."),
    ] = "occlusion",
    target: Annotated[
        str,
        typer.Option(
            "--target",
            help="Of what: all features together, one column, or the formula of a linear model (JSON or CSV), of "
            "which the deep terms are taken.",
        ),
    ] = "all",
    parts: Annotated[
        int | None,
        typer.Option(
            "--parts",
            min=2,
            help="occlusion: what covers is this part of each edge. Default: 8 in pictures, 6 in volumes; more is "
            "finer, and slower by its square or cube.",
        ),
    ] = None,
    fill: Annotated[
        str, typer.Option("--fill", help="occlusion: cover with the window's lower bound, or with the mean.")
    ] = "lower",
    layer: Annotated[
        str | None,
        typer.Option("--layer", help="grad_cam: the feature map. Default: the last one."),
    ] = None,
    bone_hu: Annotated[
        float | None,
        typer.Option("--bone-hu", help="Count the attribution in all bone, too: pixels from so many HU on."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="File of the weights, where they are not to be fetched.", dir_okay=False),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="Where the network runs: auto (a GPU if there is one), cpu or cuda.")
    ] = "auto",
    voi: VoiOption = "label",
    levels: LevelsOption = None,
    scheme: SchemeOption = "auto",
    missing_levels: MissingLevelsOption = "fail",
    erosion_mm: ErosionOption = 3.0,
    upper_hu: UpperOption = None,
    lower_hu: LowerOption = None,
    voi_option: MoreVoiOption = None,
    align: AlignOption = "none",
    jobs: JobsOption = 1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make all anew; neither use nor keep earlier results.")
    ] = False,
) -> None:
    """Show where a network of deep features looks, for every VOI of a cohort or of one scan.

    Writes [b]attribution.csv[/]: for each VOI and view the fraction of the attribution that lies in the VOI,
    beside the part of the area that it takes. A network that answers to brightness alone finds bone, too: compare
    with --deep resnet18_random. Pictures and maps (.npz) lie beside it; they show patients.
    """
    from radiobone.features.deep.attribution import AttributionOptions
    from radiobone.features.deep.block import deep_blocks
    from radiobone.features.deep.occlusion import Occluder
    from radiobone.features.request import make_request
    from radiobone.study.attribution import AttributionRequest, attribute_cohort
    from radiobone.study.attribution_target import read_target
    from radiobone.tables.cohort import read_cohort

    if (cohort is None) == (image is None) or (image is None) != (mask is None):
        raise typer.BadParameter("give either --cohort, or an IMAGE and its MASK")
    if method != "occlusion" and (parts is not None or fill != "lower"):
        raise typer.BadParameter("--parts and --fill are for --method occlusion only")
    extraction = make_request(
        params=None,
        voi=voi,
        options=voi_options(erosion_mm, upper_hu, lower_hu, voi_option),
        levels=levels,
        scheme=scheme,
        missing=missing_levels,
        align=wants_alignment(align),
    )
    (block,) = deep_blocks([deep], [str(weights)] if weights is not None else [], device)
    request = AttributionRequest(
        extraction,
        block,
        AttributionOptions(method, occluder=Occluder(parts, fill), layer=layer),  # type: ignore[arg-type] # checked
        read_target(target, block.params, extraction.recipe.name),
        bone_hu,
    )
    table = read_cohort(cohort) if cohort is not None else None
    scans = table.scans() if table else [one_scan(image, mask)]
    summary = attribute_cohort(scans, request, out, cohort=table, jobs=jobs, resume=not fresh)
    _show(summary)
    raise typer.Exit(exit_code(summary.counts))


def _show(summary: AttributionSummary) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True)
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts.items())
    console.print(f"[bold]{escape(str(summary.path))}[/]: {counts}")
    for view, (fraction, area) in summary.means.items():
        console.print(
            f"{view}: {100 * fraction:.0f} % of the attribution lies in the VOI, {100 * area:.0f} % of the area"
        )
    for name, reason in summary.failures[:SHOWN_FAILURES]:
        console.print(f"[red]failed[/] {escape(name)}: {escape(reason)}")
    if len(summary.failures) > SHOWN_FAILURES:
        console.print(f"and {len(summary.failures) - SHOWN_FAILURES} more, in the column reason")
