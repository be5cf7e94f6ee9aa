"""Reading CSV and Parquet so that identifiers stay what they are: text."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.errors import TableError
from radiobone.core.extras import require

if TYPE_CHECKING:
    import pandas as pd


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet table with every cell as text; an empty cell is an empty text.

    ``0012`` stays ``0012`` and ``NA`` stays ``NA``. Any line end and a byte-order mark are accepted.

    Raises
    ------
    TableError
        If the file is missing, empty, not a table, or has a column name twice.
    """
    return read_typed_table(path, numeric=())


def read_typed_table(path: Path, numeric: Collection[str]) -> pd.DataFrame:
    """Read a CSV or Parquet table whose named columns are numbers, to the last bit, and all others text.

    An empty cell is a missing number, or an empty text.

    Raises
    ------
    TableError
        If the file is missing, empty, not a table, has a column name twice, or a number is none.
    """
    import pandas as pd

    columns = read_header(path)
    text = [name for name in columns if name not in numeric]
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            table[text] = table[text].astype(object).where(table[text].notna(), "").astype(str)
        else:
            table = pd.read_csv(
                path,
                dtype=dict.fromkeys(text, str) | dict.fromkeys(numeric, "float64"),
                keep_default_na=False,
                na_values={name: ["", "nan", "NaN", "NA"] for name in numeric},
                encoding="utf-8-sig",
                index_col=False,
            )
            table[text] = table[text].fillna("")
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError, ValueError) as error:
        raise TableError(
            "table cannot be read",
            where=str(path),
            got=error,
            expected="comma-separated text in UTF-8, every row as long as the header, numbers where they belong",
        ) from None
    if table.empty:
        raise TableError("table has no rows", where=str(path))
    return table


def read_header(path: Path) -> list[str]:
    """Read the column names of a CSV or Parquet table.

    Raises
    ------
    TableError
        If the file is missing or empty, is not separated by commas, or has a column name twice.
    """
    if not path.is_file():
        raise TableError("table not found", where=str(path), do="check the path")
    if path.suffix == ".parquet":
        return list(require("pyarrow.parquet", "parquet").read_schema(path).names)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        columns = next(csv.reader(stream), [])
    if not columns:
        raise TableError("table is empty", where=str(path))
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise TableError(
            "table is not comma-separated", where=str(path), got=columns[0][:80], do="save it with commas"
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise TableError(f"column given twice: {', '.join(twice)}", where=str(path))
    return columns


def numbers(table: pd.DataFrame, column: str, where: str) -> pd.Series[float]:
    """Return a text column as numbers; empty cells and ``NA``/``nan`` are missing values.

    Raises
    ------
    TableError
        If any other cell is not a number; up to five are listed.
    """
    import pandas as pd

    text = table[column].str.strip()
    missing = text.str.casefold().isin(["", "na", "nan", "n/a"])
    values = pd.to_numeric(text.mask(missing), errors="coerce").astype(float)
    wrong = values.isna() & ~missing
    if wrong.any():
        cells = ", ".join(f"row {index + 2}: {text.iloc[index]!r}" for index in wrong.to_numpy().nonzero()[0][:5])
        raise TableError(
            f"column {column!r} holds {int(wrong.sum())} cells that are not numbers",
            where=where,
            got=cells,
            expected="numbers with a decimal point, or empty",
        )
    return values
