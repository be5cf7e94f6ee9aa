"""Outer folds: stratified, and each patient whole on one side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.learning.data import DataError, patients_by_class
from radiobone.learning.folds import stratified_folds


@dataclass(frozen=True, eq=False)
class OuterFold:
    """One division of the rows.

    Parameters
    ----------
    repeat, fold : int
        From 1.
    train, test : ndarray of int
        Row numbers.
    """

    repeat: int
    fold: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]


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

    Raises
    ------
    DataError
        If a class has fewer patients than there are folds: some fold could not test it.
    """
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
