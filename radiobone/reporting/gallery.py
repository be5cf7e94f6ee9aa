"""All figures that the results of a study can show, by the name of their file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from radiobone.reporting.arms import arm_rows, arm_scores, heading, strata_rows, trained_heading
from radiobone.reporting.calibration import calibration_figure
from radiobone.reporting.confusion import confusion_figure
from radiobone.reporting.decision import decision_curve_figure
from radiobone.reporting.fitted import lasso_curves
from radiobone.reporting.flow import flow_figure
from radiobone.reporting.forest import ForestRow, forest_figure
from radiobone.reporting.lasso import lasso_figure
from radiobone.reporting.nested import class_scores, confusions, node_scores, selections, test_sets
from radiobone.reporting.parts import of_test_sets, parts
from radiobone.reporting.pooled import calibrations, decision_curves
from radiobone.reporting.roc import precision_recall_figure, roc_figure
from radiobone.reporting.selection import selection_figure
from radiobone.reporting.words import METRICS, TRUE_MEMBERS, file_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_IN_ONE_PANEL = 5


def study_figures(
    results: Mapping[str, Any],
    predictions: pd.DataFrame,
    *,
    model: Any = None,
    flow: pd.DataFrame | None = None,
) -> Iterator[tuple[str, Figure]]:
    """Draw every figure for which there is something to draw, one at a time.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, of one procedure or of several arms.
    predictions : DataFrame
        The content of ``predictions.csv``; with a column ``arm`` where there are several.
    model : classifier, optional
        The model fitted on all patients, for the paths of its LASSO.
    flow : DataFrame, optional
        The content of ``flow.csv``.

    Yields
    ------
    tuple of str and Figure
        Name of the file without its suffix, and the figure. ``roc``, ``precision_recall``, ``roc_classes``,
        ``calibration``, ``decision_curve``, ``confusion`` and ``selection_<node>`` are those of the primary arm
        (the first six once for each of several test sets, whose name follows); ``roc_arms``,
        ``decision_curve_arms`` and ``arms`` compare arms (of many, baselines and controls stand apart, under
        ``comparators``), ``strata`` parts of the patients; ``lasso_<node>`` is
        of the final model.
    """
    each = parts(results)
    first, main = next(iter(each.items()))
    several = "arm" in predictions
    own = predictions[predictions["arm"] == first].drop(columns="arm") if several else predictions
    for name, part, rows in test_sets(main, own):
        for kind, figure in _judged(part, rows, first):
            yield f"{kind}_{file_name(name)}" if name else kind, figure
    for name, features, n_folds in selections(main, results.get("volume")):
        title = trained_heading(main, name, *([first] if several else []))
        yield f"selection_{file_name(name)}", selection_figure(features, n_folds, title)
    if several and len(each) > 1:
        yield from _compared(results, predictions, each)
    strata = strata_rows(results)
    if strata:
        yield "strata", _strata(results, strata)
    if model is not None:
        for number, curves in enumerate(lasso_curves(model)):
            node = curves.node
            title = trained_heading(main, node, "final model, fitted on all") if node else curves.title
            yield f"lasso_{file_name(node) or number}", lasso_figure(replace(curves, title=title))
    if flow is not None:
        yield "flow", flow_figure(flow)


def _judged(part: Mapping[str, Any], rows: pd.DataFrame, arm: str) -> Iterator[tuple[str, Figure]]:
    """Draw how one arm does on one test set, or over all outer folds."""
    scores = node_scores(part, rows)
    if scores:
        yield "roc", roc_figure(scores)
        yield "precision_recall", precision_recall_figure(scores)
    if len(part["three_class"]["by_class"]) > 2:
        yield "roc_classes", roc_figure(class_scores(part, rows))
    calibrated, decided = calibrations(part, rows), decision_curves({arm: part})
    if calibrated:
        yield "calibration", calibration_figure(calibrated)
    if decided:
        yield "decision_curve", decision_curve_figure(decided)
    yield "confusion", confusion_figure(confusions(part))


def _compared(
    results: Mapping[str, Any], predictions: pd.DataFrame, each: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Figure]]:
    firsts = {name: next(iter(of_test_sets(part).values())) for name, part in each.items()}
    scores = arm_scores(results, predictions)
    for group, names in _together(results, list(each)).items():
        chosen = [one for one in scores if one.arm in names]
        if chosen:
            yield f"roc_{group}", roc_figure(chosen)
        decided = decision_curves({name: firsts[name] for name in names})
        if decided:
            yield f"decision_curve_{group}", decision_curve_figure(decided)
    primary = results["primary"]
    yield (
        "arms",
        forest_figure(
            arm_rows(results),
            metric=METRICS.get(primary["metric"], primary["metric"]),
            title=f"{heading(results, primary['node'])}\n{TRUE_MEMBERS}",
            counts="features",
            chance=0.5 if primary["metric"].startswith("auc") else None,
            told=_told(primary),
        ),
    )


def _together(results: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[str]]:
    """Choose the arms that share a panel: all, or if these are many the arms, and what they are held against."""
    if len(names) <= _IN_ONE_PANEL:
        return {"arms": list(names)}
    kinds = {arm["name"]: arm["kind"] for arm in results["arms"]}
    first = names[0]  # the primary arm, which the others are compared with
    groups = {"arms": [name for name in names if kinds[name] == "arm"]}
    groups["comparators"] = [name for name in names if kinds[name] != "arm"]
    return {
        group: [first, *(name for name in of if name != first)] for group, of in groups.items() if {*of} - {first}
    }


def _strata(results: Mapping[str, Any], rows: Sequence[ForestRow]) -> Figure:
    part = results["strata"][0]
    lines = [one for of_column in results["strata"] for one in of_column["strata"]]
    methods = dict.fromkeys(one["interval"]["method"] for one in lines if one["interval"])
    compared = dict.fromkeys(
        f"differences: {found['method']}" for one in lines if (found := one["difference_interval"])
    )
    told = ", ".join([*methods, *compared, *([part["conditional"]] if part["conditional"] else [])])
    return forest_figure(
        rows,
        metric=METRICS.get(part["metric"], part["metric"]),
        title=f"{heading(results, part['node'])}\n{TRUE_MEMBERS}",
        counts="patients\n(positive)",
        chance=0.5 if part["metric"] == "auc" else None,
        told=f"Exploratory. Intervals: {told}." if told else "Exploratory.",
    )


def _told(primary: Mapping[str, Any]) -> str:
    method = (primary.get("interval") or {}).get("method")
    against = primary.get("against")
    named = f"Named beforehand: {primary['arm']}" + (f" against {against}" if against else "")
    return f"{named}; all else is exploratory." + (f" Intervals: {method}." if method else "")
