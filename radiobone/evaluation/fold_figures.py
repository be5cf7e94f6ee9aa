"""The figures of each outer fold, from its predictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.evaluation.fits import FoldFit
from radiobone.evaluation.inputs import StudyData
from radiobone.evaluation.metrics import binary_metrics, class_metrics
from radiobone.learning.nodes import NodeTree


class FoldMetric(NamedTuple):
    """One figure of one outer fold.

    Parameters
    ----------
    repeat, fold : int
        From 1.
    scope : {"node", "three_class"}
        Figures of a node, or over all classes.
    name : str
        The node; the class of a one-versus-rest figure; empty for figures over all classes.
    rows : {"true_members", "routed", "all"}
        Which test rows.
    metric : str
        Which figure.
    value : float
        NaN where the fold cannot show it.
    n_predictions : int
        Rows that it rests on.
    """

    repeat: int
    fold: int
    scope: str
    name: str
    rows: str
    metric: str
    value: float
    n_predictions: int


@dataclass(frozen=True, eq=False)
class NodeRows:
    """Which test rows of a fold a node is judged on.

    Parameters
    ----------
    judged : ndarray of shape (n_test,), bool
        Members of the node; of the routed ones, those that earlier decisions sent there.
    positive : ndarray of shape (n_test,), bool
        Rows whose class stands on the node's positive side.
    n_foreign, n_missed : int
        Rows of other classes sent to the node; members sent elsewhere. Zero for true members.
    """

    judged: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    n_foreign: int = 0
    n_missed: int = 0


@dataclass(frozen=True, eq=False)
class FoldFigures:
    """All folds of a nested cross-validation, and their figures.

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
    fixed : bool
        True if test sets were set aside once, so that each fold stands for itself.
    """

    classes: tuple[Any, ...]
    decision: str
    validation: dict[str, Any]
    folds: pd.DataFrame
    fits: tuple[FoldFit, ...]
    data: StudyData
    fixed: bool = False

    @property
    def tree(self) -> NodeTree | None:
        """The nodes, or None for a flat classifier."""
        return self.fits[0].tree

    @property
    def lines(self) -> Iterator[FoldMetric]:
        """The figures of each fold, fold after fold."""
        for fit in self.fits:
            yield from self._fold_lines(fit)

    def _fold_lines(self, fit: FoldFit) -> Iterator[FoldMetric]:
        where = (fit.repeat, fit.fold)
        for number, node in enumerate(fit.nodes):
            for rows in ("true_members", "routed"):
                here = self.node_rows(fit, number, rows)
                figures = binary_metrics(
                    here.positive[here.judged], fit.node_proba[here.judged, number], threshold=node.threshold
                )
                if rows == "routed":
                    figures |= {"n_foreign": float(here.n_foreign), "n_missed": float(here.n_missed)}
                for metric, value in figures.items():
                    yield FoldMetric(*where, "node", node.name, rows, metric, value, int(here.judged.sum()))
        true = self.data.codes[fit.test]
        overall, by_class = class_metrics(true, fit.class_proba, fit.decided(self.decision))
        for metric, value in overall.items():
            yield FoldMetric(*where, "three_class", "", "all", metric, value, len(true))
        for name, of_class in zip(self.classes, by_class, strict=True):
            for metric, value in of_class.items():
                yield FoldMetric(*where, "three_class", str(name), "all", metric, value, len(true))

    def node_rows(self, fit: FoldFit, number: int, rows: str) -> NodeRows:
        """Return which test rows of a fold a node is judged on.

        Parameters
        ----------
        fit : FoldFit
            The fold.
        number : int
            Number of the node.
        rows : {"true_members", "routed"}
            All rows of the node's classes, or those of them that earlier decisions sent there.

        Returns
        -------
        NodeRows
            The rows, and counts of the others.
        """
        assert fit.tree is not None
        member, positive = fit.tree.sides(number, self.data.labels[fit.test])
        if rows == "true_members":
            return NodeRows(member, positive)
        arrived = fit.tree.reached(fit.calls)[:, number]
        return NodeRows(arrived & member, positive, int((arrived & ~member).sum()), int((member & ~arrived).sum()))
