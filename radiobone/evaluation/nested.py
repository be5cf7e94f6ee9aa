"""Nested cross-validation: every learned step inside the outer fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from radiobone.core.errors import RadioboneWarning, UsageError
from radiobone.evaluation.fits import FoldFit, NodeFit
from radiobone.evaluation.inputs import StudyData, prepare
from radiobone.evaluation.results import NestedResult
from radiobone.evaluation.splits import OuterFold, check_count, check_plan, outer_folds
from radiobone.learning.data import take_rows
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.routing import fit_with_groups


@dataclass(frozen=True)
class NestedCV:
    """A procedure, and the folds on which it is judged.

    The estimator makes its own choices by inner folds inside ``fit``; the outer folds only judge. The figure
    belongs to the procedure: the mean over outer folds.

    Parameters
    ----------
    estimator : classifier
        A `HierarchicalClassifier`, or any classifier with ``predict_proba`` (which then has no nodes). Never
        changed: each fold fits a copy.
    folds : int, default 5
        Outer folds; at least 2.
    repeats : int, default 1
        How often the rows are divided anew; at least 1.
    seed : int, default 0
        Repeat r (from 0) is shuffled with ``seed + r``; not negative.
    jobs : int, default 1
        Outer folds in parallel; -1 is one for each core. The result is the same for any number.
    classes : tuple, optional
        Order of the classes in every output; by default sorted.

    Raises
    ------
    UsageError
        If a number is out of range, or an estimator has no ``fit`` or ``predict_proba``.
    """

    estimator: Any
    folds: int = 5
    repeats: int = 1
    seed: int = 0
    jobs: int = 1
    classes: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        check_plan(self.folds, self.repeats, self.seed)
        if self.jobs != -1:
            check_count("jobs", self.jobs, 1, do="pass -1 for one job on each core")
        _check_estimator(self.estimator, "estimator")

    def run(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike,
        ids: Any = None,
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
        progress : callable, optional
            Called with the number of finished folds and of all folds.

        Returns
        -------
        NestedResult
            Folds, predictions, figures.

        Raises
        ------
        DataError
            If the input cannot be validated on; see `radiobone.evaluation.inputs.prepare`.
        """
        data = prepare(X, y, groups, ids, self.classes)
        folds = outer_folds(
            data.codes,
            data.groups,
            classes=data.classes,
            folds=self.folds,
            repeats=self.repeats,
            seed=self.seed,
        )
        fits: dict[int, FoldFit] = {}
        work = (delayed(_numbered)(number, self.estimator, data, fold) for number, fold in enumerate(folds))
        parallel = Parallel(n_jobs=self.jobs, return_as="generator_unordered", pre_dispatch="n_jobs")
        for number, fit in parallel(work):
            fits[number] = fit
            if progress is not None:
                progress(len(fits), len(folds))
        return NestedResult(
            classes=data.classes,
            decision=str(getattr(self.estimator, "decision", "argmax")),
            validation=self._validation(data, folds),
            folds=_fold_table(data, folds),
            fits=tuple(fits[number] for number in range(len(folds))),
            data=data,
        )

    def _validation(self, data: StudyData, folds: Sequence[OuterFold]) -> dict[str, Any]:
        return {
            "scheme": "nested cross-validation, stratified by class, patients whole in every split",
            "estimand": "mean over outer folds",
            "outer_folds": int(self.folds),
            "repeats": int(self.repeats),
            "seed": int(self.seed),
            "inner_folds_asked": _inner_folds(self.estimator),
            "train_on": getattr(self.estimator, "train_on", None),
            "n_rows": len(data.codes),
            "n_patients": int(np.unique(data.groups).size),
            "n_features": int(data.X.shape[1]) if hasattr(data.X, "shape") else None,
            "class_counts": {str(name): int((data.codes == code).sum()) for code, name in enumerate(data.classes)},
            "folds": [{"repeat": fold.repeat, "fold": fold.fold, "n_rows": len(fold.test)} for fold in folds],
        }


def _check_estimator(estimator: Any, where: str) -> None:
    """Refuse what is no classifier with probabilities, at any node, before hours are spent on the others."""
    if isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "predict_proba")):
        raise UsageError(
            "the estimator gives no probabilities of classes, from which all figures are made",
            where=where,
            got=f"the class {estimator.__name__}" if isinstance(estimator, type) else repr(estimator),
            expected="a classifier with fit and predict_proba",
            do="pass an object such as LogisticRegression(), or CalibratedClassifierCV(SVC(), ensemble=True)",
        )
    if isinstance(estimator, HierarchicalClassifier) and estimator.estimator is not None:
        parts = (
            estimator.estimator if isinstance(estimator.estimator, dict) else {"estimator": estimator.estimator}
        )
        for name, part in parts.items():
            _check_estimator(part, f"{where}, {name}")


