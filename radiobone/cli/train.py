"""``radiobone train``: a recipe and a feature table to validated figures and a model."""

from __future__ import annotations

from collections.abc import Sequence
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
        list[str] | None,
        typer.Option(
            "--features",
            help="Feature table of 'radiobone extract', or one made elsewhere if the recipe says so; NAME=FILE "
            "for one more VOI of the recipe.",
        ),
    ] = None,
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

    The reported figures are those of the procedure; the saved model is that
    procedure fitted on all patients. This is 'radiobone run' from a finished
    feature table.
    """
    from radiobone.core.errors import UsageError
    from radiobone.study.recipe import read_recipe
    from radiobone.study.running import read_study_cohort, read_table
    from radiobone.study.training import train as run

    study = read_recipe(recipe)
    tables = {name: read_table(study, path) for name, path in named_tables(features or []).items()}
    if "" not in tables and (study.voi is not None or study.external is not None):
        raise UsageError("no feature table is given", do="give --features, or use 'radiobone run' to extract it")
    if cohort is None and "" not in tables:
        raise UsageError("no cohort table is given", do="give --cohort")
    labels = read_study_cohort(study, cohort or _extracted_cohort(tables[""]))
    show(run(study, tables, labels, out, jobs=jobs))


def named_tables(given: Sequence[str]) -> dict[str, Path]:
    """Read ``FILE`` and ``NAME=FILE`` as the tables of the main and of further VOIs."""
    from radiobone.core.errors import UsageError

    found: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        # A path may hold an equals sign; a name of a VOI holds no separator.
        if not equals or Path(text).exists() or "/" in name:
            name, path = "", text
        if name in found:
            raise UsageError("two feature tables for one VOI", got=f"{found[name]}, {path}", do="give one of them")
        found[name] = Path(path)
    return found


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
