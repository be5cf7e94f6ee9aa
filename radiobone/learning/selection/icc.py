"""Intraclass correlation of repeated measurements, for many columns at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from radiobone.learning.data import DataError

Array = NDArray[np.float64]

IccForm = Literal["1,1", "2,1", "3,1"]
"""Shrout and Fleiss' names of the forms for a single measurement."""


@dataclass(frozen=True, eq=False)
class IccResult:
    """Intraclass correlations, one for each column.

    Parameters
    ----------
    form : {"1,1", "2,1", "3,1"}
        Which form.
    level : float
        Level of the interval.
    estimate, low, high : ndarray of shape (n_columns,)
        The correlation and its confidence interval; NaN where it is not defined.
    n_subjects : ndarray of shape (n_columns,), int
        Subjects with a measurement by every rater: those that count.
    n_dropped : ndarray of shape (n_columns,), int
        Subjects that lack one.
    n_raters : int
        Raters.
    """

    form: IccForm
    level: float
    estimate: Array
    low: Array
    high: Array
    n_subjects: NDArray[np.intp]
    n_dropped: NDArray[np.intp]
    n_raters: int


@dataclass(frozen=True)
class _MeanSquares:
    """Mean squares between subjects, between raters, of the rest, and within subjects; one value a column."""

    subjects: Array
    raters: Array
    rest: Array
    within: Array


def intraclass_correlation(ratings: ArrayLike, form: IccForm = "2,1", *, level: float = 0.95) -> IccResult:
    r"""Compute the intraclass correlation of single measurements.

    Parameters
    ----------
    ratings : array-like of shape (n_subjects, n_raters) or (n_subjects, n_raters, n_columns)
        The measurements; NaN where one is missing.
    form : {"1,1", "2,1", "3,1"}, default="2,1"
        ``1,1``: each subject has raters of its own (one-way random effects). ``2,1``: the same raters measure
        everyone and stand for all possible ones, so that their differences count (two-way random effects, absolute
        agreement). ``3,1``: these raters are the only ones of interest, and a constant difference between them
        does not count (two-way mixed effects, consistency).
    level : float, default=0.95
        Level of the confidence interval, in (0, 1).

    Returns
    -------
    IccResult
        One value for each column; a table of two axes is one column.

    Raises
    ------
    DataError
        If the form is unknown, there are fewer than two raters, or a measurement is infinite.

    Notes
    -----
    Within each column, a subject that lacks a measurement by any rater does not count; ``n_dropped`` tells how
    many. A column is NaN where fewer than two subjects are left or all its measurements are equal.

    With :math:`n` subjects, :math:`k` raters and the mean squares between subjects :math:`B`, within subjects
    :math:`W`, between raters :math:`J` and of the rest :math:`E`:

    .. math::
        ICC(1,1) &= \frac{B - W}{B + (k - 1) W} \\
        ICC(2,1) &= \frac{B - E}{B + (k - 1) E + k (J - E) / n} \\
        ICC(3,1) &= \frac{B - E}{B + (k - 1) E}

    after P. E. Shrout and J. L. Fleiss, Psychological Bulletin 86:420-428 (1979). Intervals after K. O. McGraw and
    S. P. Wong, Psychological Methods 1:30-46 (1996), table 7: exact ones from the F distribution for (1,1) and
    (3,1), Satterthwaite's approximation for (2,1).

    Examples
    --------
    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = intraclass_correlation(judges, "2,1")
    >>> print(*(round(float(value[0]), 2) for value in (found.low, found.estimate, found.high)))
    0.02 0.29 0.76
    """
    values = np.asarray(ratings, dtype=np.float64)
    if values.ndim == 2:
        values = values[:, :, np.newaxis]
    _check(values, form, level)
    complete = np.asarray(np.isfinite(values).all(axis=1))
    counts = complete.sum(axis=0)
    with np.errstate(all="ignore"):
        squares = _mean_squares(values, complete, counts)
        estimate, low, high = _FORMS[form](squares, counts, values.shape[1], (1 + level) / 2)
    return IccResult(
        form, level, estimate, low, high, counts, np.asarray(len(values) - counts), int(values.shape[1])
    )


