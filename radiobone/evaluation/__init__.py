"""Validation in which every learned step stays inside the fold."""

from radiobone.evaluation.arms import Arm, ArmsCV, ArmsResult, Primary
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.metrics import binary_metrics, class_metrics, confusion
from radiobone.evaluation.nested import NestedCV
from radiobone.evaluation.plans import FixedSplit, KFolds, LeaveOneCentreOut, TemporalSplit
from radiobone.evaluation.regression import (
    Nomogram,
    backward_elimination,
    clinical_table,
    linear_regression,
    logistic_regression,
)
from radiobone.evaluation.results import NestedResult
from radiobone.evaluation.splits import outer_folds
from radiobone.evaluation.strata import Strata

__all__ = [
    "Arm",
    "ArmsCV",
    "ArmsResult",
    "FigureOptions",
    "FixedSplit",
    "KFolds",
    "LeaveOneCentreOut",
    "NestedCV",
    "NestedResult",
    "Nomogram",
    "Primary",
    "Strata",
    "TemporalSplit",
    "backward_elimination",
    "binary_metrics",
    "class_metrics",
    "clinical_table",
    "confusion",
    "linear_regression",
    "logistic_regression",
    "outer_folds",
]