def fit_fold(estimator: Any, data: StudyData, fold: OuterFold) -> FoldFit:
    """Fit a copy of the estimator on the training rows of a fold and predict its test rows.

    Parameters
    ----------
    estimator : classifier
        Copied, not changed.
    data : StudyData
        All rows.
    fold : OuterFold
        The division. Of the test rows nothing but X reaches the fitted copy, and only to be predicted.

    Returns
    -------
    FoldFit
        Predictions and what the copy learned.
    """
    model = clone(estimator)
    # One native thread, so that sums are added in the same order whatever the number of jobs.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Such warnings are kept as the notes of the nodes, and stand in the results.
        warnings.simplefilter("ignore", RadioboneWarning)
        fit_with_groups(model, take_rows(data.X, fold.train), data.labels[fold.train], data.groups[fold.train])
        tested = take_rows(data.X, fold.test)
        # Columns of the model's classes, put into reporting order.
        columns = [model.classes_.tolist().index(name) for name in data.classes]
        if isinstance(model, HierarchicalClassifier):
            nodes = model.node_proba(tested)
            proba = model.tree_.class_proba(nodes)[:, columns]
            routed = _codes(model.decide(nodes, "routed"), data.classes)
        else:
            nodes = np.empty((len(fold.test), 0))
            proba = np.asarray(model.predict_proba(tested))[:, columns]
            routed = None
    return FoldFit(
        repeat=fold.repeat,
        fold=fold.fold,
        test=fold.test,
        node_proba=nodes,
        class_proba=proba,
        argmax=np.argmax(proba, axis=1),
        routed=routed,
        tree=getattr(model, "tree_", None),
        nodes=tuple(_node_fits(model)),
    )


def _numbered(number: int, estimator: Any, data: StudyData, fold: OuterFold) -> tuple[int, FoldFit]:
    return number, fit_fold(estimator, data, fold)


def _node_fits(model: Any) -> list[NodeFit]:
    if not isinstance(model, HierarchicalClassifier):
        return []
    fits = []
    for name, estimator in model.estimators_.items():
        inner, prior = getattr(estimator, "n_splits_", None), getattr(estimator, "predicts_prior_", None)
        selected = getattr(estimator, "selected_features_", None)
        settings = getattr(estimator, "best_params_", None)
        fits.append(
            NodeFit(
                name=name,
                n_train=model.n_train_[name],
                n_foreign=model.n_foreign_[name],
                n_missed=model.n_missed_[name],
                inner_folds=None if inner is None else int(inner),
                predicts_prior=None if prior is None else bool(prior),
                selected=None if selected is None else tuple(str(feature) for feature in selected),
                settings=None if settings is None else {key: _plain(value) for key, value in settings.items()},
                notes=tuple(model.notes_[name]),
            )
        )
    return fits


def _inner_folds(estimator: Any) -> Any:
    """Return the inner folds that were asked for: one answer, or one for each node; None if nothing tells."""
    if isinstance(estimator, HierarchicalClassifier) and estimator.estimator is not None:
        if isinstance(estimator.estimator, dict):
            return {name: _inner_folds(part) for name, part in estimator.estimator.items()}
        return _inner_folds(estimator.estimator)
    return _plain(getattr(estimator, "cv", None))


def _codes(labels: NDArray[Any], classes: tuple[Any, ...]) -> NDArray[np.intp]:
    number = {name: code for code, name in enumerate(classes)}
    return np.array([number[label] for label in labels.tolist()], dtype=np.intp)


def _plain(value: Any) -> Any:
    """Return what JSON can hold: a number or text as it is, anything else as its representation."""
    if hasattr(value, "item") and not hasattr(value, "fit"):
        value = value.item()
    return value if value is None or isinstance(value, (str, int, float, bool)) else repr(value)


def _fold_table(data: StudyData, folds: Sequence[OuterFold]) -> pd.DataFrame:
    """List every row of every fold with its role: the proof that no patient stands on both sides."""
    parts = []
    for fold in folds:
        role = np.full(len(data.codes), "train", dtype=object)
        role[fold.test] = "test"
        part = data.ids.copy()
        part.insert(0, "repeat", fold.repeat)
        part.insert(1, "fold", fold.fold)
        part["group"] = data.groups
        part["role"] = role
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
