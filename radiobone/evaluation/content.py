"""The content of ``results.json``, from the figures of each fold.

Its keys are a contract: later versions add keys and never change what one of these says. Lists with one entry for
each outer fold follow ``validation.folds``. Counts say what they count: a patient counts once however often it is
predicted, a prediction is one row in one repeat. None stands for what is not defined.

A **figure** is an object: ``mean``, ``sd`` (divisor n - 1), ``n_folds``, ``n_undefined``, ``folds`` (the values) and
``interval``, which is None or ``{low, high, level, method, conditional}``. ``method`` is ``corrected resampled t``
over outer folds; of one fixed test set (then ``mean`` is its value) DeLong, Obuchowski or bootstrap. ``conditional``
is None, or ``conditional on the fitted models`` for out-of-fold predictions that were pooled.

Of one procedure (`NestedResult.results`):

``format``, ``decision``, ``classes``
    Version of this contract; ``argmax`` or ``routed``; classes in reporting order.
``validation``
    ``scheme``, ``estimand``, ``outer_folds``, ``repeats``, ``seed``, what the plan adds (``column``, ``cut``,
    ``train``, ``tests``), ``inner_folds_asked``, ``train_on``, ``n_rows``, ``n_patients``, ``n_features``,
    ``class_counts``, and ``folds``: ``repeat``, ``fold``, ``name``, ``n_rows``, ``n_train``, ``missing_classes``.
``nodes``
    A list: ``name``, ``positive``, ``negative``; ``on_true_members`` and ``on_routed``, each with counts of patients
    and predictions, a figure for each metric of `radiobone.evaluation.metrics.BINARY` (and
    ``ppv_at_prevalence``, ``npv_at_prevalence`` with ``prevalence`` where one is stated), and ``confusion``;
    ``threshold`` (operating point by fold), ``training``, ``selected_features``, ``n_selected``,
    ``events_per_variable`` (by fold: patients of the rarer side for each selected feature), ``settings``, ``notes``;
    ``pooled``.
``nodes[].pooled``
    Of out-of-fold predictions on true members, those of the first repeat (or of the test set): ``rows``,
    ``n_predictions``, ``conditional``; ``auc`` ``{value, interval}``; ``calibration``: ``intercept`` and ``slope``
    ``{value, interval}``, ``curve``; ``decision_curve``.
``three_class``
    The same over all classes: metrics of `radiobone.evaluation.metrics.OVERALL`, ``by_class`` with those of
    ``BY_CLASS``, and ``confusion``.
``test_sets``
    Only of a plan with several fixed test sets: by name, ``nodes`` and ``three_class`` of each. Those at the top are
    of the first.
``columns``
    What was seen of X: ``n_constant``, ``n_empty``, ``n_with_gaps``, ``n_duplicate``, and the rule for each.
``flags``
    A list of what can be seen of leakage, each ``{flag, where, told}``; see `radiobone.evaluation.flags`.

Of several arms (`ArmsResult.results`), all of the above for the primary arm, and:

``primary``
    ``node``, ``positive``, ``metric``, ``rows``, ``arm``, ``against``, the keys of a figure, ``comparison`` (a line
    of ``comparisons`` or None) and ``note``.
``arms``
    A list: ``name``, ``kind`` (``arm``, ``control``, ``baseline``), ``needs`` (columns that are absent; such an arm
    was not fitted and has None below), ``primary``, ``n_features``, ``figure`` (the primary one), ``decision``,
    ``nodes``, ``three_class``, ``test_sets``.
``comparisons``
    A list: ``family``, ``primary``, ``arm``, ``kind``, ``against``, ``node`` (or ``three_class``), ``metric``,
    ``rows``, ``test_set``, ``a`` (of ``arm``), ``b`` (of ``against``), ``difference`` (a - b), ``low``, ``high``,
    ``level``, ``statistic``, ``standard_error``, ``p_value``, ``p_holm`` (None for the primary one), ``method``,
    ``n_undefined``, ``notes``, ``mcnemar`` (on a fixed test set, else None).
``exploratory``
    ``note``, and ``families``: ``name``, ``n``, ``adjusted``.
``volume``
    Selected features that follow the volume of the VOI; see `radiobone.evaluation.controls`.
``strata``
    See `radiobone.evaluation.strata`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.evaluation.estimates import Interval
from radiobone.evaluation.fits import FoldFit
from radiobone.evaluation.fold_figures import FoldFigures, Key
from radiobone.evaluation.intervals import intervals, plain_interval
from radiobone.evaluation.metrics import AT_PREVALENCE, BINARY, BY_CLASS, COUNTS, OVERALL, confusion

FORMAT = 1

PREDICTIONS = "predictions, pooled over outer folds and repeats"


def content(result: FoldFigures) -> dict[str, Any]:
    """Put the figures of a nested cross-validation into the form of ``results.json``.

    Parameters
    ----------
    result : FoldFigures
        The figures of each fold.

    Returns
    -------
    dict
        Plain values only, with None for what is not defined.
    """
    several = result.fixed and len(result.fits) > 1
    first = result.only(0) if several else result
    found: dict[str, Any] = {
        "format": FORMAT,
        "decision": result.decision,
        "classes": [plain_label(name) for name in result.classes],
        **figures(first),
        "validation": result.validation,
    }
    if several:
        found["test_sets"] = {fit.name: figures(result.only(number)) for number, fit in enumerate(result.fits)}
    plain: dict[str, Any] = without_nan(found)
    return plain


def figures(result: FoldFigures) -> dict[str, Any]:
    """Return ``nodes`` and ``three_class``.

    Parameters
    ----------
    result : FoldFigures
        All folds that are averaged, or one test set.

    Returns
    -------
    dict
        Not yet without NaN.
    """
    table = _Table(result.values, intervals(result))
    return {
        "nodes": [_node(result, table, number) for number in range(len(result.fits[0].nodes))],
        "three_class": _classes(result, table),
    }


@dataclass(frozen=True)
class _Table:
    """A value for each outer fold, by scope, name, rows and metric, and the interval of each."""

    values: dict[Key, list[float]]
    intervals: dict[Key, Interval]

    def figure(self, *key: str) -> dict[str, Any]:
        scope, name, rows, metric = key
        at = (scope, name, rows, metric)
        return figure(self.values[at], self.intervals.get(at))


def _node(result: FoldFigures, table: _Table, number: int) -> dict[str, Any]:
    assert result.tree is not None
    node = result.tree.nodes[number]
    fits = [fit.nodes[number] for fit in result.fits]
    where = [f"repeat {fit.repeat}, fold {fit.fold}" for fit in result.fits]
    return {
        "name": node.name,
        "positive": [plain_label(label) for label in node.positive],
        "negative": [plain_label(label) for label in node.negative],
        "on_true_members": _binary(result, table, number, "true_members"),
        "on_routed": _binary(result, table, number, "routed"),
        "training": {
            "n_train": [fit.n_train for fit in fits],
            "n_foreign": [fit.n_foreign for fit in fits],
            "n_missed": [fit.n_missed for fit in fits],
            "inner_folds": [fit.inner_folds for fit in fits],
            "predicts_prior": [fit.predicts_prior for fit in fits],
        },
        "selected_features": _frequencies([fit.selected for fit in fits]),
        "n_selected": [None if fit.selected is None else len(fit.selected) for fit in fits],
        "settings": [fit.settings for fit in fits],
        "notes": [f"{place}: {note}" for place, fit in zip(where, fits, strict=True) for note in fit.notes],
    }


def _binary(result: FoldFigures, table: _Table, number: int, rows: str) -> dict[str, Any]:
    name = result.fits[0].nodes[number].name
    at_node = [(fit, result.node_rows(fit, number, rows)) for fit in result.fits]

    def total(metric: str) -> int:
        return int(sum(table.values["node", name, rows, metric]))

    metrics = (*BINARY, *(AT_PREVALENCE if name in result.options.prevalence else ()))
    counts = {count: total(count) for count in COUNTS}
    found: dict[str, Any] = {
        "n_patients": _n_patients(result, ((fit, here.judged) for fit, here in at_node)),
        "n_patients_positive": _n_patients(result, ((fit, here.judged & here.positive) for fit, here in at_node)),
        "n_predictions": sum(counts.values()),
    }
    if rows == "routed":
        found |= {f"n_predictions_{kind}": total(f"n_{kind}") for kind in ("foreign", "missed")}
    return {
        **found,
        **{metric: table.figure("node", name, rows, metric) for metric in metrics},
        "confusion": {"counts": PREDICTIONS, **counts},
    }


def _classes(result: FoldFigures, table: _Table) -> dict[str, Any]:
    true = [result.data.codes[fit.test] for fit in result.fits]
    matrices = [
        confusion(codes, fit.decided(result.decision), len(result.classes))
        for codes, fit in zip(true, result.fits, strict=True)
    ]
    matrix = np.sum(matrices, axis=0)
    by_class = {}
    for code, label in enumerate(result.classes):
        members = ((fit, codes == code) for codes, fit in zip(true, result.fits, strict=True))
        by_class[str(label)] = {
            "n_patients": _n_patients(result, members),
            "n_predictions": int(matrix[code].sum()),
            **{metric: table.figure("three_class", str(label), "all", metric) for metric in BY_CLASS},
        }
    everyone = ((fit, np.ones(len(fit.test), dtype=bool)) for fit in result.fits)
    return {
        "n_patients": _n_patients(result, everyone),
        "n_predictions": int(matrix.sum()),
        **{metric: table.figure("three_class", "", "all", metric) for metric in OVERALL},
        "by_class": by_class,
        "confusion": {
            "counts": PREDICTIONS,
            "labels": [plain_label(name) for name in result.classes],
            "matrix": matrix.tolist(),
            "rows": "true class",
            "columns": f"decided class ({result.decision})",
        },
    }


def _n_patients(result: FoldFigures, rows: Iterable[tuple[FoldFit, NDArray[np.bool_]]]) -> int:
    """Count patients with at least one of the rows; in several folds or repeats, each counts once."""
    return len({patient for fit, chosen in rows for patient in result.data.groups[fit.test[chosen]].tolist()})


def figure(values: list[float], interval: Interval | None = None) -> dict[str, Any]:
    """Sum up one metric over the outer folds.

    Parameters
    ----------
    values : list of float
        One value for each outer fold; NaN where the fold cannot show it.
    interval : Interval, optional
        Around the mean.

    Returns
    -------
    dict
        ``mean``, ``sd`` (divisor n - 1), ``n_folds``, ``n_undefined`` (how many are NaN), ``folds`` (the values),
        ``interval`` (an object, or None).
        One undefined fold leaves mean and SD undefined: a mean over the others would be another figure.
    """
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
        "n_folds": len(values),
        "n_undefined": int(np.isnan(values).sum()),
        "folds": values,
        "interval": plain_interval(interval),
    }


def _frequencies(selected: list[tuple[str, ...] | None]) -> list[dict[str, Any]] | None:
    """Count in how many folds each feature was used, most frequent first; None if that is not known."""
    if None in selected:
        return None
    counts = Counter(feature for features in selected for feature in features or ())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "folds": count, "frequency": count / len(selected)} for name, count in ordered]


def plain_label(label: Any) -> Any:
    """Return a class as JSON can hold it.

    Parameters
    ----------
    label : object
        The class.

    Returns
    -------
    str, int, float or bool
        Itself, or its text.
    """
    return label if isinstance(label, (str, int, float, bool)) else str(label)


def without_nan(value: Any) -> Any:
    """Put None in place of every number that is not finite.

    Parameters
    ----------
    value : object
        Mappings, sequences and plain values.

    Returns
    -------
    object
        The same, with lists for sequences.
    """
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
