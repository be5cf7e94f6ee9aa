"""``radiobone train``: a recipe and a feature table to validated figures and a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radiobone.cli.options import JobsOption

if TYPE_CHECKING:
    from radiobone.study.training import Study
    from radiobone.tables.features import FeatureTable


def train(
    recipe: Annotated[str, typer.Argument(help="Study recipe: a shipped name or a YAML file.")],
    features: Annotated[
        Path, typer.Option("--features", help="Feature table of 'radiobone extract'.", dir_okay=False)
    ],
    cohort: Annotated[
        Path | None,
        typer.Option(
            "--cohort", help="Cohort table with the labels; by default the one that was extracted.", dir_okay=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.", file_okay=False)] = Path(
        "study"
    ),
    jobs: JobsOption = 1,
) -> None:
    """Validate a recipe's procedure by nested cross-validation, then fit it on all patients.

    The reported figures are those of the procedure; the saved model is that procedure fitted on all patients.
    """
    from radiobone.study.recipe import read_recipe
    from radiobone.study.training import train as run
    from radiobone.tables.cohort import read_cohort
    from radiobone.tables.features import read_features

    study = read_recipe(recipe)
    table = read_features(features)
    labels = read_cohort(cohort or _extracted_cohort(table), images=False)
    show(run(study, table, labels, out, jobs=jobs))


def show(study: Study) -> None:
    """Print the summary table, and where the results lie."""
    from rich.console import Console
    from rich.markup import escape

    from radiobone.reporting.summary import summary

    console = Console()
    console.print(summary(study.results))
    names = ", ".join(sorted(path.name for path in study.folder.iterdir()))
    console.print(f"[bold]{escape(str(study.folder))}[/]: {names}", soft_wrap=True)


def _extracted_cohort(features: FeatureTable) -> Path:
    """Return the cohort table that the manifest names, if it is still the same file."""
    from radiobone.core.errors import TableError
    from radiobone.core.hashing import sha256_file

    manifest = features.manifest
    if manifest is None or manifest.cohort is None or features.path is None:
        raise TableError(
            "no cohort table is known for these features", where=str(features.path), do="give --cohort"
        )
    path = features.path.resolve().parent / manifest.cohort
    if not path.is_file() or sha256_file(path) != manifest.cohort_sha256:
        raise TableError(
            "the cohort table that was extracted is gone or was changed since",
            where=str(path),
            do="give --cohort to say which table holds the labels",
        )
    return path
