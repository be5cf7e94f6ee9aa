"""scikit-learn parts for small, wide tables: selection, hierarchy, persistence."""

from radiobone.learning.correlation import CorrelationFilter
from radiobone.learning.data import DataError
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.lasso import LassoSelector
from radiobone.learning.nodes import Node, NodeError, NodeTree, chain, normal_first, osteoporosis_first
from radiobone.learning.selective import SelectiveClassifierCV

__all__ = [
    "CorrelationFilter",
    "DataError",
    "HierarchicalClassifier",
    "LassoSelector",
    "Node",
    "NodeError",
    "NodeTree",
    "SelectiveClassifierCV",
    "chain",
    "normal_first",
    "osteoporosis_first",
]
