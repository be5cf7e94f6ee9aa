"""Options that several verbs share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from radiobone.voi import VoiOptions

CohortOption = Annotated[
    Path | None,
    typer.Option(
        "--cohort", help="Cohort table (CSV): patient_id, image, mask, and any other columns.", dir_okay=False
    ),
]
LevelsOption = Annotated[
    str | None,
    typer.Option(
        "--levels",
        help="Levels by name or range, such as L1-L4 or T12,L1; T10+T11+T12 is one VOI. Default: all in the mask.",
    ),
]
SchemeOption = Annotated[
    str,
    typer.Option("--scheme", help="What mask labels mean: auto, totalsegmentator, verse, raw, or a YAML file."),
]
VoiOption = Annotated[
    str,
    typer.Option(
        "--voi",
        help="VOI recipe: label, body, trabecular, trabecular_published, cylinder, ellipsoid, slice_mid, slices "
        "or field_of_view.",
    ),
]
MoreVoiOption = Annotated[
    list[str] | None,
    typer.Option(
        "--voi-option",
        help="Any option of the VOI recipe, such as width_mm=12 or region=body; may be given several times.",
    ),
]
MissingLevelsOption = Annotated[
    str,
    typer.Option("--missing-levels", help="A level that a mask lacks: fail, skip, or first (the first present)."),
]
ErosionOption = Annotated[float, typer.Option("--erosion-mm", help="Trabecular: depth of the erosion in mm.")]
UpperOption = Annotated[
    float | None, typer.Option("--upper-hu", help="Trabecular: leave out voxels above (cortex, bone islands).")
]
LowerOption = Annotated[
    float | None,
    typer.Option("--lower-hu", help="Trabecular: leave out voxels below (removes disease; rarely right)."),
]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", help="Worker processes; -1 is one for each core.")]
DeepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--deep",
        help="Deep features: a preset's name, such as resnet50_imagenet, or a YAML file of your own; may be given "
        "several times.",
    ),
]
AlignOption = Annotated[
    str,
    typer.Option(
        "--align", help="'mask-to-image' resamples a mask that lies on another grid (nearest neighbour)."
    ),
]


def voi_options(
    erosion_mm: float, upper_hu: float | None, lower_hu: float | None, more: list[str] | None
) -> VoiOptions:
    """Gather the options of the VOI recipe from those with a name of their own and those of ``--voi-option``."""
    from radiobone.voi import VoiOptions, read_options

    return read_options(more or (), VoiOptions(erosion_mm, upper_hu, lower_hu))


def wants_alignment(value: str) -> bool:
    """Read the value of ``--align``."""
    if value not in ("none", "mask-to-image"):
        raise typer.BadParameter(f"{value!r} is neither 'none' nor 'mask-to-image'", param_hint="--align")
    return value == "mask-to-image"
