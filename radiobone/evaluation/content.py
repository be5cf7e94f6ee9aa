"""The content of ``results.json``, from the figures of each fold.

Its keys are a contract: later versions add keys and never change what one of these says. Lists with one entry for
each outer fold follow ``validation.folds``. Counts say what they count: a patient counts once however often it is
predicted, a prediction is one row in one repeat. None stands for what is not defined.

A **figure** is an object: ``mean``, ``sd`` (divisor n - 1), ``n_folds``, ``n_undefined``, ``folds`` (the values)
and ``interval``, which is None or ``{low, high, level, method, conditional, notes}``. ``method`` is ``corrected
resampled t`` over outer folds (``corrected t over centres`` where these are the folds, approximate); of one fixed
test set (then ``mean`` is its value) DeLong, Obuchowski, Wilson or bootstrap. ``notes`` says why ends are missing,
or why there is no width. ``conditional`` is None, or ``conditional on the fitted models`` for out-of-fold
predictions that were pooled.

Of one procedure (`NestedResult.results`):

``format``, ``decision``, ``classes``
    Version of this contract; ``argmax`` or ``routed``; classes in reporting order.
``validation``
    ``scheme``, ``estimand``, ``outer_folds``, ``repeats``, ``seed``, what the plan adds (``column``, ``cut``,
    ``train``, ``tests``), ``inner_folds_asked``, ``train_on``, ``n_rows``, ``n_patients``, ``n_features``,
    ``class_counts``, and ``folds``: ``repeat``, ``fold``, ``name``, ``n_rows`` and ``n_train`` (rows tested and
    trained on), ``n_patients`` and ``n_patients_train``, ``missing_classes``.
``nodes``
    A list: ``name``, ``positive``, ``negative``, ``prevalence`` (the one stated, or None); ``on_true_members`` and
    ``on_routed``, each with counts of patients and predictions, a figure for each metric of
    `radiobone.evaluation.statistics.metrics.BINARY` (and of ``AT_PREVALENCE`` where a prevalence is stated), and
    ``confusion``; ``threshold`` (operating point by fold), ``training``, ``selected_features``, ``n_selected``,
    ``events_per_variable`` (by fold: patients of the rarer side for each selected feature), ``settings``,
    ``notes``, and ``pooled``.
``nodes[].pooled``
    Of the predictions on true members, over all folds (the mean over repeats of each row) or of the test set:
    ``n_rows``, ``repeats``, ``conditional``; ``auc``, ``calibration_in_the_large``, ``calibration_intercept`` and
    ``calibration_slope``, each ``{value, interval}``; ``expected_calibration_error``,
    ``hosmer_lemeshow`` ``{statistic, degrees, p_value}``; ``calibration_curve`` (lists ``probability``,
    ``observed``, ``low``, ``high``, ``n``, ``smooth_probability``, ``smooth_observed``); ``decision_curve`` (lists
    ``thresholds``, ``net_benefit``, ``low``, ``high``, ``treat_all``, ``treat_none``; ``prevalence``, ``level``,
    ``method``, ``notes``). None without rows.
``three_class``
    The same over all classes: metrics of `radiobone.evaluation.statistics.metrics.OVERALL`, ``by_class`` with
    those of ``BY_CLASS``, and ``confusion``.
``test_sets``
    Only of a plan with several fixed test sets: by name, ``nodes`` and ``three_class`` of each. Those at the top
    are of the first.
``columns``
    What was seen of X: ``n_columns``; ``constant``, ``empty``, ``with_gaps``, ``duplicate``, ``text``, each
    ``{n, names}``; ``rule``. None for what is no table.
``flags``
    A list of what can be seen of leakage, each ``{flag, where, told}``; see `radiobone.evaluation.flags`.

Of several arms (`ArmsResult.results`), all of the above for the primary arm, and:

``primary``
    ``node``, ``positive``, ``metric``, ``rows``, ``arm``, ``against``, the keys of a figure, ``comparison`` (a
    line of ``comparisons`` or None) and ``note``.
``arms``
    A list: ``name``, ``kind`` (``arm``, ``control``, ``baseline``), ``needs`` (columns that are absent; such an
    arm was not fitted and has None below), ``primary``, ``n_features``, ``figure`` (the primary one),
    ``decision``, ``nodes``, ``three_class``, ``test_sets``, ``columns``, ``flags``.
``comparisons``
    A list: ``family``, ``primary``, ``arm``, ``kind``, ``against``, ``node`` (or ``three_class``), ``metric``,
    ``rows``, ``test_set``, ``a`` (of ``arm``), ``b`` (of ``against``), ``difference`` (a - b), ``low``, ``high``,
    ``level``, ``statistic``, ``standard_error``, ``p_value``, ``p_holm`` (None for the primary one), ``method``,
    ``n_undefined``, ``notes``, ``mcnemar`` (on a fixed test set, else None), ``pooled`` (over folds at a node,
    else None): ``conditional``, ``delong``, ``mcnemar`` of the pooled out-of-fold predictions.
``exploratory``
    ``note``, and ``families``: ``name``, ``n``, ``adjusted``.
``volume``
    Selected features that follow the volume of the VOI: ``threshold``, and ``nodes``: ``name``, ``features``
    (``name``, ``folds_selected``, ``folds_flagged``, ``largest_rho``). None if volume or features are not known.
``strata``
    A list, the primary figure by attribute: ``column``, ``node``, ``metric``, ``threshold``, ``reference``,
    ``conditional``, and ``strata``: ``name``, ``n_patients``, ``n_positive``, ``n_rows``, ``value``, ``interval``,
    ``difference``, ``difference_interval``, ``relative_difference``, ``relative_interval`` (to the reference).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from radiobone.evaluation.figure import FigureTable, n_patients, plain_label, without_nan
from radiobone.evaluation.fold_figures import FoldFigures
from radiobone.evaluation.intervals import intervals
from radiobone.evaluation.node_content import PREDICTIONS, node_content
from radiobone.evaluation.statistics.metrics import BY_CLASS, OVERALL, confusion

FORMAT = 1


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
    table = FigureTable(result.values, intervals(result))
    return {
        "nodes": [node_content(result, table, number) for number in range(len(result.fits[0].nodes))],
        "three_class": _classes(result, table),
    }


def _classes(result: FoldFigures, table: FigureTable) -> dict[str, Any]:
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
            "n_patients": n_patients(result, members),
            "n_predictions": int(matrix[code].sum()),
            **{metric: table.figure("three_class", str(label), "all", metric) for metric in BY_CLASS},
        }
    everyone = ((fit, np.ones(len(fit.test), dtype=bool)) for fit in result.fits)
    return {
        "n_patients": n_patients(result, everyone),
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
