"""Tidy tables of metrics: by fold, summed up, by class, and confusion matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from radiobone.reporting.parts import THREE_CLASS
from radiobone.reporting.tidy import Line, Results, frame, sets
from radiobone.reporting.words import either

if TYPE_CHECKING:
    import pandas as pd

ROWS = {"on_true_members": "true_members", "on_routed": "routed"}
"""Parts of a node, and which rows they are of."""

_FIGURE = ("mean", "sd", "low", "high", "level", "method", "conditional", "n_folds", "n_undefined")
_WHERE = ("arm", "test_set", "scope", "name", "positive", "rows", "metric")


def metrics_by_fold(results: Results) -> pd.DataFrame:
    """Give every figure of every outer fold.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``test_set`` (empty but for several), ``scope`` (``node``, ``class`` or ``three_class``),
        ``name`` (of the node or class), ``positive``, ``rows``, ``metric``, ``repeat``, ``fold``, ``fold_name``,
        ``value``.
    """
    lines = []
    for head, part in sets(results):
        folds = part["validation"]["folds"]
        for where, found in _figures(part):
            for fold, value in zip(folds, found["folds"], strict=True):
                place = {"repeat": fold["repeat"], "fold": fold["fold"], "fold_name": fold.get("name")}
                lines.append({**head, **where, **place, "value": value})
    return frame(lines, (*_WHERE, "repeat", "fold", "fold_name", "value"))


def metrics_summary(results: Results) -> pd.DataFrame:
    """Give every figure as mean, SD and interval.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``test_set``, ``scope``, ``name``, ``positive``, ``rows``, ``metric``, ``mean``, ``sd``,
        ``low``, ``high``, ``level``, ``method``, ``conditional``, ``n_folds``, ``n_undefined``, ``primary``
        (whether it is the figure that the study was designed for).
    """
    named = results.get("primary") or {}
    first = next(iter(results.get("test_sets") or ()), None)
    lines = []
    for head, part in sets(results):
        own = bool(named) and head["test_set"] == first and head["arm"] == (named.get("arm") or head["arm"])
        for where, found in _figures(part):
            at = (where["name"] or THREE_CLASS, where["metric"])
            primary = own and at == (named["node"], named["metric"]) and where["rows"] in ("all", "true_members")
            lines.append({**head, **where, **_cells_of(found), "primary": primary and where["scope"] != "class"})
    return frame(lines, (*_WHERE, *_FIGURE, "primary"))


def per_class(results: Results) -> pd.DataFrame:
    """Give the figures of each class against the rest.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``test_set``, ``class``, ``n_patients``, ``n_predictions``, ``metric``, ``mean``, ``sd``,
        ``low``, ``high``, ``level``, ``method``, ``conditional``, ``n_folds``, ``n_undefined``.
    """
    lines = []
    for head, part in sets(results):
        for label, found in part[THREE_CLASS]["by_class"].items():
            counts = {name: found[name] for name in ("n_patients", "n_predictions")}
            for where, value in _metrics({}, found):
                lines.append({**head, "class": label, **counts, **where, **_cells_of(value)})
    return frame(lines, ("arm", "test_set", "class", "n_patients", "n_predictions", "metric", *_FIGURE))


def confusion(results: Results) -> pd.DataFrame:
    """Give every confusion matrix, one cell in a line.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``test_set``, ``name`` (a node or ``three_class``), ``rows``, ``true``, ``decided``,
        ``predictions`` (pooled over outer folds and repeats).
    """
    lines = []
    for head, part in sets(results):
        for node in part["nodes"]:
            names = (either(node["positive"]), either(node["negative"]))
            for key, rows in ROWS.items():
                counts = node[key]["confusion"]
                matrix = [[counts["tp"], counts["fn"]], [counts["fp"], counts["tn"]]]
                lines += _confusion_cells({**head, "name": node["name"], "rows": rows}, names, matrix)
        overall = part[THREE_CLASS]["confusion"]
        labels = [str(label) for label in overall["labels"]]
        lines += _confusion_cells({**head, "name": THREE_CLASS, "rows": "all"}, labels, overall["matrix"])
    return frame(lines, ("arm", "test_set", "name", "rows", "true", "decided", "predictions"))


def _figures(part: Mapping[str, Any]) -> Iterator[tuple[Line, Mapping[str, Any]]]:
    """Yield where each figure stands, and the figure."""
    for node in part["nodes"]:
        head = {"scope": "node", "name": node["name"], "positive": either(node["positive"])}
        for key, rows in ROWS.items():
            yield from _metrics({**head, "rows": rows}, node[key])
    overall = part[THREE_CLASS]
    yield from _metrics({"scope": THREE_CLASS, "name": "", "positive": "", "rows": "all"}, overall)
    for label, found in overall["by_class"].items():
        yield from _metrics({"scope": "class", "name": label, "positive": label, "rows": "all"}, found)


def _metrics(head: Line, part: Mapping[str, Any]) -> Iterator[tuple[Line, Mapping[str, Any]]]:
    for metric, value in part.items():
        if isinstance(value, Mapping) and "n_folds" in value:
            yield {**head, "metric": metric}, value


def _cells_of(figure: Mapping[str, Any]) -> Line:
    """Put a figure and its interval side by side."""
    interval = figure.get("interval") or {}
    return {name: figure.get(name, interval.get(name)) for name in _FIGURE}


def _confusion_cells(head: Line, labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[Line]:
    return [
        {**head, "true": true, "decided": decided, "predictions": count}
        for true, counts in zip(labels, matrix, strict=True)
        for decided, count in zip(labels, counts, strict=True)
    ]
