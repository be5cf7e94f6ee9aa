"""What the figures draw, taken from the results of a nested cross-validation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.calibration import Calibration
from radiobone.reporting.confusion import Confusion
from radiobone.reporting.curves import NodeScores
from radiobone.reporting.decision import DecisionCurve
from radiobone.reporting.estimates import estimate
from radiobone.reporting.selection import Selected
from radiobone.reporting.words import TRUE_MEMBERS, either
from radiobone.tables.keys import PATIENT

if TYPE_CHECKING:
    import pandas as pd


def node_scores(results: Mapping[str, Any], predictions: pd.DataFrame, arm: str = "") -> list[NodeScores]:
    """Take the out-of-fold scores of each node on its true members.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, or of one of its arms together with ``validation``.
    predictions : DataFrame
        The content of ``predictions.csv``: ``repeat``, ``fold``, ``true_class`` and ``p_node_<name>``.
    arm : str, optional
        Name of the arm, where a panel shows several.

    Returns
    -------
    list of NodeScores
        In the order of the nodes; each outer fold of each repeat counts as one fold.
    """
    true = predictions["true_class"].astype(str)
    fold = predictions.groupby(["repeat", "fold"]).ngroup().to_numpy()
    patient = patients(predictions)
    found = []
    for node in results["nodes"]:
        positive, member = sides(node, true)
        score = predictions[f"p_node_{node['name']}"].to_numpy(dtype=np.float64)
        area = estimate(node["on_true_members"]["auc"])
        found.append(
            NodeScores(
                name=node["name"],
                positive=either(node["positive"]),
                is_positive=positive[member],
                score=score[member],
                fold=fold[member],
                judged_on=TRUE_MEMBERS,
                arm=arm,
                patient=patient[member],
                test_share=_test_share(results) if area.method.startswith("corrected") else None,
                area=area if area.has_interval else None,
            )
        )
    return found


def calibrations(results: Mapping[str, Any], predictions: pd.DataFrame) -> list[Calibration]:
    """Take the calibration of each node on its true members.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    predictions : DataFrame
        The content of ``predictions.csv``, of the same arm; the mean over repeats of each row counts.

    Returns
    -------
    list of Calibration
        Nodes without pooled figures are left out.
    """
    found = []
    for node in results["nodes"]:
        pooled = node.get("pooled")
        if not pooled:
            continue
        curve = pooled["calibration_curve"]
        truth, probability = _mean_over_repeats(node, predictions)
        part = node["on_true_members"]
        arrays = {name: _array(values) for name, values in curve.items()}
        found.append(
            Calibration(
                name=node["name"],
                positive=either(node["positive"]),
                is_positive=truth,
                probability=probability,
                predicted=arrays["probability"],
                observed=arrays["observed"],
                low=arrays["low"],
                high=arrays["high"],
                smooth_probability=arrays["smooth_probability"],
                smooth_observed=arrays["smooth_observed"],
                slope=estimate(pooled["calibration_slope"]),
                in_the_large=estimate(pooled["calibration_in_the_large"]),
                judged_on=TRUE_MEMBERS,
                method=", ".join(text for text in ("Wilson", pooled.get("conditional")) if text),
                n_patients=part["n_patients"],
                n_positive=part["n_patients_positive"],
            )
        )
    return found


def decision_curves(arms: Mapping[str, Mapping[str, Any]]) -> list[DecisionCurve]:
    """Take the decision curve of each node, of one arm or of several in one panel.

    Parameters
    ----------
    arms : mapping of str to mapping
        Name of each arm, and its part of ``results.json``. The first has the band, and its nodes are drawn.

    Returns
    -------
    list of DecisionCurve
        Nodes without pooled figures are left out.
    """
    first = next(iter(arms))
    found = []
    for node in arms[first]["nodes"]:
        curves = {name: _decision_curve(part, node["name"]) for name, part in arms.items()}
        of_first = curves[first]
        if of_first is None:
            continue
        thresholds = _array(of_first["thresholds"])
        same = {
            name: _array(curve["net_benefit"])
            for name, curve in curves.items()
            if curve is not None and curve["thresholds"] == of_first["thresholds"]
        }
        band = (_array(of_first["low"]), _array(of_first["high"]))
        drawn = bool(np.isfinite(band).all())
        conditional = (node["pooled"] or {}).get("conditional")
        method = ", ".join(text for text in (of_first.get("method"), conditional) if text)
        found.append(
            DecisionCurve(
                name=node["name"],
                positive=either(node["positive"]),
                threshold=thresholds,
                models=same,
                treat_all=_array(of_first["treat_all"]),
                n_patients=node["on_true_members"]["n_patients"],
                n_positive=node["on_true_members"]["n_patients_positive"],
                bands={first: band} if drawn else {},
                judged_on=TRUE_MEMBERS,
                method=f"{first}, {method}" if drawn else "",
            )
        )
    return found


def _decision_curve(part: Mapping[str, Any], node: str) -> Mapping[str, Any] | None:
    for one in part["nodes"] or ():
        if one["name"] == node and one.get("pooled"):
            curve: Mapping[str, Any] = one["pooled"]["decision_curve"]
            return curve
    return None


def confusions(results: Mapping[str, Any]) -> list[Confusion]:
    """Take the confusion matrix of each node on its true members, and that over all classes.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    list of Confusion
        Counts are predictions, summed over the outer folds of all repeats; each says of how many patients.
    """
    found = []
    for node in results["nodes"]:
        part = node["on_true_members"]
        counts = part["confusion"]
        positive, negative = either(node["positive"]), either(node["negative"])
        matrix = np.array([[counts["tp"], counts["fn"]], [counts["fp"], counts["tn"]]])
        title = f"{node['name']}\npositive: {positive}\n{TRUE_MEMBERS}"
        found.append(Confusion(title, (positive, negative), matrix, part["n_patients"]))
    classes = results["three_class"]
    overall = classes["confusion"]
    labels = [str(label) for label in overall["labels"]]
    title = f"all classes\n{overall['columns']}"
    found.append(Confusion(title, labels, np.array(overall["matrix"]), classes["n_patients"]))
    return found


def selections(
    results: Mapping[str, Any], volume: Mapping[str, Any] | None = None
) -> list[tuple[str, list[Selected], int]]:
    """Take how often each feature was selected at each node.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, or of one of its arms.
    volume : mapping, optional
        The part ``volume`` of ``results.json``: selected features that follow the volume of the VOI.

    Returns
    -------
    list of (str, list of Selected, int)
        Node, features, and number of outer folds. Nodes at which nothing is known, or nothing was ever selected,
        are left out.
    """
    found = []
    for node in results["nodes"]:
        flagged = _follow_volume(volume, node["name"])
        features = [
            Selected(one["name"], one["folds"], one["name"] in flagged) for one in node["selected_features"] or ()
        ]
        if features:
            found.append((node["name"], features, len(node["n_selected"])))
    return found


def sides(node: Mapping[str, Any], true: pd.Series[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which rows stand on a node's positive side, and which belong to it at all.

    Parameters
    ----------
    node : mapping
        With ``positive`` and ``negative``.
    true : Series of str
        True class of each row.

    Returns
    -------
    tuple of ndarray of bool
        Positive ones, members.
    """
    positive = true.isin([str(label) for label in node["positive"]]).to_numpy()
    return positive, positive | true.isin([str(label) for label in node["negative"]]).to_numpy()


