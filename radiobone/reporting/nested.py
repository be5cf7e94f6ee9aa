"""What the figures draw, taken from the results of a nested cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.confusion import Confusion
from radiobone.reporting.curves import NodeScores
from radiobone.reporting.estimates import estimate
from radiobone.reporting.parts import of_test_sets
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
                judged_on=judged_on(results),
                arm=arm,
                patient=patient[member],
                test_share=_test_share(results) if area.method.startswith("corrected") else None,
                repeats=results["validation"]["repeats"],
                method=area.method,
                level=area.level,
                area=area if area.has_interval else None,
            )
        )
    return found


def class_scores(results: Mapping[str, Any], predictions: pd.DataFrame) -> list[NodeScores]:
    """Take the out-of-fold probabilities of each class, against the rest.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, or of one of its arms together with ``validation``.
    predictions : DataFrame
        The content of ``predictions.csv``, of the same arm: with ``p_class_<class>``.

    Returns
    -------
    list of NodeScores
        In reporting order.
    """
    true = predictions["true_class"].astype(str)
    found = []
    for label, part in results["three_class"]["by_class"].items():
        area = estimate(part["auc"])
        found.append(
            NodeScores(
                name=f"{label} vs all others",
                positive=label,
                is_positive=(true == label).to_numpy(),
                score=predictions[f"p_class_{label}"].to_numpy(dtype=np.float64),
                fold=predictions.groupby(["repeat", "fold"]).ngroup().to_numpy(),
                judged_on=results.get("judged_on", ""),
                patient=patients(predictions),
                test_share=_test_share(results) if area.method.startswith("corrected") else None,
                repeats=results["validation"]["repeats"],
                method=area.method,
                level=area.level,
                area=area if area.has_interval else None,
            )
        )
    return found


def test_sets(
    results: Mapping[str, Any], predictions: pd.DataFrame
) -> list[tuple[str, Mapping[str, Any], pd.DataFrame]]:
    """Part the results of several fixed test sets.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, or of one of its arms together with ``validation``.
    predictions : DataFrame
        The content of ``predictions.csv``.

    Returns
    -------
    list of (str, mapping, DataFrame)
        Name, results and predictions of each set; without several sets, one of no name that is all.
    """
    if not results.get("test_sets"):
        return [("", results, predictions)]
    found: list[tuple[str, Mapping[str, Any], pd.DataFrame]] = []
    for name, part in of_test_sets(results).items():
        (fold,) = part["validation"]["folds"]
        own = (predictions["repeat"] == fold["repeat"]) & (predictions["fold"] == fold["fold"])
        found.append((name, part, predictions[own].reset_index(drop=True)))
    return found


def confusions(results: Mapping[str, Any]) -> list[Confusion]:
    """Take the confusion matrix of each node on its true members, and that over all classes if these say more.

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
        title = f"{node['name']}\npositive: {positive}\n{judged_on(results)}"
        found.append(Confusion(title, (positive, negative), matrix, part["n_patients"]))
    classes = results["three_class"]
    overall = classes["confusion"]
    if found and len(overall["labels"]) == 2:
        return found  # The one node has said it all.
    labels = [str(label) for label in overall["labels"]]
    title = "\n".join(
        ["all classes", overall["columns"], *([results["judged_on"]] if "judged_on" in results else [])]
    )
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
    between = identifiers(predictions)
    columns = [PATIENT] if PATIENT in between else between
    return np.asarray(predictions.groupby(columns, sort=False).ngroup(), dtype=np.intp)


def judged_on(results: Mapping[str, Any]) -> str:
    """Say which rows a node's panel shows.

    Parameters
    ----------
    results : mapping
        As `test_sets` gives them, or the content of ``results.json``.

    Returns
    -------
    str
        For the title of a panel.
    """
    return ", ".join([TRUE_MEMBERS, *([results["judged_on"]] if "judged_on" in results else [])])


def identifiers(predictions: pd.DataFrame) -> list[str]:
    """Return the columns that tell the rows of a study apart.

    Parameters
    ----------
    predictions : DataFrame
        The content of ``predictions.csv``.

    Returns
    -------
    list of str
        Those between ``fold`` and ``true_class``.
    """
    names = list(predictions.columns)
    return names[names.index("fold") + 1 : names.index("true_class")]


def _follow_volume(volume: Mapping[str, Any] | None, node: str) -> set[str]:
    """Return the features of a node that follow the volume of the VOI."""
    nodes = (volume or {}).get("nodes") or ()
    return {one["name"] for part in nodes if part["name"] == node for one in part["features"]}


def _test_share(results: Mapping[str, Any]) -> float | None:
    """Return tested patients for each training patient, over all folds; None if the results do not tell."""
    folds = results["validation"]["folds"]
    trained = [fold.get("n_patients_train") for fold in folds]
    if None in trained:
        return None
    return float(sum(fold["n_patients"] for fold in folds) / sum(trained))
