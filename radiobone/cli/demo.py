"""``radiobone demo``: the whole way on synthetic patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = "demo"


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the demo.", file_okay=False)] = Path(
        "radiobone-demo"
    ),
    patients: Annotated[int, typer.Option("--patients", min=30, help="Number of synthetic patients.")] = 60,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the synthetic patients.")] = 0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Worker processes; -1 is one for each core.")] = -1,
) -> None:
    """Make a synthetic cohort, extract its features, and validate a two-level model on them.

    The patients are synthetic: the figures show that radiobone works, and say nothing about real patients.
    """
    from rich.console import Console
    from rich.markup import escape

    from radiobone.cli import extract, train
    from radiobone.core.batch import EXIT_OK
    from radiobone.study.demo import make_demo_cohort
    from radiobone.study.recipe import read_recipe
    from radiobone.study.running import run_study

    console = Console(soft_wrap=True)
    console.print(f"making {patients} synthetic patients in {escape(str(out))}")
    cohort = make_demo_cohort(out, patients=patients, seed=seed, jobs=jobs)
    study, extracted = run_study(
        read_recipe(RECIPE), cohort, out, jobs=jobs, say=lambda text: console.print(escape(text))
    )
    codes = [extract.show(summary) for summary in extracted.values()]
    train.show(study)
    raise typer.Exit(max(codes, default=EXIT_OK))
