"""``radiobone columns``: every column that a preset gives."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer
from rich.markup import escape


def columns(
    params: Annotated[
        str, typer.Option("--params", help="Radiomics parameters: a preset's name or a PyRadiomics YAML file.")
    ] = "original",
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated text, for a spreadsheet.")] = False,
) -> None:
    """List every feature column that a preset gives: family, filter, unit and meaning."""
    from radiobone.features import density
    from radiobone.features.radiomics.columns import columns as radiomics_columns
    from radiobone.features.radiomics.params import read_params

    radiomics = radiomics_columns(read_params(params))
    rows = [*radiomics, *density.COLUMNS]
    if csv:
        import csv as writer
        import sys

        table = writer.writer(sys.stdout, lineterminator="\n")
        table.writerow(("column", "family", "filter", "unit", "meaning"))
        table.writerows((row.name, row.family, row.filter, row.unit, row.meaning) for row in rows)
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{escape(params)}[/]: {len(radiomics)} radiomics columns, then {len(density.COLUMNS)} of density"
    )
    width = max(len(row.name) for row in rows)
    for (image, family), group in groupby(rows, key=lambda row: (row.filter, row.family)):
        console.print(f"\n[bold]{family}[/] on the image [bold]{image}[/]")
        for row in group:
            console.print(f"  {row.name:<{width}}  [cyan]{escape(row.unit):<5}[/]  [dim]{escape(row.meaning)}[/]")
