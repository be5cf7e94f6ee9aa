"""ROC and precision-recall curves over outer folds: their mean and a pointwise band."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.estimates import Estimate

Array = NDArray[np.float64]
Kind = Literal["roc", "precision_recall"]

GRID_POINTS = 201
BOOTSTRAP_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class NodeScores:
    """Scores of one node on rows that its models have not seen.

    Parameters
    ----------
    name : str
        The node, such as ``osteoporosis_vs_rest``; scores of the same node share a panel.
    positive : str
        The class that a high score speaks for.
    is_positive : ndarray of shape (n_predictions,), bool
        The truth.
    score : ndarray of shape (n_predictions,)
        Probability of the positive class.
    fold : ndarray of shape (n_predictions,)
        In which outer test fold each row stands; any values.
    judged_on : str, optional
        Which rows these are, as a line of the title.
    arm : str, optional
        Which model; needed where a panel shows several.
    patient : ndarray of shape (n_predictions,), optional
        Patient of each row, so that patients are counted; without it each row is a patient.
    test_share : float, optional
        Tested patients for each training patient (in k folds 1 / (k - 1)), which corrects the interval over folds.
        Without it a band shows one standard deviation and claims no coverage.
    repeats : int, default 1
        How often the rows were divided into those folds anew.
    method : str, default "corrected resampled t"
        What an interval over folds is called.
    level : float, default 0.95
        Nominal coverage of band and interval.
    area : Estimate, optional
        AUC with its interval, as the results tell it; by default computed from the scores.
    """

    name: str
    positive: str
    is_positive: NDArray[np.bool_]
    score: Array
    fold: NDArray[Any]
    judged_on: str = ""
    arm: str = ""
    patient: NDArray[Any] | None = None
    test_share: float | None = None
    repeats: int = 1
    method: str = "corrected resampled t"
    level: float = 0.95
    area: Estimate | None = None

    def __post_init__(self) -> None:
        if not len(self.is_positive) == len(self.score) == len(self.fold):
            raise ValueError("is_positive, score and fold differ in length")
        if self.patient is not None and len(self.patient) != len(self.score):
            raise ValueError("patient and score differ in length")
        if not np.isfinite(self.score).all():
            raise ValueError(f"scores of {self.name} that are not finite")
        if self.test_share is not None and not self.test_share > 0:
            raise ValueError(f"test_share is {self.test_share}, not above 0")

    @property
    def n_patients(self) -> int:
        """Patients."""
        return len(self.score) if self.patient is None else len(np.unique(self.patient))

    @property
    def n_positive(self) -> int:
        """Patients with a positive row."""
        positive = np.asarray(self.is_positive, dtype=bool)
        return int(positive.sum()) if self.patient is None else len(np.unique(self.patient[positive]))


@dataclass(frozen=True, eq=False)
class FoldCurves:
    """The curves of all folds, and their mean.

    Parameters
    ----------
    folds : tuple of (ndarray, ndarray)
        Each fold's curve, as it is.
    x : ndarray of shape (n_points,)
        Grid of the mean curve.
    y, low, high : ndarray of shape (n_points,) or None
        Mean curve and band; None where a fold has no curve, or nothing gives a band.
    area : Estimate
        AUC or average precision: the mean over folds, with an interval if ``test_share`` is known.
    sd : float
        Standard deviation (divisor n - 1) of the folds' areas; NaN for one fold.
    n_undefined : int
        Folds without a curve, for want of a class.
    band : str
        What the band is.
    """

    folds: tuple[tuple[Array, Array], ...]
    x: Array
    y: Array | None
    low: Array | None
    high: Array | None
    area: Estimate
    sd: float
    n_undefined: int
    band: str


def fold_curves(scores: NodeScores, kind: Kind = "roc", *, seed: int = 0) -> FoldCurves:
    """Return the curve of each fold, their mean and a pointwise band.

    Parameters
    ----------
    scores : NodeScores
        Of one node and arm.
    kind : {"roc", "precision_recall"}
        Which curve.
    seed : int, default 0
        Of the bootstrap, where there is one fold.

    Returns
    -------
    FoldCurves
        The curves.

    Notes
    -----
    The mean is taken at equal 1 - specificity, or at equal recall. Over folds, the band at each point is the
    corrected resampled t interval (Nadeau and Bengio, Mach Learn 2003;52:239) of the folds' values there. On one
    test set it is the percentile interval of a bootstrap of patients (or rows), within each class, with the fitted
    model held fixed. Either covers the curve at one point, not as a whole.
    """
    grid = np.linspace(0.0, 1.0, GRID_POINTS)[0 if kind == "roc" else 1 :]  # no threshold has a recall of 0
    truth, score = np.asarray(scores.is_positive, dtype=bool), np.asarray(scores.score, dtype=np.float64)
    folds = np.unique(scores.fold)
    drawn, values, areas = [], [], []
    for fold in folds:
        inside = scores.fold == fold
        if truth[inside].all() or not truth[inside].any():
            continue
        drawn.append(_curve(truth[inside], score[inside], kind))
        values.append(_on_grid(truth[inside], score[inside], grid, kind))
        areas.append(_area(truth[inside], score[inside], kind))
    missing = len(folds) - len(drawn)
    if missing or not drawn:
        return FoldCurves(tuple(drawn), grid, None, None, None, Estimate(math.nan), math.nan, missing, "")
    stacked, found = np.array(values), np.array(areas)
    low, high, band = _band(scores, stacked, grid, kind, seed)
    area = Estimate(float(found.mean()))
    if len(found) > 1 and scores.test_share is not None:
        half = float(_half_width(found[:, None], scores)[0])
        low_end, high_end = max(area.value - half, 0.0), min(area.value + half, 1.0)
        area = Estimate(area.value, low_end, high_end, scores.level, scores.method)
    sd = float(found.std(ddof=1)) if len(found) > 1 else math.nan
    return FoldCurves(tuple(drawn), grid, stacked.mean(axis=0), low, high, area, sd, 0, band)


def _band(
    scores: NodeScores, values: Array, grid: Array, kind: Kind, seed: int
) -> tuple[Array | None, Array | None, str]:
    percent = f"{100 * scores.level:.0f} %"
    if len(values) == 1:
        low, high = _bootstrap(scores, grid, kind, seed)
        unit = "rows" if scores.patient is None else "patients"
        return low, high, f"{percent} interval at each point, bootstrap of {unit}, conditional on the fitted model"
    if scores.test_share is None:
        half, band = values.std(axis=0, ddof=1), "± 1 SD of the outer folds"
    else:
        half = _half_width(values, scores)
        band = f"{percent} interval at each point, {scores.method}"
    mean = values.mean(axis=0)
    return np.clip(mean - half, 0.0, 1.0), np.clip(mean + half, 0.0, 1.0), band


def _half_width(values: Array, scores: NodeScores) -> Array:
    from radiobone.evaluation.statistics.resampled import corrected_reach

    assert scores.test_share is not None
    return corrected_reach(values, scores.test_share, scores.level, repeats=scores.repeats)


def _curve(truth: NDArray[np.bool_], score: Array, kind: Kind) -> tuple[Array, Array]:
    """Return the points of a curve, from the highest threshold on."""
    positive, negative = _cumulative(truth, score, np.ones(len(score)))
    if kind == "roc":
        return np.append(0.0, negative / negative[-1]), np.append(0.0, positive / positive[-1])
    # A threshold's precision holds for all recalls since the one before: steps, whose area is average precision.
    # Thresholds that add only negative rows reach no new recall.
    found = np.diff(positive, prepend=0.0) > 0
    precision, recall = (positive / (positive + negative))[found], np.append(0.0, positive[found] / positive[-1])
    return np.repeat(recall, 2)[1:-1], np.repeat(precision, 2)


def _on_grid(
    truth: NDArray[np.bool_], score: Array, grid: Array, kind: Kind, weight: Array | None = None
) -> Array:
    """Return a curve's values on the grid, rows counted as often as their weight says."""
    positive, negative = _cumulative(truth, score, np.ones(len(score)) if weight is None else weight)
    sensitivity = positive / positive[-1]
    if kind == "roc":
        curve: Array = np.interp(grid, np.append(0.0, negative / negative[-1]), np.append(0.0, sensitivity))
        curve[0] = 0.0  # every curve starts at the origin, though it may rise there at once
        return curve
    # Rounding must not push a recall of the grid past the threshold that reaches it.
    reached = np.minimum(np.searchsorted(sensitivity, grid - 1e-12), len(sensitivity) - 1)
    seen = positive + negative
    precision: Array = np.divide(positive, seen, out=np.ones_like(seen), where=seen > 0)[reached]
    return precision


