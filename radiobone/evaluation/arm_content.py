"""The content of ``results.json`` for several arms: figures of each, comparisons, primary and exploratory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from radiobone.evaluation.arm import ArmsFound
from radiobone.evaluation.compare import THREE_CLASS, Target, compare
from radiobone.evaluation.compare_pooled import pooled_comparison
from radiobone.evaluation.figure import without_nan
from radiobone.evaluation.fold_figures import FoldFigures
from radiobone.evaluation.statistics.metrics import BINARY, OVERALL
from radiobone.evaluation.statistics.multiplicity import holm
from radiobone.evaluation.strata import strata_content
from radiobone.evaluation.volume import volume_content

EXPLORATORY = (
    "only the primary figure and comparison were named beforehand; all other figures and comparisons are "
    "exploratory, their p values adjusted within each family by Holm's method (those of McNemar's tests and of "
    "pooled predictions, told beside them, are not adjusted)"
)

# In place of a comparison at a node that one of the arms does not have.
_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("a", "b", "difference", "low", "high", "statistic", "p_value", "standard_error"), math.nan),
    "method": "none: an arm has no such node",
    "n_undefined": 0,
    "notes": [],
    "mcnemar": None,
    "pooled": None,
}


def comparisons(result: ArmsFound) -> list[dict[str, Any]]:
    """List every comparison: the primary one, then each arm against the primary arm.

    Parameters
    ----------
    result : ArmsFound
        The arms.

    Returns
    -------
    list of dict
        One for each family, arm and test set; see `radiobone.evaluation.content`. Not yet without NaN.
    """
    primary = result.primary
    lines = []
    if primary.against is not None:
        sets = _test_sets(result)
        lines.append(_line(result, "primary", primary.target, primary.arm, primary.against, sets[0]))
    for target in _targets(result):
        for test_set in _test_sets(result):
            others = [name for name in result.nested if name != primary.arm]
            family = f"arms against {primary.arm}: {target.metric} of {target.node}"
            if test_set:
                family += f" in {test_set}"
            found = [_line(result, family, target, name, primary.arm, test_set) for name in others]
            for line, adjusted in zip(found, holm([line["p_value"] for line in found]), strict=True):
                line["p_holm"] = float(adjusted)
            lines += found
    return lines


def _test_sets(result: ArmsFound) -> list[str]:
    return [fit.name for fit in result.main.fits] if result.main.fixed else [""]


def _targets(result: ArmsFound) -> Iterator[Target]:
    """Yield the primary figure, the same metric at every other node, and the macro AUC over several classes."""
    primary = result.primary.target
    yield primary
    metric = primary.metric if primary.metric in BINARY else "auc"
    for node in result.main.fits[0].nodes:
        if node.name != primary.node:
            yield Target(node.name, metric)
    if len(result.main.classes) > 2 and primary.node != THREE_CLASS:
        yield Target(THREE_CLASS, "auc_macro" if metric not in OVERALL else metric)


def _line(result: ArmsFound, family: str, target: Target, arm: str, against: str, test_set: str) -> dict[str, Any]:
    kinds = {item.name: item.kind for item in result.arms}
    one, other = (_part(result.nested[name], test_set) for name in (arm, against))
    head = {
        "family": family,
        "primary": family == "primary",
        "arm": arm,
        "kind": kinds[arm],
        "against": against,
        "node": target.node,
        "metric": target.metric,
        "rows": target.key[2],
        "test_set": test_set or None,
    }
    if not _both_have(one, other, target):
        return {**head, **_NOTHING, "level": result.main.options.level, "p_holm": math.nan}
    pooled = None if one.fixed or target.node == THREE_CLASS else pooled_comparison(one, other, target.node)
    return {**head, **compare(one, other, target).plain(), "p_holm": math.nan, "pooled": pooled}


def _both_have(one: FoldFigures, other: FoldFigures, target: Target) -> bool:
    """Say whether both arms have the figure; nodes of one name over other classes are not the same node."""
    known = target.key in one.values and target.key in other.values
    return known and _sides(one, target.node) == _sides(other, target.node)


def _sides(found: FoldFigures, name: str) -> list[tuple[frozenset[Any], frozenset[Any]]]:
    nodes = () if found.tree is None else found.tree.nodes
    return [(frozenset(node.positive), frozenset(node.negative)) for node in nodes if node.name == name]


def _part(found: FoldFigures, test_set: str) -> FoldFigures:
    if not test_set:
        return found
    return found.only([fit.name for fit in found.fits].index(test_set))


def arms_content(result: ArmsFound, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the figures of all arms into the form of ``results.json``.

    Parameters
    ----------
    result : ArmsFound
        The arms.
    lines : list of dict
        Their `comparisons`.

    Returns
    -------
    dict
        Plain values only, with None for what is not defined.
    """
    each = {name: nested.results() for name, nested in result.nested.items()}
    main = each[result.primary.arm]
    families = list(dict.fromkeys(line["family"] for line in lines if not line["primary"]))
    found: dict[str, Any] = without_nan(
        {
            **main,
            "primary": _primary(result, main, lines),
            "arms": [_arm(result, number, each) for number in range(len(result.arms))],
            "comparisons": lines,
            "exploratory": {
                "note": EXPLORATORY,
                "families": [
                    {"name": name, "n": sum(line["family"] == name for line in lines), "adjusted": "Holm"}
                    for name in families
                ],
            },
            "volume": volume_content(result.main, result.volume),
            "strata": _strata(result),
        }
    )
    return found


def _strata(result: ArmsFound) -> list[dict[str, Any]]:
    """Judge the primary figure by strata; over all classes, the first node's AUC stands for it."""
    main = result.main
    first = main.only(0) if main.fixed else main
    target = result.primary.target
    if target.node == THREE_CLASS:
        target = Target(main.fits[0].nodes[0].name, "auc")
    return strata_content(first, result.strata, target)


def _primary(result: ArmsFound, main: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    primary = result.primary
    node = next((node for node in main["nodes"] if node["name"] == primary.node), None)
    return {
        "node": primary.node,
        "positive": None if node is None else node["positive"],
        "metric": primary.metric,
        "rows": primary.target.key[2],
        "arm": primary.arm,
        "against": primary.against,
        **figure_of(main, primary.target),
        "comparison": next((line for line in lines if line["primary"]), None),
        "note": "all other figures are exploratory",
    }


def _arm(result: ArmsFound, number: int, each: dict[str, dict[str, Any]]) -> dict[str, Any]:
    arm = result.arms[number]
    found = each.get(arm.name)
    head = {
        "name": arm.name,
        "kind": arm.kind,
        "needs": list(arm.needs),
        "primary": arm.name == result.primary.arm,
    }
    if found is None:
        return {**head, "n_features": None, "figure": None, "decision": None, "nodes": None, "three_class": None}
    parts = ("decision", "nodes", "three_class", "test_sets", "columns", "flags")
    return {
        **head,
        "n_features": found["validation"]["n_features"],
        "figure": figure_of(found, result.primary.target) or None,
        **{name: found[name] for name in parts if name in found},
    }


def figure_of(results: dict[str, Any], target: Target) -> dict[str, Any]:
    """Take a figure from the content of ``results.json``.

    Parameters
    ----------
    results : dict
        With ``nodes`` and ``three_class``.
    target : Target
        The figure.

    Returns
    -------
    dict
        ``mean``, ``interval`` and so on; empty if there is no such node.
    """
    if target.node == THREE_CLASS:
        return dict(results[THREE_CLASS][target.metric])
    for node in results["nodes"]:
        if node["name"] == target.node:
            return dict(node["on_true_members"][target.metric])
    return {}
