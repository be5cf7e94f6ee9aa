"""What can be known of repeated measurements before the first fit: whose they are, and whether they are enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.evaluation.inputs import StudyData
from radiobone.evaluation.splits import OuterFold
from radiobone.learning.data import DataError, patients_by_class
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.nodes import NodeTree, chain
from radiobone.learning.selection.repeats import Repeats
from radiobone.learning.selection.stability import StabilityFilter, stability_filters

# How many offenders a message names.
_SHOWN = 5


def check_repeats(estimator: Any, data: StudyData, folds: Sequence[OuterFold]) -> None:
    """Refuse repeated measurements that a stability step would refuse hours later, or could not refuse at all.

    A step sees the training rows of a fold. That a separate sample holds no patient of the study, test patients
    included, can be seen here only. Of too few patients with repeats an error is raised here where it is certain:
    at a node, some inner fold keeps at most n (k - 1) / k of its n training patients with repeats. Where folds
    fall unevenly, or routed training sends patients elsewhere, the step itself may still refuse.

    Parameters
    ----------
    estimator : classifier
        With or without stability steps.
    data : StudyData
        The rows.
    folds : sequence of OuterFold
        The outer folds.

    Raises
    ------
    DataError
        If patients of a separate sample are in the study, or a training set has too few patients with repeats;
        if patients are written in another way among the repeats.
    """
    for node, rows, sides, part in _parts(estimator, data):
        for step, folds_inside in _steps(part):
            repeats = step.repeats
            if not isinstance(repeats, Repeats):
                continue
            repeats.check_spelling(data.groups.tolist())
            measured = np.isin(data.groups, repeats.subjects)
            if step.sample == "separate":
                _check_separate(np.unique(data.groups[measured]))
                continue
            for fold in folds:
                train = fold.train[rows[fold.train]]
                if min(patients_by_class(sides[train], data.groups[train])) < 2:
                    continue  # such a node predicts the prior, and fits no step
                n = int(np.unique(data.groups[train[measured[train]]]).size)
                _check_enough(step, n, n * (folds_inside - 1) // folds_inside if folds_inside else n, node, fold)


def _parts(estimator: Any, data: StudyData) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.intp], Any]]:
    """Tell for each node its name, its rows, the side of each row, and its estimator; or one for all rows."""
    if not isinstance(estimator, HierarchicalClassifier):
        yield "", np.ones(len(data.codes), dtype=bool), data.codes, estimator
        return
    classes = np.unique(data.labels).tolist()
    tree = NodeTree.build(chain(classes) if estimator.nodes is None else estimator.nodes, classes)
    given = estimator.estimator
    for number, node in enumerate(tree.nodes):
        member, positive = tree.sides(number, data.labels)
        part = given.get(node.name) if isinstance(given, dict) else given
        yield node.name, member, positive.astype(np.intp), part


def _steps(part: Any) -> Iterator[tuple[StabilityFilter, int]]:
    """Yield each stability step, and the inner folds that the classifier around it asks for (0 if not known)."""
    asked = getattr(part, "cv", None) if hasattr(part, "selection") else None
    for step in stability_filters(part):
        yield step, int(asked) if isinstance(asked, (int, np.integer)) else 0


def _check_separate(both: NDArray[Any]) -> None:
    if both.size:
        raise DataError(
            f"{both.size} patients of the separate sample are in the study",
            where="StabilityFilter",
            got=", ".join(both[:_SHOWN].tolist()),
            expected="patients who are no part of the study, neither for training nor for testing",
            do="use sample: training",
        )


def _check_enough(step: StabilityFilter, n: int, inside: int, node: str, fold: OuterFold) -> None:
    if inside < step.min_subjects:
        raise DataError(
            "too few patients with repeated measurements for the stability step",
            where=f"{fold.where}, node {node}" if node else fold.where,
            got=f"{n} training patients with repeats, and at most {inside} in some inner fold",
            expected=f"at least {step.min_subjects}",
            do="repeat more measurements, use those of a separate sample, or lower min_subjects",
        )
