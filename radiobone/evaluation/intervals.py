"""Which interval stands around which figure.

A mean over outer folds has the corrected resampled t interval, which allows for training sets that overlap; over
folds that are centres it is an approximation, and named so. A figure of one fixed test set has DeLong's interval
if it is an AUC (Obuchowski's where patients have several rows), Wilson's if it is a share of rows, such as a
sensitivity, else a bootstrap that draws patients. A figure of out-of-fold predictions that were pooled describes
the fitted models only, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.evaluation.fold_figures import FigureOptions, FoldFigures, Key
from radiobone.evaluation.statistics.bootstrap import Statistic, bootstrap_interval
from radiobone.evaluation.statistics.clustered import clustered_auc_interval, clustered_auc_test
from radiobone.evaluation.statistics.delong import delong_interval, delong_test
from radiobone.evaluation.statistics.estimates import Comparison, Interval
from radiobone.evaluation.statistics.metrics import COUNTS
from radiobone.evaluation.statistics.proportions import proportion_interval
from radiobone.evaluation.statistics.resampled import BY_CENTRE, CENTRES, corrected_interval
from radiobone.evaluation.statistics.weighted import binary_statistics, class_statistics

CONDITIONAL = "conditional on the fitted models"

NO_WIDTH = "every fold gave the same value: folds show no uncertainty, which is not to say that there is none"

SHARES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
"""Figures that are a share of rows."""


def intervals(result: FoldFigures) -> dict[Key, Interval]:
    """Give figures their intervals.

    Parameters
    ----------
    result : FoldFigures
        The folds.

    Returns
    -------
    dict of Key to Interval
        Figures that no method gives an interval are missing: counts, and those of several test sets together.
    """
    if not result.fixed:
        return {key: over_folds(result, found, key) for key, found in result.values.items() if not _is_count(key)}
    return dict(_of_test_set(result)) if len(result.fits) == 1 else {}


def over_folds(result: FoldFigures, values: list[float], key: Key) -> Interval:
    """Give a mean over outer folds its interval.

    Parameters
    ----------
    result : FoldFigures
        The folds, for their numbers of patients.
    values : list of float
        One value for each.
    key : Key
        Which figure, for its range.

    Returns
    -------
    Interval
        Corrected resampled t, cut at the figure's range; over centres named `BY_CENTRE`.
    """
    train, test = result.patients
    scope, _, _, metric = key
    low = -1.0 if metric == "kappa_quadratic" else 0.0
    high = 2.0 if (scope, metric) == ("three_class", "brier") else 1.0
    found = corrected_interval(
        values, train, test, result.options.level, repeats=result.repeats, bounds=(low, high)
    )
    if result.by_centre:
        found = replace(found, method=BY_CENTRE, notes=(*found.notes, CENTRES))
    if len(values) > 1 and found.low == found.high:
        found = replace(found, notes=(*found.notes, NO_WIDTH))
    return found


def _is_count(key: Key) -> bool:
    return key[3] in COUNTS or key[3].startswith("n_")


def _of_test_set(result: FoldFigures) -> Iterator[tuple[Key, Interval]]:
    (fit,) = result.fits
    patients, codes = result.data.groups[fit.test], result.data.codes[fit.test]
    level = result.options.level
    for number, node in enumerate(fit.nodes):
        for rows in ("true_members", "routed"):
            here = result.node_rows(fit, number, rows)
            judged = here.judged
            if not judged.any():
                continue
            positive, probability = here.positive[judged], fit.node_proba[judged, number]
            statistics = binary_statistics(
                positive,
                probability,
                threshold=node.threshold,
                prevalence=result.options.prevalence.get(node.name),
            )
            drawn = _drawn(statistics, patients[judged], codes[judged], result.options)
            drawn |= share_intervals(positive, probability > node.threshold, patients[judged], level)
            drawn["auc"] = auc_interval(positive, probability, patients[judged], level)
            yield from ((("node", node.name, rows, metric), found) for metric, found in drawn.items())
    decided = fit.decided(result.decision)
    overall, by_class = class_statistics(codes, fit.class_proba, decided)
    over_all = _drawn(overall, patients, codes, result.options)
    over_all["accuracy"] = _share(decided == codes, patients, level)
    for metric, found in over_all.items():
        yield ("three_class", "", "all", metric), found
    for code, (name, statistics) in enumerate(zip(result.classes, by_class, strict=True)):
        drawn = _drawn(statistics, patients, codes, result.options)
        shares = share_intervals(codes == code, decided == code, patients, level)
        drawn |= {metric: shares[metric] for metric in statistics if metric in shares}
        drawn["auc"] = auc_interval(codes == code, fit.class_proba[:, code], patients, level)
        yield from ((("three_class", str(name), "all", metric), found) for metric, found in drawn.items())


def _drawn(
    statistics: Mapping[str, Statistic], patients: NDArray[Any], codes: NDArray[np.intp], options: FigureOptions
) -> dict[str, Interval]:
    """Bootstrap all figures but AUCs and shares, drawing patients within their class."""
    return {
        metric: bootstrap_interval(
            statistic,
            len(codes),
            groups=patients,
            strata=codes,
            draws=options.draws,
            level=options.level,
            seed=options.seed,
        )
        for metric, statistic in statistics.items()
        if metric not in ("auc", *SHARES)
    }


def share_intervals(
    positive: NDArray[np.bool_], called: NDArray[np.bool_], patients: NDArray[Any], level: float
) -> dict[str, Interval]:
    """Give shares of rows an interval that has a width where all are right.

    Parameters
    ----------
    positive, called : ndarray of shape (n_samples,), bool
        The truth, and the decision.
    patients : ndarray of shape (n_samples,)
        Patient of each row.
    level : float
        Nominal coverage.

    Returns
    -------
    dict of str to Interval
        Of sensitivity, specificity, ppv, npv and accuracy: Wilson's, by patient.
    """
    of = {
        "sensitivity": (called, positive),
        "specificity": (~called, ~positive),
        "ppv": (positive, called),
        "npv": (~positive, ~called),
        "accuracy": (called == positive, np.ones(len(positive), dtype=bool)),
    }
    return {name: _share(right[rows], patients[rows], level) for name, (right, rows) in of.items()}


def _share(right: NDArray[np.bool_], patients: NDArray[Any], level: float) -> Interval:
    return proportion_interval(right, groups=patients if several_rows(patients) else None, level=level)


def auc_interval(
    positive: NDArray[np.bool_], score: NDArray[np.float64], patients: NDArray[Any], level: float
) -> Interval:
    """Give the AUC of fixed scores its interval, by patient.

    Parameters
    ----------
    positive : ndarray of shape (n_samples,), bool
        The truth.
    score : ndarray of shape (n_samples,)
        Scores.
    patients : ndarray of shape (n_samples,)
        Patient of each row.
    level : float
        Nominal coverage.

    Returns
    -------
    Interval
        DeLong's, or Obuchowski's where patients have several rows.
    """
    if several_rows(patients):
        return clustered_auc_interval(positive, score, patients, level=level)
    return delong_interval(positive, score, level=level)


def auc_comparison(
    positive: NDArray[np.bool_],
    score_a: NDArray[np.float64],
    score_b: NDArray[np.float64],
    patients: NDArray[Any],
    level: float,
) -> Comparison:
    """Compare the AUCs of two scores of the same rows, by patient.

    Parameters
    ----------
    positive : ndarray of shape (n_samples,), bool
        The truth.
    score_a, score_b : ndarray of shape (n_samples,)
        Scores.
    patients : ndarray of shape (n_samples,)
        Patient of each row.
    level : float
        Nominal coverage of the interval of the difference.

    Returns
    -------
    Comparison
        DeLong's paired test, or Obuchowski's where patients have several rows.
    """
    if several_rows(patients):
        return clustered_auc_test(positive, score_a, score_b, patients, level=level)
    return delong_test(positive, score_a, score_b, level=level)


def several_rows(patients: NDArray[Any]) -> bool:
    """Say whether any patient has more than one row.

    Parameters
    ----------
    patients : ndarray of shape (n_samples,)
        Patient of each row.

    Returns
    -------
    bool
        The answer.
    """
    return bool(np.unique(patients).size < len(patients))


def plain_interval(found: Interval | None, conditional: str | None = None) -> dict[str, Any] | None:
    """Return the form that an interval has in ``results.json``.

    Parameters
    ----------
    found : Interval or None
        The interval; None where no method gives one.
    conditional : str, optional
        What it is conditional on.

    Returns
    -------
    dict or None
        ``low``, ``high``, ``level``, ``method``, ``conditional``, ``notes``.
    """
    if found is None:
        return None
    return {
        "low": found.low,
        "high": found.high,
        "level": found.level,
        "method": found.method,
        "conditional": conditional,
        "notes": list(found.notes),
    }
