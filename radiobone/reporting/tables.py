"""Tidy tables from the content of ``results.json``: one observation in a line, one variable in a column.

Every table names the arm, so that tables of several studies can be put below one another; a study of one procedure
calls it ``model``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.core.files import write_text
from radiobone.reporting.arms import THREE_CLASS, parts
from radiobone.reporting.words import either

if TYPE_CHECKING:
    import pandas as pd

Results = Mapping[str, Any]
Line = dict[str, Any]

ROWS = {"on_true_members": "true_members", "on_routed": "routed"}
"""Parts of a node, and which rows they are of."""

_FIGURE = ("mean", "sd", "low", "high", "level", "method", "conditional", "n_folds", "n_undefined")
_WHERE = ("arm", "scope", "name", "positive", "rows", "metric")


def metrics_by_fold(results: Results) -> pd.DataFrame:
    """Give every figure of every outer fold.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``scope`` (``node``, ``class`` or ``three_class``), ``name`` (of the node or class),
        ``positive``, ``rows``, ``metric``, ``repeat``, ``fold``, ``fold_name``, ``value``.
    """
    folds = results["validation"]["folds"]
    lines = []
    for head, found in _figures(results):
        # A study with several test sets shows the first of them in its figures.
        for fold, value in zip(folds, found["folds"], strict=False):
            where = {"repeat": fold["repeat"], "fold": fold["fold"], "fold_name": fold.get("name")}
            lines.append({**head, **where, "value": value})
    return _frame(lines, (*_WHERE, "repeat", "fold", "fold_name", "value"))


def metrics_summary(results: Results) -> pd.DataFrame:
    """Give every figure as mean, SD and interval.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``scope``, ``name``, ``positive``, ``rows``, ``metric``, ``mean``, ``sd``, ``low``,
        ``high``, ``level``, ``method``, ``conditional``, ``n_folds``, ``n_undefined``, ``primary`` (whether it is
        the figure that the study was designed for).
    """
    named = results.get("primary") or {}
    lines = []
    for head, found in _figures(results):
        interval = found.get("interval") or {}
        primary = (
            bool(named)
            and (head["name"] or THREE_CLASS, head["metric"]) == (named["node"], named["metric"])
            and head["scope"] != "class"
            and head["rows"] in ("all", "true_members")
            and head["arm"] == (named.get("arm") or head["arm"])
        )
        line = {name: found.get(name, interval.get(name)) for name in _FIGURE}
        lines.append({**head, **line, "primary": primary})
    return _frame(lines, (*_WHERE, *_FIGURE, "primary"))


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
    return _frame(lines, (*columns, *tested))


def comparisons(results: Results) -> pd.DataFrame:
    """Give every comparison of two arms.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        The keys of a line of ``comparisons`` but for ``mcnemar``, of which the columns ``mcnemar_`` tell.
    """
    lines = []
    for line in results.get("comparisons") or ():
        plain = {name: value for name, value in line.items() if name not in ("mcnemar", "notes")}
        mcnemar = {f"mcnemar_{name}": value for name, value in (line["mcnemar"] or {}).items()}
        lines.append({**plain, **mcnemar, "notes": "; ".join(line["notes"])})
    return _frame(lines, ("family", "primary", "arm", "kind", "against", "node", "metric"))


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
    for arm, node in _nodes(results):
        n_folds = len(node["n_selected"])
        for one in node["selected_features"] or ():
            counts = {"folds": one["folds"], "n_folds": n_folds, "frequency": one["frequency"]}
            lines.append({"arm": arm, "node": node["name"], "feature": one["name"], **counts})
    return _frame(lines, ("arm", "node", "feature", "folds", "n_folds", "frequency"))


def per_class(results: Results) -> pd.DataFrame:
    """Give the figures of each class against the rest.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``class``, ``n_patients``, ``n_predictions``, ``metric``, ``mean``, ``sd``, ``low``,
        ``high``, ``level``, ``method``, ``conditional``, ``n_folds``, ``n_undefined``.
    """
    lines = []
    for arm, part in parts(results).items():
        for label, found in part[THREE_CLASS]["by_class"].items():
            head = {"arm": arm, "class": label, **{name: found[name] for name in ("n_patients", "n_predictions")}}
            for metric, value in found.items():
                if isinstance(value, Mapping):
                    interval = value.get("interval") or {}
                    line = {name: value.get(name, interval.get(name)) for name in _FIGURE}
                    lines.append({**head, "metric": metric, **line})
    return _frame(lines, ("arm", "class", "n_patients", "n_predictions", "metric", *_FIGURE))


def confusion(results: Results) -> pd.DataFrame:
    """Give every confusion matrix, one cell in a line.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``name`` (a node or ``three_class``), ``rows``, ``true``, ``decided``, ``predictions``
        (pooled over outer folds and repeats).
    """
    lines = []
    for arm, part in parts(results).items():
        for node in part["nodes"]:
            names = (either(node["positive"]), either(node["negative"]))
            for key, rows in ROWS.items():
                counts = node[key]["confusion"]
                matrix = [[counts["tp"], counts["fn"]], [counts["fp"], counts["tn"]]]
                lines += _cells({"arm": arm, "name": node["name"], "rows": rows}, names, matrix)
        overall = part[THREE_CLASS]["confusion"]
        labels = [str(label) for label in overall["labels"]]
        lines += _cells({"arm": arm, "name": THREE_CLASS, "rows": "all"}, labels, overall["matrix"])
    return _frame(lines, ("arm", "name", "rows", "true", "decided", "predictions"))


def calibration(results: Results) -> pd.DataFrame:
    """Give slope, intercept and errors of the calibration of each node.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``node``, ``positive``, ``n_rows``, ``quantity``, ``value``, ``low``, ``high``, ``level``,
        ``method``, ``conditional``.
    """
    lines = []
    for arm, node, pooled in _pooled(results):
        head = {"arm": arm, "node": node["name"], "positive": either(node["positive"]), "n_rows": pooled["n_rows"]}
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
    return _frame(lines, ("arm", "node", "positive", "n_rows", "quantity", *columns))


def calibration_curve(results: Results) -> pd.DataFrame:
    """Give the points of each calibration curve.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``node``, ``positive``, ``probability``, ``observed``, ``low``, ``high``, ``n``.
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
        Columns ``arm``, ``node``, ``positive``, ``thresholds``, ``net_benefit``, ``low``, ``high``, ``treat_all``,
        ``treat_none``.
    """
    names = ("thresholds", "net_benefit", "low", "high", "treat_all", "treat_none")
    return _curves(results, "decision_curve", names)


TABLES: dict[str, Callable[[Results], pd.DataFrame]] = {
    "metrics_by_fold": metrics_by_fold,
    "metrics_summary": metrics_summary,
    "arms": arms,
    "comparisons": comparisons,
    "selection": selection,
    "per_class": per_class,
    "confusion": confusion,
    "calibration": calibration,
    "calibration_curve": calibration_curve,
    "decision_curve": decision_curve,
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


def _figures(results: Results) -> Iterator[tuple[Line, Mapping[str, Any]]]:
    """Yield where each figure stands, and the figure."""
    for arm, part in parts(results).items():
        for node in part["nodes"]:
            for key, rows in ROWS.items():
                head = {"arm": arm, "scope": "node", "name": node["name"], "positive": either(node["positive"])}
                yield from _metrics({**head, "rows": rows}, node[key])
        overall = part[THREE_CLASS]
        yield from _metrics({"arm": arm, "scope": THREE_CLASS, "name": "", "positive": "", "rows": "all"}, overall)
        for label, found in overall["by_class"].items():
            yield from _metrics(
                {"arm": arm, "scope": "class", "name": label, "positive": label, "rows": "all"}, found
            )


def _metrics(head: Line, part: Mapping[str, Any]) -> Iterator[tuple[Line, Mapping[str, Any]]]:
    for metric, value in part.items():
        if isinstance(value, Mapping) and "n_folds" in value:
            yield {**head, "metric": metric}, value


def _nodes(results: Results) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for arm, part in parts(results).items():
        for node in part["nodes"]:
            yield arm, node


def _pooled(results: Results) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    for arm, node in _nodes(results):
        if node.get("pooled"):
            yield arm, node, node["pooled"]


def _curves(results: Results, key: str, names: Sequence[str]) -> pd.DataFrame:
    lines = []
    for arm, node, pooled in _pooled(results):
        head = {"arm": arm, "node": node["name"], "positive": either(node["positive"])}
        points = zip(*(pooled[key][name] for name in names), strict=True)
        lines += [{**head, **dict(zip(names, point, strict=True))} for point in points]
    return _frame(lines, ("arm", "node", "positive", *names))


def _cells(head: Line, labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[Line]:
    return [
        {**head, "true": true, "decided": decided, "predictions": count}
        for true, counts in zip(labels, matrix, strict=True)
        for decided, count in zip(labels, counts, strict=True)
    ]


def _frame(lines: Sequence[Line], columns: Sequence[str]) -> pd.DataFrame:
    """Make a table; columns that only some lines have follow the given ones."""
    import pandas as pd

    more = [name for name in dict.fromkeys(name for line in lines for name in line) if name not in columns]
    return pd.DataFrame(list(lines), columns=[*columns, *more])
