"""Boosted trees that LightGBM grows, the same every time, and that are kept and followed as plain numbers."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted, validate_data

from radiobone.learning.data import check_labels, two_classes

Array = NDArray[np.float64]

# Bits of LightGBM's decision_type: a gap goes left; gaps were among the training values.
_LEFT, _GAPS_LEARNED = 2, 8


class BoostedTreesClassifier(ClassifierMixin, BaseEstimator):
    """Boosted trees for two classes by LightGBM, on one thread and without chance.

    LightGBM grows the trees; they are held and followed as arrays. So a saved model is numbers only, needs no
    LightGBM, and a file that was put together by hand can do no more than predict wrongly.

    Parameters
    ----------
    n_trees : int, default=100
        Number of trees.
    n_leaves : int, default=7
        Most leaves of a tree.
    learning_rate : float, default=0.05
        Share of each tree that is added.
    min_samples_leaf : int, default=10
        Fewest training rows in a leaf.
    class_weight : {"balanced"}, dict of class to float, or None, default=None
        Weights of the classes; balanced ones give both the same weight.
    random_state : int, default=0
        Seed that LightGBM is given; nothing is drawn at these settings.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The classes, sorted.
    starts_ : ndarray of shape (n_trees,)
        Where each tree begins: decision 0, or leaf 0 for a tree of one leaf. A leaf ``k`` is written ``-1 - k``.
    columns_, thresholds_, below_, above_, gaps_below_ : ndarray of shape (n_trees, n_decisions)
        Of each decision: its column; the largest value that goes on to ``below_`` and not to ``above_``; and
        whether a missing value goes there.
    leaves_ : ndarray of shape (n_trees, n_leaves)
        What each leaf adds to the log odds.

    Notes
    -----
    Missing values are taken: each decision learns which side they go to. Log odds are those of LightGBM to the
    last bit: leaves are added up in the order of the trees.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_trees": [Interval(Integral, 1, None, closed="left")],
        "n_leaves": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_trees: int = 100,
        n_leaves: int = 7,
        learning_rate: float = 0.05,
        min_samples_leaf: int = 10,
        class_weight: Any = None,
        random_state: int = 0,
    ) -> None:
        self.n_trees = n_trees
        self.n_leaves = n_leaves
        self.learning_rate = learning_rate
        self.min_samples_leaf = min_samples_leaf
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> BoostedTreesClassifier:
        """Grow the trees.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; missing values may stand among them.
        y : array-like of shape (n_samples,)
            Two classes.

        Returns
        -------
        BoostedTreesClassifier
            The fitted classifier.
        """
        import lightgbm

        self._validate_params()
        values, labels = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.classes_, codes = two_classes(check_labels(labels), type(self).__name__)
        weights = compute_sample_weight(self.class_weight, labels)
        settings = {
            "objective": "binary",
            "num_leaves": self.n_leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_samples_leaf,
            "seed": self.random_state,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        rows = lightgbm.Dataset(values, codes, weight=weights, params=settings, free_raw_data=True)
        self._hold(lightgbm.train(settings, rows, num_boost_round=self.n_trees).model_to_string())
        return self

    def _hold(self, text: str) -> None:
        """Take the trees out of LightGBM's text form."""
        trees = [_fields(part) for part in text.split("\n\n") if part.lstrip().startswith("Tree=")]
        kinds = _stack(trees, "decision_type", int)
        self.starts_: NDArray[np.intp] = np.array([0 if "split_feature" in tree else -1 for tree in trees])
        self.columns_: NDArray[np.intp] = _stack(trees, "split_feature", int)
        self.thresholds_: Array = _stack(trees, "threshold", float)
        self.below_: NDArray[np.intp] = _stack(trees, "left_child", int)
        self.above_: NDArray[np.intp] = _stack(trees, "right_child", int)
        # Where training rows had no gap, LightGBM takes a later one for a 0.
        learned = (kinds & _GAPS_LEARNED) > 0
        self.gaps_below_: NDArray[np.bool_] = np.where(learned, (kinds & _LEFT) > 0, self.thresholds_ >= 0.0)
        self.leaves_: Array = _stack(trees, "leaf_value", float)

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the log odds of the second class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Sums over the trees.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        trees, rows = np.arange(len(self.starts_))[:, None], np.arange(len(values))
        at = np.tile(self.starts_[:, None], (1, len(values)))
        for _ in range(self.columns_.shape[1]):
            inside = at >= 0
            if not inside.any():
                break
            here = np.maximum(at, 0)
            asked = values[rows, self.columns_[trees, here]]
            below = np.where(
                np.isnan(asked), self.gaps_below_[trees, here], asked <= self.thresholds_[trees, here]
            )
            at = np.where(inside, np.where(below, self.below_[trees, here], self.above_[trees, here]), at)
        odds = np.zeros(len(values))
        for added in self.leaves_[trees, -1 - at]:
            odds += added
        return odds

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of both classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Probabilities, in the order of ``classes_``.
        """
        second = 0.5 * (1.0 + np.tanh(0.5 * self.decision_function(X)))
        return np.column_stack([1.0 - second, second])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the more probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes.
        """
        codes = (self.decision_function(X) > 0.0).astype(np.intp)
        labels: NDArray[Any] = self.classes_[codes]
        return labels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


def _fields(part: str) -> dict[str, list[str]]:
    """Return what stands behind the names of one tree; names with nothing behind them are left out."""
    pairs = (line.split("=", 1) for line in part.splitlines() if "=" in line)
    return {name: given.split() for name, given in pairs if given.strip()}


def _stack(trees: list[dict[str, list[str]]], name: str, kind: Any) -> NDArray[Any]:
    """Write the values of each tree into one row, with noughts behind them."""
    found = [[kind(value) for value in tree.get(name, [])] for tree in trees]
    stacked = np.zeros((len(found), max(1, *(len(row) for row in found), 1)), dtype=kind)
    for row, given in zip(stacked, found, strict=True):
        row[: len(given)] = given
    return stacked
