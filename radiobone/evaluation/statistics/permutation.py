"""The permutation test: how good a whole procedure looks where there is nothing to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.evaluation.statistics.estimates import Progress, check_whole, patient_codes
from radiobone.learning.data import DataError


@dataclass(frozen=True, eq=False)
class Permutation:
    """The figure of the true labels among those of permuted ones.

    Parameters
    ----------
    score : float
        With the true labels.
    permuted : ndarray of shape (n_permutations,)
        With permuted labels; NaN where they could not show it.
    p_value : float
        Share of labellings, the true one among them, that are at least as good as the true one.
    n_undefined : int
        Permutations without a figure, which count as at least as good.
    notes : tuple of str
        What a reader should know.
    """

    score: float
    permuted: NDArray[np.float64]
    p_value: float
    n_undefined: int
    notes: tuple[str, ...] = ()


def permutation_test(
    fit_and_score: Callable[[NDArray[Any]], float],
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    permutations: int = 200,
    seed: int = 0,
    greater_is_better: bool = True,
    progress: Progress | None = None,
) -> Permutation:
    """Compare a procedure's figure with those it reaches on permuted labels.

    Parameters
    ----------
    fit_and_score : callable
        Takes the labels of all rows, in the order of the rows, does everything that depends on labels anew
        (selection, tuning, cross-validation) and gives one figure, such as the mean AUC over outer folds.
    labels : array-like of shape (n_samples,)
        The true labels.
    groups : array-like of shape (n_samples,), optional
        Patient of each row; labels then move from patient to patient, see `permute_labels`.
    permutations : int, default 200
        How often; the smallest p value that can come out is ``1 / (permutations + 1)``.
    seed : int, default 0
        Permutation number i (from 0) depends on the seed and i alone.
    greater_is_better : bool, default True
        Whether a higher figure is a better one.
    progress : callable, optional
        Called with the number of finished fits and of all fits (one more than permutations).

    Returns
    -------
    Permutation
        NaN as p value if the true labels have no figure.

    Raises
    ------
    UsageError
        If a number is out of range.
    DataError
        If no label can move.

    Notes
    -----
    ``p = (1 + b) / (1 + m)`` with b of m permutations at least as good: the true labelling is one of those
    possible, and a p value of 0 would be too good (Phipson and Smyth, Stat Appl Genet Mol Biol 2010;9:39). The
    test asks whether anything was learned at all, not whether one procedure is better than another.

    Examples
    --------
    >>> import numpy as np
    >>> feature, labels = np.arange(20.0), np.arange(20) >= 10
    >>> found = permutation_test(lambda y: np.corrcoef(feature, y)[0, 1], labels, permutations=99)
    >>> found.p_value
    0.01
    """
    check_whole("permutations", permutations, 1)
    check_whole("seed", seed, 0)
    given = np.asarray(labels)
    of = patient_codes(groups, len(given))
    kinds, n_fixed = _exchangeable(given, of)
    notes = (f"{n_fixed} patients kept their labels: no other has as many rows",) if n_fixed else ()
    score = float(fit_and_score(given.copy()))
    permuted = np.empty(permutations)
    for number in range(permutations):
        if progress is not None:
            progress(number + 1, permutations + 1)
        permuted[number] = fit_and_score(_permuted(given, of, kinds, seed, number))
    if progress is not None:
        progress(permutations + 1, permutations + 1)
    undefined = np.isnan(permuted)
    as_good = permuted >= score if greater_is_better else permuted <= score
    p_value = (1 + int((as_good | undefined).sum())) / (1 + permutations)
    return Permutation(score, permuted, float("nan") if np.isnan(score) else p_value, int(undefined.sum()), notes)


def permute_labels(labels: ArrayLike, groups: ArrayLike | None, seed: int, number: int) -> NDArray[Any]:
    """Give each patient the labels of another.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        The true labels.
    groups : array-like of shape (n_samples,) or None
        Patient of each row; None if every row is a patient.
    seed, number : int
        The permutation depends on both alone, so that permutations can be done in any order.

    Returns
    -------
    ndarray of shape (n_samples,)
        Where each patient has one label, those of patients are shuffled, and a patient's rows stay alike. Where
        labels belong to rows (vertebrae), whole sequences of labels are exchanged, among patients with the same
        number of rows and in the order of their rows.

    Raises
    ------
    DataError
        If no label can move.

    Examples
    --------
    >>> permute_labels([1, 1, 0, 0, 0], ["a", "a", "b", "b", "c"], seed=0, number=3).tolist()
    [0, 0, 0, 0, 1]
    """
    given = np.asarray(labels)
    of = patient_codes(groups, len(given))
    return _permuted(given, of, _exchangeable(given, of)[0], seed, number)


def _exchangeable(labels: NDArray[Any], of: NDArray[np.intp]) -> tuple[list[NDArray[np.intp]], int]:
    """Return sets of patients that can exchange labels, and how many patients have nobody to do so with."""
    sizes = np.bincount(of)
    first = np.unique(of, return_index=True)[1]
    if (labels == labels[first][of]).all():
        kinds = [np.arange(len(sizes))]
    else:
        kinds = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
    movable = [kind for kind in kinds if len(kind) > 1]
    if np.unique(labels).size < 2 or not movable:
        raise DataError(
            "labels cannot be permuted",
            got=f"{np.unique(labels).size} labels, {len(sizes)} patients",
            expected="two labels, and two patients that can exchange them",
        )
    return movable, len(sizes) - sum(len(kind) for kind in movable)


def _permuted(
    labels: NDArray[Any], of: NDArray[np.intp], kinds: list[NDArray[np.intp]], seed: int, number: int
) -> NDArray[Any]:
    random = np.random.default_rng([seed, number])
    rows = np.argsort(of, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(of))])
    found = labels.copy()
    for kind in kinds:
        for taker, giver in zip(kind, random.permutation(kind), strict=True):
            given = labels[rows[starts[giver] : starts[giver + 1]]]
            taking = rows[starts[taker] : starts[taker + 1]]
            # Patients of different size meet only where each has one label, and then any of its rows tells it.
            found[taking] = given if len(given) == len(taking) else given[0]
    return found
