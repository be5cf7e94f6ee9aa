"""What the fits of a validation leave behind: predictions of one outer fold, and what each node learned there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.learning.nodes import NodeTree

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
        Training rows of other classes sent to the node and dropped; of its classes sent elsewhere.
    inner_folds : int or None
        Inner folds that were used, which a small class makes fewer than were asked for; None if the estimator does
        not tell.
    predicts_prior : bool or None
        Whether every probability is the training prior; None if the estimator does not tell.
    selected : tuple of str or None
        Features that the probabilities rest on, so none where the node predicts the prior; None if the estimator
        does not tell.
    settings : dict or None
        Chosen settings of the model.
    notes : tuple of str
        What a reader should know.
    threshold : float
        The operating point: a row is called positive above it.
    """

    name: str
    n_train: dict[str, int]
    n_foreign: int
    n_missed: int
    inner_folds: int | None
    predicts_prior: bool | None
    selected: tuple[str, ...] | None
    settings: dict[str, Any] | None
    notes: tuple[str, ...]
    threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class FoldFit:
    """Predictions of one outer fold, and what its model learned.

    Parameters
    ----------
    repeat, fold : int
        From 1.
    train, test : ndarray of int
        Numbers of the rows that it learned from, and of the tested rows.
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
    name : str
        What was tested, as in `OuterFold`.
    """

    repeat: int
    fold: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    node_proba: Array
    class_proba: Array
    argmax: NDArray[np.intp]
    routed: NDArray[np.intp] | None
    tree: NodeTree | None
    nodes: tuple[NodeFit, ...]
    name: str = ""

    @property
    def where(self) -> str:
        """The fold in words."""
        return self.name or f"repeat {self.repeat}, fold {self.fold}"

    @property
    def calls(self) -> Array:
        """1 where a node calls a row positive at its operating point, else 0; shape (n_test, n_nodes)."""
        return called(self.node_proba, [node.threshold for node in self.nodes])

    def decided(self, rule: str) -> NDArray[np.intp]:
        """Return the decided classes under a rule.

        Parameters
        ----------
        rule : {"argmax", "routed"}
            The rule; without nodes there is only ``argmax``.

        Returns
        -------
        ndarray of shape (n_test,)
            Numbers of the classes.
        """
        return self.routed if rule == "routed" and self.routed is not None else self.argmax


def called(node_proba: Array, thresholds: Sequence[float]) -> Array:
    """Say where nodes call a row positive, each at its own operating point.

    Parameters
    ----------
    node_proba : ndarray of shape (n_samples, n_nodes)
        Probability of the positive side of every node.
    thresholds : sequence of float
        One for each node.

    Returns
    -------
    ndarray of shape (n_samples, n_nodes)
        1.0 above the threshold, else 0.0, which a `NodeTree` follows as it follows probabilities.
    """
    return (node_proba > np.asarray(thresholds, dtype=np.float64)).astype(np.float64)
