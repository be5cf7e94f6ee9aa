"""What an interval and a comparison are, and the checks that all statistics share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.core.errors import UsageError
from radiobone.learning.data import DataError

NAN = float("nan")


@dataclass(frozen=True)
class Interval:
    """A figure and the interval around it.

    Parameters
    ----------
    estimate : float
        The figure; NaN where the rows cannot show it.
    low, high : float
        Ends of the interval; NaN where the method gives none, and then a note says why.
    level : float
        Nominal coverage, such as 0.95.
    method : str
        How the interval was made.
    standard_error : float, default NaN
        Of the estimate.
    n_undefined : int, default 0
        Folds or draws that could not show the figure.
    notes : tuple of str, default ()
        What a reader should know.
    """

    estimate: float
    low: float
    high: float
    level: float
    method: str
    standard_error: float = NAN
    n_undefined: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Two figures, their difference, and a two-sided test of no difference.

    Parameters
    ----------
    a, b : float
        The two figures.
    difference : float
        ``a - b``.
    low, high : float
        Ends of the interval of the difference.
    level : float
        Nominal coverage of the interval.
    statistic, p_value : float
        The test; NaN where it is undefined, and then a note says why.
    method : str
        Name of the test.
    standard_error : float, default NaN
        Of the difference.
    n_undefined : int, default 0
        Folds or draws that could not show the difference.
    notes : tuple of str, default ()
        What a reader should know.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    level: float
    statistic: float
    p_value: float
    method: str
    standard_error: float = NAN
    n_undefined: int = 0
    notes: tuple[str, ...] = ()


def two_sides(positive: ArrayLike) -> NDArray[np.bool_]:
    """Return which rows belong to the positive side, as booleans.

    Parameters
    ----------
    positive : array-like of shape (n_samples,)
        True or 1 for the positive side, False or 0 for the other.

    Returns
    -------
    ndarray of bool
        The same rows.

    Raises
    ------
    DataError
        If it holds anything else, or has another shape.
    """
    given = np.asarray(positive)
    if given.ndim != 1 or not (given.dtype == bool or np.isin(given, (0, 1)).all()):
        raise DataError(
            "the positive side is not told",
            got=f"shape {given.shape}, type {given.dtype}",
            expected="one True or False for each row",
            do="compare the labels with the positive class, such as y == 'osteoporosis'",
        )
    return given.astype(bool)


def numbers(values: ArrayLike, length: int, name: str) -> NDArray[np.float64]:
    """Return one finite number for each row.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        The numbers.
    length : int
        How many rows there are.
    name : str
        What the numbers are, for the message.

    Returns
    -------
    ndarray of float
        The same numbers.

    Raises
    ------
    DataError
        If one is missing or infinite, or the length differs.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (length,):
        raise DataError(f"{name} does not fit the rows", got=f"shape {given.shape}", expected=f"({length},)")
    wrong = ~np.isfinite(given)
    if wrong.any():
        raise DataError(
            f"{name} holds values that are no numbers",
            where=f"row {int(wrong.argmax())}",
            got=f"{int(wrong.sum())} of {length} not finite",
            do="find out why they have no value; rows are never left out in silence",
        )
    return given


def probabilities(values: ArrayLike, length: int) -> NDArray[np.float64]:
    """Return one probability for each row.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        The probabilities.
    length : int
        How many rows there are.

    Returns
    -------
    ndarray of float
        The same numbers.

    Raises
    ------
    DataError
        If one is missing or not between 0 and 1, or the length differs.
    """
    given = numbers(values, length, "probability")
    if given.size and (given.min() < 0 or given.max() > 1):
        raise DataError("probability is out of range", got=f"{given.min()} to {given.max()}", expected="0 to 1")
    return given


def patient_codes(groups: ArrayLike | None, length: int) -> NDArray[np.intp]:
    """Return the number of the patient of each row, from 0.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
        Patient of each row; None if every row is a patient.
    length : int
        How many rows there are.

    Returns
    -------
    ndarray of int
        Patients in the order of their names.

    Raises
    ------
    DataError
        If the length differs, or a row has no patient.
    """
    if groups is None:
        return np.arange(length)
    given = np.asarray(groups)
    if given.shape != (length,):
        raise DataError("groups do not fit the rows", got=f"shape {given.shape}", expected=f"({length},)")
    # Only what is missing differs from itself, or is None; it would pass for one patient with many rows.
    missing = [number for number, name in enumerate(given.tolist()) if name is None or name != name]
    if missing:
        raise DataError("a row has no patient", where=f"row {missing[0]}", got=f"{len(missing)} rows without")
    codes: NDArray[np.intp] = np.unique(given, return_inverse=True)[1]
    return codes


def check_fraction(name: str, value: Any) -> None:
    """Refuse what does not lie strictly between 0 and 1.

    Parameters
    ----------
    name : str
        The parameter, for the message.
    value : float
        What was given.

    Raises
    ------
    UsageError
        That names the parameter.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < 1:
        raise UsageError(f"{name} is out of range", got=repr(value), expected="a number between 0 and 1")


def check_whole(name: str, value: Any, smallest: int) -> None:
    """Refuse what is no whole number of at least the smallest.

    Parameters
    ----------
    name : str
        The parameter, for the message.
    value : int
        What was given.
    smallest : int
        The smallest value allowed.

    Raises
    ------
    UsageError
        That names the parameter.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < smallest:
        raise UsageError(f"{name} is out of range", got=repr(value), expected=f"a whole number from {smallest}")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a name that is not one of the choices.

    Parameters
    ----------
    name : str
        The parameter, for the message.
    value : str
        What was given.
    choices : tuple of str
        What may be given.

    Raises
    ------
    UsageError
        That names the parameter.
    """
    if value not in choices:
        raise UsageError(f"{name} is not known", got=repr(value), expected=", ".join(choices))


def normal_quantile(level: float) -> float:
    """Return how many standard errors a two-sided normal interval reaches.

    Parameters
    ----------
    level : float
        Nominal coverage.

    Returns
    -------
    float
        1.96 for 0.95.
    """
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def normal_p_value(statistic: float) -> float:
    """Return the two-sided p value of a standard normal statistic.

    Parameters
    ----------
    statistic : float
        The statistic.

    Returns
    -------
    float
        Computed from the tail, so that tiny ones are not lost.
    """
    return math.erfc(abs(statistic) / math.sqrt(2))


Progress = Callable[[int, int], None]
"""Called with the number of finished steps and of all steps."""
