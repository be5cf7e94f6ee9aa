"""Separation: predictors that tell the outcome without error, so that a logistic model has no estimate."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Separation = Literal["none", "quasi", "complete"]

# Rounding of the linear programme.
_TOLERANCE = 1e-7


def separation(design: NDArray[np.float64], positive: NDArray[np.bool_]) -> Separation:
    """Tell whether some weighted sum of columns parts the outcomes.

    Parameters
    ----------
    design : ndarray of shape (n_rows, n_columns)
        Coded predictors, without an intercept.
    positive : ndarray of bool, shape (n_rows,)
        The outcome.

    Returns
    -------
    {"none", "quasi", "complete"}
        ``complete`` if a sum is higher in every positive row than in any other, ``quasi`` if some of both lie
        together on the border and no row beyond it; in both cases no maximum likelihood estimate exists.

    Notes
    -----
    Albert and Anderson, Biometrika 71:1 (1984), found by linear programming (Konis, thesis, Oxford 2007): the
    largest sum of margins under the condition that none is negative.

    Examples
    --------
    >>> import numpy as np
    >>> hu = np.array([[60.0], [80.0], [90.0], [120.0]])
    >>> separation(hu, np.array([True, True, False, False]))
    'complete'
    >>> separation(hu, np.array([True, False, True, False]))
    'none'
    """
    from scipy.optimize import linprog

    n_rows, n_columns = design.shape
    spread = design.std(axis=0)
    standard = (design - design.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    sides = np.column_stack([np.ones(n_rows), standard]) * np.where(positive, 1.0, -1.0)[:, None]
    bounds = [(-1.0, 1.0)] * (n_columns + 1)
    best = linprog(-sides.sum(axis=0), A_ub=-sides, b_ub=np.zeros(n_rows), bounds=bounds)
    if -best.fun <= _TOLERANCE * n_rows:
        return "none"
    # The widest margin that every row can have.
    margin = linprog(
        np.concatenate([np.zeros(n_columns + 1), [-1.0]]),
        A_ub=np.column_stack([-sides, np.ones(n_rows)]),
        b_ub=np.zeros(n_rows),
        bounds=[*bounds, (0.0, None)],
    )
    return "complete" if -margin.fun > _TOLERANCE else "quasi"
