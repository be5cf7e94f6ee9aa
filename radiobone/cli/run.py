"""``radiobone run``: a recipe and a cohort to a finished study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiobone.cli.options import JobsOption


def run(
    recipe: Annotated[str, typer.Argument(help="Study recipe: a shipped name or a YAML file.")],
    cohort: Annotated[
        Path, typer.Option("--cohort", help="Cohort table: patients, scans, labels and all else.", dir_okay=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the study.", file_okay=False)] = Path(
        "study"
    ),
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            help="A finished feature table, instead of extraction: FILE, or NAME=FILE for one more VOI of the "
            "recipe. Recipes with the key external need one.",
        ),
    ] = None,
    jobs: JobsOption = 1,
) -> None:
    """Run a whole study: masks, extraction, labels, exclusions, validation of all arms, figures, tables, model.

    What is finished is not done again: a stopped run goes on from the VOIs and
    outer folds that it has, and a changed recipe redoes what depends on the
    change. [b]steps.json[/] holds the hashes of every step's inputs.
    """
    from rich.console import Console
    from rich.markup import escape

    from radiobone.cli import extract, train
    from radiobone.core.batch import EXIT_OK
    from radiobone.study.recipe import read_recipe
    from radiobone.study.running import run_study

    console = Console(soft_wrap=True)
    study = read_recipe(recipe)
    console.print(f"[bold]{escape(study.name)}[/]: {escape(study.title)}")
    done, extracted = run_study(
        study,
        cohort,
        out,
        features=train.named_tables(features or []),
        jobs=jobs,
        say=lambda text: console.print(escape(text)),
    )
    codes = [extract.show(summary) for summary in extracted.values()]
    train.show(done)
    raise typer.Exit(max(codes, default=EXIT_OK))
