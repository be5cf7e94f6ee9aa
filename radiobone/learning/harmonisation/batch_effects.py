"""The location and scale model of ComBat on arrays: fit it on some rows, take it out of others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.learning.harmonisation.shrinkage import (
    mean_only_posterior,
    nonparametric_posterior,
    parametric_posterior,
)

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

# A spread below this share of the largest value is rounding: the column is constant.
_ROUNDING = 1e-12


def design_matrix(batch_of_row: Codes, n_batches: int, dummies: Array) -> Array:
    """Put the membership of batches beside coded covariates.

    Parameters
    ----------
    batch_of_row : ndarray of int, shape (n_rows,)
        Number of each row's batch.
    n_batches : int
        Number of batches.
    dummies : ndarray of shape (n_rows, n_dummies)
        Coded covariates.

    Returns
    -------
    ndarray of shape (n_rows, n_batches + n_dummies)
        The design; it has no intercept, which the batches hold.
    """
    return np.column_stack([(batch_of_row[:, None] == np.arange(n_batches)).astype(np.float64), dummies])


def is_full_rank(design: Array) -> bool:
    """Tell whether each column of a design has an effect of its own.

    Parameters
    ----------
    design : ndarray of shape (n_rows, n_columns)
        The design.

    Returns
    -------
    bool
        False if some column is a sum of others.
    """
    return bool(len(design) and np.linalg.matrix_rank(design) == design.shape[1])


@dataclass(frozen=True, eq=False)
class BatchEffects:
    """What batches and covariates do to each column.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_columns,)
        Mean over the batches (or of the reference) and pooled standard deviation about the fit.
    coef : ndarray of shape (n_dummies, n_columns)
        Effects of the coded covariates.
    shift, variance : ndarray of shape (n_batches, n_columns)
        Shrunken shift and variance of each batch, in units of ``scale``; 0 and 1 for a reference.
    harmonised : ndarray of bool, shape (n_columns,)
        False for columns that pass as they are.
    reference : int
        Number of the batch that passes as it is, or -1.
    """

    mean: Array
    scale: Array
    coef: Array
    shift: Array
    variance: Array
    harmonised: NDArray[np.bool_]
    reference: int = -1

    @staticmethod
    def none(n_batches: int, n_dummies: int, n_columns: int, reference: int = -1) -> BatchEffects:
        """Return effects that change nothing.

        Parameters
        ----------
        n_batches, n_dummies, n_columns : int
            Their sizes.
        reference : int, default -1
            Number of the batch that passes as it is, or -1.

        Returns
        -------
        BatchEffects
            No column is harmonised.
        """
        return BatchEffects(
            mean=np.zeros(n_columns),
            scale=np.ones(n_columns),
            coef=np.zeros((n_dummies, n_columns)),
            shift=np.zeros((n_batches, n_columns)),
            variance=np.ones((n_batches, n_columns)),
            harmonised=np.zeros(n_columns, dtype=bool),
            reference=reference,
        )

    @staticmethod
    def of(
        values: Array, batch_of_row: Codes, dummies: Array, *, parametric: bool, mean_only: bool, reference: int
    ) -> BatchEffects:
        """Estimate the effects; each column on the rows that have it.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            Training rows; missing values are NaN.
        batch_of_row : ndarray of int, shape (n_rows,)
            Number of each row's batch.
        dummies : ndarray of shape (n_rows, n_dummies)
            Coded covariates, not confounded with the batches.
        parametric, mean_only : bool
            Which priors; whether variances are left alone.
        reference : int
            Number of the batch that passes as it is, or -1.

        Returns
        -------
        BatchEffects
            The effects.
        """
        n_batches = int(batch_of_row.max()) + 1
        design = design_matrix(batch_of_row, n_batches, dummies)
        effects = BatchEffects.none(n_batches, dummies.shape[1], values.shape[1], reference)
        present = ~np.isnan(values)
        patterns, pattern_of = np.unique(present, axis=1, return_inverse=True)
        for number in range(patterns.shape[1]):
            rows, columns = patterns[:, number], np.flatnonzero(pattern_of == number)
            n_here = design[rows, :n_batches].sum(axis=0)
            if n_here.min() >= (1 if mean_only else 2) and is_full_rank(design[rows]):
                effects._standardise(values[np.ix_(rows, columns)], design[rows], columns, mean_only)
        effects._shrink(values, batch_of_row, dummies, parametric, mean_only)
        return effects

    def _standardise(self, values: Array, design: Array, columns: Codes, mean_only: bool) -> None:
        """Fit mean, covariate effects and pooled spread of columns that are missing in the same rows."""
        n_batches = len(self.shift)
        middle = values.mean(axis=0)
        effects = np.linalg.lstsq(design, values - middle, rcond=None)[0]
        squares = (values - middle - design @ effects) ** 2
        members = design[:, :n_batches] == 1.0
        if self.reference >= 0:
            mean, variance = effects[self.reference], squares[members[:, self.reference]].mean(axis=0)
        else:
            mean, variance = members.mean(axis=0) @ effects[:n_batches], squares.mean(axis=0)
        scale = np.sqrt(variance)
        usable = scale > _ROUNDING * np.abs(values).max(axis=0)
        if not mean_only:
            usable &= np.all([np.ptp(values[rows], axis=0) > 0.0 for rows in members.T], axis=0)
        chosen = columns[usable]
        self.harmonised[chosen] = True
        self.mean[chosen], self.scale[chosen] = (middle + mean)[usable], scale[usable]
        self.coef[:, chosen] = effects[n_batches:, usable]

    def _shrink(
        self, values: Array, batch_of_row: Codes, dummies: Array, parametric: bool, mean_only: bool
    ) -> None:
        """Estimate each batch's shift and variance, and shrink them over the harmonised columns."""
        chosen = self.harmonised
        standard = ((values - self.mean - dummies @ self.coef) / self.scale)[:, chosen]
        for number in range(len(self.shift)):
            if number == self.reference or not chosen.any():
                continue
            rows = standard[batch_of_row == number]
            n = (~np.isnan(rows)).sum(axis=0).astype(np.float64)
            shift, variance = np.nansum(rows, axis=0) / n, np.ones(rows.shape[1])
            if not mean_only:
                variance = np.nansum((rows - shift) ** 2, axis=0) / (n - 1.0)
            if chosen.sum() > 1:  # one column has no prior to be drawn to
                if not parametric:
                    shift, variance = nonparametric_posterior(shift, variance, n)
                elif mean_only:
                    shift = mean_only_posterior(shift)
                else:
                    shift, variance = parametric_posterior(shift, variance, n)
            self.shift[number, chosen] = shift
            self.variance[number, chosen] = 1.0 if mean_only else variance

    def remove(self, values: Array, batch_of_row: Codes, dummies: Array) -> Array:
        """Take the effects of batches out of rows.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            Rows; missing values stay missing.
        batch_of_row : ndarray of int, shape (n_rows,)
            Number of each row's batch; -1 for rows that pass as they are.
        dummies : ndarray of shape (n_rows, n_dummies)
            Coded covariates.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            The harmonised rows.
        """
        result = values.copy()
        expected = self.mean + dummies @ self.coef
        for number in np.unique(batch_of_row):
            if number in (-1, self.reference):
                continue
            rows = batch_of_row == number
            noise = (values[rows] - expected[rows]) / self.scale - self.shift[number]
            aligned = noise / np.sqrt(self.variance[number]) * self.scale + expected[rows]
            result[rows] = np.where(self.harmonised, aligned, values[rows])
        return result
