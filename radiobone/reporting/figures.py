"""All figures of this room, with what they take, in one place."""

from __future__ import annotations

from radiobone.reporting.calibration import Calibration, calibration_figure
from radiobone.reporting.confusion import Confusion, confusion_figure
from radiobone.reporting.curves import NodeScores
from radiobone.reporting.decision import DecisionCurve, decision_curve_figure
from radiobone.reporting.estimates import Estimate
from radiobone.reporting.flow import flow_figure
from radiobone.reporting.forest import ForestRow, forest_figure
from radiobone.reporting.lasso import LassoCurves, lasso_figure
from radiobone.reporting.nomogram import nomogram_figure
from radiobone.reporting.procedure import LearningCurve, Permutations, learning_curve_figure, permutation_figure
from radiobone.reporting.roc import precision_recall_figure, roc_figure
from radiobone.reporting.saving import save_figure, save_figure_as
from radiobone.reporting.selection import Selected, selection_figure

__all__ = [
    "Calibration",
    "Confusion",
    "DecisionCurve",
    "Estimate",
    "ForestRow",
    "LassoCurves",
    "LearningCurve",
    "NodeScores",
    "Permutations",
    "Selected",
    "calibration_figure",
    "confusion_figure",
    "decision_curve_figure",
    "flow_figure",
    "forest_figure",
    "lasso_figure",
    "learning_curve_figure",
    "nomogram_figure",
    "permutation_figure",
    "precision_recall_figure",
    "roc_figure",
    "save_figure",
    "save_figure_as",
    "selection_figure",
]
