"""Reading CSV and Parquet so that identifiers stay what they are: text."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.errors import TableError
from radiobone.core.extras import require

if TYPE_CHECKING:
    import pandas as pd

PARQUET = ".parquet"

_PANDAS_INDEX = "__index_level_"
"""Start of the names under which pandas stores an index in Parquet: no column of the table."""


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet table with every cell as text; an empty cell is an empty text.

    ``0012`` stays ``0012`` and ``NA`` stays ``NA``. Any line end and a byte-order mark are accepted. Rows without
    any text, which spreadsheets leave behind, are skipped.

    Parameters
    ----------
    path : Path
        Parquet by its suffix, else CSV in UTF-8.

    Returns
    -------
    DataFrame
        Its index is the number of each row's (last) line in a CSV file and is named ``line``; of a Parquet file,
        it counts the rows from 1 and is named ``row``. Messages name rows by it.

    Raises
    ------
    TableError
        If the file is missing, empty, not a table or not in UTF-8, has a column name twice, or a row is shorter
        or longer than the header.
    """
    import pandas as pd

    columns = read_header(path)
    if path.suffix == PARQUET:
        table = _read_parquet(path, columns, numeric=())
        table.index = pd.RangeIndex(1, len(table) + 1, name="row")
    else:
        rows = dict(_csv_rows(path, len(columns)))
        index = pd.Index(list(rows), name="line", dtype=int)
        table = pd.DataFrame(list(rows.values()), columns=columns, index=index, dtype=str)
    return _not_empty(table, path)


def read_typed_table(path: Path, numeric: Collection[str]) -> pd.DataFrame:
    """Read a large CSV or Parquet table whose named columns are numbers, to the last bit, and all others text.

    An empty cell is a missing number, or an empty text. A CSV row that is *shorter* than the header is filled up
    in the same way, since pandas reads these tables: a feature table is guarded by the SHA-256 in its manifest.

    Parameters
    ----------
    path : Path
        Parquet by its suffix, else CSV in UTF-8.
    numeric : collection of str
        The columns of numbers.

    Returns
    -------
    DataFrame
        Rows are counted from 0.

    Raises
    ------
    TableError
        If the file is missing, empty, not a table or not in UTF-8, has a column name twice, a row is longer than
        the header, or a number is none.
    """
    import pandas as pd

    columns = read_header(path)
    if path.suffix == PARQUET:
        return _not_empty(_read_parquet(path, columns, numeric), path)
    text = [name for name in columns if name not in numeric]
    try:
        with warnings.catch_warnings():
            # pandas cuts a row that is too long, and only warns.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                header=0,
                names=columns,
                dtype=dict.fromkeys(text, str) | dict.fromkeys(numeric, "float64"),
                keep_default_na=False,
                na_values={name: ["", "nan", "NaN", "NA"] for name in numeric},
                encoding="utf-8-sig",
                index_col=False,
            )
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as error:
        raise TableError(
            "table cannot be read",
            where=str(path),
            got=error,
            expected="comma-separated text, no row longer than the header, numbers where they belong",
        ) from None
    table[text] = table[text].fillna("")
    return _not_empty(table, path)


def read_header(path: Path) -> list[str]:
    """Read the column names of a CSV or Parquet table.

    Parameters
    ----------
    path : Path
        Parquet by its suffix, else CSV in UTF-8.

    Returns
    -------
    list of str
        The names; spaces round a name in a CSV file do not belong to it.

    Raises
    ------
    TableError
        If the file is missing or empty, is not separated by commas or not in UTF-8, has a column name twice, or a
        column without a name.
    """
    if not path.is_file():
        raise TableError("table not found", where=str(path), do="check the path")
    if path.suffix == PARQUET:
        try:
            names = require("pyarrow.parquet", "parquet").read_schema(path).names
        except (ValueError, OSError) as error:
            raise TableError("not a Parquet file", where=str(path), got=error) from None
        return [name for name in names if not name.startswith(_PANDAS_INDEX)]
    _, columns = next(_csv_lines(path), (0, []))
    columns = [name.strip() for name in columns]
    if not columns:
        raise TableError("table is empty", where=str(path))
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise TableError(
            "table is not comma-separated", where=str(path), got=columns[0][:80], do="save it with commas"
        )
    if "" in columns:
        raise TableError(
            f"column {columns.index('') + 1} has no name",
            where=f"{path}, line 1",
            do="name it, or remove it and the commas that it leaves behind",
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise TableError(
            f"column given twice: {', '.join(twice)}",
            where=str(path),
            expected="each name once",
            do="rename or remove one of them",
        )
    return columns


def numbers(table: pd.DataFrame, column: str, where: str) -> pd.Series[float]:
    """Return a text column as numbers; empty cells and ``NA``/``nan`` are missing values.

    Parameters
    ----------
    table : DataFrame
        Every cell as text, as `read_text_table` returns it.
    column : str
        Which column.
    where : str
        The file, for messages.

    Returns
    -------
    Series of float
        Index of ``table``.

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
        named = table.index.name or "row"
        cells = ", ".join(f"{named} {label}: {cell!r}" for label, cell in text[wrong].head(5).items())
        raise TableError(
            f"column {column!r} holds {int(wrong.sum())} cells that are not numbers",
            where=where,
            got=cells,
            expected="numbers with a decimal point, or empty",
        )
    return values


def _csv_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each row of a CSV file with the number of its last line."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            for cells in reader:
                yield reader.line_num, cells
        except UnicodeDecodeError:
            raise _not_utf8(path) from None
        except csv.Error as error:
            raise TableError(
                "table cannot be read",
                where=f"{path}, line {reader.line_num}",
                got=error,
                expected="comma-separated text, with every quotation mark closed",
            ) from None


def _csv_rows(path: Path, width: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows under the header that hold any text; refuse one that is not as long as the header."""
    lines = _csv_lines(path)
    next(lines, None)
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != width:
            raise TableError(
                f"a row is {'shorter' if len(cells) < width else 'longer'} than the header",
                where=f"{path}, line {number}",
                got=f"{len(cells)} cells",
                expected=f"{width} cells",
                do="mend this line; a cell that holds a comma must stand in quotation marks",
            )
        yield number, cells


def _read_parquet(path: Path, columns: list[str], numeric: Collection[str]) -> pd.DataFrame:
    import pandas as pd

    table = pd.read_parquet(path).reset_index(drop=True)[columns]
    text = [name for name in columns if name not in numeric]
    table[text] = table[text].astype(object).where(table[text].notna(), "").astype(str)
    wrong = [name for name in columns if name in numeric and not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise TableError(
            f"{len(wrong)} feature columns hold no numbers",
            where=str(path),
            got=", ".join(f"{name} ({table[name].dtype})" for name in wrong[:5]),
            expected="numbers",
        )
    return table.astype(dict.fromkeys(numeric, "float64"))


def _not_empty(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if table.empty:
        raise TableError("table has no rows", where=str(path))
    return table


def _not_utf8(path: Path) -> TableError:
    """Say which line is not UTF-8."""
    with path.open("rb") as stream:
        number, line = next(
            (number, line)
            for number, line in enumerate(stream, 1)
            if line.decode("utf-8", "ignore").encode() != line
        )
    return TableError(
        "table is not in UTF-8",
        where=f"{path}, line {number}",
        got=line.strip()[:60].decode("ascii", "backslashreplace"),
        expected="UTF-8, with or without a byte-order mark",
        do="save it again in UTF-8 (spreadsheets call it 'CSV UTF-8')",
    )
