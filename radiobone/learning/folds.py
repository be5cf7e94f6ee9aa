"""Stratified folds that keep all rows of a patient on one side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils import check_random_state

from radiobone.learning.data import DataError, TooFewPatients, patients_by_class

Split = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Row numbers of the training part and of the held-out part."""


def stratified_folds(
    n_splits: int, codes: NDArray[np.intp], groups: NDArray[Any] | None, seed: int
) -> list[Split]:
    """Cut rows into folds of like class shares, each patient whole in one of them.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    codes : ndarray of shape (n_samples,)
        Class of each row as an integer.
    groups : ndarray of shape (n_samples,) or None
        Patient of each row; None if every row is a patient.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Row numbers of the training part and of the held-out part of each fold.
    """
    placeholder = np.zeros(len(codes))
    if groups is None or np.unique(groups).size == len(groups):
        folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
        return list(folds.split(placeholder, codes))
    grouped = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    return list(grouped.split(placeholder, codes, groups))


def inner_folds(
    cv: Any, X: Any, codes: NDArray[np.intp], groups: NDArray[Any] | None, random_state: Any = 0
) -> list[Split]:
    """Return the splits for a choice made inside a training set.

    An integer ``cv`` asks for that many stratified, grouped folds, or for as many as the smallest class has
    patients, if these are fewer (a small node of a tree must not stop a study; `fewer_folds` says so). A splitter
    or an iterable is taken as it is. Whatever gave them, splits that tear a patient apart are refused.

    Parameters
    ----------
    cv : int, splitter or iterable
        The folds asked for.
    X : array-like of shape (n_samples, n_features)
        Training rows; only a splitter may look at them.
    codes : ndarray of shape (n_samples,)
        Class of each row as an integer.
    groups : ndarray of shape (n_samples,) or None
        Patient of each row; None if every row is a patient.
    random_state : int, RandomState or None, default 0
        Shuffles the folds that an integer asks for.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Row numbers of the training part and of the held-out part of each fold.

    Raises
    ------
    TooFewPatients
        If a class has fewer than two patients.
    DataError
        If a patient lies on both sides of a split, or a training part
        lacks a class.
    """
    if isinstance(cv, (int, np.integer)):
        patients = patients_by_class(codes, groups)
        if min(patients) < 2:
            raise TooFewPatients(
                "inner cross-validation needs at least two patients of each class",
                got=f"{patients} patients by class (n_samples = {len(codes)})",
                do="give more patients of that class, or merge it with another; a selection that cross-validates "
                "within inner folds, such as LASSO, needs three of each",
            )
        seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        splits = stratified_folds(min(int(cv), *patients), codes, groups, seed)
    else:
        splits = list(check_cv(cv, codes, classifier=True).split(X, codes, groups))
    _check_splits(splits, codes, groups)
    return splits


def fewer_folds(cv: Any, used: int) -> list[str]:
    """Say that a class was too small for the folds asked for.

    Parameters
    ----------
    cv : int, splitter or iterable
        The folds asked for, as `inner_folds` takes them.
    used : int
        Number of folds that it gave.

    Returns
    -------
    list of str
        One note if an integer asked for more folds than were used, else none.
    """
    if isinstance(cv, (int, np.integer)) and used < cv:
        return [f"{used} inner folds instead of {cv}: the smallest class has no more training patients"]
    return []


def _check_splits(splits: Sequence[Split], codes: NDArray[np.intp], groups: NDArray[Any] | None) -> None:
    for number, (train, test) in enumerate(splits):
        if groups is not None:
            shared = np.intersect1d(groups[train], groups[test])
            if shared.size:
                raise DataError(
                    "a patient lies on both sides of an inner split",
                    where=f"split {number}, patient {shared[0]!s}",
                    got=f"{shared.size} patients",
                    do="use a splitter that takes groups, such as StratifiedGroupKFold, or an integer cv",
                )
        if np.unique(codes[train]).size < np.unique(codes).size:
            raise DataError(
                "the training part of an inner split lacks a class",
                where=f"split {number}",
                do="use fewer folds or a stratified splitter",
            )
