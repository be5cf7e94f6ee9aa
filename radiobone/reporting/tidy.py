"""What the modules of tables share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from radiobone.reporting.arms import parts

if TYPE_CHECKING:
    import pandas as pd

Results = Mapping[str, Any]
Line = dict[str, Any]


def nodes(results: Results) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every node of every arm.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Yields
    ------
    tuple of str and mapping
        Arm, and node.
    """
    for arm, part in parts(results).items():
        for node in part["nodes"]:
            yield arm, node


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
        The table.
    """
    import pandas as pd

    more = [name for name in dict.fromkeys(name for line in lines for name in line) if name not in columns]
    return pd.DataFrame(list(lines), columns=[*columns, *more])
