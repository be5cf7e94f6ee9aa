"""``radiobone predict``: a saved model on a new feature table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiobone.core.batch import exit_code


def predict(
    model: Annotated[
        Path, typer.Argument(help="Folder of a model, from 'radiobone run' or 'train'.", file_okay=False)
    ],
    features: Annotated[
        list[str] | None,
        typer.Option("--features", help="Feature table of new scans; NAME=FILE for one more VOI of the recipe."),
    ] = None,
    cohort: Annotated[
        Path | None,
        typer.Option(
            "--cohort", help="Cohort table of new patients, for a model with clinical columns.", dir_okay=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Predictions (CSV).")] = Path("predictions.csv"),
) -> None:
    """Predict the class of every patient (or vertebra), and flag features outside the training range.

    A table that was extracted with other parameters, values or VOIs than the model learned from is refused.
    """
    from rich.console import Console
    from rich.markup import escape

    from radiobone.cli.train import named_tables
    from radiobone.core.files import check_output
    from radiobone.study.prediction import predict as run
    from radiobone.study.prediction import read_inputs, write_predictions

    paths = named_tables(features or [])
    check_output(out, [*paths.values(), *([cohort] if cohort else [])], (".csv",))
    tables, patients = read_inputs(model, paths, cohort)
    table = run(model, tables, patients)
    write_predictions(out, table, model, tables, patients)
    console = Console(soft_wrap=True)
    done = table[table["status"] == "ok"]
    what = "vertebrae" if "level" in table.columns else "patients"
    counts = ", ".join(f"{count} {name}" for name, count in done["decision"].value_counts().sort_index().items())
    console.print(f"[bold]{escape(str(out))}[/]: {len(done)} {what} predicted ({counts})")
    outside = int((done["n_out_of_range"] > 0).sum())
    if outside:
        console.print(f"[yellow]{outside}[/] have features outside the training range, in the column out_of_range")
    if len(done) < len(table):
        console.print(f"[red]{len(table) - len(done)}[/] could not be predicted, see the column reason")
    raise typer.Exit(exit_code(table["status"]))
