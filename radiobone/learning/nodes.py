"""Trees of binary nodes over the classes, and the nodes that bone studies use."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ConfigError

Label = Hashable


class NodeError(ConfigError, ValueError):
    """The nodes make no tree over the classes."""


@dataclass(frozen=True)
class Node:
    """One binary decision.

    Parameters
    ----------
    name : str
        Name in every output, such as ``osteoporosis_vs_rest``.
    positive, negative : tuple of labels
        The classes on either side. Probabilities, sensitivity and AUC of a node speak of the positive side.
    """

    name: str
    positive: tuple[Label, ...]
    negative: tuple[Label, ...]

    def __post_init__(self) -> None:
        for side in ("positive", "negative"):
            labels = getattr(self, side)
            if isinstance(labels, str) or not isinstance(labels, Sequence) or not labels:
                raise NodeError(
                    "a side of a node must be a list of classes", where=f"{self.name}.{side}", got=repr(labels)
                )
            object.__setattr__(self, side, tuple(labels))
        both = set(self.positive) & set(self.negative)
        if both or len(set(self.members)) < len(self.members):
            raise NodeError("a class stands twice in a node", where=self.name, got=list(self.members))

    @property
    def members(self) -> tuple[Label, ...]:
        """All classes of the node, positive side first."""
        return self.positive + self.negative


def osteoporosis_first() -> list[Node]:
    """Return the tree that asks for osteoporosis first, then parts osteopenia from normal.

    Returns
    -------
    list of Node
        ``osteoporosis_vs_rest`` and ``osteopenia_vs_normal``.
    """
    return [
        Node("osteoporosis_vs_rest", ("osteoporosis",), ("osteopenia", "normal")),
        Node("osteopenia_vs_normal", ("osteopenia",), ("normal",)),
    ]


def normal_first() -> list[Node]:
    """Return the tree that parts abnormal from normal first, then osteoporosis from osteopenia.

    Returns
    -------
    list of Node
        ``abnormal_vs_normal`` and ``osteoporosis_vs_osteopenia``.
    """
    return [
        Node("abnormal_vs_normal", ("osteoporosis", "osteopenia"), ("normal",)),
        Node("osteoporosis_vs_osteopenia", ("osteoporosis",), ("osteopenia",)),
    ]


def chain(classes: Sequence[Label]) -> list[Node]:
    """Return one-versus-rest nodes that split off one class after another, in the order given.

    Parameters
    ----------
    classes : sequence of labels
        All classes.

    Returns
    -------
    list of Node
        One node fewer than classes.

    Examples
    --------
    >>> [node.name for node in chain(["a", "b", "c"])]
    ['a_vs_rest', 'b_vs_c']
    """
    nodes = []
    for index, label in enumerate(classes[:-1]):
        rest = tuple(classes[index + 1 :])
        name = f"{label}_vs_{'rest' if len(rest) > 1 else rest[0]}"
        nodes.append(Node(name, (label,), rest))
    return nodes


@dataclass(frozen=True)
class NodeTree:
    """Nodes that together split the classes until each stands alone.

    Parameters
    ----------
    nodes : tuple of Node
        In the user's order; node columns of every array follow it.
    classes : tuple of labels
        In the order of the class columns of every array.
    paths : tuple of tuple of (int, bool)
        For each node the decisions that lead to it, from the root: number of the node, and whether its positive
        side was taken.
    leaves : tuple of tuple of (int, bool)
        The same for each class.
    """

    nodes: tuple[Node, ...]
    classes: tuple[Label, ...]
    paths: tuple[tuple[tuple[int, bool], ...], ...]
    leaves: tuple[tuple[tuple[int, bool], ...], ...]

    @staticmethod
    def build(nodes: Sequence[Node], classes: Sequence[Label]) -> NodeTree:
        """Put nodes together by their classes.

        Parameters
        ----------
        nodes : sequence of Node
            In any order.
        classes : sequence of labels
            The classes of the data.

        Returns
        -------
        NodeTree
            The tree.

        Raises
        ------
        NodeError
            If a class is named by no node or is not in the data, or if the nodes do not lead to each class
            along exactly one path; if one of them is no `Node`.
        """
        nodes = tuple(nodes)
        _check_kinds(nodes)
        _check_names(nodes, classes)
        by_members: dict[frozenset[Label], int] = {}
        for number, node in enumerate(nodes):
            other = by_members.setdefault(frozenset(node.members), number)
            if other != number:
                raise NodeError(
                    "two nodes split the same classes",
                    got=f"{nodes[other].name}, {node.name}",
                    expected="one node for each group of classes",
                )
        root = by_members.get(frozenset(classes))
        if root is None:
            raise NodeError(
                "no first node: none covers all classes",
                got=[node.name for node in nodes],
                expected=f"a node over {list(classes)}",
            )
        paths: dict[int, tuple[tuple[int, bool], ...]] = {}
        leaves: dict[Label, tuple[tuple[int, bool], ...]] = {}
        _walk(nodes, by_members, root, (), paths, leaves)
        unreached = [node.name for number, node in enumerate(nodes) if number not in paths]
        if unreached:
            raise NodeError(
                "no decision leads to a node",
                got=unreached,
                expected="the classes of one side of another node",
            )
        return NodeTree(
            nodes,
            tuple(classes),
            tuple(paths[number] for number in range(len(nodes))),
            tuple(leaves[label] for label in classes),
        )

    def parents_first(self) -> list[int]:
        """List the numbers of the nodes so that each stands after all that lead to it.

        Returns
        -------
        list of int
            Numbers of the nodes.
        """
        return sorted(range(len(self.nodes)), key=lambda number: len(self.paths[number]))

    def class_proba(self, node_proba: NDArray[np.float64]) -> NDArray[np.float64]:
        """Multiply the nodes' probabilities along the path to each class.

        Parameters
        ----------
        node_proba : ndarray of shape (n_samples, n_nodes)
            Probability of the positive side of each node.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities that sum to one.
        """
        result = np.ones((len(node_proba), len(self.classes)))
        for column, path in enumerate(self.leaves):
            for number, positive in path:
                result[:, column] *= node_proba[:, number] if positive else 1.0 - node_proba[:, number]
        return result

    def reached(self, node_proba: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say for each row which nodes it comes to by the decisions before them (positive above 0.5).

        Parameters
        ----------
        node_proba : ndarray of shape (n_samples, n_nodes)
            Probability of the positive side of each node.

        Returns
        -------
        ndarray of shape (n_samples, n_nodes), bool
            The first node of a tree is reached by every row.
        """
        return np.column_stack([_follows(path, node_proba) for path in self.paths])

    def route(self, node_proba: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the number of the class to which the decisions of the nodes (positive above 0.5) lead.

        Parameters
        ----------
        node_proba : ndarray of shape (n_samples, n_nodes)
            Probability of the positive side of each node.

        Returns
        -------
        ndarray of shape (n_samples,), int
            Numbers in ``classes``.
        """
        ends = np.column_stack([_follows(path, node_proba) for path in self.leaves])
        codes: NDArray[np.intp] = np.argmax(ends, axis=1)
        return codes

    def sides(self, number: int, labels: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Say for each label whether it is a member of a node, and whether it stands on its positive side.

        Parameters
        ----------
        number : int
            Number of the node.
        labels : ndarray of shape (n_samples,)
            Class of each row.

        Returns
        -------
        member, positive : ndarray of shape (n_samples,), bool
            Both answers for each row.
        """
        node = self.nodes[number]
        values = labels.tolist()
        member, positive = set(node.members), set(node.positive)
        return np.array([v in member for v in values], bool), np.array([v in positive for v in values], bool)


def _follows(path: tuple[tuple[int, bool], ...], node_proba: NDArray[np.float64]) -> NDArray[np.bool_]:
    here = np.ones(len(node_proba), dtype=bool)
    for number, positive in path:
        here &= (node_proba[:, number] > 0.5) == positive
    return here


def _check_kinds(nodes: tuple[Any, ...]) -> None:
    for number, node in enumerate(nodes):
        if not isinstance(node, Node):
            raise NodeError(
                "a node must be a Node",
                where=f"nodes[{number}]",
                got=repr(node),
                expected='Node("osteopenia_vs_normal", positive=["osteopenia"], negative=["normal"])',
                do="write it so, with 'from radiobone.learning import Node'",
            )


def _check_names(nodes: tuple[Node, ...], classes: Sequence[Label]) -> None:
    names = [node.name for node in nodes]
    if len(set(names)) < len(names):
        raise NodeError("two nodes have the same name", got=names)
    named = {label for node in nodes for label in node.members}
    unnamed = [label for label in classes if label not in named]
    if unnamed:
        raise NodeError(
            "classes that no node names",
            got=unnamed,
            expected=sorted(map(str, named)),
            do="add them to the nodes, or leave their rows out",
        )
    absent = sorted(str(label) for label in named - set(classes))
    if absent:
        raise NodeError("nodes name classes that the data do not hold", got=absent, expected=list(classes))


def _walk(
    nodes: tuple[Node, ...],
    by_members: dict[frozenset[Label], int],
    number: int,
    path: tuple[tuple[int, bool], ...],
    paths: dict[int, tuple[tuple[int, bool], ...]],
    leaves: dict[Label, tuple[tuple[int, bool], ...]],
) -> None:
    paths[number] = path
    for positive, side in ((True, nodes[number].positive), (False, nodes[number].negative)):
        below = (*path, (number, positive))
        if len(side) == 1:
            leaves[side[0]] = below
            continue
        child = by_members.get(frozenset(side))
        if child is None:
            raise NodeError(
                "no node splits the classes of one side",
                where=f"{nodes[number].name}, {'positive' if positive else 'negative'} side",
                got=list(side),
                expected="a node over exactly these classes",
            )
        _walk(nodes, by_members, child, below, paths, leaves)
