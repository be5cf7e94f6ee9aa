"""What regressions have in common: coefficients with intervals, scales, clusters and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.evaluation.regression.predictors import Design, RegressionError
from radiobone.learning.harmonisation.covariates import as_text

Array = NDArray[np.float64]

NAN = float("nan")

# How many clusters a sandwich estimate needs before it is worth its name.
_FEW_CLUSTERS = 30


@dataclass(frozen=True)
class Coefficient:
    """One row of a regression table.

    Parameters
    ----------
    predictor : str
        Its column.
    level, reference : str or None
        Level of a categorical predictor, and the level that it is compared with; None for numbers.
    unit : float
        Step of a numeric predictor that the estimate is told for.
    estimate, se : float
        Log odds ratio (or difference, in linear regression) and its standard error; NaN where there is none.
    low, high : float
        Wald interval of the estimate.
    p : float
        Two-sided p-value (Wald).
    """

    predictor: str
    level: str | None
    reference: str | None
    unit: float
    estimate: float
    se: float
    low: float
    high: float
    p: float

    @property
    def odds_ratio(self) -> tuple[float, float, float]:
        """Odds ratio and its interval, of a logistic model."""
        with np.errstate(over="ignore"):
            ratio, low, high = np.exp([self.estimate, self.low, self.high]).tolist()
        return ratio, low, high


@dataclass(frozen=True, eq=False)
class Estimate:
    """Intercept and coefficients in the units of the design.

    Parameters
    ----------
    values : ndarray of shape (n_terms + 1,)
        The intercept first.
    covariance : ndarray of shape (n_terms + 1, n_terms + 1)
        Their covariance.
    log_likelihood : float
        Of the model.
    df : float
        Degrees of freedom of intervals and p-values; infinite for normal ones.
    """

    values: Array
    covariance: Array
    log_likelihood: float
    df: float = np.inf

    @staticmethod
    def none(n_terms: int) -> Estimate:
        """Return an estimate that is missing throughout.

        Parameters
        ----------
        n_terms : int
            Number of coefficients.

        Returns
        -------
        Estimate
            Of NaN.
        """
        return Estimate(np.full(n_terms + 1, NAN), np.full((n_terms + 1, n_terms + 1), NAN), NAN)


def standardise(matrix: Array) -> tuple[Array, Array]:
    """Bring columns to one scale, on which any units are fitted equally well.

    Parameters
    ----------
    matrix : ndarray of shape (n_rows, n_terms)
        Coded predictors, none of them constant.

    Returns
    -------
    standard : ndarray of shape (n_rows, n_terms + 1)
        An intercept and standardised columns.
    back : ndarray of shape (n_terms + 1, n_terms + 1)
        What takes their estimates back to raw units.
    """
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    standard = np.column_stack([np.ones(len(matrix)), (matrix - centre) / spread])
    back = np.diag(np.concatenate([[1.0], 1.0 / spread]))
    back[0, 1:] = -centre / spread
    return standard, back


def cluster_options(clusters: NDArray[np.intp] | None) -> dict[str, Any]:
    """Return what statsmodels wants to hear of clusters.

    Parameters
    ----------
    clusters : ndarray of int, shape (n_rows,) or None
        Cluster of each row.

    Returns
    -------
    dict
        Options of ``fit``.
    """
    if clusters is None:
        return {}
    return {"cov_type": "cluster", "cov_kwds": {"groups": clusters}}


def describe(design: Design, estimate: Estimate, level: float) -> tuple[Coefficient, ...]:
    """Describe the estimates of a design.

    Parameters
    ----------
    design : Design
        Predictors and rows.
    estimate : Estimate
        The estimates.
    level : float
        Level of the intervals.

    Returns
    -------
    tuple of Coefficient
        Without the intercept.
    """
    from scipy import stats

    errors = np.sqrt(np.diag(estimate.covariance))
    reach = float(stats.t.ppf(0.5 + level / 2.0, estimate.df))
    found = []
    for number, (predictor, name) in enumerate(design.terms, start=1):
        value, se = float(estimate.values[number]), float(errors[number])
        found.append(
            Coefficient(
                predictor=predictor.name,
                level=name,
                reference=None if predictor.levels is None else predictor.levels[0],
                unit=predictor.unit,
                estimate=value,
                se=se,
                low=value - reach * se,
                high=value + reach * se,
                p=float(2.0 * stats.t.sf(abs(value) / se, estimate.df)),
            )
        )
    return tuple(found)


def cluster_codes(table: pd.DataFrame, groups: str | None, design: Design) -> NDArray[np.intp] | None:
    """Give a design's rows the numbers of their clusters.

    Parameters
    ----------
    table : DataFrame
        All rows.
    groups : str or None
        Column of the cluster.
    design : Design
        Predictors and rows.

    Returns
    -------
    ndarray of int or None
        One for each row of the design.

    Raises
    ------
    RegressionError
        If there is no such column, or it has one value only: a single cluster has no variance between clusters.
    """
    if groups is None:
        return None
    if groups not in table.columns:
        raise RegressionError("no such column of groups", got=groups)
    names = as_text(table[groups].iloc[design.rows].to_numpy(dtype=object), "group")
    codes: NDArray[np.intp] = np.unique(names, return_inverse=True)[1]
    if not codes.any():
        raise RegressionError(
            "all rows are of one group, so that standard errors cannot be clustered",
            where=groups,
            got=str(names[0]),
            expected="two groups or more",
            do="leave groups out, or name the column of the patient",
        )
    return codes


def row_notes(design: Design, groups: str | None, clusters: NDArray[np.intp] | None) -> list[str]:
    """Say which rows a model rests on.

    Parameters
    ----------
    design : Design
        Predictors and rows.
    groups : str or None
        Column of the cluster.
    clusters : ndarray of int or None
        Cluster of each row.

    Returns
    -------
    list of str
        Notes on rows that were left out, and on clusters.
    """
    notes = []
    if design.n_missing:
        total = design.n_missing + len(design.rows)
        notes.append(f"{design.n_missing} of {total} rows lack a value and are left out (complete cases)")
    if clusters is not None:
        n_clusters = int(clusters.max()) + 1
        few = "; so few make them too small" if n_clusters < _FEW_CLUSTERS else ""
        notes.append(f"standard errors are clustered by {groups} ({n_clusters} clusters{few})")
    return notes
