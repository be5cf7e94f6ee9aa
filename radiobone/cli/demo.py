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
    from radiobone.features.extraction import extract_cohort
    from radiobone.features.request import make_request
    from radiobone.study.demo import make_demo_cohort
    from radiobone.study.recipe import read_recipe
    from radiobone.study.training import train as run
    from radiobone.tables.cohort import read_cohort
    from radiobone.tables.features import read_features

    console = Console(soft_wrap=True)
    recipe = read_recipe(RECIPE)
    console.print(f"[bold]1 of 3[/] making {patients} synthetic patients in {escape(str(out))}")
    cohort = read_cohort(make_demo_cohort(out, patients=patients, seed=seed, jobs=jobs))
    console.print(
        f"[bold]2 of 3[/] extracting features: {recipe.extraction.params}, {recipe.voi.recipe} {recipe.voi.levels}"
    )
    request = make_request(
        params=recipe.extraction.params,
        engine=recipe.extraction.engine,
        voi=recipe.voi.recipe,
        options=recipe.voi.options,
        levels=recipe.voi.levels,
        missing=recipe.voi.missing_levels,
    )
    extracted = extract_cohort(cohort.scans(), request, out / "features.csv", cohort=cohort, jobs=jobs)
    code = extract.show(extracted)
    console.print(f"[bold]3 of 3[/] validating {recipe.name}: {recipe.title}")
    train.show(run(recipe, read_features(extracted.path), cohort, out, jobs=jobs))
    raise typer.Exit(code)
