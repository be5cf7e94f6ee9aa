"""scikit-learn parts for small, wide tables: selection, hierarchy, persistence.

A name is loaded when it is first asked for, so that modules of this room that need no scikit-learn, such as
`radiobone.learning.protocol.steps`, can be read without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radiobone.learning.boosted_trees import BoostedTreesClassifier
    from radiobone.learning.data import DataError
    from radiobone.learning.disk.formula import LinearFormula
    from radiobone.learning.disk.formula_files import read_formula, write_formula
    from radiobone.learning.disk.linear_form import linear_formula, node_formulas
    from radiobone.learning.flat import FlatClassifier
    from radiobone.learning.fusion import LateFusionClassifier
    from radiobone.learning.harmonisation.combat import ComBat
    from radiobone.learning.hierarchical import HierarchicalClassifier
    from radiobone.learning.hu_rule import HuThresholdClassifier, hu_alone, hu_columns
    from radiobone.learning.network.classifier import NetworkClassifier
    from radiobone.learning.network.volumes import VolumeStack
    from radiobone.learning.nodes import Node, NodeError, NodeTree, chain, normal_first, osteoporosis_first
    from radiobone.learning.penalised.lasso import LassoSelector
    from radiobone.learning.selection.blocks import BlockSelector
    from radiobone.learning.selection.components import PrincipalComponents
    from radiobone.learning.selection.correlation import CorrelationFilter
    from radiobone.learning.selection.icc import intraclass_correlation
    from radiobone.learning.selection.missing import MissingValues
    from radiobone.learning.selection.mrmr import MRMRSelector
    from radiobone.learning.selection.ranking import EliminationSelector, ImportanceSelector
    from radiobone.learning.selection.repeats import Repeats
    from radiobone.learning.selection.stability import StabilityFilter
    from radiobone.learning.selection.univariate import UnivariateFilter
    from radiobone.learning.selection.variance import VarianceFilter
    from radiobone.learning.selective import SelectiveClassifierCV

__all__ = [
    "BlockSelector",
    "BoostedTreesClassifier",
    "ComBat",
    "CorrelationFilter",
    "DataError",
    "EliminationSelector",
    "FlatClassifier",
    "HierarchicalClassifier",
    "HuThresholdClassifier",
    "ImportanceSelector",
    "LassoSelector",
    "LateFusionClassifier",
    "LinearFormula",
    "MRMRSelector",
    "MissingValues",
    "NetworkClassifier",
    "Node",
    "NodeError",
    "NodeTree",
    "PrincipalComponents",
    "Repeats",
    "SelectiveClassifierCV",
    "StabilityFilter",
    "UnivariateFilter",
    "VarianceFilter",
    "VolumeStack",
    "chain",
    "hu_alone",
    "hu_columns",
    "intraclass_correlation",
    "linear_formula",
    "node_formulas",
    "normal_first",
    "osteoporosis_first",
    "read_formula",
    "write_formula",
]

_MODULES = {
    "BlockSelector": "selection.blocks",
    "BoostedTreesClassifier": "boosted_trees",
    "ComBat": "harmonisation.combat",
    "CorrelationFilter": "selection.correlation",
    "DataError": "data",
    "EliminationSelector": "selection.ranking",
    "FlatClassifier": "flat",
    "HierarchicalClassifier": "hierarchical",
    "HuThresholdClassifier": "hu_rule",
    "ImportanceSelector": "selection.ranking",
    "LassoSelector": "penalised.lasso",
    "LateFusionClassifier": "fusion",
    "LinearFormula": "disk.formula",
    "MRMRSelector": "selection.mrmr",
    "MissingValues": "selection.missing",
    "NetworkClassifier": "network.classifier",
    "Node": "nodes",
    "NodeError": "nodes",
    "NodeTree": "nodes",
    "PrincipalComponents": "selection.components",
    "Repeats": "selection.repeats",
    "SelectiveClassifierCV": "selective",
    "StabilityFilter": "selection.stability",
    "UnivariateFilter": "selection.univariate",
    "VarianceFilter": "selection.variance",
    "VolumeStack": "network.volumes",
    "chain": "nodes",
    "hu_alone": "hu_rule",
    "hu_columns": "hu_rule",
    "intraclass_correlation": "selection.icc",
    "linear_formula": "disk.linear_form",
    "node_formulas": "disk.linear_form",
    "normal_first": "nodes",
    "osteoporosis_first": "nodes",
    "read_formula": "disk.formula_files",
    "write_formula": "disk.formula_files",
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
