"""``radiobone columns``: every column that a preset gives."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from radiobone.cli.options import DeepOption


def columns(
    params: Annotated[
        str,
        typer.Option(
            "--params",
            help="Radiomics parameters: a preset's name, a PyRadiomics YAML file, or none for no radiomics.",
        ),
    ] = "original",
    deep: DeepOption = None,
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", help="Calibration file (YAML), for the columns of vBMD.", dir_okay=False),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated text, for a spreadsheet.")] = False,
) -> None:
    """List every feature column that a preset gives: family, filter, unit and meaning."""
    from radiobone.features import density
    from radiobone.features.deep.block import forbid_same_columns
    from radiobone.features.deep.columns import columns as deep_columns
    from radiobone.features.deep.params import read_deep_params
    from radiobone.features.radiomics.columns import columns as radiomics_columns
    from radiobone.features.radiomics.params import read_params
    from radiobone.features.request import NONE
    from radiobone.imaging.calibration import read_calibration

    radiomics = [] if params == NONE else radiomics_columns(read_params(params))
    standard = None if calibration is None else read_calibration(calibration).standard
    of_density = density.COLUMNS if standard is None else density.calibrated_columns(standard)
    networks = [(name, read_deep_params(name)) for name in deep or ()]
    forbid_same_columns(networks)
    of_networks = [(name, deep_columns(found)) for name, found in networks]
    rows = [*radiomics, *of_density, *(column for _, found in of_networks for column in found)]
    if csv:
        import csv as writer
        import sys

        table = writer.writer(sys.stdout, lineterminator="\n")
        table.writerow(("column", "family", "filter", "unit", "meaning"))
        table.writerows((row.name, row.family, row.filter, row.unit, row.meaning) for row in rows)
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    first = f"[bold]{escape(params)}[/]: {len(radiomics)} radiomics columns, then " if radiomics else ""
    then = "".join(f", then {len(found)} of [bold]{escape(name)}[/]" for name, found in of_networks)
    console.print(f"{first}{len(of_density)} of density{then}")
    width = max(len(row.name) for row in rows)
    for (image, family), group in groupby(rows, key=lambda row: (row.filter, row.family)):
        console.print(f"\n[bold]{family}[/] on the image [bold]{image}[/]")
        for row in group:
            console.print(f"  {row.name:<{width}}  [cyan]{escape(row.unit):<5}[/]  [dim]{escape(row.meaning)}[/]")
