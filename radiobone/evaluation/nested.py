"""Nested validation: every learned step inside the outer fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.parallel import Parallel, delayed

from radiobone.core.errors import UsageError
from radiobone.evaluation.column_summary import column_summary
from radiobone.evaluation.fingerprint import data_sha256, fit_sha256
from radiobone.evaluation.fits import FoldFit
from radiobone.evaluation.fitting import (
    check_estimator,
    check_nodes,
    check_prevalence,
    fit_folds,
    inner_folds_asked,
)
from radiobone.evaluation.flags import flags
from radiobone.evaluation.fold_checks import check_folds, missing_classes
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.input_columns import ColumnRules
from radiobone.evaluation.inputs import LabelsBy, StudyData, prepare
from radiobone.evaluation.keep import KeptFits
from radiobone.evaluation.memory import check_memory
from radiobone.evaluation.plans import KFolds, Plan
from radiobone.evaluation.repeat_checks import check_repeats
from radiobone.evaluation.results import NestedResult
from radiobone.evaluation.splits import OuterFold, check_jobs
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.nodes import Node


@dataclass(frozen=True)
class NestedCV:
    """A procedure, and the folds on which it is judged.

    The estimator makes its own choices by inner folds inside ``fit``; the outer folds only judge. The figure
    belongs to the procedure: the mean over outer folds.

    Parameters
    ----------
    estimator : classifier
        A `HierarchicalClassifier`, or any classifier with ``predict_proba`` (which has no nodes of its own). Never
        changed: each fold fits a copy.
    plan : Plan
        Which rows train and which test; by default five stratified folds (`KFolds`).
    jobs : int, default 1
        Outer folds in parallel; -1 is one for each core. The result is the same for any number.
    classes : tuple, optional
        Order of the classes in every output; by default sorted.
    nodes : sequence of Node, optional
        Nodes at which a flat classifier is judged, by P(positive side) / P(both sides) from its class
        probabilities, so that it stands beside a hierarchical one.

    options : FigureOptions
        Level of intervals, prevalence of predictive values, draws of the bootstrap.
    preset : sequence of str, optional
        Columns that the extraction gave, from its manifest, so that columns taken away before are seen.
    labels_by : {"patient", "row"}, default "patient"
        Whose the classes are. With ``row``, the rows of a patient (vertebrae) may differ in class: patients still
        stay whole, and remain the units of every interval and test.

    Raises
    ------
    UsageError
        If a number is out of range, an estimator has no ``fit`` or ``predict_proba``, or nodes are given for a
        classifier that has its own.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiobone.learning import HierarchicalClassifier
    >>> y = np.repeat(["normal", "osteoporosis"], 30)
    >>> X = np.random.default_rng(0).normal(size=(60, 3)) + (y == "normal")[:, None]
    >>> model = HierarchicalClassifier(estimator=LogisticRegression())
    >>> result = NestedCV(model, KFolds(folds=3, repeats=2)).run(X, y, groups=np.arange(60))
    >>> auc = result.results()["nodes"][0]["on_true_members"]["auc"]
    >>> f"{auc['mean']:.2f} ({auc['interval']['low']:.2f} to {auc['interval']['high']:.2f})"
    '0.92 (0.86 to 0.98)'
    """

    estimator: Any
    plan: Plan = field(default_factory=KFolds)
    jobs: int = 1
    classes: Sequence[Any] | None = None
    nodes: Sequence[Node] | None = None
    options: FigureOptions = field(default_factory=FigureOptions)
    preset: Sequence[str] | None = None
    labels_by: LabelsBy = "patient"

    def __post_init__(self) -> None:
        if not (hasattr(self.plan, "divide") and hasattr(self.plan, "describe")):
            raise UsageError("this is no plan", got=repr(self.plan), expected="such as KFolds(folds=5, repeats=2)")
        check_jobs(self.jobs)
        check_estimator(self.estimator)
        if self.nodes is not None and isinstance(self.estimator, HierarchicalClassifier):
            raise UsageError("the classifier has nodes of its own", where="nodes", do="leave nodes out")

    def run(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike,
        ids: Any = None,
        attributes: pd.DataFrame | None = None,
        keep: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> NestedResult:
        """Fit and judge on every outer fold.

        Parameters
        ----------
        X : DataFrame, ndarray or anything indexable by row
            Features.
        y : array-like of shape (n_samples,)
            Class of each row.
        groups : array-like of shape (n_samples,)
            Patient of each row.
        ids : DataFrame, Series or array-like, optional
            What identifies a row; by default the patient. Rows are sorted by it before anything else.
        attributes : DataFrame, optional
            What plans and strata ask of each row: centre, date, set, sex, tube voltage. No estimator sees them.
        keep : Path, optional
            Folder in which finished folds are kept, so that a run that was stopped goes on from them. A fold is
            taken from there if data, folds, parameters, the versions of packages, radiobone's own files and the
            source of the classes and functions that the estimator is made of are what they were. What these use
            in turn is not seen: after a change in a function that a model of your own calls, in a constant, or in
            a file that it reads, name another folder.
        progress : callable, optional
            Called with the number of finished folds and of all folds.

        Returns
        -------
        NestedResult
            Folds, predictions, figures.

        Raises
        ------
        DataError
            If the input cannot be validated on; see `radiobone.evaluation.inputs.prepare` and
            `radiobone.evaluation.fold_checks.check_folds`.
        """
        check_memory(X, self.jobs)
        rules = ColumnRules.of(self.estimator)
        data = prepare(X, y, groups, ids, self.classes, attributes, rules=rules, labels_by=self.labels_by)
        check_nodes(self.estimator, self.nodes, data)
        check_prevalence(self.options.prevalence, self.estimator, self.nodes, data)
        folds = cut(self.plan, data)
        (fits,) = fit_all([Work(self.estimator, data, self.nodes)], folds, self.jobs, progress, keep)
        return gather(self.estimator, self.plan, data, folds, fits, self.options, self.preset)


@dataclass(frozen=True, eq=False)
class Work:
    """What is to be fitted on every fold.

    Parameters
    ----------
    estimator : classifier
        Copied, not changed.
    data : StudyData
        All rows.
    nodes : sequence of Node or None
        Nodes at which a flat classifier is judged.
    """

    estimator: Any
    data: StudyData
    nodes: Sequence[Node] | None


@dataclass(frozen=True, eq=False)
class Task:
    """One model: a piece of work on folds that share their training rows.

    Parameters
    ----------
    arm : int
        Number of the piece of work.
    numbers : list of int
        Numbers of the folds.
    work : Work
        What is fitted.
    folds : list of OuterFold
        The folds.
    """

    arm: int
    numbers: list[int]
    work: Work
    folds: list[OuterFold]


def cut(plan: Plan, data: StudyData) -> list[OuterFold]:
    """Cut the rows by a plan, and prove the folds.

    Parameters
    ----------
    plan : Plan
        The plan.
    data : StudyData
        The rows.

    Returns
    -------
    list of OuterFold
        The folds.

    Raises
    ------
    DataError
        See `radiobone.evaluation.fold_checks.check_folds`.
    """
    folds = plan.divide(data)
    check_folds(data, folds)
    return folds


def fit_all(
    works: Sequence[Work],
    folds: Sequence[OuterFold],
    jobs: int,
    progress: Callable[[int, int], None] | None,
    keep: Path | None,
) -> list[tuple[FoldFit, ...]]:
    """Fit every piece of work on every fold, in parallel over both.

    Parameters
    ----------
    works : sequence of Work
        One for each arm.
    folds : sequence of OuterFold
        The same for all.
    jobs : int
        Processes; -1 is one for each core.
    progress : callable or None
        Called with the number of finished fits and of all.
    keep : Path or None
        Folder of finished fits.

    Returns
    -------
    list of tuple of FoldFit
        For each piece of work, one for each fold.

    Raises
    ------
    DataError
        See `radiobone.evaluation.repeat_checks.check_repeats`.
    """
    for work in works:
        check_repeats(work.estimator, work.data, folds)
    tasks = [
        Task(arm, numbers, work, [folds[number] for number in numbers])
        for arm, work in enumerate(works)
        for numbers in _by_training(folds)
    ]
    found: dict[tuple[int, int], FoldFit] = {}

    def take(task: Task, fits: Sequence[FoldFit]) -> None:
        found.update({(task.arm, number): fit for number, fit in zip(task.numbers, fits, strict=True)})
        if progress is not None:
            progress(len(found), len(works) * len(folds))

    kept = None if keep is None else KeptFits(keep)
    keys = _keys(works, tasks) if kept is not None else [""] * len(tasks)
    waiting = []
    for task, key in zip(tasks, keys, strict=True):
        fits = None if kept is None else kept.get(key, task.folds)
        if fits is None:
            waiting.append((task, key))
        else:
            take(task, fits)
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="n_jobs")
    for number, fits in parallel(delayed(_fit)(number, task) for number, (task, _) in enumerate(waiting)):
        task, key = waiting[number]
        if kept is not None:
            kept.put(key, fits)
        take(task, fits)
    return [tuple(found[arm, number] for number in range(len(folds))) for arm in range(len(works))]


def gather(
    estimator: Any,
    plan: Plan,
    data: StudyData,
    folds: Sequence[OuterFold],
    fits: tuple[FoldFit, ...],
    options: FigureOptions,
    preset: Sequence[str] | None,
) -> NestedResult:
    """Put fits together with what they rest on.

    Parameters
    ----------
    estimator : classifier
        What was judged.
    plan : Plan
        How.
    data : StudyData
        The rows.
    folds : sequence of OuterFold
        The folds.
    fits : tuple of FoldFit
        One for each fold.
    options : FigureOptions
        What figures are asked for.
    preset : sequence of str or None
        Columns that the extraction gave.

    Returns
    -------
    NestedResult
        Folds, predictions, figures.
    """
    return NestedResult(
        classes=data.classes,
        decision=str(getattr(estimator, "decision", "argmax")),
        validation=_validation(estimator, plan, data, folds),
        folds=_fold_table(data, folds),
        fits=fits,
        data=data,
        fixed=plan.fixed,
        options=options,
        columns=column_summary(data.X),
        flags=tuple(flags(data.X, estimator, preset)),
    )


def _by_training(folds: Sequence[OuterFold]) -> list[list[int]]:
    """Put folds with the same training rows together: one model serves them all."""
    together: dict[bytes, list[int]] = {}
    for number, fold in enumerate(folds):
        together.setdefault(fold.train.tobytes(), []).append(number)
    return list(together.values())


def _fit(number: int, task: Task) -> tuple[int, list[FoldFit]]:
    return number, fit_folds(task.work.estimator, task.work.data, task.folds, task.work.nodes)


def _keys(works: Sequence[Work], tasks: Sequence[Task]) -> list[str]:
    data = [data_sha256(work.data) for work in works]
    return [fit_sha256(data[task.arm], task.work.estimator, task.work.nodes, task.folds) for task in tasks]


def _validation(estimator: Any, plan: Plan, data: StudyData, folds: Sequence[OuterFold]) -> dict[str, Any]:
    return {
        **plan.describe(),
        "inner_folds_asked": inner_folds_asked(estimator),
        "train_on": getattr(estimator, "train_on", None),
        "n_rows": len(data.codes),
        "n_patients": int(np.unique(data.groups).size),
        "n_features": int(data.X.shape[1]) if np.ndim(data.X) == 2 else None,
        "class_counts": {str(name): int((data.codes == code).sum()) for code, name in enumerate(data.classes)},
        "folds": [
            {
                "repeat": fold.repeat,
                "fold": fold.fold,
                "name": fold.name,
                "n_rows": len(fold.test),
                "n_train": len(fold.train),
                "n_patients": int(np.unique(data.groups[fold.test]).size),
                "n_patients_train": int(np.unique(data.groups[fold.train]).size),
                "missing_classes": missing_classes(data, fold),
            }
            for fold in folds
        ],
    }


def _fold_table(data: StudyData, folds: Sequence[OuterFold]) -> pd.DataFrame:
    """List every row of every fold with its role: the proof that no patient stands on both sides."""
    parts = []
    for fold in folds:
        rows = np.sort(np.concatenate([fold.train, fold.test]))
        part = data.ids.iloc[rows].copy()
        part.insert(0, "repeat", fold.repeat)
        part.insert(1, "fold", fold.fold)
        part["group"] = data.groups[rows]
        part["role"] = np.where(np.isin(rows, fold.test), "test", "train")
        part["test_set"] = fold.name
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
