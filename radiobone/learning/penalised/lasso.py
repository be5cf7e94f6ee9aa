"""LASSO and elastic net as a selector: the columns that a cross-validated penalty leaves."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data
from threadpoolctl import threadpool_limits

from radiobone.core.errors import RadioboneWarning
from radiobone.learning.data import DataError, check_groups, check_labels, two_classes
from radiobone.learning.folds import Split, fewer_folds, inner_folds
from radiobone.learning.penalised.binomial_path import binomial_path
from radiobone.learning.penalised.path import lasso_path, penalty_grid
from radiobone.learning.selection.columns import SupervisedSelector

Array = NDArray[np.float64]


class PathWarning(RadioboneWarning, ConvergenceWarning):
    """Some solution on a LASSO path could not be certified."""


class LassoSelector(SupervisedSelector):
    """Keep the columns with a coefficient in a LASSO or elastic net whose penalty is chosen by cross-validation.

    Parameters
    ----------
    loss : {"squared", "binomial"}, default="squared"
        Squared loss on the classes coded 0 and 1 (in sorted order), or the binomial likelihood of the second class
        (penalised logistic regression, as in glmnet's ``family="binomial"``); both with an intercept.
    l1_ratio : float or array-like of float, default=1.0
        Share of the L1 norm in the penalty, in (0, 1]: 1 is the LASSO, less an elastic net. Of several, the one
        with the smallest cross-validated loss is taken, the first of equals.
    rule : {"min", "1se"}, default="min"
        Take the penalty with the smallest mean loss on the held-out folds, or the largest one whose loss lies
        within one standard error of that.
    n_alphas : int, default=100
        Number of penalties.
    eps : float, default=0.001
        Smallest penalty as a share of the largest.
    cv : int, splitter or iterable, default=5
        Folds for the choice of the penalty; an integer means stratified folds that keep patients whole.
    tol : float, default=1e-9
        Duality gap at which a solution counts as found, as a share of the loss of the empty model.
    max_iter : int, default=100_000
        Limit of steps for each penalty where the way to its solution is not finite.
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
    l1_ratio_ : float
        The chosen share of the L1 norm.
    l1_ratio_losses_ : ndarray of shape (n_l1_ratios,)
        The smallest mean loss on held-out folds for each share.
    alpha_, alpha_min_, alpha_1se_ : float
        The chosen penalty, and those of both rules.
    alphas_ : ndarray of shape (n_alphas,)
        All penalties for ``l1_ratio_``, descending.
    loss_path_ : ndarray of shape (n_alphas, n_splits_)
        Loss on each held-out fold for each penalty: the mean squared error, or the mean binomial deviance (minus
        twice the log-likelihood of a row).
    loss_mean_, loss_se_ : ndarray of shape (n_alphas,)
        Its mean over folds, and the standard error of that mean: the cross-validation curve.
    coef_path_ : ndarray of shape (n_features_in_, n_alphas)
        Coefficients along all penalties, from all rows.
    duality_gap_ : float
        Largest gap of all solutions that were used.
    classes_ : ndarray of shape (2,)
        The classes coded 0 and 1.
    n_splits_ : int
        Number of folds that were used.
    n_iter_ : int
        Number of knots, or of problems that were solved, on the path of all rows.
    notes_ : list of str
        What a reader of the result should know: fewer folds than asked for, a path that is not certified.

    Notes
    -----
    With n rows and a penalty ``alpha (l1_ratio |w|₁ + (1 - l1_ratio) |w|² / 2)``, the squared loss is the sum of
    squared residuals divided by 2n and the binomial loss the negative log-likelihood divided by n, so that
    ``alpha`` is glmnet's lambda and scikit-learn's alpha. Columns should be standardised beforehand, since the
    penalty weighs coefficients alike; nothing is scaled here, neither columns nor classes. Ties go to the larger
    penalty.

    For squared loss, penalties, folds and choice are those of scikit-learn's ``LassoCV`` and ``ElasticNetCV``;
    only the way along the path differs (see `radiobone.learning.penalised.path` and
    `radiobone.learning.penalised.binomial_path`), and is exact where those stop at a tolerance. As there, folds
    count alike in the mean, whatever their size.
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "loss": [StrOptions({"squared", "binomial"})],
        "l1_ratio": [Interval(Real, 0, 1, closed="right"), "array-like"],
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
        l1_ratio: float | ArrayLike = 1.0,
        rule: str = "min",
        n_alphas: int = 100,
        eps: float = 1e-3,
        cv: Any = 5,
        tol: float = 1e-9,
        max_iter: int = 100_000,
        random_state: Any = 0,
    ) -> None:
        self.loss = loss
        self.l1_ratio = l1_ratio
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

        # Thousands of small products: more native threads would wait for one another, and add up in another order.
        with threadpool_limits(limits=1, user_api="blas"):
            curves = self._curves(values, target, splits)
            curve = min(curves, key=lambda one: one.smallest)
            path = self._path(values, target, curve.alphas, curve.l1_ratio)
        self.l1_ratio_losses_ = np.array([one.smallest for one in curves])
        self.l1_ratio_, self.alphas_, self.loss_path_ = curve.l1_ratio, curve.alphas, curve.losses
        chosen = self._choose()
        self.coef_path_, self.n_iter_ = path.coefs, path.n_steps
        self.coef_ = path.coefs[:, chosen]
        self.intercept_ = float(path.levels[chosen] - path.centre @ self.coef_)
        self.support_ = self.coef_ != 0
        self.duality_gap_ = max(path.gap, *(one.gap for one in curves))
        self._check_gap()
        return self

    def _curves(self, X: Array, y: Array, splits: Sequence[Split]) -> list[_Curve]:
        """Return the cross-validation curve for each share of the L1 norm."""
        centred, centred_target = X - X.mean(axis=0), y - y.mean()
        curves = []
        for l1_ratio in self._l1_ratios():
            alphas = penalty_grid(centred, centred_target, self.n_alphas, self.eps, l1_ratio)
            losses, gap = np.empty((len(alphas), len(splits))), 0.0
            for number, (train, test) in enumerate(splits):
                path = self._path(X[train], y[train], alphas, l1_ratio)
                losses[:, number] = self._losses(y[test], path.predict(X[test]))
                gap = max(path.gap, gap)
            curves.append(_Curve(l1_ratio, alphas, losses, gap))
        return curves

    def _l1_ratios(self) -> list[float]:
        shares = np.atleast_1d(np.asarray(self.l1_ratio, dtype=np.float64))
        if shares.ndim != 1 or not shares.size or not ((shares > 0.0) & (shares <= 1.0)).all():
            raise DataError(
                "l1_ratio must be one or several shares of the L1 norm",
                got=repr(self.l1_ratio),
                expected="numbers above 0 and at most 1",
            )
        return [float(share) for share in shares]

    def _path(self, X: Array, y: Array, alphas: Array, l1_ratio: float) -> _Path:
        centre, mean = X.mean(axis=0), float(y.mean())
        if self.loss == "binomial":
            logistic = binomial_path(X - centre, y, alphas, l1_ratio, self.tol, self.max_iter)
            return _Path(centre, logistic.coefs, logistic.intercepts, float(logistic.gaps.max()), logistic.n_steps)
        squared = lasso_path(X - centre, y - mean, alphas, self.tol, self.max_iter, l1_ratio)
        levels = np.full(len(alphas), mean)
        return _Path(centre, squared.coefs, levels, float(squared.gaps.max()), squared.n_steps)

    def _losses(self, y: Array, predicted: Array) -> Array:
        """Return the mean loss of held-out rows for each column of predictions."""
        if self.loss == "binomial":
            losses = 2.0 * np.logaddexp(0.0, (1.0 - 2.0 * y[:, None]) * predicted)
        else:
            losses = (y[:, None] - predicted) ** 2
        mean: Array = losses.mean(axis=0)
        return mean

    def _choose(self) -> int:
        self.loss_mean_ = self.loss_path_.mean(axis=1)
        n_folds = self.loss_path_.shape[1]
        spread = self.loss_path_.std(axis=1, ddof=1) if n_folds > 1 else np.zeros(len(self.loss_mean_))
        self.loss_se_ = spread / np.sqrt(n_folds)
        best = int(np.argmin(self.loss_mean_))
        simplest = int(np.flatnonzero(self.loss_mean_ <= self.loss_mean_[best] + self.loss_se_[best])[0])
        self.alpha_min_, self.alpha_1se_ = float(self.alphas_[best]), float(self.alphas_[simplest])
        chosen = best if self.rule == "min" else simplest
        self.alpha_ = float(self.alphas_[chosen])
        return chosen

    def _check_gap(self) -> None:
        if self.duality_gap_ > self.tol:
            note = (
                f"LASSO path not certified: duality gap {self.duality_gap_:.1e} above tol={self.tol:.1e}; "
                "drop columns that are nearly dependent, or raise max_iter or eps"
            )
            self.notes_.append(note)
            warnings.warn(note, PathWarning, stacklevel=3)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags


@dataclass(frozen=True, eq=False)
class _Curve:
    """The loss on held-out folds along the penalties, for one share of the L1 norm."""

    l1_ratio: float
    alphas: Array
    losses: Array
    gap: float

    @property
    def smallest(self) -> float:
        return float(self.losses.mean(axis=1).min())


@dataclass(frozen=True, eq=False)
class _Path:
    """Solutions for all penalties, whatever the loss."""

    centre: Array  # means of the columns
    coefs: Array
    levels: Array  # predictions at the centre
    gap: float
    n_steps: int

    def predict(self, X: Array) -> Array:
        predicted: Array = self.levels + (X - self.centre) @ self.coefs
        return predicted
