"""Figures of predictions that are pooled: calibration, decision curve, and an AUC with its interval.

Over outer folds the predictions of many models stand in one pool. What is said of it holds for these fitted models
only, and not for the procedure: under noise an interval of a pooled AUC with a nominal coverage of 0.95 was
measured to cover 0.82 of the time. Every such figure is labelled so. With repeats each row has the mean of its
probabilities, which ranks better, and is less extreme, than those of a single model: the number of repeats stands
beside the figures. On one fixed test set there is one model, and
no such label.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.evaluation.fold_figures import FoldFigures
from radiobone.evaluation.intervals import CONDITIONAL, auc_interval, plain_interval, several_rows
from radiobone.evaluation.statistics.decision_curve import decision_curve
from radiobone.evaluation.statistics.estimates import Interval
from radiobone.evaluation.statistics.reliability import calibration, calibration_curve

_CURVE = ("probability", "observed", "low", "high", "n", "smooth_probability", "smooth_observed")
_DECISION = ("thresholds", "net_benefit", "low", "high", "treat_all", "treat_none")


def pooled_scores(
    result: FoldFigures, number: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]:
    """Pool the predictions of a node on its true members.

    Parameters
    ----------
    result : FoldFigures
        All folds, or one test set.
    number : int
        Number of the node.

    Returns
    -------
    positive : ndarray of shape (n_rows,), bool
        The truth.
    probability : ndarray of shape (n_rows,)
        Of the positive side; the mean over repeats.
    rows : ndarray of shape (n_rows,), int
        Numbers of the rows, in order.
    """
    n_rows = len(result.data.codes)
    total, times = np.zeros(n_rows), np.zeros(n_rows)
    positive = np.zeros(n_rows, dtype=bool)
    for fit in result.fits:
        here = result.node_rows(fit, number, "true_members")
        rows = fit.test[here.judged]
        total[rows] += fit.node_proba[here.judged, number]
        times[rows] += 1
        positive[rows] = here.positive[here.judged]
    rows = np.flatnonzero(times)
    return positive[rows], total[rows] / times[rows], rows


def pooled_content(result: FoldFigures, number: int) -> dict[str, Any] | None:
    """Put the pooled figures of a node into the form of ``results.json``.

    Parameters
    ----------
    result : FoldFigures
        All folds, or one test set.
    number : int
        Number of the node.

    Returns
    -------
    dict or None
        See `radiobone.evaluation.content`; None without rows.
    """
    positive, probability, rows = pooled_scores(result, number)
    if not rows.size:
        return None
    options = result.options
    patients = result.data.groups[rows]
    groups = patients if several_rows(patients) else None
    conditional = None if result.fixed else CONDITIONAL
    measured = calibration(positive, probability, groups=groups, level=options.level)
    curve = calibration_curve(positive, probability, groups=groups, level=options.level)
    benefit = decision_curve(
        positive,
        probability,
        thresholds=_steps(*options.thresholds),
        prevalence=options.prevalence.get(result.fits[0].nodes[number].name),
        groups=groups,
        draws=options.draws,
        level=options.level,
        seed=options.seed,
    )
    return {
        "n_rows": int(rows.size),
        "repeats": result.repeats,
        "conditional": conditional,
        "auc": _estimate(auc_interval(positive, probability, patients, options.level), conditional),
        "calibration_in_the_large": _estimate(measured.in_the_large, conditional),
        "calibration_intercept": _estimate(measured.intercept, conditional),
        "calibration_slope": _estimate(measured.slope, conditional),
        "expected_calibration_error": measured.expected_error,
        "hosmer_lemeshow": {
            "statistic": measured.hosmer_lemeshow,
            "degrees": measured.degrees,
            "p_value": measured.hosmer_lemeshow_p,
        },
        "calibration_curve": {name: getattr(curve, name).tolist() for name in _CURVE},
        "decision_curve": {name: getattr(benefit, name).tolist() for name in _DECISION}
        | {
            "prevalence": benefit.prevalence,
            "level": benefit.level,
            "method": benefit.method,
            "notes": list(benefit.notes),
        },
    }


def _steps(first: float, last: float) -> NDArray[np.float64]:
    """Return thresholds in steps of 0.01, each as it is written."""
    return np.round(np.arange(round(100 * first), round(100 * last) + 1) / 100, 2)


def _estimate(found: Interval, conditional: str | None) -> dict[str, Any]:
    return {"value": found.estimate, "interval": plain_interval(found, conditional)}
