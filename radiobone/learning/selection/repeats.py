"""Repeated measurements of the same patients: by several readers, or after small changes of the mask."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.learning.data import DataError
from radiobone.learning.harmonisation.covariates import as_text

if TYPE_CHECKING:
    import pandas as pd

# A whole number, with zeros before it or noughts for decimals.
_WHOLE = re.compile(r"0*(\d+)(?:\.0*)?")


@dataclass(frozen=True, eq=False, repr=False)
class Repeats:
    """Repeated measurements, one row for each patient and repeat.

    Every measurement that is to be compared stands here, the one that a study analyses included.

    Parameters
    ----------
    values : DataFrame of shape (n_rows, n_columns)
        The measurements as they were extracted, before any step of a recipe; NaN where one is missing. Columns are
        found by name, and may be more than are asked for.
    patients : array-like of shape (n_rows,)
        Patient of each row; compared as text, whole numbers without decimals (1.0 as ``1``).
    repeats : array-like of shape (n_rows,)
        Repeat (reader, reading, perturbation) of each row; compared in the same way. A repeat of one name means
        the same reader or perturbation for every patient.

    Raises
    ------
    DataError
        If lengths differ, a row has no patient or repeat, a column's name or a patient's repeat is there twice, or
        there is a single repeat.

    Notes
    -----
    Clones and copies of an estimator share one such object, which nothing changes. It holds data of patients, so
    no saved model may hold it; `radiobone.learning.selection.stability.without_repeats` provides for that.
    """

    values: pd.DataFrame
    patients: Any
    repeats: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "patients", as_text(self.patients, "patient"))
        object.__setattr__(self, "repeats", as_text(self.repeats, "repeat"))
        lengths = (len(self.values), len(self.patients), len(self.repeats))
        if len(set(lengths)) > 1:
            raise DataError("values, patients and repeats have different lengths", got=lengths)
        twice = self.values.columns[self.values.columns.duplicated()]
        if len(twice):
            raise DataError("repeated measurements have columns of the same name", got=_some(twice.unique()))
        pairs = list(zip(self.patients.tolist(), self.repeats.tolist(), strict=True))
        if len(set(pairs)) < len(pairs):
            again = sorted({pair for pair in pairs if pairs.count(pair) > 1})
            raise DataError(
                "a patient has several rows of one repeat",
                got=_some([" + ".join(pair) for pair in again]),
                expected="one row for each patient and repeat",
                do="make one row of a patient's levels and scans first",
            )
        if len(self.raters) < 2:
            raise DataError("repeated measurements need two repeats", got=_some(self.raters) or "no row")

    @classmethod
    def of(cls, table: pd.DataFrame) -> Repeats:
        """Take a table whose index holds patient and repeat, as `radiobone.tables.repeats.repeated` makes it.

        Parameters
        ----------
        table : DataFrame of shape (n_rows, n_columns)
            With an index of two levels: patient, repeat.

        Returns
        -------
        Repeats
            Of its rows.
        """
        if table.index.nlevels != 2:
            raise DataError(
                "the index must hold patient and repeat", got=_some(table.index.names), expected="two levels"
            )
        return cls(table, table.index.get_level_values(0), table.index.get_level_values(1))

    @property
    def raters(self) -> list[str]:
        """The repeats, sorted."""
        return sorted(set(self.repeats.tolist()))

    @property
    def subjects(self) -> list[str]:
        """The patients, sorted."""
        return sorted(set(self.patients.tolist()))

    def check_spelling(self, patients: Collection[str]) -> None:
        """Refuse patients who are nobody here, but would be somebody if numbers were written alike.

        Parameters
        ----------
        patients : collection of str
            Patients of the rows that are to be compared with these measurements.

        Raises
        ------
        DataError
            If some are written differently, such as ``007`` and ``7``: as text they are other people, whose
            measurements would be left out, or taken for those of strangers.
        """
        here, there = set(self.subjects), set(patients)
        numbers = {_number(name): name for name in here - there}
        pairs = {name: numbers.get(number) for name in there - here if (number := _number(name)) is not None}
        alike = sorted(f"{name} and {other}" for name, other in pairs.items() if other is not None)
        if alike:
            raise DataError(
                "patients are written in one way among the rows, and in another among the repeated measurements",
                got=_some(alike),
                expected="one spelling throughout",
                do="make both text, with the same zeros",
            )

    def cube(
        self, columns: Sequence[Any] | int, subjects: Collection[str] | None = None
    ) -> tuple[list[str], NDArray[np.float64]]:
        """Arrange the measurements of some patients.

        Parameters
        ----------
        columns : sequence, or int
            Names of the columns wanted; or how many columns there must be, which are then taken as they stand.
        subjects : collection of str, optional
            Patients wanted, of whom those with repeated measurements are taken; by default all.

        Returns
        -------
        list of str
            The patients taken, sorted.
        ndarray of shape (n_patients, n_repeats, n_columns)
            Their measurements; NaN where one is missing.

        Raises
        ------
        DataError
            If a column is missing, or the number of columns is another.
        """
        values = self._columns(columns)
        taken = [name for name in self.subjects if subjects is None or name in subjects]
        row_of = {name: row for row, name in enumerate(taken)}
        column_of = {name: column for column, name in enumerate(self.raters)}
        cube = np.full((len(taken), len(column_of), values.shape[1]), np.nan)
        for row, (patient, repeat) in enumerate(zip(self.patients, self.repeats, strict=True)):
            if patient in row_of:
                cube[row_of[patient], column_of[repeat]] = values[row]
        return taken, cube

    def _columns(self, columns: Sequence[Any] | int) -> NDArray[np.float64]:
        if isinstance(columns, int):
            if columns != self.values.shape[1]:
                raise DataError(
                    "the rows have no column names, and repeated measurements have another number of columns",
                    got=f"{self.values.shape[1]} columns",
                    expected=columns,
                    do="give X as a DataFrame, so that columns are found by name",
                )
            return self.values.to_numpy(dtype=np.float64)
        known = set(self.values.columns)
        missing = [name for name in columns if name not in known]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(columns)} columns have no repeated measurements",
                got=_some(missing),
                expected="every column that the stability step is asked about",
                do="extract the repeats with the same VOI, parameters and aggregation of levels",
            )
        return self.values[list(columns)].to_numpy(dtype=np.float64)

    def __sklearn_clone__(self) -> Repeats:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Repeats:
        return self

    def __repr__(self) -> str:
        # Never the measurements: estimators are printed into reports and logs.
        n_columns = self.values.shape[1]
        return f"<Repeats of {len(self.subjects)} patients x {len(self.raters)} repeats x {n_columns} columns>"


def _number(name: str) -> int | None:
    """Return the whole number that a name is, such as 7 for ``007`` and ``7.0``; None if it is none."""
    whole = _WHOLE.fullmatch(name)
    return int(whole[1]) if whole else None


def _some(names: Collection[Any]) -> str:
    told = [str(name) for name in list(names)[:5]]
    return ", ".join(told) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
