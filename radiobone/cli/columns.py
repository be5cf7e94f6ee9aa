"""``radiobone columns``: every column that a preset gives."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape


def columns(
    params: Annotated[
        str, typer.Option("--params", help="Radiomics parameters: a preset's name or a PyRadiomics YAML file.")
    ] = "original",
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", help="Calibration file (YAML), for the columns of vBMD.", dir_okay=False),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated text, for a spreadsheet.")] = False,
) -> None:
    """List every feature column that a preset gives: family, filter, unit and meaning."""
    from radiobone.features import density
    from radiobone.features.radiomics.columns import columns as radiomics_columns
    from radiobone.features.radiomics.params import read_params
    from radiobone.imaging.calibration import read_calibration

    radiomics = radiomics_columns(read_params(params))
    standard = None if calibration is None else read_calibration(calibration).standard
    of_density = density.COLUMNS if standard is None else density.calibrated_columns(standard)
    rows = [*radiomics, *of_density]
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
        f"[bold]{escape(params)}[/]: {len(radiomics)} radiomics columns, then {len(of_density)} of density"
    )
    width = max(len(row.name) for row in rows)
    for (image, family), group in groupby(rows, key=lambda row: (row.filter, row.family)):
        console.print(f"\n[bold]{family}[/] on the image [bold]{image}[/]")
        for row in group:
            console.print(f"  {row.name:<{width}}  [cyan]{escape(row.unit):<5}[/]  [dim]{escape(row.meaning)}[/]")
