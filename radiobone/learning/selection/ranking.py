"""The columns that matter most to a model: to a random forest, or to a linear support vector machine."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE
from sklearn.svm import SVC
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from radiobone.learning.data import check_labels
from radiobone.learning.selection.columns import ROUNDING, SupervisedSelector


class EliminationSelector(SupervisedSelector):
    """Drop the columns of smallest weight in a linear support vector machine, over and over, until k are left.

    Parameters
    ----------
    k : int, default=10
        Number of columns kept; all, where there are fewer.
    step : float, default=0.1
        Share of all columns that is dropped at a time, at least one.
    C : float, default=1
        Cost of the machine.
    class_weight : {"balanced"} or None, default="balanced"
        Weights of the classes.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept.
    ranking_ : ndarray of shape (n_features_in_,), int
        1 for those, 2 for the ones dropped last, and so on.
    notes_ : list of str
        Whether there were fewer than ``k`` columns.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    `sklearn.feature_selection.RFE` does the work. Weights depend on the unit of a column, so standardisation
    belongs before this step. I. Guyon et al., Machine Learning 46:389-422 (2002).

    Examples
    --------
    >>> X = [[-1, 0.1, -1], [-1, 0.2, 1], [1, -0.1, -1], [1, 0.3, 1]]
    >>> EliminationSelector(k=1).fit(X, [0, 0, 1, 1]).get_support()
    array([ True, False, False])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "step": [Interval(Real, 0, 1, closed="neither")],
        "C": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), None],
    }

    def __init__(
        self, *, k: int = 10, step: float = 0.1, C: float = 1.0, class_weight: str | None = "balanced"
    ) -> None:
        self.k = k
        self.step = step
        self.C = C
        self.class_weight = class_weight

    def fit(self, X: ArrayLike, y: ArrayLike) -> EliminationSelector:
        """Eliminate columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, standardised.
        y : array-like of shape (n_samples,)
            Two classes or more.

        Returns
        -------
        EliminationSelector
            The fitted selector.
        """
        self._validate_params()
        values, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        n_columns = values.shape[1]
        machine = SVC(kernel="linear", C=self.C, class_weight=self.class_weight)
        rfe = RFE(machine, n_features_to_select=min(self.k, n_columns), step=self.step)
        rfe.fit(values, check_labels(labels))
        self.support_, self.ranking_ = rfe.support_, rfe.ranking_
        few = n_columns < self.k
        self.notes_ = (
            [f"k={self.k} columns were asked for, and there are {n_columns}: all are kept"] if few else []
        )
        return self


class ImportanceSelector(SupervisedSelector):
    """Keep the k columns of largest importance in a random forest.

    Parameters
    ----------
    k : int, default=10
        Number of columns kept. Those of no importance at all are dropped even if fewer are left.
    n_estimators : int, default=500
        Number of trees.
    criterion : {"gini", "entropy", "log_loss"}, default="gini"
        Impurity.
    class_weight : {"balanced", "balanced_subsample"} or None, default=None
        Weights of the classes.
    random_state : int, RandomState or None, default=0
        Grows the trees.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept; none, if no tree could be split.
    importances_ : ndarray of shape (n_features_in_,)
        Mean decrease of impurity; they sum to 1.
    order_ : ndarray of int
        Numbers of the columns that are kept, the most important first.
    notes_ : list of str
        Whether fewer than ``k`` columns are of any importance.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    Ties go to the left. The importance of columns that say the same is divided among them, so a correlation filter
    belongs before this step. The scale of columns plays no part.

    Examples
    --------
    >>> X = [[1, 5], [2, 9], [3, 1], [4, 4], [15, 8], [16, 2], [17, 6], [18, 5]]
    >>> ImportanceSelector(k=1, n_estimators=20).fit(X, [0, 0, 0, 0, 1, 1, 1, 1]).order_
    array([0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "criterion": [StrOptions({"gini", "entropy", "log_loss"})],
        "class_weight": [StrOptions({"balanced", "balanced_subsample"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        k: int = 10,
        n_estimators: int = 500,
        criterion: str = "gini",
        class_weight: str | None = None,
        random_state: Any = 0,
    ) -> None:
        self.k = k
        self.n_estimators = n_estimators
        self.criterion = criterion
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> ImportanceSelector:
        """Grow the forest and rank the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Two classes or more.

        Returns
        -------
        ImportanceSelector
            The fitted selector.
        """
        self._validate_params()
        values, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        forest = RandomForestClassifier(
            n_estimators=self.n_estimators,
            criterion=self.criterion,
            class_weight=self.class_weight,
            random_state=self.random_state,
        )
        self.importances_ = forest.fit(values, check_labels(labels)).feature_importances_
        ranked = np.argsort(-np.round(self.importances_ / ROUNDING), kind="stable")
        of_any = ranked[self.importances_[ranked] > 0]
        self.order_ = of_any[: self.k]
        self.support_ = np.zeros(values.shape[1], dtype=bool)
        self.support_[self.order_] = True
        few = of_any.size < self.k
        self.notes_ = (
            [f"k={self.k} columns were asked for, and {of_any.size} are of any importance"] if few else []
        )
        return self
