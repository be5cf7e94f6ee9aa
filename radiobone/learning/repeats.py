"""Repeated measurements of the same patients: by several readers, or after small changes of the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Repeats:
    """Repeated measurements, one row for each patient and repeat.

    Parameters
    ----------
    values : DataFrame of shape (n_rows, n_columns)
        The measurements; columns are found by name.
    patients, repeats : array-like of shape (n_rows,)
        Patient and repeat (reader, perturbation) of each row.
    """

    values: pd.DataFrame
    patients: Any
    repeats: Any
