"""Validation in which every learned step stays inside the fold, and statistics on arrays.

The functions ``decision_curve`` and ``learning_curve`` stand in the modules of their names.
"""

from radiobone.evaluation.arm import Arm, Primary
from radiobone.evaluation.arms import ArmsCV, ArmsResult
from radiobone.evaluation.compare import Target
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.nested import NestedCV
from radiobone.evaluation.plans import FixedSplit, KFolds, LeaveOneCentreOut, TemporalSplit
from radiobone.evaluation.refits import Refits
from radiobone.evaluation.regression.tables import (
    Nomogram,
    backward_elimination,
    clinical_table,
    linear_regression,
    logistic_regression,
)
from radiobone.evaluation.results import NestedResult
from radiobone.evaluation.splits import outer_folds
from radiobone.evaluation.statistics.bootstrap import (
    auc_statistic,
    bootstrap_difference,
    bootstrap_interval,
    metric_statistic,
)
from radiobone.evaluation.statistics.clustered import clustered_auc_interval, clustered_auc_test
from radiobone.evaluation.statistics.delong import delong_interval, delong_test, delong_test_unpaired
from radiobone.evaluation.statistics.estimates import Comparison, Interval
from radiobone.evaluation.statistics.mcnemar import McNemar, mcnemar_test
from radiobone.evaluation.statistics.metrics import binary_metrics, class_metrics, confusion
from radiobone.evaluation.statistics.multiplicity import benjamini_hochberg, holm
from radiobone.evaluation.statistics.permutation import permutation_test
from radiobone.evaluation.statistics.proportions import proportion_interval
from radiobone.evaluation.statistics.reliability import calibration, calibration_curve
from radiobone.evaluation.statistics.resampled import corrected_interval, corrected_test
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
    "outer_folds",
    "permutation_test",
    "proportion_interval",
]
