"""Two arms on identical folds: the difference of one figure, its interval, and a test."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.evaluation.fits import FoldFit
from radiobone.evaluation.fold_figures import FoldFigures, Key
from radiobone.evaluation.intervals import auc_comparison, several_rows
from radiobone.evaluation.statistics.bootstrap import Statistic, bootstrap_difference
from radiobone.evaluation.statistics.estimates import NAN, Comparison
from radiobone.evaluation.statistics.mcnemar import McNemar, mcnemar_test
from radiobone.evaluation.statistics.metrics import BINARY, OVERALL
from radiobone.evaluation.statistics.proportions import NO_ROWS
from radiobone.evaluation.statistics.resampled import BY_CENTRE, CENTRES, corrected_test
from radiobone.evaluation.statistics.weighted import binary_statistics, class_statistics

THREE_CLASS = "three_class"
"""Stands where a node stands, for figures over all classes."""

_SHARES = ("sensitivity", "specificity", "accuracy")


@dataclass(frozen=True)
class Target:
    """One figure, of which arms are compared.

    Parameters
    ----------
    node : str
        A node, or `THREE_CLASS`.
    metric : str
        A figure of nodes or over all classes.

    Raises
    ------
    UsageError
        If there is no such figure.
    """

    node: str
    metric: str

    def __post_init__(self) -> None:
        known = OVERALL if self.node == THREE_CLASS else BINARY
        if self.metric not in known:
            raise UsageError("no figure of this name", where=self.node, got=self.metric, expected=", ".join(known))

    @property
    def key(self) -> Key:
        """Where the figure stands: at a node on its true members."""
        if self.node == THREE_CLASS:
            return (THREE_CLASS, "", "all", self.metric)
        return ("node", self.node, "true_members", self.metric)


@dataclass(frozen=True)
class Difference:
    """What sets two arms apart.

    Parameters
    ----------
    found : Comparison
        Difference, interval and test of the figure.
    mcnemar : McNemar or None
        On one fixed test set: which of the two decides rightly more often. None over folds.
    """

    found: Comparison
    mcnemar: McNemar | None = None

    def plain(self) -> dict[str, Any]:
        """Return its form in ``results.json``.

        Returns
        -------
        dict
            Keys of `Comparison`, and ``mcnemar``.
        """
        content = asdict(self.found)
        content["notes"] = list(self.found.notes)
        return {**content, "mcnemar": None if self.mcnemar is None else asdict(self.mcnemar)}


def compare(a: FoldFigures, b: FoldFigures, target: Target) -> Difference:
    """Compare a figure of two arms on identical folds.

    Parameters
    ----------
    a, b : FoldFigures
        Fitted on the same folds; of a plan with fixed test sets, one of these (`FoldFigures.only`).
    target : Target
        The figure.

    Returns
    -------
    Difference
        Over folds the corrected resampled t test of the differences, fold by fold (approximate where folds are
        centres, and named so). On one fixed test set DeLong's
        paired test (Obuchowski's where patients have several rows) for an AUC; McNemar's p value for a
        sensitivity, specificity or accuracy; else the bootstrap of patients, which gives all but AUCs their
        interval.
    """
    _check_same(a, b)
    if not a.fixed:
        train, test = a.patients
        key = target.key
        folds = a.values[key], b.values[key]
        found = corrected_test(*folds, train, test, a.options.level, repeats=a.repeats)
        if a.by_centre:
            found = replace(found, method=f"{BY_CENTRE}, paired", notes=(*found.notes, CENTRES))
        return Difference(found)
    return _on_test_set(a, b, target)


def _check_same(a: FoldFigures, b: FoldFigures) -> None:
    same = len(a.fits) == len(b.fits) and all(
        np.array_equal(one.train, other.train) and np.array_equal(one.test, other.test)
        for one, other in zip(a.fits, b.fits, strict=True)
    )
    if not same or not np.array_equal(a.data.codes, b.data.codes) or a.fixed != b.fixed:
        raise UsageError("the two were not judged on identical folds", do="run them as arms of one ArmsCV")
    if a.fixed and len(a.fits) > 1:
        raise UsageError("several test sets are compared one by one", do="take one of them with only(number)")


@dataclass(frozen=True, eq=False)
class _Side:
    """What one arm says of the rows that a figure is judged on: its figure, and which decisions are right."""

    statistic: Statistic
    right: NDArray[np.bool_]
    score: NDArray[np.float64]


def _on_test_set(a: FoldFigures, b: FoldFigures, target: Target) -> Difference:
    (fit,) = a.fits
    codes, patients = a.data.codes[fit.test], a.data.groups[fit.test]
    options = a.options
    positive = np.ones(len(codes), dtype=bool)
    if target.node == THREE_CLASS:
        one, other = _over_classes(a, target.metric), _over_classes(b, target.metric)
    else:
        here = a.node_rows(fit, _number(fit, target.node), "true_members")
        codes, patients, positive = codes[here.judged], patients[here.judged], here.positive[here.judged]
        one, other = (_at_node(result, target, here.judged, positive) for result in (a, b))
        if target.metric == "auc":
            found = auc_comparison(positive, one.score, other.score, patients, options.level)
            return Difference(found, _mcnemar(one.right, other.right, patients))
        if not len(codes):
            nothing = (NAN,) * 5
            return Difference(Comparison(*nothing, options.level, NAN, NAN, "none", notes=(NO_ROWS,)))
    drawn = bootstrap_difference(
        one.statistic,
        other.statistic,
        len(codes),
        groups=patients,
        strata=codes,
        draws=options.draws,
        level=options.level,
        seed=options.seed,
    )
    # A sensitivity is a share of the positive rows only, a specificity of the others.
    of = {"sensitivity": positive, "specificity": ~positive}.get(target.metric, np.ones(len(codes), dtype=bool))
    mcnemar = _mcnemar(one.right[of], other.right[of], patients[of])
    return Difference(_with_mcnemar(drawn, mcnemar) if target.metric in _SHARES else drawn, mcnemar)


def _over_classes(result: FoldFigures, metric: str) -> _Side:
    (fit,) = result.fits
    codes, decided = result.data.codes[fit.test], fit.decided(result.decision)
    statistic = class_statistics(codes, fit.class_proba, decided)[0][metric]
    return _Side(statistic, decided == codes, np.max(fit.class_proba, axis=1))


def _at_node(result: FoldFigures, target: Target, judged: NDArray[np.bool_], positive: NDArray[np.bool_]) -> _Side:
    (fit,) = result.fits
    number = _number(fit, target.node)
    score, threshold = fit.node_proba[judged, number], fit.nodes[number].threshold
    statistic = binary_statistics(positive, score, threshold=threshold)[target.metric]
    return _Side(statistic, (score > threshold) == positive, score)


def _number(fit: FoldFit, node: str) -> int:
    return [found.name for found in fit.nodes].index(node)


def _mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], patients: NDArray[Any]) -> McNemar | None:
    if not len(right_a):
        return None
    return mcnemar_test(right_a, right_b, groups=patients if several_rows(patients) else None)


def _with_mcnemar(drawn: Comparison, mcnemar: McNemar | None) -> Comparison:
    """Keep the interval of the bootstrap, and take McNemar's test of the same difference."""
    if mcnemar is None:
        return drawn
    content = asdict(drawn) | {
        "statistic": mcnemar.statistic,
        "p_value": mcnemar.p_value,
        "method": f"McNemar ({mcnemar.method}); interval: {drawn.method}",
        "notes": drawn.notes,
    }
    return Comparison(**content)
