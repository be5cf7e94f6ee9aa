"""Tidy tables of pooled predictions: calibration, and decision curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from radiobone.reporting.tidy import Line, Results, frame, sets
from radiobone.reporting.words import either

if TYPE_CHECKING:
    import pandas as pd


def calibration(results: Results) -> pd.DataFrame:
    """Give slope, intercept and errors of the calibration of each node.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``test_set``, ``node``, ``positive``, ``n_rows``, ``quantity``, ``value``, ``low``,
        ``high``, ``level``, ``method``, ``conditional``.
    """
    lines = []
    for where, node, pooled in _pooled(results):
        head = {**where, "node": node["name"], "positive": either(node["positive"]), "n_rows": pooled["n_rows"]}
        for quantity in ("calibration_in_the_large", "calibration_intercept", "calibration_slope"):
            found = pooled[quantity]
            interval = found["interval"] or {}
            line = {name: interval.get(name) for name in ("low", "high", "level", "method", "conditional")}
            lines.append({**head, "quantity": quantity, "value": found["value"], **line})
        hosmer = pooled["hosmer_lemeshow"]
        more = {f"hosmer_lemeshow_{name}": value for name, value in hosmer.items()}
        for quantity, value in {
            "expected_calibration_error": pooled["expected_calibration_error"],
            **more,
        }.items():
            lines.append({**head, "quantity": quantity, "value": value, "conditional": pooled["conditional"]})
    columns = ("value", "low", "high", "level", "method", "conditional")
    return frame(lines, ("arm", "test_set", "node", "positive", "n_rows", "quantity", *columns))


def calibration_curve(results: Results) -> pd.DataFrame:
    """Give the points of each calibration curve.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``test_set``, ``node``, ``positive``, ``probability``, ``observed``, ``low``, ``high``,
        ``n``.
    """
    return _curves(results, "calibration_curve", ("probability", "observed", "low", "high", "n"))


def decision_curve(results: Results) -> pd.DataFrame:
    """Give the points of each decision curve.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``test_set``, ``node``, ``positive``, ``threshold``, ``net_benefit``, ``low``, ``high``,
        ``treat_all``, ``treat_none``.
    """
    names = ("thresholds", "net_benefit", "low", "high", "treat_all", "treat_none")
    return _curves(results, "decision_curve", names).rename(columns={"thresholds": "threshold"})


def _pooled(results: Results) -> Iterator[tuple[Line, Mapping[str, Any], Mapping[str, Any]]]:
    for head, part in sets(results):
        for node in part["nodes"]:
            if node.get("pooled"):
                yield head, node, node["pooled"]


def _curves(results: Results, key: str, names: Sequence[str]) -> pd.DataFrame:
    lines = []
    for where, node, pooled in _pooled(results):
        head = {**where, "node": node["name"], "positive": either(node["positive"])}
        points = zip(*(pooled[key][name] for name in names), strict=True)
        lines += [{**head, **dict(zip(names, point, strict=True))} for point in points]
    return frame(lines, ("arm", "test_set", "node", "positive", *names))
