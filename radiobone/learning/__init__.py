"""scikit-learn parts for small, wide tables: selection, hierarchy, persistence.

A name is loaded when it is first asked for, so that modules of this room that need no scikit-learn, such as
`radiobone.learning.steps`, can be read without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radiobone.learning.combat import ComBat
    from radiobone.learning.correlation import CorrelationFilter
    from radiobone.learning.data import DataError
    from radiobone.learning.hierarchical import HierarchicalClassifier
    from radiobone.learning.icc import intraclass_correlation
    from radiobone.learning.lasso import LassoSelector
    from radiobone.learning.missing import MissingValues
    from radiobone.learning.mrmr import MRMRSelector
    from radiobone.learning.nodes import Node, NodeError, NodeTree, chain, normal_first, osteoporosis_first
    from radiobone.learning.ranking import EliminationSelector, ImportanceSelector
    from radiobone.learning.repeats import Repeats
    from radiobone.learning.selective import SelectiveClassifierCV
    from radiobone.learning.stability import StabilityFilter
    from radiobone.learning.univariate import UnivariateFilter
    from radiobone.learning.variance import VarianceFilter

__all__ = [
    "ComBat",
    "CorrelationFilter",
    "DataError",
    "EliminationSelector",
    "HierarchicalClassifier",
    "ImportanceSelector",
    "LassoSelector",
    "MRMRSelector",
    "MissingValues",
    "Node",
    "NodeError",
    "NodeTree",
    "Repeats",
    "SelectiveClassifierCV",
    "StabilityFilter",
    "UnivariateFilter",
    "VarianceFilter",
    "chain",
    "intraclass_correlation",
    "normal_first",
    "osteoporosis_first",
]

_MODULES = {
    "ComBat": "combat",
    "CorrelationFilter": "correlation",
    "DataError": "data",
    "EliminationSelector": "ranking",
    "HierarchicalClassifier": "hierarchical",
    "ImportanceSelector": "ranking",
    "LassoSelector": "lasso",
    "MRMRSelector": "mrmr",
    "MissingValues": "missing",
    "Node": "nodes",
    "NodeError": "nodes",
    "NodeTree": "nodes",
    "Repeats": "repeats",
    "SelectiveClassifierCV": "selective",
    "StabilityFilter": "stability",
    "UnivariateFilter": "univariate",
    "VarianceFilter": "variance",
    "chain": "nodes",
    "intraclass_correlation": "icc",
    "normal_first": "nodes",
    "osteoporosis_first": "nodes",
}


if not TYPE_CHECKING:  # else a type checker would take any name for granted

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value  # found at once the next time
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
