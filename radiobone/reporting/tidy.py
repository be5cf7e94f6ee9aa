"""What the modules of tables share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from radiobone.reporting.parts import of_test_sets, parts

if TYPE_CHECKING:
    import pandas as pd

Results = Mapping[str, Any]
Line = dict[str, Any]


def sets(results: Results) -> Iterator[tuple[Line, Mapping[str, Any]]]:
    """Yield the figures of every arm, on every test set if there are several.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Yields
    ------
    tuple of dict and mapping
        ``arm`` and ``test_set`` (None if there is but one, or outer folds), and the figures.
    """
    for arm, part in parts(results).items():
        for name, found in of_test_sets(part).items():
            yield {"arm": arm, "test_set": name or None}, found


def frame(lines: Sequence[Line], columns: Sequence[str]) -> pd.DataFrame:
    """Make a table; columns that only some lines have follow the given ones.

    Parameters
    ----------
    lines : sequence of dict
        One for each row.
    columns : sequence of str
        Columns that are there even without a row.

    Returns
    -------
    DataFrame
        The table; columns of whole numbers stay such where some are missing.
    """
    import pandas as pd

    more = [name for name in dict.fromkeys(name for line in lines for name in line) if name not in columns]
    table = pd.DataFrame(list(lines), columns=[*columns, *more])
    # Beside an empty cell a count would become 45.0.
    counts = [
        name
        for name in table.columns
        if {type(value) for line in lines if (value := line.get(name)) is not None} == {int}
    ]
    return table.astype(dict.fromkeys(counts, "Int64"))
