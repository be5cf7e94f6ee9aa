"""Entropies of counts, as PyRadiomics rounds them: every probability p enters its logarithm as p + eps."""

from __future__ import annotations

import math

import numpy as np

from radiobone.features.radiomics.kernels.jit import jit

EPS = 2.0**-52
"""PyRadiomics' guard against log2(0): the spacing of float64 at 1."""

EPS_BITS = EPS / math.log(2.0)
"""What EPS adds to each ``p log2(p + eps)`` with p > 0, to first order in eps / p."""

TABLE_SIZE = 4096
_COUNTS = np.arange(TABLE_SIZE, dtype=np.float64)
TABLE = _COUNTS * np.log2(np.maximum(_COUNTS, 1.0))
"""``c log2(c)`` of the counts that are met most: looking it up is faster than a logarithm."""


@jit
def count_log(count: float) -> float:
    """Return ``c log2(c)`` of a positive count; a weighted one need not be whole."""
    if count < TABLE_SIZE:
        whole = int(count)
        if whole == count:
            return float(TABLE[whole])
    return count * math.log2(count)


@jit
def entropy(log_sum: float, total: float, filled: float) -> float:
    """Return ``-sum(p log2(p + eps))`` over p = c / total.

    Parameters
    ----------
    log_sum : float
        The sum of ``c log2(c)``.
    total : float
        The sum of c.
    filled : float
        The number of positive counts. With a single one the entropy is that of certainty, without rounding.
    """
    if filled == 1.0:
        return -EPS_BITS
    return math.log2(total) - log_sum / total - filled * EPS_BITS
