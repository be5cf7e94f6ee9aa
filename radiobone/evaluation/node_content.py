"""The part of ``results.json`` that speaks of one node."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from radiobone.evaluation.figure import FigureTable, n_patients, plain_label
from radiobone.evaluation.fits import FoldFit
from radiobone.evaluation.fold_figures import FoldFigures
from radiobone.evaluation.pooled import pooled_content
from radiobone.evaluation.statistics.metrics import AT_PREVALENCE, BINARY, COUNTS

PREDICTIONS = "predictions, pooled over outer folds and repeats"


def node_content(result: FoldFigures, table: FigureTable, number: int) -> dict[str, Any]:
    """Put all that is known of a node into the form of ``results.json``.

    Parameters
    ----------
    result : FoldFigures
        All folds.
    table : FigureTable
        Their figures.
    number : int
        Number of the node.

    Returns
    -------
    dict
        See `radiobone.evaluation.content`.
    """
    assert result.tree is not None
    node = result.tree.nodes[number]
    fits = [fit.nodes[number] for fit in result.fits]
    return {
        "name": node.name,
        "positive": [plain_label(label) for label in node.positive],
        "negative": [plain_label(label) for label in node.negative],
        "prevalence": result.options.prevalence.get(node.name),
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
        "events_per_variable": [_events_per_variable(result, fold, number) for fold in result.fits],
        "threshold": [fit.threshold for fit in fits],
        "settings": [fit.settings for fit in fits],
        "notes": [
            f"{fold.where}: {note}" for fold, fit in zip(result.fits, fits, strict=True) for note in fit.notes
        ],
        "pooled": pooled_content(result, number),
    }


def _binary(result: FoldFigures, table: FigureTable, number: int, rows: str) -> dict[str, Any]:
    name = result.fits[0].nodes[number].name
    at_node = [(fit, result.node_rows(fit, number, rows)) for fit in result.fits]

    def total(metric: str) -> int:
        return int(sum(table.values["node", name, rows, metric]))

    metrics = (*BINARY, *(AT_PREVALENCE if name in result.options.prevalence else ()))
    counts = {count: total(count) for count in COUNTS}
    found: dict[str, Any] = {
        "n_patients": n_patients(result, ((fit, here.judged) for fit, here in at_node)),
        "n_patients_positive": n_patients(result, ((fit, here.judged & here.positive) for fit, here in at_node)),
        "n_predictions": sum(counts.values()),
    }
    if rows == "routed":
        found |= {f"n_predictions_{kind}": total(f"n_{kind}") for kind in ("foreign", "missed")}
    return {
        **found,
        **{metric: table.figure("node", name, rows, metric) for metric in metrics},
        "confusion": {"counts": PREDICTIONS, **counts},
    }


def _frequencies(selected: list[tuple[str, ...] | None]) -> list[dict[str, Any]] | None:
    """Count in how many folds each feature was used, most frequent first; None if that is not known."""
    if None in selected:
        return None
    counts = Counter(feature for features in selected for feature in features or ())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "folds": count, "frequency": count / len(selected)} for name, count in ordered]


def _events_per_variable(result: FoldFigures, fold: FoldFit, number: int) -> float:
    """Divide the training patients of a node's rarer side by the features that it selected; NaN without any."""
    node = fold.nodes[number]
    if not node.selected or fold.tree is None:
        return math.nan
    of_node = fold.tree.nodes[number]
    member, positive = fold.tree.sides(number, result.data.labels[fold.train])
    groups = result.data.groups[fold.train]
    events = []
    for labels, rows in ((of_node.positive, positive), (of_node.negative, member & ~positive)):
        # Nodes that train on routed rows see fewer of them.
        events.append(min(np.unique(groups[rows]).size, sum(node.n_train[str(label)] for label in labels)))
    return min(events) / len(node.selected)
