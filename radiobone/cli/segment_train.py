"""``radiobone segment-train``: a cohort with masks to a model folder that ``radiobone segment`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radiobone.cli.options import JobsOption

if TYPE_CHECKING:
    from radiobone.segmentation.planning import PlanChanges
    from radiobone.segmentation.training import TrainingSummary

CURVES_PICTURE = "training.png"


def segment_train(
    cohort: Annotated[
        Path, typer.Option("--cohort", help="Cohort table (CSV): patient_id, image, mask.", dir_okay=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder.", file_okay=False)],
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            help="vertebra: one label for all; vertebra+sacrum; levels: one for each level that is in any mask.",
        ),
    ] = "vertebra",
    scheme: Annotated[
        str,
        typer.Option(
            "--scheme",
            help="What mask labels mean: auto, totalsegmentator, verse, a YAML file; or raw, where every label is "
            "a vertebra.",
        ),
    ] = "auto",
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="The learning rate falls to 0 over them.")] = 1000,
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Steps in each epoch.")] = 250,
    validation_iterations: Annotated[
        int, typer.Option("--validation-iterations", min=1, help="Batches on which each epoch is judged.")
    ] = 50,
    folds: Annotated[
        str, typer.Option("--folds", help="all (nothing held out), or numbers such as 0,1,2,3,4.")
    ] = "all",
    n_folds: Annotated[
        int, typer.Option("--n-folds", min=2, help="Into which patients are divided for numbered folds.")
    ] = 5,
    configuration: Annotated[
        str, typer.Option("--configuration", help="nnU-Net's: 3d_fullres, 3d_lowres or 2d.")
    ] = "3d_fullres",
    spacing_mm: Annotated[
        str | None,
        typer.Option("--spacing-mm", help="Voxel size of the network: 3 or z,y,x. Default: nnU-Net's choice."),
    ] = None,
    changes: Annotated[
        Path | None,
        typer.Option(
            "--changes",
            help="YAML file with spacing_mm (3, or [z, y, x]), patch, features, batch_size, convolutions, where "
            "the network is not to be nnU-Net's choice.",
            dir_okay=False,
        ),
    ] = None,
    mirror: Annotated[
        str,
        typer.Option(
            "--mirror",
            help="Axes along which scans are mirrored in training, such as x or x,y,z; none for none. z is head "
            "and foot, and refused with --labels levels.",
        ),
    ] = "x",
    unannotated: Annotated[
        str,
        typer.Option(
            "--unannotated",
            help="Voxels that teach nothing: background (none), beyond (slices above and below all labels), or a "
            "value of the masks, such as 255.",
        ),
    ] = "background",
    unnamed: Annotated[
        str, typer.Option("--unnamed", help="Labels that the scheme does not name: refuse, or background.")
    ] = "refuse",
    align: Annotated[bool, typer.Option("--align", help="Resample masks that lie on another grid.")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Processes that prepare batches. Default: none on a processor."),
    ] = None,
    jobs: JobsOption = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of weights, windows, augmentation and folds.")] = 0,
    work: Annotated[
        Path | None,
        typer.Option("--work", help="Folder for what is only needed meanwhile (gigabytes).", file_okay=False),
    ] = None,
    keep_work: Annotated[bool, typer.Option("--keep-work", help="Keep preprocessed scans.")] = False,
    judge: Annotated[
        bool, typer.Option("--judge/--no-judge", help="Segment the scans that each numbered fold held out.")
    ] = True,
) -> None:
    """Train an nnU-Net v2 model on a cohort with masks, with any number of epochs, and leave its model folder.

    Needs the extra [b]segment[/]. The same command goes on with a training that was stopped. Which scan was which
    case, and held out in which fold, stands beside the model folder, for [b]models/own[/] in
    [b]models/own.cases.csv[/]: it names patients, and the folder does not.
    """
    from radiobone.segmentation.cases import ExportRequest
    from radiobone.segmentation.trainer import Schedule
    from radiobone.segmentation.training import train_model
    from radiobone.segmentation.training_request import TrainingRequest
    from radiobone.tables.cohort import read_cohort

    request = TrainingRequest(
        export=ExportRequest(labels, scheme, unannotated, unnamed, align),
        configuration=configuration,
        changes=_changes(changes, spacing_mm),
        schedule=Schedule(epochs, iterations, validation_iterations, seed),
        mirror=() if mirror == "none" else tuple(part.strip() for part in mirror.split(",")),
        n_folds=n_folds,
    )
    summary = train_model(
        read_cohort(cohort),
        out,
        request,
        folds=folds.split(","),
        device=device,
        jobs=jobs,
        workers=workers,
        work=work,
        keep_work=keep_work,
        judge=judge,
    )
    draw_curves(summary)
    _show(summary)


def draw_curves(summary: TrainingSummary) -> Path:
    """Draw the curves of all folds in the model folder, those of earlier runs included, and return the picture."""
    import pandas as pd

    from radiobone.reporting.losses import COLUMNS, training_curves
    from radiobone.reporting.saving import save_figure
    from radiobone.segmentation.trainer import CURVES

    folds = {}
    for curves in sorted(summary.folder.glob(f"fold_*/{CURVES}")):
        table = pd.read_csv(curves)
        folds[curves.parent.name.removeprefix("fold_")] = {
            column: table[column].to_numpy(dtype=float) for column in COLUMNS
        }
    path = summary.folder / CURVES_PICTURE
    save_figure(training_curves(folds), path)
    return path


def _changes(path: Path | None, spacing: str | None) -> PlanChanges:
    """Read the changes of plans; a voxel size of the command line comes before that of the file."""
    from radiobone.core.config import validate
    from radiobone.segmentation.planning import PlanChanges, read_changes

    found = read_changes(path) if path is not None else PlanChanges()
    if spacing is None:
        return found
    sizes = spacing.split(",")
    content = {**found.model_dump(), "spacing_mm": sizes[0] if len(sizes) == 1 else sizes}
    return validate(PlanChanges, content, "--spacing-mm")


def _show(summary: TrainingSummary) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True)
    names = ", ".join(name for name in summary.labels if name not in ("background", "ignore"))
    console.print(f"[bold]{escape(str(summary.folder))}[/]: learned {escape(names)}")
    for fold in summary.folds:
        kept = " (trained before)" if fold.fold in summary.kept else ""
        console.print(
            f"fold {fold.fold}: {fold.epochs} epochs, loss {fold.train_loss:.3f}, "
            f"Dice of windows {fold.patch_dice:.3f}, {_judged(fold.fold, summary)}{kept}"
        )


def _judged(fold: str, summary: TrainingSummary) -> str:
    """Say how a fold did on the scans that it held out, those that it failed on included."""
    from radiobone.core.words import counted

    held_out = summary.held_out.get(fold)
    if held_out is None:
        return "nothing held out" if fold == "all" else "not judged"
    n_done = held_out.n_scans - held_out.n_failed
    done = (
        f"mean Dice of {counted(n_done, 'held-out scan')} {held_out.dice:.3f}" if held_out.dice is not None else ""
    )
    failed = f"{counted(held_out.n_failed, 'held-out scan')} could not be segmented (fold_{fold}/held_out.csv)"
    return ", ".join(part for part in (done, failed if held_out.n_failed else "") if part)
