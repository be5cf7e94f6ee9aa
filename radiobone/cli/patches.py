"""``radiobone patches``: VOIs cut out as volumes of one shape, for a network to be trained on."""

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
from radiobone.core.batch import exit_code

if TYPE_CHECKING:
    from radiobone.features.deep.stack import StackSummary

SHOWN_FAILURES = 10


def patches(
    cohort: Annotated[
        Path, typer.Option("--cohort", help="Cohort table (CSV): patient_id, image, mask.", dir_okay=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The stack: .npy.")] = Path("patches.npy"),
    size: Annotated[
        str, typer.Option("--size", help="Voxels along each edge, or along z,y,x, such as 32,64,64.")
    ] = "64",
    spacing_mm: Annotated[
        str | None,
        typer.Option(
            "--spacing-mm",
            help="Edge of a voxel, or along z,y,x. Default: each VOI, with its margin, fills the volume.",
        ),
    ] = None,
    window_hu: Annotated[
        str, typer.Option("--window-hu", help="HU that become 0 and 1; what lies beyond is cut off.")
    ] = "-200,800",
    masking: Annotated[
        str, typer.Option("--masking", help="crop shows the surroundings of the VOI, crop_mask hides them.")
    ] = "crop",
    margin_mm: Annotated[
        float | None, typer.Option("--margin-mm", help="What is seen round the VOI, without --spacing-mm.  [5]")
    ] = None,
    dtype: Annotated[str, typer.Option("--dtype", help="float16 or float32.")] = "float16",
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
        bool, typer.Option("--fresh", help="Cut all anew; neither use nor keep earlier volumes.")
    ] = False,
) -> None:
    """Cut every VOI of a cohort out as a volume of one shape, into one file that NumPy maps into memory.

    Beside it stand the index (.csv), with a line for each VOI, and the manifest. Finished volumes are kept in
    [b]<stack>.resume[/], so that a stopped run goes on where it was; remove that folder when all is done.
    """
    from radiobone.core.config import validate
    from radiobone.features.deep.patch_params import PatchParams
    from radiobone.features.deep.stack import write_stack
    from radiobone.features.request import make_request
    from radiobone.tables.cohort import read_cohort

    given = {
        "size": _numbers(size, "--size", whole=True),
        "window_hu": _numbers(window_hu, "--window-hu"),
        "masking": masking,
        "dtype": dtype,
    }
    if spacing_mm is not None:
        given["spacing_mm"] = _numbers(spacing_mm, "--spacing-mm")
    if margin_mm is not None:
        given["margin_mm"] = margin_mm
    params = validate(PatchParams, given, "options of radiobone patches")
    request = make_request(
        params=None,
        voi=voi,
        options=voi_options(erosion_mm, upper_hu, lower_hu, voi_option),
        levels=levels,
        scheme=scheme,
        missing=missing_levels,
        align=wants_alignment(align),
    )
    table = read_cohort(cohort)
    summary = write_stack(table.scans(), request, params, out, cohort=table, jobs=jobs, resume=not fresh)
    _show(summary)
    raise typer.Exit(exit_code(summary.counts))


def _numbers(text: str, option: str, *, whole: bool = False) -> object:
    """Read one number, or several with commas between them."""
    try:
        found = tuple(int(part) if whole else float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no {'whole number' if whole else 'number'}, and no list of them with commas",
            param_hint=option,
        ) from None
    return found[0] if len(found) == 1 else found


def _show(summary: StackSummary) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True)
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts.items())
    console.print(f"[bold]{escape(str(summary.path))}[/]: {counts}; {' x '.join(map(str, summary.shape))} voxels")
    for name, reason in summary.failures[:SHOWN_FAILURES]:
        console.print(f"[red]failed[/] {escape(name)}: {escape(reason)}")
    if len(summary.failures) > SHOWN_FAILURES:
        console.print(f"and {len(summary.failures) - SHOWN_FAILURES} more, in the index")
