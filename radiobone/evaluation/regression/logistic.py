"""Logistic regression as clinical papers report it (maximum likelihood, by statsmodels)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
from radiobone.evaluation.regression.separation import separation
from radiobone.evaluation.statistics.estimates import check_fraction
from radiobone.learning.harmonisation.covariates import as_text

EVENTS_PER_VARIABLE = 10.0
"""Below this, coefficients are unreliable (Peduzzi et al., J Clin Epidemiol 49:1373, 1996)."""


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """A logistic regression.

    Parameters
    ----------
    outcome, positive, negative : str
        The outcome's column, the value whose odds are told, and the values against which.
    design : Design
        Predictors and rows.
    n_positive : int
        Rows with the positive value.
    level : float
        Level of the intervals.
    intercept : float
        Log odds where every number is zero and every category is at its reference.
    coefficients : tuple of Coefficient
        In the order of the predictors.
    covariance : ndarray of shape (n_terms + 1, n_terms + 1)
        Of intercept and coefficients.
    log_likelihood : float
        Of the model; NaN where it has no estimate.
    problem : str
        Why there are no estimates (separation, no convergence); empty if there are.
    notes : tuple of str
        What a reader should know: rows left out, clusters, events per variable, the problem.
    """

    outcome: str
    positive: str
    negative: str
    design: Design
    n_positive: int
    level: float
    intercept: float
    coefficients: tuple[Coefficient, ...]
    covariance: Array
    log_likelihood: float
    problem: str
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Rows in the model."""
        return len(self.design.rows)

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2.0 * (len(self.coefficients) + 1) - 2.0 * self.log_likelihood

    @property
    def events_per_variable(self) -> float:
        """Rows of the rarer outcome for each coefficient."""
        return min(self.n_positive, self.n - self.n_positive) / max(len(self.coefficients), 1)

    def linear_predictor(self, table: pd.DataFrame) -> pd.Series:
        """Compute the log odds of rows.

        Parameters
        ----------
        table : DataFrame
            Rows with every predictor.

        Returns
        -------
        Series of shape (n_rows,)
            Log odds of the positive value.

        Raises
        ------
        RegressionError
            If the model has no estimates, or a value is missing or unknown.
        """
        if self.problem:
            raise RegressionError("the model has no estimates", got=self.problem)
        parts = [one.columns(table[one.name].to_numpy(dtype=object)) for one in self.design.predictors]
        matrix = np.column_stack([np.empty((len(table), 0)), *parts])
        log_odds = self.intercept + matrix @ np.array(
            [one.estimate for one in self.coefficients], dtype=np.float64
        )
        return pd.Series(log_odds, index=table.index, name="log_odds")

    def probability(self, table: pd.DataFrame) -> pd.Series:
        """Compute the probability of the positive value of rows.

        Parameters
        ----------
        table : DataFrame
            Rows with every predictor.

        Returns
        -------
        Series of shape (n_rows,)
            Probabilities.
        """
        log_odds = self.linear_predictor(table)
        return pd.Series(
            0.5 * (1.0 + np.tanh(0.5 * log_odds.to_numpy())), index=table.index, name=f"p_{self.positive}"
        )

    def table(self) -> pd.DataFrame:
        """Return one row for each coefficient.

        Returns
        -------
        DataFrame
            ``predictor``, ``level``, ``reference``, ``unit``, ``odds_ratio``, ``low``, ``high``, ``p``.
        """
        rows = [
            (one.predictor, one.level, one.reference, one.unit, *one.odds_ratio, one.p)
            for one in self.coefficients
        ]
        names = ["predictor", "level", "reference", "unit", "odds_ratio", "low", "high", "p"]
        return pd.DataFrame(rows, columns=names)


