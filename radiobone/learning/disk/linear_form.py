"""From a fitted classifier to its formula: every step before a linear model folded into its coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from radiobone.core.errors import UsageError
from radiobone.learning.calibration import IsotonicSteps, PlattSigmoid
from radiobone.learning.disk.formula import Corners, LinearFormula, Sigmoid, Term
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.search import Alignment
from radiobone.learning.selection.blocks import BlockSelector
from radiobone.learning.selection.missing import MissingValues
from radiobone.learning.selective import SelectiveClassifierCV

Array = NDArray[np.float64]


class FormulaError(UsageError, ValueError):
    """The model is no linear formula of raw features."""


def linear_formula(
    estimator: SelectiveClassifierCV,
    *,
    positive: str | None = None,
    negative: str | None = None,
    name: str = "radscore",
) -> LinearFormula:
    """Write a fitted binary classifier as a formula of raw features.

    Parameters
    ----------
    estimator : SelectiveClassifierCV
        Fitted; its steps scale, fill or select columns (standard, min-max, max-abs or robust scaler, imputation by
        a constant, any selector, also by blocks), and its model is linear (support vector machine with linear
        kernel, logistic regression, linear discriminant analysis).
    positive, negative : str, optional
        What the second and the first class are called; by default as in ``classes_``.
    name : str, default="radscore"
        What the score is called.

    Returns
    -------
    LinearFormula
        Its score is the model's decision value, its probability and threshold those of the classifier; equal to
        them up to rounding.

    Raises
    ------
    FormulaError
        If the model is not linear or constant, a step does more than scale, fill or select, or the classifier
        predicts the training prior and has no score.
    """
    check_is_fitted(estimator)
    if estimator.predicts_prior_ or estimator.alignment_ is None:
        raise FormulaError(
            "the classifier predicts the training prior, and has no formula", got="; ".join(estimator.notes_)
        )
    if estimator.alignment_.spread == 0.0:
        raise FormulaError("the model gives every row the same value, and has no formula")
    columns = _Columns.raw(_input_names(estimator))
    for step_name, step in estimator.selection_.steps:
        columns = _through(columns, step, step_name)
    weights, intercept = _linear_model(estimator.model_)
    terms = tuple(
        Term(
            feature=feature,
            coefficient=float(weight * scale),
            fill=None if np.isnan(fill) else float(fill),
        )
        for feature, weight, scale, fill in zip(columns.names, weights, columns.scale, columns.fill, strict=True)
    )
    return LinearFormula(
        name=name,
        positive=str(estimator.classes_[1]) if positive is None else positive,
        negative=str(estimator.classes_[0]) if negative is None else negative,
        intercept=float(intercept + weights @ columns.offset),
        terms=terms,
        calibration=_calibration(estimator, estimator.alignment_),
        threshold=float(getattr(estimator, "threshold_", 0.5)),
    )


def node_formulas(model: HierarchicalClassifier) -> dict[str, LinearFormula]:
    """Write every node of a hierarchical classifier as a formula.

    Parameters
    ----------
    model : HierarchicalClassifier
        Fitted, with a linear `SelectiveClassifierCV` at every node.

    Returns
    -------
    dict of str to LinearFormula
        By node; the sides are named by their classes, and a score is named after its node.

    Raises
    ------
    FormulaError
        That names the node which has no formula.
    """
    check_is_fitted(model)
    return {node.name: node_formula(model, node.name) for node in model.tree_.nodes}


def node_formula(model: HierarchicalClassifier, name: str) -> LinearFormula:
    """Write one node of a hierarchical classifier as a formula.

    Parameters
    ----------
    model : HierarchicalClassifier
        Fitted.
    name : str
        Name of the node.

    Returns
    -------
    LinearFormula
        The sides are named by their classes, the score after the node.

    Raises
    ------
    FormulaError
        If the node has no formula.
    """
    node = next(one for one in model.tree_.nodes if one.name == name)
    estimator = model.estimators_[name]
    if not isinstance(estimator, SelectiveClassifierCV):
        raise FormulaError("the node has no formula", where=name, got=type(estimator).__name__)
    try:
        return linear_formula(
            estimator,
            positive=" or ".join(str(label) for label in node.positive),
            negative=" or ".join(str(label) for label in node.negative),
            name=name,
        )
    except FormulaError as error:
        where = name if error.where is None else f"{name}, {error.where}"
        raise FormulaError(error.what, where=where, got=error.got, expected=error.expected, do=error.do) from None


@dataclass(frozen=True, eq=False)
class _Columns:
    """Columns as functions of raw ones: ``scale * raw + offset``, with a raw value for gaps (NaN for none)."""

    names: NDArray[Any]
    scale: Array
    offset: Array
    fill: Array

    @staticmethod
    def raw(names: list[str]) -> _Columns:
        n = len(names)
        return _Columns(np.array(names, dtype=object), np.ones(n), np.zeros(n), np.full(n, np.nan))

    def rescaled(self, factor: Array, shift: Array) -> _Columns:
        return _Columns(self.names, self.scale * factor, self.offset * factor + shift, self.fill)

    @staticmethod
    def side_by_side(parts: list[_Columns]) -> _Columns:
        return _Columns(
            names=np.concatenate([part.names for part in parts]),
            scale=np.concatenate([part.scale for part in parts]),
            offset=np.concatenate([part.offset for part in parts]),
            fill=np.concatenate([part.fill for part in parts]),
        )

    def kept(self, support: NDArray[np.bool_] | NDArray[np.intp]) -> _Columns:
        return _Columns(self.names[support], self.scale[support], self.offset[support], self.fill[support])

    def filled(self, values: Array) -> _Columns:
        # The first step that fills decides; a value in its own units becomes a raw one.
        fill = np.where(np.isnan(self.fill), (values - self.offset) / self.scale, self.fill)
        return _Columns(self.names, self.scale, self.offset, fill)


def _input_names(estimator: SelectiveClassifierCV) -> list[str]:
    names = getattr(estimator, "feature_names_in_", None)
    return [f"x{i}" for i in range(estimator.n_features_in_)] if names is None else [str(name) for name in names]


def _through(columns: _Columns, step: Any, name: str) -> _Columns:
    """Follow columns through one fitted step."""
    if isinstance(step, Pipeline):
        for inner_name, inner in step.steps:
            columns = _through(columns, inner, f"{name}.{inner_name}")
        return columns
    if isinstance(step, BlockSelector):
        parts = [
            _through(columns.kept(places), step.selections_[block], f"{name}.{block}")
            for block, places in step.columns_.items()
            if len(step.names_[block])
        ]
        return _Columns.side_by_side(parts)
    if isinstance(step, (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)):
        return columns.rescaled(*_scaling(step, len(columns.names), name))
    if isinstance(step, MissingValues):
        kept = columns.kept(step.get_support())
        return kept if step.fill_ is None else kept.filled(step.fill_)
    if isinstance(step, SimpleImputer) and not step.add_indicator and step.strategy in ("mean", "median"):
        there = ~np.isnan(step.statistics_)  # columns that no training row had are dropped
        return columns.kept(there).filled(step.statistics_[there])
    if isinstance(step, SelectorMixin):
        return columns.kept(step.get_support())
    raise FormulaError(
        "a step cannot be written as a formula of single columns",
        where=name,
        got=type(step).__name__,
        expected="a scaler, an imputation by a constant, or a selector (also by blocks)",
    )


def _scaling(step: Any, n: int, name: str) -> tuple[Array, Array]:
    """Return factor and shift of a scaler."""
    if isinstance(step, MinMaxScaler):
        if step.clip:
            raise FormulaError("a scaler that clips is not linear", where=name, do="use clip=False")
        return np.asarray(step.scale_), np.asarray(step.min_)
    scale = np.ones(n) if step.scale_ is None else np.asarray(step.scale_, dtype=np.float64)
    centre = getattr(step, "center_", None) if isinstance(step, RobustScaler) else getattr(step, "mean_", None)
    if isinstance(step, StandardScaler) and not step.with_mean:
        centre = None
    return 1.0 / scale, np.zeros(n) if centre is None else -np.asarray(centre, dtype=np.float64) / scale


def _linear_model(model: Any) -> tuple[Array, float]:
    coefficients = getattr(model, "coef_", None)
    if coefficients is None or not hasattr(model, "decision_function") or np.shape(coefficients)[0] != 1:
        kernel = getattr(model, "kernel", None)
        raise FormulaError(
            "the model is not linear, and has no formula",
            got=type(model).__name__ + (f"(kernel={kernel!r})" if kernel is not None else ""),
            expected="a linear support vector machine, logistic regression or linear discriminant analysis",
            do="choose among linear settings only",
        )
    return np.asarray(coefficients, dtype=np.float64)[0], float(np.ravel(model.intercept_)[0])


def _calibration(estimator: SelectiveClassifierCV, alignment: Alignment) -> Sigmoid | Corners:
    """Return the way from the model's decision value to the probability."""
    curve = estimator.calibrator_
    if curve is None:
        if isinstance(estimator.model_, (LogisticRegression, LinearDiscriminantAnalysis)):
            return Sigmoid(slope=1.0, offset=0.0)
        raise FormulaError(
            "the model's own probabilities are no sigmoid of its score",
            got=type(estimator.model_).__name__,
            do="set calibration='sigmoid'",
        )
    if isinstance(curve, PlattSigmoid):
        slope = curve.slope_ / alignment.spread
        return Sigmoid(slope=slope, offset=curve.offset_ - slope * alignment.mean)
    if isinstance(curve, IsotonicSteps):
        return Corners(
            scores=tuple((alignment.mean + alignment.spread * curve.values_).tolist()),
            probabilities=tuple(curve.probabilities_.tolist()),
        )
    raise FormulaError("the calibration cannot be written as a formula", got=type(curve).__name__)
