"""What a validation found: predictions, figures of each fold, and the content of ``results.json``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.evaluation.inputs import StudyData
from radiobone.evaluation.metrics import BINARY, COUNTS, binary_metrics, class_metrics, confusion
from radiobone.learning.nodes import NodeTree

FORMAT = 1

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NodeFit:
    """What one node learned in one fold.

    Parameters
    ----------
    name : str
        The node.
    n_train : dict of str to int
        Training rows by class.
    n_foreign, n_missed : int
        Rows of other classes sent to the node and dropped; rows of its classes sent elsewhere.
    selected : tuple of str or None
        Features that the model uses; None if the estimator does not tell.
    settings : dict or None
        Chosen settings of the model.
    notes : tuple of str
        What a reader should know.
    """

    name: str
    n_train: dict[str, int]
    n_foreign: int
    n_missed: int
    selected: tuple[str, ...] | None
    settings: dict[str, Any] | None
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FoldFit:
    """Predictions of one outer fold, and what its model learned.

    Parameters
    ----------
    repeat, fold : int
        From 1.
    test : ndarray of int
        Numbers of the tested rows.
    node_proba : ndarray of shape (n_test, n_nodes)
        Probability of the positive side of every node.
    class_proba : ndarray of shape (n_test, n_classes)
        In reporting order.
    argmax, routed : ndarray of shape (n_test,)
        Decided class under both rules, as its number; routed is None without nodes.
    tree : NodeTree or None
        The nodes.
    nodes : tuple of NodeFit
        In the order of the nodes.
    """

    repeat: int
    fold: int
    test: NDArray[np.intp]
    node_proba: Array
    class_proba: Array
    argmax: NDArray[np.intp]
    routed: NDArray[np.intp] | None
    tree: NodeTree | None
    nodes: tuple[NodeFit, ...]

    def decided(self, rule: str) -> NDArray[np.intp]:
        """Return the decided classes under a rule."""
        return self.routed if rule == "routed" and self.routed is not None else self.argmax


@dataclass(frozen=True, eq=False)
class NestedResult:
    """Everything that a nested cross-validation found.

    Parameters
    ----------
    classes : tuple
        In reporting order.
    decision : {"argmax", "routed"}
        The rule behind the figures over all classes.
    validation : dict
        Scheme, folds, seeds, counts.
    folds : DataFrame
        Columns ``repeat``, ``fold``, the identifiers, ``group``, ``role``.
    fits : tuple of FoldFit
        One for each outer fold.
    data : StudyData
        The rows.
    """

    classes: tuple[Any, ...]
    decision: str
    validation: dict[str, Any]
    folds: pd.DataFrame
    fits: tuple[FoldFit, ...]
    data: StudyData

    @property
    def tree(self) -> NodeTree | None:
        """The nodes, or None for a flat classifier."""
        return self.fits[0].tree

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One line for each row and repeat, by a model that has not seen its patient.

        Columns ``repeat``, ``fold``, the identifiers, ``true_class``, ``p_node_<name>`` (probability of the node's
        positive side, also for rows that would not come to it), ``p_class_<class>``, ``decision_argmax`` and
        ``decision_routed``.
        """
        names = np.array([str(name) for name in self.classes], dtype=object)
        parts = []
        for fit in self.fits:
            part = self.data.ids.iloc[fit.test].copy()
            part.insert(0, "repeat", fit.repeat)
            part.insert(1, "fold", fit.fold)
            part["true_class"] = names[self.data.codes[fit.test]]
            for number, node in enumerate(fit.nodes):
                part[f"p_node_{node.name}"] = fit.node_proba[:, number]
            for code, name in enumerate(names):
                part[f"p_class_{name}"] = fit.class_proba[:, code]
            part["decision_argmax"] = names[fit.argmax]
            if fit.routed is not None:
                part["decision_routed"] = names[fit.routed]
            parts.append(part)
        # Parts keep the number of each row as their index, which is the order of the identifiers.
        table = pd.concat(parts).rename_axis("row").reset_index()
        return table.sort_values(["repeat", "row"], kind="stable").drop(columns="row").reset_index(drop=True)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Figures of each fold, one in a line.

        Columns ``repeat``, ``fold``, ``scope`` (``node`` or ``three_class``), ``name`` (the node, or the class of
        a one-versus-rest AUC, or nothing), ``rows`` (``true_members``, ``routed`` or ``all``), ``metric``,
        ``value`` (NaN where the fold cannot show it) and ``n`` (rows that it rests on).
        """
        lines = [line for fit in self.fits for line in self._fold_lines(fit)]
        columns = ["repeat", "fold", "scope", "name", "rows", "metric", "value", "n"]
        return pd.DataFrame(lines, columns=columns)

    def _fold_lines(self, fit: FoldFit) -> Iterator[tuple[int, int, str, str, str, str, float, int]]:
        where = (fit.repeat, fit.fold)
        for number, node in enumerate(fit.nodes):
            for rows in ("true_members", "routed"):
                chosen, positive, extra = self._node_rows(fit, number, rows)
                figures = binary_metrics(positive[chosen], fit.node_proba[chosen, number]) | extra
                for metric, value in figures.items():
                    yield (*where, "node", node.name, rows, metric, value, int(chosen.sum()))
        true = self.data.codes[fit.test]
        overall, by_class = class_metrics(true, fit.class_proba, fit.decided(self.decision))
        for metric, value in overall.items():
            yield (*where, "three_class", "", "all", metric, value, len(true))
        for name, value in zip(self.classes, by_class, strict=True):
            yield (*where, "three_class", str(name), "all", "auc", float(value), len(true))

    def _node_rows(
        self, fit: FoldFit, number: int, rows: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], dict[str, float]]:
        """Return which test rows a node is judged on, which of all are positive, and counts of the others."""
        assert fit.tree is not None
        member, positive = fit.tree.sides(number, self.data.labels[fit.test])
        if rows == "true_members":
            return member, positive, {}
        arrived = fit.tree.reached(fit.node_proba)[:, number]
        extra = {
            "n_foreign": float((arrived & ~member).sum()),
            "n_missed": float((member & ~arrived).sum()),
        }
        return arrived & member, positive, extra

    def results(self) -> dict[str, Any]:
        """Return the content of ``results.json``: plain values only, with None for what is not defined."""
        content = {
            "format": FORMAT,
            "decision": self.decision,
            "classes": [_label(name) for name in self.classes],
            "nodes": [self._node_result(number) for number in range(len(self.fits[0].nodes))],
            "three_class": self._class_result(),
            "validation": self.validation,
        }
        plain: dict[str, Any] = _without_nan(content)
        return plain

    def _node_result(self, number: int) -> dict[str, Any]:
        assert self.tree is not None
        node = self.tree.nodes[number]
        fits = [fit.nodes[number] for fit in self.fits]
        where = [f"repeat {fit.repeat}, fold {fit.fold}" for fit in self.fits]
        return {
            "name": node.name,
            "positive": [_label(label) for label in node.positive],
            "negative": [_label(label) for label in node.negative],
            "on_true_members": self._binary_result(node.name, "true_members"),
            "on_routed": self._binary_result(node.name, "routed"),
            "training": {
                "n_train": [fit.n_train for fit in fits],
                "n_foreign": [fit.n_foreign for fit in fits],
                "n_missed": [fit.n_missed for fit in fits],
            },
            "selected_features": _frequencies([fit.selected for fit in fits]),
            "n_selected": [None if fit.selected is None else len(fit.selected) for fit in fits],
            "settings": [fit.settings for fit in fits],
            "notes": [f"{place}: {note}" for place, fit in zip(where, fits, strict=True) for note in fit.notes],
        }

    def _binary_result(self, name: str, rows: str) -> dict[str, Any]:
        table = self.metrics
        table = table[(table["scope"] == "node") & (table["name"] == name) & (table["rows"] == rows)]
        by_metric = {str(metric): part["value"].to_numpy() for metric, part in table.groupby("metric")}
        counts = {count: int(by_metric[count].sum()) for count in COUNTS}
        result: dict[str, Any] = {
            "n": sum(counts.values()),
            "n_positive": counts["tp"] + counts["fn"],
            **{metric: _summary(by_metric[metric]) for metric in BINARY},
            "confusion": counts,
        }
        if rows == "routed":
            result |= {extra: int(by_metric[extra].sum()) for extra in ("n_foreign", "n_missed")}
        return result

    def _class_result(self) -> dict[str, Any]:
        table = self.metrics[self.metrics["scope"] == "three_class"]
        by_name = {
            (str(row.name), str(row.metric)): row
            for row in table[["name", "metric"]].drop_duplicates().itertuples(index=False, name="Key")
        }
        values = {
            key: table.loc[(table["name"] == key[0]) & (table["metric"] == key[1]), "value"].to_numpy()
            for key in by_name
        }
        matrices = [
            confusion(self.data.codes[fit.test], fit.decided(self.decision), len(self.classes))
            for fit in self.fits
        ]
        return {
            "n": sum(len(fit.test) for fit in self.fits),
            **{name: _summary(values[("", name)]) for name in ("auc_macro", "balanced_accuracy", "accuracy")},
            "auc_by_class": {str(name): _summary(values[(str(name), "auc")]) for name in self.classes},
            "confusion": {
                "labels": [_label(name) for name in self.classes],
                "matrix": np.sum(matrices, axis=0).tolist(),
                "rows": "true class",
                "columns": f"decided class ({self.decision})",
            },
        }


def _summary(values: Array) -> dict[str, Any]:
    """Return mean and spread over outer folds; one undefined fold leaves both undefined, and is counted."""
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
        "n_folds": len(values),
        "n_undefined": int(np.isnan(values).sum()),
        "folds": [float(value) for value in values],
    }


def _frequencies(selected: list[tuple[str, ...] | None]) -> list[dict[str, Any]] | None:
    """Count in how many folds each feature was selected, most frequent first; None if it is not known."""
    known = [features for features in selected if features is not None]
    if not known:
        return None
    counts = Counter(feature for features in known for feature in features)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "folds": count, "frequency": count / len(selected)} for name, count in ordered]


def _label(label: Any) -> Any:
    return label if isinstance(label, (str, int, float, bool)) else str(label)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
