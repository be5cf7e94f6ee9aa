"""What the figures draw of several arms, taken from ``results.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from radiobone.reporting.curves import NodeScores
from radiobone.reporting.estimates import Estimate, estimate
from radiobone.reporting.forest import ForestRow
from radiobone.reporting.nested import node_scores, test_sets
from radiobone.reporting.parts import THREE_CLASS, parts
from radiobone.reporting.words import either, spaced

if TYPE_CHECKING:
    import pandas as pd

KINDS = {"arm": "arms", "baseline": "baselines", "control": "controls"}
"""Kinds of arms in the order in which they are listed, with their headings."""


def arm_scores(results: Mapping[str, Any], predictions: pd.DataFrame) -> list[NodeScores]:
    """Take the scores of every arm at every node that the primary arm has.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    predictions : DataFrame
        The content of ``predictions.csv``, with a column ``arm``.

    Returns
    -------
    list of NodeScores
        Of the primary arm first. An arm without such a node, or without scores there, is left out. Of several
        test sets, those of the first.
    """
    found: list[NodeScores] = []
    for name, part in parts(results).items():
        own = predictions[predictions["arm"] == name].reset_index(drop=True)
        _, part, rows = test_sets(part, own)[0]
        known = {one.name for one in found} or {node["name"] for node in part["nodes"]}
        nodes = [
            node
            for node in part["nodes"]
            if node["name"] in known and rows[f"p_node_{node['name']}"].notna().all() and len(rows)
        ]
        found += node_scores({**part, "nodes": nodes}, rows, arm=name)
    return found


def arm_rows(results: Mapping[str, Any], node: str | None = None) -> list[ForestRow]:
    """Take the arms as rows of a forest plot, with the difference of each to the primary arm.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, of several arms.
    node : str, optional
        By default the primary one. The metric is that of the primary figure.

    Returns
    -------
    list of ForestRow
        Arms, then baselines, then controls; those that were not fitted say which columns they need.
    """
    target = node or results["primary"]["node"]
    metric = results["primary"]["metric"]
    against = {
        line["arm"]: line
        for line in results["comparisons"]
        if not line["primary"]
        and line["node"] == target
        and line["metric"] == metric
        and line["test_set"] in (None, _first_test_set(results))
    }
    rows = []
    for kind, heading in KINDS.items():
        for arm in (arm for arm in results["arms"] if arm["kind"] == kind):
            line = against.get(arm["name"])
            n_features = arm["n_features"]
            rows.append(
                ForestRow(
                    label=arm["name"],
                    value=_figure(arm, target, metric),
                    count="" if n_features is None else str(n_features),
                    group=heading,
                    difference=None if line is None else _difference(line),
                    reference=bool(arm["primary"]),
                    needs=needed(arm["needs"]),
                )
            )
    return rows


def strata_rows(results: Mapping[str, Any]) -> list[ForestRow]:
    """Take the primary figure by strata as rows of a forest plot, with differences to the reference strata.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    list of ForestRow
        Grouped by attribute; empty if none was asked for.
    """
    rows = []
    for part in results.get("strata") or ():
        for one in part["strata"]:
            difference = None
            if one["difference"] is not None:
                difference = estimate({"value": one["difference"], "interval": one["difference_interval"]})
            rows.append(
                ForestRow(
                    label=one["name"],
                    value=estimate(one),
                    count=f"{one['n_patients']} ({one['n_positive']})",
                    group=spaced(part["column"]),
                    difference=difference,
                    reference=one["name"] == part["reference"],
                )
            )
    return rows


def needed(columns: list[str]) -> str:
    """Say which columns an arm needs.

    Parameters
    ----------
    columns : list of str
        Those that are absent.

    Returns
    -------
    str
        Empty if none is.

    Examples
    --------
    >>> needed(["age", "sex"]), needed([])
    ('needs age, sex', '')
    """
    return f"needs {', '.join(columns)}" if columns else ""


def node_of(results: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return a node by its name.

    Parameters
    ----------
    results : mapping
        With ``nodes``.
    name : str
        The node.

    Returns
    -------
    mapping or None
        None if there is no such node.
    """
    return next((node for node in results["nodes"] or () if node["name"] == name), None)


def heading(results: Mapping[str, Any], name: str) -> str:
    """Name a node, its positive class, its patients, and which test set they are of if there are several.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    name : str
        A node, or ``three_class``.

    Returns
    -------
    str
        Lines.
    """
    sets = list(results.get("test_sets") or ())
    where = f"\ntest set {sets[0]}" if sets else ""
    node = node_of(results, name)
    if node is None:
        called = "all classes" if name == THREE_CLASS else spaced(name)
        return f"{called}\n{results[THREE_CLASS]['n_patients']} patients{where}"
    part = node["on_true_members"]
    counts = f"{part['n_patients_positive']} of {part['n_patients']} patients"
    return f"{spaced(name)}\npositive: {either(node['positive'])}, {counts}{where}"


def trained_heading(results: Mapping[str, Any], name: str, *told: str) -> str:
    """Name a node, its positive class and all rows of its classes, for figures of what was learned.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    name : str
        A node.
    *told : str
        More lines.

    Returns
    -------
    str
        Lines.
    """
    node = node_of(results, name)
    assert node is not None
    validation = results["validation"]
    positive, negative = (
        sum(validation["class_counts"][str(label)] for label in node[side]) for side in ("positive", "negative")
    )
    unit = "patients" if validation["n_rows"] == validation["n_patients"] else "rows"
    counts = f"{positive} of {positive + negative} {unit}"
    return "\n".join([spaced(name), f"positive: {either(node['positive'])}, {counts}", *told])


def _figure(arm: Mapping[str, Any], target: str, metric: str) -> Estimate:
    if arm["nodes"] is None:
        return estimate(None)
    if target == THREE_CLASS:
        return estimate(arm[THREE_CLASS].get(metric))
    node = node_of(arm, target)
    return estimate(None if node is None else node["on_true_members"].get(metric))


def _difference(line: Mapping[str, Any]) -> Estimate:
    interval = {"low": line["low"], "high": line["high"], "level": line["level"], "method": line["method"]}
    return estimate({"value": line["difference"], "interval": interval})


def _first_test_set(results: Mapping[str, Any]) -> str | None:
    return next(iter(results.get("test_sets") or ()), None)
