"""Predictors of a regression as numbers: units, dummy variables, reference levels, and rows that lack a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.core.config import nearest
from radiobone.learning.data import DataError
from radiobone.learning.harmonisation.covariates import as_numbers, as_text

Array = NDArray[np.float64]

# A column whose part that other columns do not explain is below this share of its length depends on them.
_DEPENDENT = 1e-9


class RegressionError(DataError):
    """A regression cannot be fitted to these columns."""


@dataclass(frozen=True)
class Predictor:
    """One predictor, as it enters a model.

    Parameters
    ----------
    name : str
        Its column.
    levels : tuple of str or None
        Levels of a categorical predictor, the reference first; None for numbers.
    unit : float
        Step of a numeric predictor that its effect is told for, such as 10 for ten years.
    low, high : float
        Range of a numeric predictor among the rows of the model.
    """

    name: str
    levels: tuple[str, ...] | None = None
    unit: float = 1.0
    low: float = 0.0
    high: float = 0.0

    @property
    def terms(self) -> tuple[str | None, ...]:
        """One entry for each column that it becomes: the level, or None for numbers."""
        return (None,) if self.levels is None else self.levels[1:]

    def columns(self, values: Any) -> Array:
        """Code rows.

        Parameters
        ----------
        values : array-like of shape (n_rows,)
            The column.

        Returns
        -------
        ndarray of shape (n_rows, n_terms)
            Numbers in steps of ``unit``, or one dummy for each level after the reference.

        Raises
        ------
        RegressionError
            If a value is missing or infinite, or a level is not among those of the model.
        """
        if self.levels is None:
            numbers = as_numbers(values)
            if numbers is None or not np.isfinite(numbers).all():
                raise RegressionError("values that are no finite numbers", where=self.name)
            return numbers[:, None] / self.unit
        names = as_text(values, f"value of {self.name!r}")
        unknown = sorted(set(names.tolist()) - set(self.levels))
        if unknown:
            raise RegressionError(
                "a level that the model does not have",
                where=self.name,
                got=", ".join(unknown),
                expected=", ".join(self.levels),
            )
        return np.asarray(names[:, None] == np.array(self.levels[1:], dtype=np.str_), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Design:
    """The rows and columns of a model.

    Parameters
    ----------
    predictors : tuple of Predictor
        In the order of the columns.
    rows : ndarray of int
        Places of the table's rows that have every value.
    n_missing : int
        Rows that lack one.
    matrix : ndarray of shape (n_rows, n_terms)
        The coded rows, without an intercept.
    """

    predictors: tuple[Predictor, ...]
    rows: NDArray[np.intp]
    n_missing: int
    matrix: Array

    @property
    def terms(self) -> list[tuple[Predictor, str | None]]:
        """Predictor and level of each column."""
        return [(one, level) for one in self.predictors for level in one.terms]


def build_design(
    table: pd.DataFrame,
    outcome: str,
    names: Sequence[str],
    *,
    references: Mapping[str, Any] | None = None,
    units: Mapping[str, float] | None = None,
) -> Design:
    """Code the predictors of a model, on the rows that have the outcome and all of them.

    Parameters
    ----------
    table : DataFrame
        One row for each patient.
    outcome : str
        Column of the outcome.
    names : sequence of str
        Columns of the predictors. Text, category and boolean ones become dummy variables, numbers stay numbers.
    references : mapping of str to object, optional
        Reference level by predictor; by default the first category, or the first level in sorted order.
    units : mapping of str to float, optional
        Step by numeric predictor; by default 1.

    Returns
    -------
    Design
        The coded rows.

    Raises
    ------
    RegressionError
        If a column is missing or named twice, no row is complete, a predictor holds one value or infinite ones, or
        a reference or unit does not fit.
    """
    check_names(table, [outcome, *names])
    references, units = references or {}, units or {}
    for given, what in ((references, "reference"), (units, "unit")):
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise RegressionError(
                f"a {what} of what is no predictor{nearest(unknown[0], list(names))}", got=unknown[0]
            )
    complete = table[[outcome, *names]].notna().all(axis=1).to_numpy(dtype=bool)
    rows = np.flatnonzero(complete)
    if not rows.size:
        raise RegressionError("no row has a value in every column", got=", ".join([outcome, *names]))
    predictors, parts = [], [np.empty((rows.size, 0))]
    for name in names:
        column = table[name].iloc[rows]
        predictor = _predictor(column, name, references.get(name), units.get(name))
        predictors.append(predictor)
        parts.append(predictor.columns(column.to_numpy(dtype=object)))
    return Design(tuple(predictors), rows, len(table) - rows.size, np.column_stack(parts))


def check_names(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse names of columns that are not there, or stand there twice.

    Parameters
    ----------
    table : DataFrame
        The rows.
    names : sequence of str
        Columns that are asked for.

    Raises
    ------
    RegressionError
        That tells the name.
    """
    known = [str(column) for column in table.columns]
    for name in names:
        if name not in known:
            raise RegressionError(f"no such column{nearest(str(name), known)}", got=name)
        if list(names).count(name) > 1:
            raise RegressionError("a column is named twice", got=name)


def _predictor(column: pd.Series, name: str, reference: Any, unit: float | None) -> Predictor:
    values = column.to_numpy(dtype=object)
    numbers = None if isinstance(column.dtype, pd.CategoricalDtype) else as_numbers(values)
    if numbers is None:
        if unit is not None:
            raise RegressionError("a categorical predictor has no unit", where=name)
        return Predictor(name, _levels(column, name, reference))
    if reference is not None:
        raise RegressionError("a predictor of numbers has no reference level", where=name, do="make it text")
    if not np.isfinite(numbers).all():
        raise RegressionError("a predictor has infinite values", where=name)
    if numbers.min() == numbers.max():
        raise RegressionError("a predictor has one value only", where=name, got=f"{numbers[0]:g}")
    step = 1.0 if unit is None else float(unit)
    if not (np.isfinite(step) and step > 0.0):
        raise RegressionError("a unit must be a positive number", where=name, got=unit)
    return Predictor(name, None, step, float(numbers.min()), float(numbers.max()))


def _levels(column: pd.Series, name: str, reference: Any) -> tuple[str, ...]:
    names = as_text(column.to_numpy(dtype=object), f"value of {name!r}")
    if isinstance(column.dtype, pd.CategoricalDtype):
        order = as_text(column.cat.categories.to_numpy(dtype=object), "category").tolist()
        levels = [level for level in order if (names == level).any()]
    else:
        levels = np.unique(names).tolist()
    if len(levels) < 2:
        raise RegressionError("a predictor has one value only", where=name, got=levels[0])
    first = levels[0] if reference is None else str(as_text([reference], "reference")[0])
    if first not in levels:
        raise RegressionError(
            f"no such reference level{nearest(first, levels)}", where=name, got=first, expected=", ".join(levels)
        )
    return (first, *(level for level in levels if level != first))


def check_independent(design: Design) -> None:
    """Refuse predictors that are sums of others.

    Parameters
    ----------
    design : Design
        The coded rows.

    Raises
    ------
    RegressionError
        That names the first such predictor.
    """
    centred = design.matrix - design.matrix.mean(axis=0)
    basis = np.empty((len(centred), 0))
    for (predictor, level), column in zip(design.terms, centred.T, strict=True):
        length = float(np.linalg.norm(column))
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)  # twice is enough for rounding
        if float(np.linalg.norm(rest)) <= _DEPENDENT * length:
            raise RegressionError(
                "a predictor says nothing that those before it do not say",
                where=predictor.name if level is None else f"{predictor.name} = {level}",
                do="leave it out",
            )
        basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