def logistic_regression(
    table: pd.DataFrame,
    outcome: str,
    predictors: Sequence[str],
    *,
    positive: Any,
    references: Mapping[str, Any] | None = None,
    units: Mapping[str, float] | None = None,
    groups: str | None = None,
    level: float = 0.95,
) -> LogisticFit:
    """Fit a logistic regression by maximum likelihood.

    Parameters
    ----------
    table : DataFrame
        One row for each patient (or vertebra, with ``groups``).
    outcome : str
        Column of the outcome.
    predictors : sequence of str
        Columns of the predictors: text, category and boolean ones as dummy variables, numbers as they are. None at
        all gives the model of the intercept.
    positive : object
        The value of the outcome whose odds are told; all other values are the negative side.
    references : mapping of str to object, optional
        Reference level by categorical predictor; by default the first category, or the first in sorted order.
    units : mapping of str to float, optional
        Step by numeric predictor, such as ``{"age": 10}``; by default 1.
    groups : str, optional
        Column of the patient, where patients have several rows: standard errors are then clustered by it.
    level : float, default=0.95
        Level of the intervals.

    Returns
    -------
    LogisticFit
        With Wald intervals and p-values. Rows that lack a value are left out, and counted.

    Raises
    ------
    RegressionError
        If columns are missing, a predictor is constant or the sum of others, the outcome has one side only, or all
        rows are of one group.
    UsageError
        If the level is not between 0 and 1.

    Notes
    -----
    Under separation no estimate exists, and a programme that prints one prints where it stopped: the fit then has
    a ``problem`` and NaN.
    """
    check_fraction("level", level)
    design = build_design(table, outcome, predictors, references=references, units=units)
    values = as_text(table[outcome].iloc[design.rows].to_numpy(dtype=object), "outcome")
    wanted = str(as_text([positive], "positive")[0])
    is_positive = values == wanted
    others = sorted(set(values.tolist()) - {wanted})
    if not others or not is_positive.any():
        raise RegressionError(
            "the outcome has one side only among the complete rows",
            where=outcome,
            got=", ".join(sorted(set(values.tolist()))),
            expected=f"{wanted} and another value",
        )
    check_independent(design)
    clusters = cluster_codes(table, groups, design)
    problem = _separated(design, is_positive)
    estimate = Estimate.none(design.matrix.shape[1])
    if not problem:
        estimate, problem = _fit_logit(design.matrix, is_positive, clusters)
    return LogisticFit(
        outcome=outcome,
        positive=wanted,
        negative=" or ".join(others),
        design=design,
        n_positive=int(is_positive.sum()),
        level=level,
        intercept=float(estimate.values[0]),
        coefficients=describe(design, estimate, level),
        covariance=estimate.covariance,
        log_likelihood=estimate.log_likelihood,
        problem=problem,
        notes=(
            *row_notes(design, groups, clusters),
            *_epv_notes(design, int(is_positive.sum())),
            *([problem] if problem else []),
        ),
    )


def _fit_logit(
    matrix: Array, positive: NDArray[np.bool_], clusters: NDArray[np.intp] | None
) -> tuple[Estimate, str]:
    """Fit by Newton's method; return the estimate and the problem, if any."""
    import statsmodels.api as sm

    standard, back = standardise(matrix)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is asked for below
        try:
            result = sm.Logit(positive.astype(np.float64), standard).fit(
                method="newton", maxiter=100, tol=1e-12, disp=0, **cluster_options(clusters)
            )
        except np.linalg.LinAlgError:
            return Estimate.none(matrix.shape[1]), "the fit did not converge: its information matrix is singular"
    covariance = back @ result.cov_params() @ back.T
    if not result.mle_retvals["converged"] or not np.isfinite(covariance).all():
        return Estimate.none(matrix.shape[1]), "the fit did not converge"
    return Estimate(back @ result.params, covariance, float(result.llf)), ""


def _epv_notes(design: Design, n_positive: int) -> list[str]:
    n_terms = design.matrix.shape[1]
    ratio = min(n_positive, len(design.rows) - n_positive) / max(n_terms, 1)
    if not n_terms or ratio >= EVENTS_PER_VARIABLE:
        return []
    return [
        f"{ratio:.1f} events for each of {n_terms} coefficients (fewer than {EVENTS_PER_VARIABLE:g}): "
        "estimates tend to be too large, and intervals are unreliable"
    ]


def _separated(design: Design, positive: NDArray[np.bool_]) -> str:
    """Say which predictors part the outcomes; nothing if none do."""
    if not design.matrix.shape[1]:
        return ""
    kind = separation(design.matrix, positive)
    if kind == "none":
        return ""
    names = np.array([predictor.name for predictor, _ in design.terms])
    alone = [
        one.name
        for one in design.predictors
        if separation(design.matrix[:, names == one.name], positive) != "none"
    ]
    by = ", ".join(alone) or "a combination of predictors"
    return f"{kind} separation by {by}: no maximum likelihood estimate exists"