def patients(predictions: pd.DataFrame) -> NDArray[np.intp]:
    """Give each patient of predictions a number; each row, where no column names patients.

    Parameters
    ----------
    predictions : DataFrame
        The content of ``predictions.csv``.

    Returns
    -------
    ndarray of shape (n_predictions,), int
        From 0.
    """
    between = _identifiers(predictions)
    columns = [PATIENT] if PATIENT in between else between
    return np.asarray(predictions.groupby(columns, sort=False).ngroup(), dtype=np.intp)


def _mean_over_repeats(
    node: Mapping[str, Any], predictions: pd.DataFrame
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return truth and mean probability of each row that belongs to a node."""
    positive, member = sides(node, predictions["true_class"].astype(str))
    rows = predictions[member].assign(is_positive=positive[member])
    identifiers = _identifiers(predictions)
    by_row = rows.groupby(identifiers, sort=False)
    probability = by_row[f"p_node_{node['name']}"].mean().to_numpy(dtype=np.float64)
    return by_row["is_positive"].first().to_numpy(dtype=np.bool_), probability


def _identifiers(predictions: pd.DataFrame) -> list[str]:
    names = list(predictions.columns)
    return names[names.index("fold") + 1 : names.index("true_class")]


def _follow_volume(volume: Mapping[str, Any] | None, node: str) -> set[str]:
    """Return the features of a node that follow the volume of the VOI."""
    nodes = (volume or {}).get("nodes") or ()
    return {one["name"] for part in nodes if part["name"] == node for one in part["features"]}


def _array(values: Any) -> NDArray[np.float64]:
    """Return numbers, with NaN for None."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _test_share(results: Mapping[str, Any]) -> float | None:
    """Return test rows for each training row, over all folds; None if the results do not tell."""
    folds = results["validation"]["folds"]
    trained = [fold.get("n_train") for fold in folds]
    if None in trained:
        return None
    return float(sum(fold["n_rows"] for fold in folds) / sum(trained))
