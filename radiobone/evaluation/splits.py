"""Outer folds: stratified, and each patient whole on one side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.learning.data import DataError, patients_by_class
from radiobone.learning.folds import stratified_folds

# The largest seed that NumPy's generators, which shuffle the folds, take.
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, eq=False)
class OuterFold:
    """One division of the rows.

    Parameters
    ----------
    repeat, fold : int
        From 1.
    train, test : ndarray of int
        Row numbers.
    name : str
        What is tested: a centre, a test set; empty for a fold that chance has drawn.
    """

    repeat: int
    fold: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    name: str = ""

    @property
    def where(self) -> str:
        """The fold in words, for messages and notes."""
        return self.name or f"repeat {self.repeat}, fold {self.fold}"


def check_plan(folds: Any, repeats: Any, seed: Any) -> None:
    """Refuse numbers of folds and repeats, and seeds, that name no plan.

    Parameters
    ----------
    folds, repeats : int
        Number of folds in each repeat, at least 2, and of repeats, at least 1.
    seed : int
        At least 0; that of the last repeat (``seed + repeats - 1``) at most 4,294,967,295.

    Raises
    ------
    UsageError
        If one of them is no whole number, or out of range.
    """
    check_count("folds", folds, 2)
    check_count("repeats", repeats, 1)
    check_count("seed", seed, 0)
    if seed + repeats - 1 > _LARGEST_SEED:
        raise UsageError(
            "seed is too large", got=seed, expected=f"at most {_LARGEST_SEED} for the last of {repeats} repeats"
        )


def check_count(name: str, value: Any, smallest: int, do: str | None = None) -> None:
    """Refuse what is no whole number of at least the smallest.

    Parameters
    ----------
    name : str
        The parameter, for the message.
    value : int
        What was given; True and False are no numbers.
    smallest : int
        The smallest value allowed.
    do : str, optional
        What the user can do about it.

    Raises
    ------
    UsageError
        That names the parameter.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < smallest:
        raise UsageError(
            f"{name} is out of range", got=repr(value), expected=f"a whole number from {smallest}", do=do
        )


def check_jobs(jobs: Any) -> None:
    """Refuse a number of jobs that is none.

    Parameters
    ----------
    jobs : int
        At least 1, or -1.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if jobs != -1:
        check_count("jobs", jobs, 1, do="pass -1 for one job on each core")


def outer_folds(
    codes: NDArray[np.intp],
    groups: NDArray[Any],
    *,
    classes: Sequence[object],
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
) -> list[OuterFold]:
    """Cut the rows into test folds, once for each repeat.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class of each row, as its number in ``classes``.
    groups : ndarray of shape (n_samples,)
        Patient of each row.
    classes : sequence
        Names of the classes.
    folds, repeats : int
        Number of folds in each repeat, and of repeats.
    seed : int, default 0
        Repeat r (from 0) is shuffled with ``seed + r``.

    Returns
    -------
    list of OuterFold
        Fold after fold, repeat after repeat.

    Raises
    ------
    UsageError
        If the number of folds or repeats, or the seed, is out of range.
    DataError
        If a class has fewer patients than there are folds: some fold could not test it.
    """
    check_plan(folds, repeats, seed)
    patients = patients_by_class(codes, groups)
    short = {str(name): count for name, count in zip(classes, patients, strict=True) if count < folds}
    if short:
        raise DataError(
            "a class has fewer patients than there are outer folds",
            got=", ".join(f"{name}: {count} patients" for name, count in short.items()),
            expected=f"at least {folds} patients in each class",
            do="use fewer folds, or merge classes",
        )
    return [
        OuterFold(repeat + 1, number + 1, train, test)
        for repeat in range(repeats)
        for number, (train, test) in enumerate(stratified_folds(folds, codes, groups, seed + repeat))
    ]
