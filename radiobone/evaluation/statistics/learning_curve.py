"""The learning curve: how a procedure's figure grows with the number of patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.bootstrap import patients_to_draw
from radiobone.evaluation.statistics.estimates import Progress, check_whole

SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Figures over the number of patients.

    Parameters
    ----------
    n_patients : ndarray of shape (n_sizes,), int
        From few to many.
    n_rows : ndarray of shape (n_repeats, n_sizes), int
        Rows of these patients in each repeat.
    scores : ndarray of shape (n_repeats, n_sizes)
        The figures; NaN where a sample could not show one.
    mean, sd : ndarray of shape (n_sizes,)
        Over repeats; NaN if any of them is. The SD (divisor n - 1) is that of samples of the same patients: it
        shrinks to 0 as samples become everyone, and is no standard error.
    n_undefined : ndarray of shape (n_sizes,), int
        Repeats without a figure.
    """

    n_patients: NDArray[np.intp]
    n_rows: NDArray[np.intp]
    scores: NDArray[np.float64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    n_undefined: NDArray[np.intp]


def learning_curve(
    fit_and_score: Callable[[NDArray[np.intp]], float],
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    shares: Sequence[float] = SHARES,
    repeats: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> LearningCurve:
    """Run a procedure on ever larger samples of patients.

    Parameters
    ----------
    fit_and_score : callable
        Takes the numbers of the rows that there shall be, in rising order, and gives one figure: of a whole
        cross-validation on them, or of a fixed test set after training on them.
    labels : array-like of shape (n_samples,)
        Class of each row.
    groups : array-like of shape (n_samples,), optional
        Patient of each row; by default every row is a patient.
    shares : sequence of float, default 0.25, 0.5, 0.75, 1
        Shares of all patients, above 0 and up to 1, rising.
    repeats : int, default 5
        How often patients are put in another order.
    seed : int, default 0
        Repeat r depends on the seed and r alone.
    progress : callable, optional
        Called with the number of finished fits and of all fits.

    Returns
    -------
    LearningCurve
        The sample of all patients is the same in each repeat, and is judged once.

    Raises
    ------
    UsageError
        If a number is out of range.

    Notes
    -----
    Samples are nested: a larger one holds all patients of the smaller ones of its repeat. Each holds the classes
    in the proportion of all patients, as nearly as whole patients allow; a patient with rows of several classes
    counts as a class of its own.

    Examples
    --------
    >>> curve = learning_curve(lambda rows: len(rows) / 40, [0] * 30 + [1] * 10, shares=[0.2, 1.0], repeats=2)
    >>> curve.n_patients.tolist(), curve.mean.tolist()
    ([8, 40], [0.2, 1.0])
    """
    check_whole("repeats", repeats, 1)
    check_whole("seed", seed, 0)
    given = np.asarray(labels)
    patients = patients_to_draw(len(given), groups, given)
    sizes = _sizes(shares, len(patients.stratum))
    scores, rows_there = np.full((repeats, len(sizes)), np.nan), np.zeros((repeats, len(sizes)), dtype=np.intp)
    done, total = 0, sum(1 if size == len(patients.stratum) else repeats for size in sizes)
    for repeat in range(repeats):
        place = _places(patients.stratum, np.random.default_rng([seed, repeat]))
        for number, size in enumerate(sizes):
            rows = np.flatnonzero(place[patients.of] < size)
            rows_there[repeat, number] = len(rows)
            if repeat and size == len(patients.stratum):
                scores[repeat, number] = scores[0, number]
                continue
            scores[repeat, number] = fit_and_score(rows)
            done += 1
            if progress is not None:
                progress(done, total)
    return LearningCurve(
        n_patients=sizes,
        n_rows=rows_there,
        scores=scores,
        mean=scores.mean(axis=0),
        sd=scores.std(axis=0, ddof=1) if repeats > 1 else np.full(len(sizes), np.nan),
        n_undefined=np.isnan(scores).sum(axis=0),
    )


def _sizes(shares: Sequence[float], n_patients: int) -> NDArray[np.intp]:
    given = np.asarray(shares, dtype=np.float64)
    valid = given.ndim == 1 and given.size and (given > 0).all() and (given <= 1).all()
    if not valid or (np.diff(given) <= 0).any():
        raise UsageError(
            "shares are out of range", got=list(shares), expected="rising numbers above 0 and up to 1"
        )
    return np.unique(np.maximum(np.round(given * n_patients).astype(np.intp), 1))


def _places(stratum: NDArray[np.intp], random: np.random.Generator) -> NDArray[np.intp]:
    """Return the place of each patient in an order of which every beginning holds the strata in proportion."""
    position = np.empty(len(stratum))
    for number in range(int(stratum.max()) + 1):
        members = random.permutation(np.flatnonzero(stratum == number))
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    places = np.empty(len(stratum), dtype=np.intp)
    places[np.argsort(position, kind="stable")] = np.arange(len(stratum))
    return places
