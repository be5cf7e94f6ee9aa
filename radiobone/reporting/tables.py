"""Tidy tables from the content of ``results.json``: one observation in a line, one variable in a column.

Every table names the arm, so that tables of several studies can be put below one another; a study of one procedure
calls it ``model``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.core.files import write_text
from radiobone.reporting.metric_tables import confusion, metrics_by_fold, metrics_summary, per_class
from radiobone.reporting.parts import parts
from radiobone.reporting.pooled_tables import calibration, calibration_curve, decision_curve
from radiobone.reporting.tidy import Line, Results, frame

if TYPE_CHECKING:
    import pandas as pd


def arms(results: Results) -> pd.DataFrame:
    """Give the primary figure of every arm, and its difference to the primary arm.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``kind``, ``primary``, ``needs``, ``n_features``, ``node``, ``metric``, ``mean``, ``low``,
        ``high``, ``method``, ``difference``, ``difference_low``, ``difference_high``, ``p_value``, ``p_holm``,
        ``test``. Empty for a study of one procedure.
    """
    named = results.get("primary") or {}
    against = {
        line["arm"]: line
        for line in reversed(results.get("comparisons") or ())
        if not line["primary"] and (line["node"], line["metric"]) == (named["node"], named["metric"])
    }
    lines = []
    for arm in results.get("arms") or ():
        found, line = arm["figure"] or {}, against.get(arm["name"], {})
        interval = found.get("interval") or {}
        lines.append(
            {
                "arm": arm["name"],
                "kind": arm["kind"],
                "primary": arm["primary"],
                "needs": ", ".join(arm["needs"]),
                "n_features": arm["n_features"],
                "node": named["node"],
                "metric": named["metric"],
                "mean": found.get("mean"),
                **{name: interval.get(name) for name in ("low", "high", "method")},
                "difference": line.get("difference"),
                "difference_low": line.get("low"),
                "difference_high": line.get("high"),
                **{name: line.get(name) for name in ("p_value", "p_holm")},
                "test": line.get("method"),
            }
        )
    columns = ("arm", "kind", "primary", "needs", "n_features", "node", "metric", "mean", "low", "high", "method")
    tested = ("difference", "difference_low", "difference_high", "p_value", "p_holm", "test")
    return frame(lines, (*columns, *tested))


def comparisons(results: Results) -> pd.DataFrame:
    """Give every comparison of two arms.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        The keys of a line of ``comparisons``; those of ``mcnemar`` and ``pooled`` with these words before them.
    """
    lines = []
    for line in results.get("comparisons") or ():
        nested = {name: line.get(name) or {} for name in ("mcnemar", "pooled")}
        plain = {name: value for name, value in line.items() if name not in (*nested, "notes")}
        lines.append({**plain, **_flat(nested), "notes": "; ".join(line["notes"])})
    return frame(lines, ("family", "primary", "arm", "kind", "against", "node", "metric"))


def selection(results: Results) -> pd.DataFrame:
    """Give how often each feature was selected over the outer folds.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``node``, ``feature``, ``folds``, ``n_folds``, ``frequency``.
    """
    lines = []
    for arm, part in parts(results).items():
        for node in part["nodes"]:
            n_folds = len(node["n_selected"])
            for one in node["selected_features"] or ():
                counts = {"folds": one["folds"], "n_folds": n_folds, "frequency": one["frequency"]}
                lines.append({"arm": arm, "node": node["name"], "feature": one["name"], **counts})
    return frame(lines, ("arm", "node", "feature", "folds", "n_folds", "frequency"))


def volume(results: Results) -> pd.DataFrame:
    """Give the selected features that follow the volume of the VOI.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``node``, ``feature``, ``folds_selected``, ``folds_flagged``, ``largest_rho``, ``threshold``; of
        the primary arm.
    """
    found = results.get("volume") or {"nodes": []}
    lines = []
    for node in found["nodes"]:
        for one in node["features"]:
            told = {name: one[name] for name in ("folds_selected", "folds_flagged", "largest_rho")}
            lines.append({"node": node["name"], "feature": one["name"], **told, "threshold": found["threshold"]})
    return frame(lines, ("node", "feature", "folds_selected", "folds_flagged", "largest_rho", "threshold"))


def strata(results: Results) -> pd.DataFrame:
    """Give the primary figure in every stratum, and its differences to the reference.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``column``, ``stratum``, ``reference``, ``node``, ``metric``, ``n_patients``, ``n_positive``,
        ``value``, ``low``, ``high``, ``method``, ``conditional``, ``difference``, ``difference_low``,
        ``difference_high``, ``relative_difference``, ``relative_low``, ``relative_high``.
    """
    lines = []
    for part in results.get("strata") or ():
        for one in part["strata"]:
            interval = one["interval"] or {}
            line = {"column": part["column"], "stratum": one["name"], "reference": part["reference"]}
            line |= {name: part[name] for name in ("node", "metric")}
            line |= {name: one[name] for name in ("n_patients", "n_positive", "value")}
            line |= {name: interval.get(name) for name in ("low", "high", "method")}
            line["conditional"] = part["conditional"]
            for name in ("difference", "relative"):
                value = "difference" if name == "difference" else "relative_difference"
                ends = one[f"{name}_interval"] or {}
                line |= {value: one[value], f"{name}_low": ends.get("low"), f"{name}_high": ends.get("high")}
            lines.append(line)
    return frame(lines, ("column", "stratum", "reference", "node", "metric", "n_patients", "n_positive", "value"))


def permutation(results: Results) -> pd.DataFrame:
    """Give the primary figure on permuted labels.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``labels`` (``true``, on the first line, or ``permuted``), ``value``, ``p_value`` (of the true).
    """
    found = results.get("permutation")
    if not found:
        return frame([], ("labels", "value", "p_value"))
    true = {"labels": "true", "value": found["observed"], "p_value": found["p_value"]}
    lines = [true, *({"labels": "permuted", "value": value} for value in found["null"])]
    return frame(lines, ("labels", "value", "p_value"))


def learning_curve(results: Results) -> pd.DataFrame:
    """Give the primary figure by the number of patients.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``n_patients``, ``order`` (from 1), ``value``.
    """
    found = results.get("learning_curve") or {"n_patients": (), "scores": ()}
    lines = [
        {"n_patients": size, "order": order, "value": value}
        for order, scores in enumerate(found["scores"], start=1)
        for size, value in zip(found["n_patients"], scores, strict=True)
    ]
    return frame(lines, ("n_patients", "order", "value"))


TABLES: dict[str, Callable[[Results], pd.DataFrame]] = {
    "metrics_by_fold": metrics_by_fold,
    "metrics_summary": metrics_summary,
    "arms": arms,
    "comparisons": comparisons,
    "selection": selection,
    "volume": volume,
    "strata": strata,
    "per_class": per_class,
    "confusion": confusion,
    "calibration": calibration,
    "calibration_curve": calibration_curve,
    "decision_curve": decision_curve,
    "permutation": permutation,
    "learning_curve": learning_curve,
}
"""All tables by the name of their file."""


def write_tables(results: Results, folder: Path) -> list[Path]:
    """Write every table that has a line, as CSV.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    folder : Path
        Made if need be.

    Returns
    -------
    list of Path
        What was written.
    """
    paths = []
    for name, build in TABLES.items():
        table = build(results)
        if len(table):
            path = folder / f"{name}.csv"
            write_text(path, table.to_csv(index=False, lineterminator="\n"))
            paths.append(path)
    return paths


def _flat(value: Mapping[str, Any], before: str = "") -> Line:
    """Put what stands in mappings and lists side by side, under the names that lead there."""
    found: Line = {}
    for name, one in value.items():
        if isinstance(one, Mapping):
            found |= _flat(one, f"{before}{name}_")
        else:
            found[f"{before}{name}"] = "; ".join(map(str, one)) if isinstance(one, (list, tuple)) else one
    return found
