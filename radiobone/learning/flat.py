"""Several classes without a tree, to compare hierarchies with."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted, validate_data

from radiobone.learning.data import check_groups, check_rows, rows_and_labels
from radiobone.learning.prior import fit_part
from radiobone.learning.selective import SelectiveClassifierCV

Array = NDArray[np.float64]


class FlatClassifier(ClassifierMixin, BaseEstimator):
    """Part each class from all others, and divide the probabilities by their sum.

    Parameters
    ----------
    estimator : classifier, optional
        A binary classifier with ``predict_proba`` for each class. By default `SelectiveClassifierCV` with ``cv``
        and ``random_state`` of this object.
    cv : int, splitter or iterable, default=5
        Inner folds of the default estimator.
    random_state : int, RandomState or None, default=0
        Shuffles them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    estimators_ : list of fitted classifier
        One for each class, which has learned 1 for its rows and 0 for the others; one alone, for the second class,
        if there are two.
    priors_ : ndarray of shape (n_classes,)
        Shares of the classes among the training rows.
    selected_features_ : ndarray of str
        Names that the classifiers rest on, each once, where they tell.
    notes_ : list of str
        What the classifiers note, after the class of each.

    Notes
    -----
    This is the flat comparator of `HierarchicalClassifier`: selection, choice of settings and calibration are
    those of a node, so that nothing but the hierarchy differs. One model for all classes at once would come with
    another loss for the selection and another calibration, and a difference could be due to those. Where every
    classifier rules its class out, the probabilities are the training shares.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.array([[60.0], [70], [140], [150]])
    >>> y = np.repeat(["osteoporosis", "normal"], 2)
    >>> FlatClassifier(estimator=LogisticRegression()).fit(X, y).predict([[65.0], [145.0]]).tolist()
    ['osteoporosis', 'normal']
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    }

    def __init__(self, *, estimator: Any = None, cv: Any = 5, random_state: Any = 0) -> None:
        self.estimator = estimator
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> FlatClassifier:
        """Fit one classifier for each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Classes; at least two.
        groups : array-like of shape (n_samples,), optional
            Patient of each row.

        Returns
        -------
        FlatClassifier
            The fitted classifier.

        Raises
        ------
        DataError
            If there is one class only, or a split inside would tear a patient apart.

        Warns
        -----
        RadioboneWarning
            If a classifier predicts the training prior.
        """
        self._validate_params()
        X, labels = rows_and_labels(self, X, y)
        patients = check_groups(groups, labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self.priors_ = np.bincount(codes) / len(codes)
        self._fit_classes(X, codes, patients)
        used = [name for part in self.estimators_ for name in getattr(part, "selected_features_", [])]
        self.selected_features_ = np.array(list(dict.fromkeys(used)), dtype=object)
        return self

    def _fit_classes(self, X: Any, codes: NDArray[np.intp], patients: NDArray[Any] | None) -> None:
        given = self.estimator
        chosen = SelectiveClassifierCV(cv=self.cv, random_state=self.random_state) if given is None else given
        self.estimators_: list[Any] = []
        self.notes_: list[str] = []
        for code in [1] if self.classes_.size == 2 else range(self.classes_.size):
            name, is_class = str(self.classes_[code]), (codes == code).astype(np.intp)
            part, notes = fit_part(chosen, X, is_class, patients, name=name, what="classifier")
            self.estimators_.append(part)
            self.notes_ += [f"{name}: {note}" for note in notes]

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of every class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        check_is_fitted(self)
        check_rows(X)
        X = validate_data(self, X, skip_check_array=True, reset=False)
        own = np.column_stack([part.predict_proba(X)[:, 1] for part in self.estimators_])
        if self.classes_.size == 2:
            return np.column_stack([1.0 - own[:, 0], own[:, 0]])
        total = own.sum(axis=1, keepdims=True)
        shares: Array = np.tile(self.priors_, (len(own), 1))
        np.divide(own, total, out=shares, where=total > 0.0)
        return shares

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row; the first of those that are even.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes.
        """
        codes = np.argmax(self.predict_proba(X), axis=1)
        labels: NDArray[Any] = self.classes_[codes]
        return labels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self.estimator is not None:
            tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags
