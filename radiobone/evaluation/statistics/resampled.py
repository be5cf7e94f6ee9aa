"""The corrected resampled t interval and test, for means over the folds of a cross-validation.

What they are valid for: the expected performance of a procedure (all its selection and tuning included) that is
trained on as many rows as a fold's training part holds and judged on new rows of the same population. The folds
are test sets of a k-fold, a repeated k-fold or a repeated random division of the same rows. Training sets overlap,
so that the folds' figures are correlated, and the plain variance of their mean is too small; no unbiased estimate
of it exists (Bengio and Grandvalet, J Mach Learn Res 2004;5:1089). The correction assumes that the correlation of
two folds is ``n_test / (n_train + n_test)``. It was derived for repeated random divisions and is approximate for
the others. Under pure noise (100 patients, 200 features, of which a fast linear model chooses ten inside each
fold) the nominal 0.95 interval held 0.5 in 0.95 of 2,000 draws with three folds, in 0.93 of 5,000 with five and
0.89 of 1,500 with ten.

Repeats divide the same patients anew: they make the mean steadier, but hardly tell the spread of folds any better.
With degrees of freedom for all folds of all repeats, two, five and ten repeats of five folds held 0.5 in 0.91,
0.89 and 0.87 of the draws; with those of one repeat in 0.96, 0.97 and 0.97. So repeats add none here. Ten folds
stay short of the nominal level with either (0.86 and 0.88 for two repeats): prefer five.

Folds that are centres are no random parts: their figures differ for reasons of their own, and few centres stand
for all there could be. The same formula is then an approximation, named so (`BY_CENTRE`), with `CENTRES` as a
note. In 1,000 simulated studies each of three or five centres (500 of ten), of 20 to 80 patients, without and with
effects that differ between centres, its nominal 0.95 interval held the mean in 0.90 to 0.96; the plain t interval
of the centres' figures, which takes models with shared training rows for independent, in 0.77 to 0.90.

What they are not for: the model that is fitted to all rows in the end; a single fixed test set (see
`radiobone.evaluation.statistics.delong`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.estimates import NAN, Comparison, Interval, check_fraction
from radiobone.learning.data import DataError

METHOD = "corrected resampled t"
BY_CENTRE = "corrected t over centres"
CENTRES = (
    "centres are no random parts of one population: the interval is approximate; look at each centre's figure"
)
ONE_FOLD = "a single fold has no variance"
_ROUNDING = 1e-12

# With two or three folds the correction alone is wide enough, and t of one or two degrees covers anything.
_ENOUGH_DEGREES = 4
NO_SPREAD = "all folds differ by the same amount: the test is undefined"


def corrected_interval(
    values: ArrayLike,
    n_train: ArrayLike,
    n_test: ArrayLike,
    level: float = 0.95,
    *,
    repeats: int = 1,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """Give a mean over outer folds an interval that allows for overlapping training sets.

    Parameters
    ----------
    values : array-like of shape (n_folds,)
        The figure of each fold, over all repeats; NaN where a fold cannot show it.
    n_train, n_test : int or array-like of shape (n_folds,)
        Independent units (patients) in each fold's training and test part; where folds differ, the ratio of the
        sums is taken.
    level : float, default 0.95
        Nominal coverage.
    repeats : int, default 1
        How often the same rows were divided; the values are those of all repeats.
    bounds : tuple of float, optional
        Lowest and highest value that the figure can take, such as ``(0, 1)``: the interval is cut there.

    Returns
    -------
    Interval
        One undefined fold leaves everything NaN, with the count in ``n_undefined``: a mean over the others would
        be another figure.

    Raises
    ------
    DataError
        If there is no value, or one is infinite.
    UsageError
        If numbers of rows are not positive, or do not fit the folds.

    Notes
    -----
    ``mean ± t(d) sqrt((1/J + n_test/n_train) s²)`` with the sample variance s² of the J values (Nadeau and Bengio,
    Mach Learn 2003;52:239). The degrees of freedom d are J - 1 as published; of repeats they are those of one
    repeat (but 4 where J has them), see above.

    Examples
    --------
    >>> found = corrected_interval([0.80, 0.85, 0.75, 0.90, 0.70], n_train=80, n_test=20)
    >>> f"{found.estimate:.2f} ({found.low:.3f} to {found.high:.3f})"
    '0.80 (0.653 to 0.947)'
    """
    given, factor = _checked(values, n_train, n_test, level)
    mean, error, undefined = _summed(given, factor)
    reach = error * _quantile(level, _degrees(len(given), repeats))
    low, high = mean - reach, mean + reach
    if bounds is not None:
        low, high = np.clip([low, high], *bounds).tolist()
    return Interval(mean, low, high, level, METHOD, error, undefined, _notes(given, undefined))


def corrected_test(
    values_a: ArrayLike,
    values_b: ArrayLike,
    n_train: ArrayLike,
    n_test: ArrayLike,
    level: float = 0.95,
    *,
    repeats: int = 1,
) -> Comparison:
    """Compare two procedures on identical outer folds.

    Parameters
    ----------
    values_a, values_b : array-like of shape (n_folds,)
        The figure of each procedure in each fold, in the same order of folds; NaN where a fold cannot show it.
    n_train, n_test : int or array-like of shape (n_folds,)
        As in `corrected_interval`.
    level : float, default 0.95
        Nominal coverage of the interval of the difference.
    repeats : int, default 1
        As in `corrected_interval`.

    Returns
    -------
    Comparison
        The statistic follows a t distribution with the degrees of freedom of `corrected_interval`. A fold that one
        of the two cannot show leaves everything NaN. Without any difference in any fold the p value is 1; if every
        fold differs by the same amount other than 0, it is NaN.

    Raises
    ------
    DataError, UsageError
        As `corrected_interval`.

    Examples
    --------
    >>> found = corrected_test([0.80, 0.85, 0.75, 0.90], [0.75, 0.82, 0.76, 0.83], n_train=75, n_test=25)
    >>> f"{found.difference:.3f}, t = {found.statistic:.3f}, p = {found.p_value:.3f}"
    '0.035, t = 1.342, p = 0.272'
    """
    first, factor = _checked(values_a, n_train, n_test, level)
    second, _ = _checked(values_b, n_train, n_test, level)
    if first.shape != second.shape:
        raise DataError("the two procedures have different folds", got=f"{len(first)} and {len(second)}")
    difference, error, undefined = _summed(first - second, factor)
    degrees = _degrees(len(first), repeats)
    reach = error * _quantile(level, degrees)
    notes = _notes(first, undefined)
    if error > 0:
        statistic = difference / error
        p_value = float(2 * student.sf(abs(statistic), degrees))
    elif difference == 0 and error == 0:
        statistic, p_value = 0.0, 1.0
    else:
        statistic, p_value = NAN, NAN
        notes += (NO_SPREAD,) if error == 0 else ()
    return Comparison(
        float(first.mean()),
        float(second.mean()),
        difference,
        difference - reach,
        difference + reach,
        level,
        statistic,
        p_value,
        f"{METHOD}, paired",
        error,
        undefined,
        notes,
    )


def _checked(
    values: ArrayLike, n_train: ArrayLike, n_test: ArrayLike, level: float
) -> tuple[NDArray[np.float64], float]:
    check_fraction("level", level)
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not given.size or np.isinf(given).any():
        raise DataError("the figures of the folds are not valid", got=given.tolist(), expected="one for each fold")
    sizes = [np.asarray(count, dtype=np.float64) for count in (n_train, n_test)]
    for name, count in zip(("n_train", "n_test"), sizes, strict=True):
        if count.shape not in ((), given.shape) or not (count > 0).all():
            raise UsageError(
                f"{name} does not fit the folds",
                got=count.tolist(),
                expected="one positive number, or one per fold",
            )
    train, test = (np.broadcast_to(count, given.shape).sum() for count in sizes)
    return given, 1 / len(given) + float(test / train)


def corrected_reach(
    values: NDArray[np.float64], test_share: float, level: float = 0.95, *, repeats: int = 1
) -> NDArray[np.float64]:
    """Return half the width of the interval of many figures at once, such as the points of a curve.

    Parameters
    ----------
    values : ndarray of shape (n_folds, n_figures)
        Each figure of each fold, over all repeats.
    test_share : float
        Patients in the test parts for each patient in the training parts.
    level : float, default 0.95
        Nominal coverage at each figure.
    repeats : int, default 1
        As in `corrected_interval`.

    Returns
    -------
    ndarray of shape (n_figures,)
        As of `corrected_interval` before it is cut at the bounds.
    """
    factor = 1 / len(values) + test_share
    error = np.sqrt(factor * np.var(values, axis=0, ddof=1))
    reach: NDArray[np.float64] = error * _quantile(level, _degrees(len(values), repeats))
    return reach


def _quantile(level: float, degrees: int) -> float:
    return float(student.ppf((1 + level) / 2, degrees))


def _degrees(n_values: int, repeats: int) -> int:
    """Return the degrees of freedom of some folds in each of several repeats; at least 1."""
    if not 1 <= repeats <= n_values or n_values % repeats:
        raise UsageError(
            "repeats do not fit the folds", got=repeats, expected=f"a divisor of the number of values, {n_values}"
        )
    return max(1, min(n_values - 1, max(n_values // repeats - 1, _ENOUGH_DEGREES)))


def _summed(values: NDArray[np.float64], factor: float) -> tuple[float, float, int]:
    """Return the mean, its corrected standard error, and how many values are NaN."""
    mean = float(values.mean())
    spread = float(np.var(values, ddof=1)) if len(values) > 1 else NAN
    # Differences that are all alike keep a rounding error that would pass for a variance.
    if len(values) > 1 and np.ptp(values) < _ROUNDING:
        spread = 0.0
    return mean, math.sqrt(factor * spread), int(np.isnan(values).sum())


def _notes(values: NDArray[np.float64], undefined: int) -> tuple[str, ...]:
    if undefined:
        return (f"undefined in {undefined} of {len(values)} folds",)
    return (ONE_FOLD,) if len(values) == 1 else ()
