import itertools

import numpy as np
import pytest

from radiobone.learning import Node, NodeError, NodeTree, chain, normal_first, osteoporosis_first

CLASSES = ["normal", "osteopenia", "osteoporosis"]


def perfect(tree, labels):
    """Node probabilities of nodes that never err on their members; 0.5 for others."""
    columns = []
    for number in range(len(tree.nodes)):
        member, positive = tree.sides(number, labels)
        columns.append(np.where(member, positive.astype(float), 0.5))
    return np.column_stack(columns)


@pytest.mark.parametrize("nodes", [osteoporosis_first(), normal_first(), chain(CLASSES), chain(CLASSES[::-1])])
def test_perfect_nodes_give_the_identity(nodes):
    tree = NodeTree.build(nodes, CLASSES)
    labels = np.array(CLASSES)
    proba = perfect(tree, labels)
    np.testing.assert_array_equal(tree.class_proba(proba), np.eye(3))
    assert tree.route(proba).tolist() == [0, 1, 2]


@pytest.mark.parametrize("nodes", [osteoporosis_first(), normal_first()])
def test_rates_multiply(nodes):
    # First node right in 92 of 100, second in 94 of 100 of those that come to it: 0.92 * 0.94 end to end.
    tree = NodeTree.build(nodes, CLASSES)
    second_class = nodes[1].positive[0]
    first_says = nodes[0].positive if second_class in nodes[0].positive else nodes[0].negative
    right = 1.0 if first_says == nodes[0].positive else 0.0
    first = np.repeat(np.where(np.arange(100) < 92, right, 1.0 - right), 100)
    second = np.tile((np.arange(100) < 94).astype(float), 100)
    decided = np.array(CLASSES)[tree.route(np.column_stack([first, second]))]
    assert (decided == second_class).mean() == pytest.approx(0.92 * 0.94, abs=1e-12)


def test_probabilities_multiply_along_the_path_and_sum_to_one():
    tree = NodeTree.build(osteoporosis_first(), CLASSES)
    np.testing.assert_allclose(tree.class_proba(np.array([[0.2, 0.7]])), [[0.8 * 0.3, 0.8 * 0.7, 0.2]])
    rng = np.random.default_rng(0)
    for nodes in (normal_first(), chain(list("abcdef"))):
        classes = sorted({label for node in nodes for label in node.members})
        proba = NodeTree.build(nodes, classes).class_proba(rng.random((50, len(nodes))))
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-14)


def test_argmax_and_routing_may_disagree():
    # P(osteoporosis) = 0.4 is the largest class probability, but the first decision is "rest".
    tree = NodeTree.build(osteoporosis_first(), CLASSES)
    proba = np.array([[0.4, 0.5]])
    assert CLASSES[tree.class_proba(proba).argmax()] == "osteoporosis"
    assert CLASSES[tree.route(proba)[0]] == "normal"


def test_reached_follows_decisions():
    tree = NodeTree.build(osteoporosis_first(), CLASSES)
    assert tree.reached(np.array([[0.6, 0.9], [0.5, 0.1]])).tolist() == [[True, False], [True, True]]


def test_any_order_and_any_shape():
    nodes = [Node("cd", ["c"], ["d"]), Node("root", ["a", "b"], ["c", "d"]), Node("ab", ["b"], ["a"])]
    for order in itertools.permutations(nodes):
        tree = NodeTree.build(order, list("abcd"))
        assert tree.nodes[tree.parents_first()[0]].name == "root"
        labels = np.array(list("abcd"))
        np.testing.assert_array_equal(tree.class_proba(perfect(tree, labels)), np.eye(4))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([Node("x", ["osteoporosis"], ["normal"])], "no node names.*osteopenia"),
        ([*osteoporosis_first(), Node("y", ["athlete"], ["normal"])], "do not hold.*athlete"),
        ([Node("x", ["osteoporosis"], ["osteopenia", "normal"])], "no node splits"),
        ([*osteoporosis_first(), Node("y", ["osteoporosis"], ["normal"])], "no decision leads.*'y'"),
        ([*osteoporosis_first(), Node("y", ["normal"], ["osteopenia"])], "two nodes split the same"),
        ([Node("a", ["osteoporosis"], ["normal"]), Node("b", ["osteopenia"], ["normal"])], "no first node"),
        ([osteoporosis_first()[0]] * 2, "same name"),
    ],
)
def test_what_is_no_tree_is_refused(nodes, message):
    with pytest.raises(NodeError, match=message):
        NodeTree.build(nodes, CLASSES)


@pytest.mark.parametrize(
    ("positive", "negative"), [("ab", ["c"]), ([], ["c"]), (["a"], ["a"]), (["a", "a"], ["b"])]
)
def test_what_is_no_node_is_refused(positive, negative):
    with pytest.raises(NodeError):
        Node("n", positive, negative)


@pytest.mark.parametrize(
    "node",
    [
        ("x", ["osteoporosis"], ["osteopenia", "normal"]),
        {"name": "x", "positive": ["osteoporosis"], "negative": ["osteopenia", "normal"]},
        "osteoporosis_vs_rest",
        Node,
    ],
)
def test_what_looks_like_a_node_is_refused_with_the_way_to_write_one(node):
    with pytest.raises(NodeError, match=r'nodes\[1\].*Node\("osteopenia_vs_normal", positive=\["osteopenia"\]'):
        NodeTree.build([osteoporosis_first()[1], node], CLASSES)