def _cumulative(truth: NDArray[np.bool_], score: Array, weight: Array) -> tuple[Array, Array]:
    """Count positive and negative rows at or above each threshold, highest first."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    positive = np.cumsum(weight[order] * truth[order])[last]
    negative = np.cumsum(weight[order] * ~truth[order])[last]
    return positive, negative


def _area(truth: NDArray[np.bool_], score: Array, kind: Kind) -> float:
    from sklearn.metrics import average_precision_score, roc_auc_score

    return float((roc_auc_score if kind == "roc" else average_precision_score)(truth, score))


def _bootstrap(scores: NodeScores, grid: Array, kind: Kind, seed: int) -> tuple[Array, Array]:
    """Return pointwise percentiles of curves of patients drawn anew within each class."""
    rng = np.random.default_rng(seed)
    truth = np.asarray(scores.is_positive, dtype=bool)
    units = np.arange(len(truth)) if scores.patient is None else np.unique(scores.patient, return_inverse=True)[1]
    # A patient with rows of both classes is drawn with those who have a positive one.
    has_positive = np.bincount(units, truth) > 0
    pools = [np.flatnonzero(has_positive), np.flatnonzero(~has_positive)]
    curves = []
    for _ in range(BOOTSTRAP_DRAWS):
        counts = np.zeros(len(has_positive))
        for pool in pools:
            if len(pool):
                np.add.at(counts, rng.choice(pool, len(pool)), 1.0)
        weight = counts[units]
        if (weight[truth] > 0).any() and (weight[~truth] > 0).any():
            curves.append(_on_grid(truth, scores.score, grid, kind, weight))
    low, high = np.quantile(curves, [(1 - scores.level) / 2, (1 + scores.level) / 2], axis=0)
    return low, high
