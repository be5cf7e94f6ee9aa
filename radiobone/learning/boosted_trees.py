"""Boosted trees by LightGBM that give the same trees every time and are kept as text."""

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


class BoostedTreesClassifier(ClassifierMixin, BaseEstimator):
    """Boosted trees for two classes by LightGBM, on one thread and without chance.

    The trees are held as the text that LightGBM writes, so that a fitted classifier is numbers and text only: a
    saved model needs no code to be built, and no live booster.

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
    trees_ : str
        The trees, in LightGBM's own text form.

    Notes
    -----
    Missing values are taken: each split learns which side they go to.
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
        self.trees_ = lightgbm.train(settings, rows, num_boost_round=self.n_trees).model_to_string()
        return self

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
        import lightgbm

        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        booster = lightgbm.Booster(model_str=self.trees_)
        return np.asarray(booster.predict(values, raw_score=True, num_threads=1), dtype=np.float64)

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
