"""LASSO as a selector: the columns that a cross-validated L1 penalty leaves."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from radiobone.core.errors import RadioboneWarning
from radiobone.learning.data import check_groups, check_labels, two_classes
from radiobone.learning.folds import Split, fewer_folds, inner_folds
from radiobone.learning.path import LassoPath, lasso_path, penalty_grid


class PathWarning(RadioboneWarning, ConvergenceWarning):
    """Some solution on a LASSO path could not be certified."""


class LassoSelector(SelectorMixin, BaseEstimator):
    """Keep the columns with a coefficient in a LASSO whose penalty is chosen by cross-validation.

    Parameters
    ----------
    loss : {"squared"}, default="squared"
        Squared loss on the classes coded 0 and 1 (in sorted order), with an intercept.
    rule : {"min", "1se"}, default="min"
        Take the penalty with the smallest mean squared error, or the largest one whose error lies within one
        standard error of that.
    n_alphas : int, default=100
        Number of penalties.
    eps : float, default=0.001
        Smallest penalty as a share of the largest.
    cv : int, splitter or iterable, default=5
        Folds for the choice of the penalty; an integer means stratified folds that keep patients whole.
    tol : float, default=1e-9
        Duality gap at which a solution counts as found, as a share of the loss of the empty model.
    max_iter : int, default=100_000
        Limit of coordinate-descent sweeps where homotopy alone is not certified.
    random_state : int, RandomState or None, default=0
        Shuffles the folds.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept; none, if the empty model predicts best.
    coef_ : ndarray of shape (n_features_in_,)
        Coefficients at the chosen penalty, from all rows.
    intercept_ : float
        Their intercept.
    alpha_, alpha_min_, alpha_1se_ : float
        The chosen penalty, and those of both rules.
    alphas_ : ndarray of shape (n_alphas,)
        All penalties, descending.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared error on each held-out fold: the cross-validation curve.
    coef_path_ : ndarray of shape (n_features_in_, n_alphas)
        Coefficients along all penalties, from all rows.
    duality_gap_ : float
        Largest gap of all solutions that were used.
    classes_ : ndarray of shape (2,)
        The classes coded 0 and 1.
    n_splits_ : int
        Number of folds that were used.
    n_iter_ : int
        Number of knots on the path of all rows.
    notes_ : list of str
        What a reader of the result should know: fewer folds than asked for, a path that is not certified.

    Notes
    -----
    Columns should be standardised beforehand, since the penalty weighs coefficients alike. Ties go to the larger
    penalty. The penalty, its folds and its choice are those of scikit-learn's ``LassoCV``; only the way along the
    path differs (see `radiobone.learning.path`), and is exact where that one stops at a tolerance.
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "loss": [StrOptions({"squared"})],
        "rule": [StrOptions({"min", "1se"})],
        "n_alphas": [Interval(Integral, 2, None, closed="left")],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        loss: str = "squared",
        rule: str = "min",
        n_alphas: int = 100,
        eps: float = 1e-3,
        cv: Any = 5,
        tol: float = 1e-9,
        max_iter: int = 100_000,
        random_state: Any = 0,
    ) -> None:
        self.loss = loss
        self.rule = rule
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> LassoSelector:
        """Choose the penalty and find the columns that it leaves.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, standardised.
        y : array-like of shape (n_samples,)
            Two classes.
        groups : array-like of shape (n_samples,), optional
            Patient of each row; no patient lies on both sides of a fold.

        Returns
        -------
        LassoSelector
            The fitted selector.

        Warns
        -----
        PathWarning
            If ``duality_gap_`` lies above ``tol``; ``notes_`` says so, too.
        """
        self._validate_params()
        values, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        self.classes_, codes = two_classes(check_labels(labels), type(self).__name__)
        target = codes.astype(np.float64)
        splits = inner_folds(self.cv, values, codes, check_groups(groups, codes), self.random_state)
        self.n_splits_ = len(splits)
        self.notes_ = fewer_folds(self.cv, self.n_splits_)

        centre = values.mean(axis=0)
        centred, centred_target = values - centre, target - target.mean()
        self.alphas_ = penalty_grid(centred, centred_target, self.n_alphas, self.eps)
        errors, gaps = zip(*(self._fold(values, target, split) for split in splits), strict=True)
        self.mse_path_ = np.column_stack(errors)
        chosen = self._choose()

        path = self._path(centred, centred_target)
        self.coef_path_, self.n_iter_ = path.coefs, path.n_steps
        self.coef_ = path.coefs[:, chosen]
        self.intercept_ = float(target.mean() - centre @ self.coef_)
        self.support_ = self.coef_ != 0
        self.duality_gap_ = float(max(path.gaps.max(), *gaps))
        if self.duality_gap_ > self.tol:
            note = (
                f"LASSO path not certified: duality gap {self.duality_gap_:.1e} above tol={self.tol:.1e}; "
                "drop columns that are nearly dependent, or raise max_iter or eps"
            )
            self.notes_.append(note)
            warnings.warn(note, PathWarning, stacklevel=2)
        return self

    def _path(self, X: NDArray[np.float64], y: NDArray[np.float64]) -> LassoPath:
        return lasso_path(X, y, self.alphas_, self.tol, self.max_iter)

    def _fold(
        self, X: NDArray[np.float64], y: NDArray[np.float64], split: Split
    ) -> tuple[NDArray[np.float64], float]:
        """Return the error on the held-out part for each penalty, and the largest gap."""
        train, test = split
        centre, mean = X[train].mean(axis=0), y[train].mean()
        path = self._path(X[train] - centre, y[train] - mean)
        predicted = mean + (X[test] - centre) @ path.coefs
        return ((y[test, None] - predicted) ** 2).mean(axis=0), float(path.gaps.max())

    def _choose(self) -> int:
        mean = self.mse_path_.mean(axis=1)
        best = int(np.argmin(mean))
        n_folds = self.mse_path_.shape[1]
        spread = self.mse_path_[best].std(ddof=1) / np.sqrt(n_folds) if n_folds > 1 else 0.0
        simplest = int(np.flatnonzero(mean <= mean[best] + spread)[0])
        self.alpha_min_, self.alpha_1se_ = float(self.alphas_[best]), float(self.alphas_[simplest])
        chosen = best if self.rule == "min" else simplest
        self.alpha_ = float(self.alphas_[chosen])
        return chosen

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        support: NDArray[np.bool_] = self.support_
        return support

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags
