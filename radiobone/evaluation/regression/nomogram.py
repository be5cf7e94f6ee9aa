"""A nomogram's numbers: points for each value of each predictor, and the probability for each sum of points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from radiobone.evaluation.regression.logistic import LogisticFit
from radiobone.evaluation.regression.predictors import RegressionError
from radiobone.learning.disk.formula import LinearFormula, Sigmoid
from radiobone.learning.harmonisation.covariates import as_text

FULL_POINTS = 100.0
"""Points over the range of the predictor that moves the log odds most."""

PROBABILITIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)

# Steps between tick marks are one of these times a power of ten.
_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class NomogramAxis:
    """One predictor's line.

    Parameters
    ----------
    name : str
        The predictor.
    coef : float
        Change of the log odds for one of its units; 1 for a categorical one, whose levels have log odds for codes.
    low, high : float
        Range among the rows of the model; of the log odds, for a categorical one.
    levels : tuple of (str, float)
        Levels and codes of a categorical predictor, the reference first.
    """

    name: str
    coef: float
    low: float
    high: float
    levels: tuple[tuple[str, float], ...] = ()

    @property
    def lowest(self) -> float:
        """Log odds at the end of the line that has no points."""
        return min(self.coef * self.low, self.coef * self.high)

    @property
    def reach(self) -> float:
        """Change of the log odds over the line."""
        return abs(self.coef) * (self.high - self.low)


@dataclass(frozen=True)
class Nomogram:
    """A logistic model in points.

    Parameters
    ----------
    positive : str
        The value of the outcome whose probability is told.
    intercept : float
        Log odds of the model where all predictors are zero or at their reference.
    axes : tuple of NomogramAxis
        In the order of the model.
    """

    positive: str
    intercept: float
    axes: tuple[NomogramAxis, ...]

    @staticmethod
    def of(fit: LogisticFit) -> Nomogram:
        """Turn a logistic model into points.

        Parameters
        ----------
        fit : LogisticFit
            With estimates, and at least one predictor.

        Returns
        -------
        Nomogram
            Its numbers.

        Raises
        ------
        RegressionError
            If the model has no estimates, or no predictor that moves it.
        """
        if fit.problem:
            raise RegressionError("the model has no estimates", got=fit.problem)
        axes = []
        for one in fit.design.predictors:
            effects = [item.estimate for item in fit.coefficients if item.predictor == one.name]
            if one.levels is None:
                axes.append(NomogramAxis(one.name, effects[0] / one.unit, one.low, one.high))
            else:
                codes = tuple(zip(one.levels, [0.0, *effects], strict=True))
                values = [code for _, code in codes]
                axes.append(NomogramAxis(one.name, 1.0, min(values), max(values), codes))
        if not any(axis.reach > 0.0 for axis in axes):
            raise RegressionError("no predictor moves the model")
        return Nomogram(fit.positive, fit.intercept, tuple(axes))

    @staticmethod
    def of_formula(formula: LinearFormula, table: pd.DataFrame) -> Nomogram:
        """Turn the formula of a linear model into points.

        Parameters
        ----------
        formula : LinearFormula
            Calibrated by a sigmoid.
        table : DataFrame
            Training rows, whose ranges the axes span; features that do not vary there have no axis.

        Returns
        -------
        Nomogram
            Its numbers; the probabilities are those of the formula.

        Raises
        ------
        RegressionError
            If the formula has no sigmoid, or no feature that moves it.
        """
        if not isinstance(formula.calibration, Sigmoid):
            raise RegressionError(
                "a nomogram needs a sigmoid from the score to the probability",
                where=formula.name,
                got=type(formula.calibration).__name__,
                do="calibrate the model by 'sigmoid'",
            )
        slope, intercept = formula.calibration.slope, formula.intercept
        axes = []
        for term in formula.terms:
            values = table[term.feature].to_numpy(dtype=np.float64)
            low, high = float(np.nanmin(values)), float(np.nanmax(values))
            if low < high and term.coefficient != 0.0:
                axes.append(NomogramAxis(term.feature, slope * term.coefficient, low, high))
            else:
                intercept += term.coefficient * low
        if not axes:
            raise RegressionError("no feature moves the formula", where=formula.name)
        return Nomogram(formula.positive, slope * intercept + formula.calibration.offset, tuple(axes))

    @property
    def log_odds_per_point(self) -> float:
        """Change of the log odds for one point."""
        return max(axis.reach for axis in self.axes) / FULL_POINTS

    @property
    def full_total(self) -> float:
        """Points of a patient who has the most of each predictor."""
        return sum(axis.reach for axis in self.axes) / self.log_odds_per_point

    def points(self, table: pd.DataFrame) -> pd.DataFrame:
        """Count the points of patients.

        Parameters
        ----------
        table : DataFrame of shape (n_rows, n_columns)
            Rows with every predictor. Values beyond an axis have points beyond it.

        Returns
        -------
        DataFrame of shape (n_rows, n_predictors + 2)
            Points by predictor, ``total`` and ``probability``.

        Raises
        ------
        RegressionError
            If a value is missing, or no level of its predictor.
        """
        parts = {axis.name: self._points(axis, table[axis.name]) for axis in self.axes}
        result = pd.DataFrame(parts, index=table.index)
        total = result.sum(axis=1)
        return result.assign(total=total, probability=[self.probability(value) for value in total.tolist()])

    def _points(self, axis: NomogramAxis, column: pd.Series) -> pd.Series:
        if axis.levels:
            codes = dict(axis.levels)
            names = as_text(column.to_numpy(dtype=object), f"value of {axis.name!r}")
            numbers = pd.Series([codes.get(name, np.nan) for name in names.tolist()], index=column.index)
        else:
            numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
        if not np.isfinite(numbers).all():
            raise RegressionError(
                "values without points", where=axis.name, got=f"{int((~np.isfinite(numbers)).sum())}"
            )
        return (axis.coef * numbers - axis.lowest) / self.log_odds_per_point

    def probability(self, total: float) -> float:
        """Return the probability for a sum of points.

        Parameters
        ----------
        total : float
            Total points.

        Returns
        -------
        float
            Probability of the positive value.
        """
        log_odds = self.intercept + sum(axis.lowest for axis in self.axes) + total * self.log_odds_per_point
        return 0.5 * (1.0 + math.tanh(0.5 * log_odds))

    def total(self, probability: float) -> float:
        """Return the sum of points for a probability.

        Parameters
        ----------
        probability : float
            Between 0 and 1.

        Returns
        -------
        float
            Total points; below 0 or above `full_total` where no patient of the model's ranges comes.
        """
        log_odds = math.log(probability / (1.0 - probability))
        return (log_odds - self.intercept - sum(axis.lowest for axis in self.axes)) / self.log_odds_per_point

    def scales(self) -> pd.DataFrame:
        """Return the tick marks of every line.

        Returns
        -------
        DataFrame
            ``axis`` (a predictor, or ``probability``), ``value`` (as text) and ``points``: of the predictor, or
            the total that belongs to the probability.
        """
        rows: list[tuple[str, str, float]] = []
        for axis in self.axes:
            marks = axis.levels or tuple((f"{value:g}", value) for value in ticks(axis.low, axis.high))
            for text, value in marks:
                rows.append((axis.name, text, (axis.coef * value - axis.lowest) / self.log_odds_per_point))
        for probability in PROBABILITIES:
            total = self.total(probability)
            if 0.0 <= total <= self.full_total:
                rows.append(("probability", f"{probability:g}", total))
        return pd.DataFrame(rows, columns=["axis", "value", "points"])


def ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Return round numbers that span a range.

    Parameters
    ----------
    low, high : float
        The range.
    wanted : int, default=6
        About how many steps.

    Returns
    -------
    list of float
        Round numbers within the range, and its ends.

    Examples
    --------
    >>> ticks(55, 90)
    [55.0, 60.0, 65.0, 70.0, 75.0, 80.0, 85.0, 90.0]
    >>> ticks(0.013, 0.06)
    [0.013, 0.02, 0.03, 0.04, 0.05, 0.06]
    """
    size = 10.0 ** math.floor(math.log10((high - low) / wanted))
    step = min((base * size for base in _STEPS), key=lambda one: abs((high - low) / one - wanted))
    first, last = math.floor(low / step) + 1, math.ceil(high / step) - 1
    inner = [float(f"{number * step:.12g}") for number in range(first, last + 1)]
    return [float(low), *inner, float(high)]
