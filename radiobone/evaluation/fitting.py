"""The fits of a validation: one model for each training set, asked once for each test set."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from radiobone.core.config import nearest
from radiobone.core.errors import RadioboneWarning, UsageError
from radiobone.evaluation.fits import FoldFit, NodeFit, called
from radiobone.evaluation.inputs import StudyData
from radiobone.evaluation.splits import OuterFold
from radiobone.learning.data import take_rows
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.nodes import Node, NodeTree, chain
from radiobone.learning.operating import EVEN
from radiobone.learning.routing import fit_with_groups

Array = NDArray[np.float64]


def check_estimator(estimator: Any, where: str = "estimator") -> None:
    """Refuse what is no classifier with probabilities, at any node, before hours are spent on the others.

    Parameters
    ----------
    estimator : object
        What a caller passed.
    where : str
        Its name, for the message.

    Raises
    ------
    UsageError
        If it, or a part of it, has no ``fit`` or ``predict_proba``.
    """
    if isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "predict_proba")):
        raise UsageError(
            "the estimator gives no probabilities of classes, from which all figures are made",
            where=where,
            got=f"the class {estimator.__name__}" if isinstance(estimator, type) else repr(estimator),
            expected="a classifier with fit and predict_proba",
            do="pass an object such as LogisticRegression(), or CalibratedClassifierCV(SVC(), ensemble=True)",
        )
    if isinstance(estimator, HierarchicalClassifier) and estimator.estimator is not None:
        parts = (
            estimator.estimator if isinstance(estimator.estimator, dict) else {"estimator": estimator.estimator}
        )
        for name, part in parts.items():
            check_estimator(part, f"{where}, {name}")


def check_nodes(estimator: Any, nodes: Sequence[Node] | None, data: StudyData) -> None:
    """Refuse nodes that make no tree over the classes, before the first fit.

    Parameters
    ----------
    estimator : classifier
        Its own nodes count, if it has any.
    nodes : sequence of Node or None
        Nodes at which a flat classifier is judged.
    data : StudyData
        The rows, for their classes.

    Raises
    ------
    NodeError
        If a label is named by no node, or the nodes do not lead to each class along one path.
    """
    asked = estimator.nodes if isinstance(estimator, HierarchicalClassifier) else nodes
    if asked is not None:
        NodeTree.build(asked, list(data.classes))


def check_prevalence(stated: Iterable[str], estimator: Any, nodes: Sequence[Node] | None, data: StudyData) -> None:
    """Refuse a prevalence that is stated for a node that there is not, so that no figure is left out in silence.

    Parameters
    ----------
    stated : iterable of str
        Names of nodes.
    estimator : classifier
        Its own nodes count, if it has any.
    nodes : sequence of Node or None
        Nodes at which a flat classifier is judged.
    data : StudyData
        The rows, for their classes.

    Raises
    ------
    UsageError
        That names the nodes that there are.
    """
    own = isinstance(estimator, HierarchicalClassifier)
    asked = estimator.nodes if own else nodes
    if asked is None and own:
        asked = chain(np.unique(data.labels).tolist())
    known = [node.name for node in asked or ()]
    for name in stated:
        if name not in known:
            raise UsageError(
                f"a prevalence of no node{nearest(name, known)}",
                where="prevalence",
                got=name,
                expected=", ".join(known) or "none: the classifier has no nodes",
            )


def fit_folds(
    estimator: Any, data: StudyData, folds: Sequence[OuterFold], nodes: Sequence[Node] | None = None
) -> list[FoldFit]:
    """Fit a copy of the estimator once, and predict the test rows of folds that share its training rows.

    Parameters
    ----------
    estimator : classifier
        Copied, not changed.
    data : StudyData
        All rows.
    folds : sequence of OuterFold
        At least one, all with the same training rows. Of the test rows nothing but X reaches the fitted copy, and
        only to be predicted.
    nodes : sequence of Node, optional
        Nodes at which a flat classifier is judged.

    Returns
    -------
    list of FoldFit
        Predictions of each fold and what the copy learned.
    """
    model = clone(estimator)
    train = folds[0].train
    # One native thread, so that sums are added in the same order whatever the number of jobs.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Such warnings are kept as the notes of the nodes, and stand in the results.
        warnings.simplefilter("ignore", RadioboneWarning)
        fit_with_groups(model, take_rows(data.X, train), data.labels[train], data.groups[train])
        tree = _tree(model, data, nodes)
        learned = tuple(_node_fits(model, tree, data.labels[train]))
        return [_predict(model, tree, learned, data, fold) for fold in folds]


def fit_fold(estimator: Any, data: StudyData, fold: OuterFold, nodes: Sequence[Node] | None = None) -> FoldFit:
    """Fit a copy of the estimator on the training rows of one fold and predict its test rows.

    Parameters
    ----------
    estimator, data, nodes
        As for `fit_folds`.
    fold : OuterFold
        The division.

    Returns
    -------
    FoldFit
        Predictions and what the copy learned.
    """
    return fit_folds(estimator, data, [fold], nodes)[0]


def _tree(model: Any, data: StudyData, nodes: Sequence[Node] | None) -> NodeTree | None:
    if isinstance(model, HierarchicalClassifier):
        return model.tree_
    return None if nodes is None else NodeTree.build(nodes, list(data.classes))


def _predict(
    model: Any, tree: NodeTree | None, learned: tuple[NodeFit, ...], data: StudyData, fold: OuterFold
) -> FoldFit:
    tested = take_rows(data.X, fold.test)
    # Columns of the model's classes, put into reporting order.
    columns = [model.classes_.tolist().index(name) for name in data.classes]
    routed = None
    if isinstance(model, HierarchicalClassifier):
        node_proba = model.node_proba(tested)
        proba = model.tree_.class_proba(node_proba)[:, columns]
    else:
        proba = np.asarray(model.predict_proba(tested), dtype=np.float64)[:, columns]
        node_proba = np.empty((len(fold.test), 0)) if tree is None else _of_sides(tree, proba)
    if tree is not None:
        ends = tree.route(called(node_proba, [node.threshold for node in learned]))
        routed = np.array([data.classes.index(tree.classes[end]) for end in ends.tolist()], dtype=np.intp)
    return FoldFit(
        repeat=fold.repeat,
        fold=fold.fold,
        train=fold.train,
        test=fold.test,
        node_proba=node_proba,
        class_proba=proba,
        argmax=np.argmax(proba, axis=1),
        routed=routed,
        tree=tree,
        nodes=learned,
        name=fold.name,
    )


def _of_sides(tree: NodeTree, proba: Array) -> Array:
    """Return P(positive side) / P(both sides) of each node; 0.5 where a classifier rules out both."""
    result = np.full((len(proba), len(tree.nodes)), 0.5)
    place = {label: column for column, label in enumerate(tree.classes)}
    for number, node in enumerate(tree.nodes):
        positive = proba[:, [place[label] for label in node.positive]].sum(axis=1)
        both = positive + proba[:, [place[label] for label in node.negative]].sum(axis=1)
        np.divide(positive, both, out=result[:, number], where=both > 0.0)
    return result


def _node_fits(model: Any, tree: NodeTree | None, labels: NDArray[Any]) -> list[NodeFit]:
    if tree is None:
        return []
    if not isinstance(model, HierarchicalClassifier):
        return [
            _node_fit(node, model, _rows_by_class(node, labels), 0, 0, _notes(model), _flat_threshold(node, model))
            for node in tree.nodes
        ]
    return [
        _node_fit(
            node,
            model.estimators_[node.name],
            model.n_train_[node.name],
            model.n_foreign_[node.name],
            model.n_missed_[node.name],
            tuple(model.notes_[node.name]),
            float(getattr(model.estimators_[node.name], "threshold_", EVEN)),
        )
        for node in tree.nodes
    ]


def _node_fit(
    node: Node,
    estimator: Any,
    n_train: dict[str, int],
    n_foreign: int,
    n_missed: int,
    notes: tuple[str, ...],
    threshold: float,
) -> NodeFit:
    inner, prior = getattr(estimator, "n_splits_", None), getattr(estimator, "predicts_prior_", None)
    selected = getattr(estimator, "selected_features_", None)
    settings = getattr(estimator, "best_params_", None)
    return NodeFit(
        name=node.name,
        n_train=n_train,
        n_foreign=n_foreign,
        n_missed=n_missed,
        inner_folds=None if inner is None else int(inner),
        predicts_prior=None if prior is None else bool(prior),
        selected=None if selected is None else tuple(str(feature) for feature in selected),
        settings=None if settings is None else {key: plain(value) for key, value in settings.items()},
        notes=notes,
        threshold=threshold,
    )


def _flat_threshold(node: Node, model: Any) -> float:
    """Return the operating point of a flat classifier, which is that of its second class, as the node means it."""
    own, classes = getattr(model, "threshold_", None), list(getattr(model, "classes_", ()))
    if own is None or len(classes) != 2:
        return EVEN
    return float(own) if node.positive == (classes[1],) else 1.0 - float(own)


def _rows_by_class(node: Node, labels: NDArray[Any]) -> dict[str, int]:
    return {str(label): int((labels == label).sum()) for label in node.members}


def _notes(model: Any) -> tuple[str, ...]:
    found = getattr(model, "notes_", ())
    return tuple(str(note) for note in found) if isinstance(found, (list, tuple)) else ()


def inner_folds_asked(estimator: Any) -> Any:
    """Return the inner folds that were asked for: one answer, or one for each node; None if nothing tells.

    Parameters
    ----------
    estimator : classifier
        Any.

    Returns
    -------
    int, str, dict or None
        Plain values.
    """
    if isinstance(estimator, HierarchicalClassifier) and estimator.estimator is not None:
        if isinstance(estimator.estimator, dict):
            return {name: inner_folds_asked(part) for name, part in estimator.estimator.items()}
        return inner_folds_asked(estimator.estimator)
    return plain(getattr(estimator, "cv", None))


def plain(value: Any) -> Any:
    """Return what JSON can hold: a number or text as it is, anything else as its representation.

    Parameters
    ----------
    value : object
        Any.

    Returns
    -------
    str, int, float, bool or None
        The value, or its ``repr``.
    """
    if hasattr(value, "item") and not hasattr(value, "fit"):
        value = value.item()
    return value if value is None or isinstance(value, (str, int, float, bool)) else repr(value)
