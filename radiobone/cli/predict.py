"""``radiobone predict``: a saved model on a new feature table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiobone.core.batch import exit_code


def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a model, from 'radiobone train'.", file_okay=False)],
    features: Annotated[Path, typer.Option("--features", help="Feature table of new scans.", dir_okay=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Predictions (CSV).")] = Path("predictions.csv"),
) -> None:
    """Predict the class of every patient of a feature table, and flag features outside the training range.

    A table that was extracted with other parameters, values or VOIs than the model learned from is refused.
    """
    from rich.console import Console
    from rich.markup import escape

    from radiobone.core.files import check_output
    from radiobone.study.prediction import predict as run
    from radiobone.study.prediction import write_predictions
    from radiobone.tables.features import read_features

    check_output(out, [features], (".csv",))
    given = read_features(features)
    table = run(model, given)
    write_predictions(out, table, model, given)
    console = Console(soft_wrap=True)
    done = table[table["status"] == "ok"]
    counts = ", ".join(f"{count} {name}" for name, count in done["decision"].value_counts().sort_index().items())
    console.print(f"[bold]{escape(str(out))}[/]: {len(done)} patients predicted ({counts})")
    outside = int((done["n_out_of_range"] > 0).sum())
    if outside:
        console.print(f"[yellow]{outside}[/] have features outside the training range, in the column out_of_range")
    if len(done) < len(table):
        console.print(f"[red]{len(table) - len(done)}[/] could not be predicted, see the column reason")
    raise typer.Exit(exit_code(table["status"]))
