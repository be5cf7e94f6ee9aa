"""Agreement summed up: mean, median, SD and interval over all rows, for each level, and for each stratum.

Patients are drawn, with all their rows: levels of one spine are no independent cases. A level that only one mask
holds counts with a Dice of 0, as challenges of segmentation have it, and is missing from the distances, whose
numbers of rows say so; ``n_only_a`` and ``n_only_b`` count such levels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.bootstrap import bootstrap_interval
from radiobone.evaluation.strata import MISSING, Strata
from radiobone.study.agreement import METRICS, PRESENT
from radiobone.tables.keys import LEVEL, PATIENT, REPEAT, SCAN, STATUS
from radiobone.tables.vertebrae import level_order

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MANY_STRATA = 20
"""More values than this are no strata: numbers need edges."""

FEW_PATIENTS = 10
"""Fewer patients than this, drawn again and again, say little about others: there is no interval."""

OVERALL, BY_LEVEL = "all", LEVEL

SUMMARY_COLUMNS = (
    "part",
    "name",
    "metric",
    "n_patients",
    "n_rows",
    "n_defined",
    "n_only_a",
    "n_only_b",
    "mean",
    "mean_low",
    "mean_high",
    "median",
    "sd",
    "level",
    "method",
    "note",
)


@dataclass(frozen=True)
class SummaryOptions:
    """How intervals are made.

    Parameters
    ----------
    draws : int, default 2000
        Of the bootstrap.
    level : float, default 0.95
        Nominal coverage.
    seed : int, default 0
        Of the random numbers.
    """

    draws: int = 2000
    level: float = 0.95
    seed: int = 0


def parse_strata(text: str) -> tuple[Strata, ...]:
    """Read strata, such as ``sex,kvp,age:50:65``.

    Parameters
    ----------
    text : str
        Columns between commas; the inner edges of bands of numbers follow the name after colons.

    Returns
    -------
    tuple of Strata
        In the order given.

    Raises
    ------
    UsageError
        If a column is empty or there twice, or an edge is no number.

    Examples
    --------
    >>> parse_strata("sex,age:50:65")[1].edges
    (50.0, 65.0)
    """
    found: list[Strata] = []
    for part in text.split(","):
        column, *edges = (piece.strip() for piece in part.split(":"))
        try:
            numbers = tuple(float(edge) for edge in edges)
        except ValueError:
            numbers = ()
        if not column or len(numbers) < len(edges):
            raise UsageError(
                "not a stratum", where=f"strata {text!r}", got=part, expected="such as sex,kvp or age:50:65"
            )
        if column in {other.column for other in found}:
            raise UsageError("a stratum is there twice", where=f"strata {text!r}", got=column)
        found.append(Strata(column, edges=numbers))
    return tuple(found)


def cohort_strata(cohort: pd.DataFrame, strata: Sequence[Strata]) -> dict[str, NDArray[Any]]:
    """Return the strata of every row of a cohort table.

    Parameters
    ----------
    cohort : DataFrame
        The cohort table, every cell as text.
    strata : sequence of Strata
        By what rows are parted.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,)
        Column to the stratum of each row, as text.

    Raises
    ------
    UsageError
        If the cohort has no such column, it holds no numbers for its edges, or far too many values.
    """
    found = {}
    for item in strata:
        values = item.of(cohort)
        different = sorted({*values} - {MISSING})
        if len(different) > MANY_STRATA:
            raise UsageError(
                f"column {item.column!r} has too many values for strata",
                got=f"{len(different)}: {', '.join(different[:5])} ...",
                expected=f"at most {MANY_STRATA}",
                do=f"give edges of bands, such as {item.column}:50:65",
            )
        found[item.column] = values
    return found


def join_strata(
    table: pd.DataFrame, cohort: pd.DataFrame, strata: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Give every row of a table of agreement the strata of its row of the cohort.

    Parameters
    ----------
    table : DataFrame
        The table of agreement.
    cohort : DataFrame
        The cohort table.
    strata : mapping of str to ndarray
        Of every row of the cohort.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,)
        Of every row of the table.
    """
    import pandas as pd

    keys = [name for name in (PATIENT, SCAN, REPEAT) if name in cohort and name in table]
    place = pd.MultiIndex.from_frame(cohort[keys]).get_indexer(pd.MultiIndex.from_frame(table[keys]))
    return {column: values[place] for column, values in strata.items()}


def summarise(
    table: pd.DataFrame,
    strata: Mapping[str, NDArray[Any]] | None = None,
    options: SummaryOptions | None = None,
) -> pd.DataFrame:
    """Sum up a table of agreement.

    Parameters
    ----------
    table : DataFrame
        The table of agreement.
    strata : mapping of str to ndarray, optional
        Column to the stratum of each row, as `join_strata` gives them.
    options : SummaryOptions, optional
        How intervals are made.

    Returns
    -------
    DataFrame
        With `SUMMARY_COLUMNS`: a row for each part (``all``, ``level``, or a column of the cohort), name in it,
        and metric. Rows that are not ``ok`` count nowhere.
    """
    import pandas as pd

    options = options or SummaryOptions()
    lines = [
        _line(table[chosen], metric, options) | {"part": part, "name": name}
        for part, name, chosen in _parts(table, strata or {})
        for metric in METRICS
    ]
    return pd.DataFrame(lines, columns=list(SUMMARY_COLUMNS))


def _parts(
    table: pd.DataFrame, strata: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield what is summed up: part, name, and which rows."""
    ok = (table[STATUS] == "ok").to_numpy()
    if not ok.any():
        return
    yield OVERALL, OVERALL, ok
    levels = table[LEVEL].to_numpy()
    for level in sorted(set(levels[ok]), key=level_order):
        yield BY_LEVEL, level, ok & (levels == level)
    for column, values in strata.items():
        for name in sorted(set(values[ok]), key=_stratum_order):
            yield column, name, ok & (values == name)


def _stratum_order(name: str) -> tuple[int, float, str]:
    """Return a sort key: numbers and bands by what they begin with, then text, what is missing last."""
    number = re.match(r"(<|>=)?\s*(-?\d+(?:\.\d+)?)", name)
    if name == MISSING or number is None:
        return (2 if name == MISSING else 1, 0.0, name)
    sign = number.group(1)
    return (0, float(number.group(2)), "" if sign == "<" else "~" if sign else name)


def _line(rows: pd.DataFrame, metric: str, options: SummaryOptions) -> dict[str, Any]:
    values = rows[metric].to_numpy(dtype=np.float64)
    defined = np.isfinite(values)
    patients = rows[PATIENT].to_numpy()[defined]
    line: dict[str, Any] = {
        "metric": metric,
        "n_patients": len(set(patients)),
        "n_rows": len(rows),
        "n_defined": int(defined.sum()),
        "n_only_a": int((rows[PRESENT] == "a").sum()),
        "n_only_b": int((rows[PRESENT] == "b").sum()),
    }
    values = values[defined]
    if not len(values):
        return line | {"note": "defined in no row"}
    line |= {
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else np.nan,
    }
    if line["n_patients"] < FEW_PATIENTS:
        return line | {"note": f"fewer than {FEW_PATIENTS} patients: no interval"}
    found = bootstrap_interval(
        lambda weights: weights @ values / weights.sum(axis=1),
        len(values),
        groups=patients,
        draws=options.draws,
        level=options.level,
        seed=options.seed,
    )
    return line | {
        "mean_low": found.low,
        "mean_high": found.high,
        "level": found.level,
        "method": found.method,
        "note": "; ".join(found.notes),
    }
