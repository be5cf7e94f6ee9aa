"""Validation in which every learned step stays inside the fold, and statistics on arrays.

The functions ``decision_curve`` and ``learning_curve`` stand in the modules of their names.
"""

from radiobone.evaluation.arms import Arm, ArmsCV, ArmsResult, Primary
from radiobone.evaluation.bootstrap import (
    auc_statistic,
    bootstrap_difference,
    bootstrap_interval,
    metric_statistic,
)
from radiobone.evaluation.clustered import clustered_auc_interval, clustered_auc_test
from radiobone.evaluation.compare import Target
from radiobone.evaluation.delong import delong_interval, delong_test, delong_test_unpaired
from radiobone.evaluation.estimates import Comparison, Interval
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.mcnemar import McNemar, mcnemar_test
from radiobone.evaluation.metrics import binary_metrics, class_metrics, confusion
from radiobone.evaluation.multiplicity import benjamini_hochberg, holm
from radiobone.evaluation.nested import NestedCV
from radiobone.evaluation.permutation import permutation_test
from radiobone.evaluation.plans import FixedSplit, KFolds, LeaveOneCentreOut, TemporalSplit
from radiobone.evaluation.proportions import proportion_interval
from radiobone.evaluation.refits import Refits
from radiobone.evaluation.regression import (
    Nomogram,
    backward_elimination,
    clinical_table,
    linear_regression,
    logistic_regression,
    node_tables,
)
from radiobone.evaluation.reliability import calibration, calibration_curve
from radiobone.evaluation.resampled import corrected_interval, corrected_test
from radiobone.evaluation.results import NestedResult
from radiobone.evaluation.splits import outer_folds
from radiobone.evaluation.strata import Strata

__all__ = [
    "Arm",
    "ArmsCV",
    "ArmsResult",
    "Comparison",
    "FigureOptions",
    "FixedSplit",
    "Interval",
    "KFolds",
    "LeaveOneCentreOut",
    "McNemar",
    "NestedCV",
    "NestedResult",
    "Nomogram",
    "Primary",
    "Refits",
    "Strata",
    "Target",
    "TemporalSplit",
    "auc_statistic",
    "backward_elimination",
    "benjamini_hochberg",
    "binary_metrics",
    "bootstrap_difference",
    "bootstrap_interval",
    "calibration",
    "calibration_curve",
    "class_metrics",
    "clinical_table",
    "clustered_auc_interval",
    "clustered_auc_test",
    "confusion",
    "corrected_interval",
    "corrected_test",
    "delong_interval",
    "delong_test",
    "delong_test_unpaired",
    "holm",
    "linear_regression",
    "logistic_regression",
    "mcnemar_test",
    "metric_statistic",
    "node_tables",
    "outer_folds",
    "permutation_test",
    "proportion_interval",
]
