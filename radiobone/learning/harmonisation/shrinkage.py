"""Empirical Bayes for shift and variance of one batch: each column's own values, drawn towards all columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Columns weighed at a time against all others: memory stays linear in the number of columns.
_BLOCK = 256

# The posterior is a fixed point; it is followed to the last digits, so that no tolerance enters the results.
_TOLERANCE = 1e-13
_MAX_STEPS = 10_000


def parametric_posterior(shift: Array, variance: Array, n: Array) -> tuple[Array, Array]:
    """Shrink shifts and variances of one batch towards priors whose parameters its columns give.

    Parameters
    ----------
    shift, variance : ndarray of shape (n_columns,)
        Mean and variance (divided by n - 1) of the standardised values of the batch, by column.
    n : ndarray of shape (n_columns,)
        Number of values that each rests on.

    Returns
    -------
    shift, variance : ndarray of shape (n_columns,)
        Posterior means.

    Notes
    -----
    Johnson, Li and Rabinovic (Biostatistics 2007), section 3.2: a normal prior for shifts and an inverse gamma one
    for variances, their parameters by the method of moments over the columns. Where all columns agree, a prior is
    a point, and the posterior lies on it.
    """
    mean, spread = shift.mean(), shift.var(ddof=1)
    centre, width = variance.mean(), variance.var(ddof=1)
    new_shift, new_variance = shift.copy(), variance.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, scale = 2.0 + centre**2 / width, centre + centre**3 / width
    for _ in range(_MAX_STEPS):
        last_shift, last_variance = new_shift, new_variance
        new_shift = (n * spread * shift + last_variance * mean) / (n * spread + last_variance)
        # The sum of squares about the new shift, from that about the batch's own mean.
        squares = (n - 1.0) * variance + n * (shift - new_shift) ** 2
        if width > 0.0 and np.isfinite(rate):
            new_variance = (scale + squares / 2.0) / (n / 2.0 + rate - 1.0)
        else:
            new_variance = np.full_like(variance, centre)
        moved = np.abs(new_shift - last_shift) + np.abs(new_variance / last_variance - 1.0)
        if moved.max() <= _TOLERANCE:
            break
    return new_shift, new_variance


def mean_only_posterior(shift: Array) -> Array:
    """Shrink shifts of one batch towards their mean over the columns, where variances are left alone.

    Parameters
    ----------
    shift : ndarray of shape (n_columns,)
        Mean of the standardised values of the batch, by column.

    Returns
    -------
    ndarray of shape (n_columns,)
        Posterior means.

    Notes
    -----
    As in sva, a batch's mean counts as one observation of variance one, however many rows it has, so that small
    differences between batches are shrunk more than with variances.
    """
    spread = shift.var(ddof=1)
    posterior: Array = (spread * shift + shift.mean()) / (spread + 1.0)
    return posterior


def nonparametric_posterior(shift: Array, variance: Array, n: Array) -> tuple[Array, Array]:
    """Shrink shifts and variances of one batch towards those of other columns that fit its rows as well.

    Parameters
    ----------
    shift, variance : ndarray of shape (n_columns,)
        Mean and variance (divided by n - 1) of the standardised values of the batch, by column.
    n : ndarray of shape (n_columns,)
        Number of values that each rests on.

    Returns
    -------
    shift, variance : ndarray of shape (n_columns,)
        Means over all other columns, weighed by the likelihood that these give to the column's values.

    Notes
    -----
    Johnson, Li and Rabinovic, supplement. Likelihoods are compared as logarithms, which neither vanish for large
    batches nor need to be replaced by zero.
    """
    n_columns = shift.size
    new_shift, new_variance = np.empty(n_columns), np.empty(n_columns)
    for start in range(0, n_columns, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n_columns))
        size = n[rows, None]
        squares = (size - 1.0) * variance[rows, None] + size * (shift[rows, None] - shift[None, :]) ** 2
        log_weight = -0.5 * (size * np.log(variance)[None, :] + squares / variance[None, :])
        log_weight[np.arange(log_weight.shape[0]), np.arange(rows.start, rows.stop)] = -np.inf
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        new_shift[rows], new_variance[rows] = weight @ shift, weight @ variance
    return new_shift, new_variance
