"""Linear regression as clinical papers report it (least squares, by statsmodels)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from radiobone.evaluation.regression.coefficients import (
    Array,
    Coefficient,
    Estimate,
    cluster_codes,
    cluster_options,
    describe,
    row_notes,
    standardise,
)
from radiobone.evaluation.regression.predictors import Design, RegressionError, build_design, check_independent
from radiobone.evaluation.statistics.estimates import check_fraction
from radiobone.learning.harmonisation.covariates import as_numbers


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A linear regression by least squares.

    Parameters
    ----------
    outcome : str
        Column of the outcome.
    design : Design
        Predictors and rows.
    level : float
        Level of the intervals.
    intercept : float
        Outcome where every number is zero and every category is at its reference.
    coefficients : tuple of Coefficient
        With t intervals and p-values (normal ones, if clustered).
    covariance : ndarray of shape (n_terms + 1, n_terms + 1)
        Of intercept and coefficients.
    r2, adjusted_r2 : float
        Share of the variance explained, and adjusted for the number of coefficients.
    notes : tuple of str
        What a reader should know.
    """

    outcome: str
    design: Design
    level: float
    intercept: float
    coefficients: tuple[Coefficient, ...]
    covariance: Array
    r2: float
    adjusted_r2: float
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Rows in the model."""
        return len(self.design.rows)

    def table(self) -> pd.DataFrame:
        """Return one row for each coefficient.

        Returns
        -------
        DataFrame
            ``predictor``, ``level``, ``reference``, ``unit``, ``estimate``, ``low``, ``high``, ``p``.
        """
        names = ["predictor", "level", "reference", "unit", "estimate", "low", "high", "p"]
        return pd.DataFrame([[getattr(one, name) for name in names] for one in self.coefficients], columns=names)


def linear_regression(
    table: pd.DataFrame,
    outcome: str,
    predictors: Sequence[str],
    *,
    references: Mapping[str, Any] | None = None,
    units: Mapping[str, float] | None = None,
    groups: str | None = None,
    level: float = 0.95,
) -> LinearFit:
    """Fit a linear regression, such as of a T-score on features.

    Parameters
    ----------
    table : DataFrame
        One row for each patient (or vertebra, with ``groups``).
    outcome : str
        Column of the outcome, of numbers.
    predictors : sequence of str
        Columns of the predictors, as for `logistic_regression`.
    references, units, groups, level
        As for `logistic_regression`.

    Returns
    -------
    LinearFit
        Rows that lack a value are left out, and counted.

    Raises
    ------
    RegressionError
        If columns are missing, a predictor is constant or the sum of others, the outcome is no number, or rows are
        no more than coefficients, or all of one group.
    UsageError
        If the level is not between 0 and 1.
    """
    import statsmodels.api as sm

    check_fraction("level", level)
    design = build_design(table, outcome, predictors, references=references, units=units)
    values = as_numbers(table[outcome].iloc[design.rows].to_numpy(dtype=object))
    if values is None or not np.isfinite(values).all():
        raise RegressionError("the outcome is no number", where=outcome)
    check_independent(design)
    if len(values) <= design.matrix.shape[1] + 1:
        raise RegressionError("too few rows for the coefficients", got=f"{len(values)} rows")
    clusters = cluster_codes(table, groups, design)
    standard, back = standardise(design.matrix)
    result = sm.OLS(values, standard).fit(**cluster_options(clusters))
    estimate = Estimate(
        back @ result.params,
        back @ result.cov_params() @ back.T,
        float(result.llf),
        float(result.df_resid) if clusters is None else np.inf,
    )
    return LinearFit(
        outcome=outcome,
        design=design,
        level=level,
        intercept=float(estimate.values[0]),
        coefficients=describe(design, estimate, level),
        covariance=estimate.covariance,
        r2=float(result.rsquared),
        adjusted_r2=float(result.rsquared_adj),
        notes=tuple(row_notes(design, groups, clusters)),
    )