def _check(values: Array, form: str, level: float) -> None:
    if form not in get_args(IccForm):
        raise DataError("no intraclass correlation of this form", got=form, expected=", ".join(get_args(IccForm)))
    if not 0 < level < 1:
        raise DataError("a confidence level lies between 0 and 1", got=level)
    if values.ndim != 3 or values.shape[1] < 2:
        raise DataError(
            "an intraclass correlation needs two raters or more",
            got=f"shape {values.shape}",
            expected="(n_subjects, n_raters, n_columns)",
        )
    if np.isinf(values).any():
        raise DataError("a measurement is infinite", do="leave it out (NaN), or mend it")


def _mean_squares(values: Array, complete: NDArray[np.bool_], counts: NDArray[np.intp]) -> _MeanSquares:
    n_raters = values.shape[1]
    counted = complete[:, np.newaxis, :]
    n_values = np.where(counts > 1, counts * n_raters, np.nan)
    centred = np.where(counted, values, 0.0)
    centred = np.where(counted, centred - centred.sum(axis=(0, 1)) / n_values, 0.0)
    # Squares of huge or tiny values would leave the range of floats, and the correlation knows no unit.
    largest = np.abs(centred).max(axis=(0, 1), initial=0.0)
    varies = np.where(counted, values, np.inf).min(axis=(0, 1)) < np.where(counted, values, -np.inf).max(
        axis=(0, 1)
    )
    centred = centred / np.where(varies, largest, np.nan)
    by_subject = centred.mean(axis=1)
    by_rater = centred.sum(axis=0) / counts
    rest = np.where(counted, centred - by_subject[:, np.newaxis, :] - by_rater, 0.0)
    return _MeanSquares(
        subjects=n_raters * (by_subject**2).sum(axis=0) / (counts - 1),
        raters=counts * (by_rater**2).sum(axis=0) / (n_raters - 1),
        rest=(rest**2).sum(axis=(0, 1)) / ((counts - 1) * (n_raters - 1)),
        within=((centred - by_subject[:, np.newaxis, :]) ** 2).sum(axis=(0, 1)) / (counts * (n_raters - 1)),
    )


def _one_way(ms: _MeanSquares, n: NDArray[np.intp], k: int, upper: float) -> tuple[Array, Array, Array]:
    return _ratio(ms.subjects, ms.within, k, n - 1, n * (k - 1), upper)


def _consistency(ms: _MeanSquares, n: NDArray[np.intp], k: int, upper: float) -> tuple[Array, Array, Array]:
    return _ratio(ms.subjects, ms.rest, k, n - 1, (n - 1) * (k - 1), upper)


def _ratio(
    subjects: Array, error: Array, k: int, df1: NDArray[np.intp], df2: NDArray[np.intp], upper: float
) -> tuple[Array, Array, Array]:
    """Both forms whose interval is that of the variance ratio, written so that an error of 0 gives 1."""

    def at(factor: Array | float, other: Array | float) -> Array:
        return (factor * subjects - other * error) / (factor * subjects + (k - 1) * other * error)

    return at(1.0, 1.0), at(1.0, stats.f.ppf(upper, df1, df2)), at(stats.f.ppf(upper, df2, df1), 1.0)


def _agreement(ms: _MeanSquares, n: NDArray[np.intp], k: int, upper: float) -> tuple[Array, Array, Array]:
    subjects, raters, rest = ms.subjects, ms.raters, ms.rest
    estimate = (subjects - rest) / (subjects + (k - 1) * rest + k * (raters - rest) / n)
    # Satterthwaite's degrees of freedom, with both parts multiplied by the square of the rest, which may be 0.
    weight = n * (1 + (k - 1) * estimate) - k * estimate
    above = (k - 1) * (n - 1) * (k * estimate * raters + weight * rest) ** 2
    below = (n - 1) * (k * estimate * raters) ** 2 + (weight * rest) ** 2
    df = np.where(below > 0, above / below, 1.0)
    spread = k * raters + (k * n - k - n) * rest
    high_f, low_f = stats.f.ppf(upper, n - 1, df), stats.f.ppf(upper, df, n - 1)
    low = n * (subjects - high_f * rest) / (high_f * spread + n * subjects)
    high = n * (low_f * subjects - rest) / (spread + n * low_f * subjects)
    undefined = np.isnan(estimate)
    return estimate, np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


_FORMS = {"1,1": _one_way, "2,1": _agreement, "3,1": _consistency}
