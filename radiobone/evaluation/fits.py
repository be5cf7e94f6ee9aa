"""What the fits of a validation leave behind: predictions of one outer fold, and what each node learned there."""

from __future__ import annotations

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
