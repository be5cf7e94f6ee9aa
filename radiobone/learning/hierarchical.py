"""Several classes by a tree of binary decisions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted, validate_data

from radiobone.core.errors import RadioboneWarning
from radiobone.learning.data import DataError, check_groups, check_rows, rows_and_labels, take_rows
from radiobone.learning.folds import fewer_folds, inner_folds
from radiobone.learning.nodes import Node, NodeError, NodeTree, chain
from radiobone.learning.operating import EVEN
from radiobone.learning.prior import PriorClassifier, fit_or_prior, fit_part
from radiobone.learning.routing import routes
from radiobone.learning.selective import SelectiveClassifierCV

Array = NDArray[np.float64]


class HierarchicalClassifier(ClassifierMixin, BaseEstimator):
    """Classify by a tree of binary nodes, each with its own selection and model.

    Parameters
    ----------
    estimator : classifier or dict of str to classifier, optional
        A binary classifier with ``predict_proba`` for all nodes, or one for each by the node's name. By default
        `SelectiveClassifierCV` with ``cv`` and ``random_state`` of this object.
    nodes : list of Node, optional
        Any tree over the classes; by default each class in sorted order against those after it.
    train_on : {"members", "routed"}, default="members"
        Train a node on all rows of its classes, or on those rows that the *inner out-of-fold* decisions of the
        nodes before it send there. Rows of foreign classes that are sent there are dropped, and counted.
    decision : {"argmax", "routed"}, default="argmax"
        Predict the most probable class, or follow the nodes' decisions: the positive side above the ``threshold_``
        of a node's estimator, or above 0.5 where it has none.
    cv : int, splitter or iterable, default=5
        Folds of the out-of-fold decisions, and of the default estimator.
    random_state : int, RandomState or None, default=0
        Shuffles the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    thresholds_ : ndarray of shape (n_nodes,)
        The probability above which each node calls its positive side.
    tree_ : NodeTree
        The nodes and their paths.
    estimators_ : dict of str to fitted classifier
        By node, in the order of the nodes; each has learned 1 for its positive side and 0 for the other.
    n_train_ : dict of str to dict
        Training rows of each class at each node (labels as text).
    n_foreign_ : dict of str to int
        Rows of foreign classes that were sent to a node and dropped; zero if nodes train on members.
    n_missed_ : dict of str to int
        Rows of a node's classes that earlier decisions sent elsewhere; zero if nodes train on members.
    notes_ : dict of str to list of str
        By node: what a reader of the result should know.

    Notes
    -----
    The probability of a class is the product of the node probabilities along its path, so that they sum to one.
    A node at which one side has too few patients to be cross-validated (fewer than two, or than three if a step
    such as LASSO cross-validates within the inner folds) predicts the training prior, and says so in ``notes_``
    and by a warning. Groups given to ``fit`` reach every split inside the estimators, by scikit-learn's metadata
    routing, which is switched on for the duration of the fit.

    Operating points of the nodes (`SelectiveClassifierCV` with ``operating_point``) move routed decisions and
    routed training; probabilities and ``argmax`` do not know of them. With ``decision="routed"`` the decided class
    need not be the most probable one, which scikit-learn's conformance suite does not foresee for several classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiobone.learning import osteoporosis_first
    >>> X = np.array([[60.0], [70], [75], [90], [100], [110], [140], [150], [160]])
    >>> y = np.repeat(["osteoporosis", "osteopenia", "normal"], 3)
    >>> model = HierarchicalClassifier(estimator=LogisticRegression(), nodes=osteoporosis_first()).fit(X, y)
    >>> model.predict([[65.0], [155.0]]).tolist()
    ['osteoporosis', 'normal']
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), dict, None],
        "nodes": [list, tuple, None],
        "train_on": [StrOptions({"members", "routed"})],
        "decision": [StrOptions({"argmax", "routed"})],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        estimator: Any = None,
        nodes: Sequence[Node] | None = None,
        train_on: str = "members",
        decision: str = "argmax",
        cv: Any = 5,
        random_state: Any = 0,
    ) -> None:
        self.estimator = estimator
        self.nodes = nodes
        self.train_on = train_on
        self.decision = decision
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> HierarchicalClassifier:
        """Fit one classifier for each node.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows: a table, an array, or anything indexable by row that the estimator takes.
        y : array-like of shape (n_samples,)
            Classes; at least two.
        groups : array-like of shape (n_samples,), optional
            Patient of each row.

        Returns
        -------
        HierarchicalClassifier
            The fitted classifier.

        Raises
        ------
        DataError
            If there is one class only, or a split inside would tear a patient apart.
        NodeError
            If the nodes make no tree over the classes.

        Warns
        -----
        RadioboneWarning
            If a node predicts the training prior.
        """
        self._validate_params()
        X, labels = rows_and_labels(self, X, y)
        self.classes_ = np.unique(labels)
        classes = self.classes_.tolist()
        self.tree_ = NodeTree.build(chain(classes) if self.nodes is None else self.nodes, classes)
        self._fit_nodes(X, labels, check_groups(groups, labels))
        return self

    def _fit_nodes(self, X: Any, labels: NDArray[Any], groups: NDArray[Any] | None) -> None:
        tree = self.tree_
        found: dict[str, Any] = {}
        counts: tuple[dict[str, dict[str, int]], dict[str, int], dict[str, int]] = ({}, {}, {})
        self.n_train_, self.n_foreign_, self.n_missed_ = counts
        notes: dict[str, list[str]] = {}
        # Out-of-fold decisions of the nodes fitted so far; a node's path names only those.
        decisions = np.zeros((len(labels), len(tree.nodes)), dtype=bool)
        for number in tree.parents_first():
            node = tree.nodes[number]
            member, positive = tree.sides(number, labels)
            arrived = np.ones(len(labels), dtype=bool)
            if self.train_on == "routed":
                for before, side in tree.paths[number]:
                    arrived &= decisions[:, before] == side
            else:
                arrived = member
            rows = np.flatnonzero(arrived & member)
            self.n_train_[node.name] = {str(k): int((labels[rows] == k).sum()) for k in node.members}
            self.n_foreign_[node.name] = int((arrived & ~member).sum())
            self.n_missed_[node.name] = int((member & ~arrived).sum())
            at_node = _Rows(take_rows(X, rows), positive[rows].astype(np.intp), _take(groups, rows))
            found[node.name], notes[node.name] = fit_part(
                self._estimator(node), at_node.X, at_node.codes, at_node.groups, name=node.name, what="node"
            )
            leads_on = any(number in dict(path) for path in tree.paths)
            if self.train_on == "routed" and leads_on:
                decisions[rows, number], about = self._out_of_fold(node, at_node, found[node.name])
                notes[node.name] += about
                foreign = np.flatnonzero(arrived & ~member)
                if foreign.size:
                    decisions[foreign, number] = _positive(found[node.name], take_rows(X, foreign))
        self.estimators_ = {node.name: found[node.name] for node in tree.nodes}
        self.notes_: dict[str, list[str]] = {node.name: notes[node.name] for node in tree.nodes}

    def _out_of_fold(self, node: Node, at_node: _Rows, fitted: Any) -> tuple[NDArray[np.bool_], list[str]]:
        """Decide each training row of a node by models that have not seen its patient; add what is to be noted."""
        if isinstance(fitted, PriorClassifier):
            return np.full(len(at_node.codes), fitted.prior_ > EVEN), []
        result = np.zeros(len(at_node.codes), dtype=bool)
        held_out = np.zeros(len(at_node.codes), dtype=bool)
        splits = inner_folds(self.cv, at_node.X, at_node.codes, at_node.groups, self.random_state)
        for train, test in splits:
            with warnings.catch_warnings():
                # What the final fit of the node has to say is said by that fit.
                warnings.simplefilter("ignore", RadioboneWarning)
                learned = at_node.take(train)
                in_fold, _ = fit_or_prior(self._estimator(node), learned.X, learned.codes, learned.groups)
            result[test] = _positive(in_fold, take_rows(at_node.X, test))
            held_out[test] = True
        if not held_out.all():
            raise DataError(
                "out-of-fold decisions need each row held out once",
                got=f"{int((~held_out).sum())} rows never held out",
                do="pass an integer cv, or a splitter that partitions the rows",
            )
        return result, [f"routing: {note}" for note in fewer_folds(self.cv, len(splits))]

    def _estimator(self, node: Node) -> Any:
        if self.estimator is None:
            return SelectiveClassifierCV(cv=self.cv, random_state=self.random_state)
        if not isinstance(self.estimator, dict):
            return self.estimator
        if set(self.estimator) != {item.name for item in self.tree_.nodes}:
            raise NodeError(
                "estimators do not match the nodes",
                got=sorted(self.estimator),
                expected=sorted(item.name for item in self.tree_.nodes),
            )
        return self.estimator[node.name]

    @property
    def thresholds_(self) -> Array:
        """One for each node, in their order."""
        return np.array([_threshold(estimator) for estimator in self.estimators_.values()], dtype=np.float64)

    def node_proba(self, X: Any) -> Array:
        """Return the probability of the positive side of every node, for every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_nodes)
            In the order of the nodes; also for rows that would not come to a node.
        """
        check_is_fitted(self)
        check_rows(X)
        X = validate_data(self, X, skip_check_array=True, reset=False)
        return np.column_stack([_second(estimator, X) for estimator in self.estimators_.values()])

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of every class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        nodes = self.node_proba(X)
        return self.tree_.class_proba(nodes)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return one class for each row, by the rule that ``decision`` names.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes.
        """
        nodes = self.node_proba(X)
        return self.decide(nodes, self.decision)

    def decide(self, node_proba: Array, decision: str) -> NDArray[Any]:
        """Return the class of each row from the nodes' probabilities, by either rule.

        Parameters
        ----------
        node_proba : ndarray of shape (n_samples, n_nodes)
            As `node_proba` gives them.
        decision : {"argmax", "routed"}
            The rule.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes.
        """
        if decision == "routed":
            # A tree follows ones and noughts as it follows probabilities.
            codes = self.tree_.route((node_proba > self.thresholds_).astype(np.float64))
        else:
            codes = np.argmax(self.tree_.class_proba(node_proba), axis=1)
        labels: NDArray[Any] = self.classes_[codes]
        return labels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        parts = list(self.estimator.values()) if isinstance(self.estimator, dict) else [self.estimator]
        tags.input_tags.allow_nan = all(
            part is not None and bool(get_tags(part).input_tags.allow_nan) for part in parts
        )
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Say which metadata the object and its node estimators take, for scikit-learn's routing.

        Returns
        -------
        MetadataRouter
            The routes.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        parts = self.estimator if isinstance(self.estimator, dict) else {"estimator": self.estimator}
        for name, part in parts.items():
            if part is not None and routes(part):
                router.add(**{name: part}, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        return router


@dataclass(frozen=True, eq=False)
class _Rows:
    """The training rows of one node: X, 1 for the positive side and 0 for the other, patients."""

    X: Any
    codes: NDArray[np.intp]
    groups: NDArray[Any] | None

    def take(self, rows: NDArray[np.intp]) -> _Rows:
        return _Rows(take_rows(self.X, rows), self.codes[rows], _take(self.groups, rows))


def _take(groups: NDArray[Any] | None, rows: NDArray[np.intp]) -> NDArray[Any] | None:
    return None if groups is None else groups[rows]


def _second(estimator: Any, X: Any) -> Array:
    """Return the probability of the positive side."""
    return np.asarray(estimator.predict_proba(X)[:, 1], dtype=np.float64)


def _threshold(estimator: Any) -> float:
    return float(getattr(estimator, "threshold_", EVEN))


def _positive(estimator: Any, X: Any) -> NDArray[np.bool_]:
    """Say for each row whether it goes to the positive side."""
    return np.asarray(_second(estimator, X) > _threshold(estimator))
