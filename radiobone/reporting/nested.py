"""What the figures draw, taken from the results of a nested cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from radiobone.reporting.figures import Confusion, NodeScores
from radiobone.reporting.summary import either

if TYPE_CHECKING:
    import pandas as pd

# Which rows the node panels show; a patient counts there whatever the nodes before it decided.
TRUE_MEMBERS = "judged on its true members"


def node_scores(results: Mapping[str, Any], predictions: pd.DataFrame) -> list[NodeScores]:
    """Take the out-of-fold scores of each node on its true members.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    predictions : DataFrame
        The content of ``predictions.csv``: ``repeat``, ``fold``, ``true_class`` and ``p_node_<name>``.

    Returns
    -------
    list of NodeScores
        In the order of the nodes; each outer fold of each repeat counts as one fold.
    """
    true = predictions["true_class"].astype(str)
    fold = predictions.groupby(["repeat", "fold"]).ngroup().to_numpy()
    found = []
    for node in results["nodes"]:
        positive = true.isin([str(label) for label in node["positive"]]).to_numpy()
        member = positive | true.isin([str(label) for label in node["negative"]]).to_numpy()
        score = predictions[f"p_node_{node['name']}"].to_numpy(dtype=np.float64)
        found.append(
            NodeScores(
                node["name"], either(node["positive"]), positive[member], score[member], fold[member], TRUE_MEMBERS
            )
        )
    return found


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
