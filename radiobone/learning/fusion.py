"""Late fusion: one classifier for each group of columns, and one probability from all of theirs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from radiobone.core.errors import RadioboneWarning
from radiobone.learning.column_choice import choose_columns, column_names, columns_of
from radiobone.learning.data import DataError, check_groups, check_labels, two_classes
from radiobone.learning.folds import fewer_folds, inner_folds
from radiobone.learning.frames import Rows, check_table, rows_of
from radiobone.learning.operating import EVEN, OperatingPoint
from radiobone.learning.prior import fit_or_prior, fit_part
from radiobone.learning.selective import SelectiveClassifierCV

Array = NDArray[np.float64]

# Log odds of probabilities nearer to 0 or 1 than this are as good as infinite.
_SURE = 1e-6


class LateFusionClassifier(ClassifierMixin, BaseEstimator):
    """Fit one classifier for each group of columns, and put their probabilities together.

    With the same columns for every part and ``method="stacked"`` this is the stacking of several models.

    Parameters
    ----------
    parts : dict of str to (columns, classifier), optional
        For each part its columns (names, patterns such as ``deep_*``, or places; None means all) and a binary
        classifier with ``predict_proba``. By default one part, `SelectiveClassifierCV` on all columns.
    method : {"mean", "weighted", "stacked"}, default="mean"
        The mean of the probabilities; their mean weighted by how far the inner out-of-fold AUC of each part lies
        above 0.5; or a logistic regression on the log odds of the inner out-of-fold probabilities.
    cv : int, splitter or iterable, default=5
        Folds of out-of-fold probabilities; patients stay whole. ``mean`` needs them for its operating point only.
    operating_point : "youden", ("sensitivity", float), ("specificity", float) or None, default=None
        How ``threshold_`` is chosen on the fused inner out-of-fold probabilities, as in `SelectiveClassifierCV`;
        those of the parts play no role here.
    random_state : int, RandomState or None, default=0
        Shuffles the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The classes, sorted.
    columns_ : dict of str to ndarray of int
        Places of the columns of each part.
    estimators_ : dict of str to fitted classifier
        Fitted on all rows; each has learned 1 for the second class and 0 for the first.
    weights_ : ndarray of shape (n_parts,) or None
        Weights of the probabilities, which sum to one; None for ``stacked``.
    meta_ : LogisticRegression or None
        Fitted on the log odds; None but for ``stacked``.
    oof_auc_ : dict of str to float
        Inner out-of-fold AUC of each part; empty where none was needed.
    threshold_ : float
        ``predict`` calls the second class above this probability; 0.5 without an operating point.
    predicts_prior_ : bool
        True if every part predicts the training prior.
    selected_features_ : ndarray of str
        Names that the parts rest on, each once, where they tell.
    notes_ : list of str
        What the parts note, after their names, and what a reader should know of the fusion.

    Notes
    -----
    Out-of-fold probabilities come from copies of a part that have not seen the row's patient; the parts themselves
    are fitted on all rows afterwards. A part with too few training patients of a class to be cross-validated
    predicts the training prior, and ``notes_`` says so. A mean of calibrated probabilities lies too near to 0.5
    where the parts know different things;
    ``stacked`` corrects this at the price of a few coefficients.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = pd.DataFrame({"hu": [90, 95, 140, 150], "age": [70, 65, 50, 45]})
    >>> parts = {"image": ("hu", LogisticRegression()), "clinical": ("age", LogisticRegression())}
    >>> LateFusionClassifier(parts=parts).fit(X, [1, 1, 0, 0]).predict(X).tolist()
    [1, 1, 0, 0]
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "parts": [dict, None],
        "method": [StrOptions({"mean", "weighted", "stacked"})],
        "cv": ["cv_object"],
        "operating_point": [StrOptions({"youden"}), tuple, list, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        parts: Any = None,
        method: str = "mean",
        cv: Any = 5,
        operating_point: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.parts = parts
        self.method = method
        self.cv = cv
        self.operating_point = operating_point
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> LateFusionClassifier:
        """Fit the parts, and how they are put together.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Two classes.
        groups : array-like of shape (n_samples,), optional
            Patient of each row; reaches every internal split.

        Returns
        -------
        LateFusionClassifier
            The fitted classifier.

        Raises
        ------
        DataError
            If a part is no pair of columns and classifier, or has no column; if there are not two classes.

        Warns
        -----
        RadioboneWarning
            From the parts, as on their own.
        """
        self._validate_params()
        rows, labels = check_table(self, X, y, reset=True, gaps=True)
        self.classes_, codes = two_classes(check_labels(labels), type(self).__name__)
        patients = check_groups(groups, codes)
        parts, names = self._parts(), column_names(rows)
        self.columns_ = {
            name: choose_columns(chosen, names, f"part {name}") for name, (chosen, _) in parts.items()
        }
        point = OperatingPoint.of(self.operating_point)
        self._fit_parts(rows, codes, patients)
        fitted = self.estimators_.values()
        self.predicts_prior_ = all(getattr(part, "predicts_prior_", False) for part in fitted)
        self._fuse(rows, codes, patients, point)
        used = [name for part in fitted for name in getattr(part, "selected_features_", [])]
        self.selected_features_ = np.array(list(dict.fromkeys(used)), dtype=object)
        return self

    def _fit_parts(self, rows: Rows, codes: NDArray[np.intp], patients: NDArray[Any] | None) -> None:
        self.notes_: list[str] = []
        self.estimators_: dict[str, Any] = {}
        for name, (_, estimator) in self._parts().items():
            chosen = columns_of(rows, self.columns_[name])
            self.estimators_[name], notes = fit_part(estimator, chosen, codes, patients, name=name, what="part")
            self.notes_ += [f"{name}: {note}" for note in notes]

    def _parts(self) -> Mapping[str, tuple[Any, Any]]:
        if self.parts is None:
            return {"all": (None, SelectiveClassifierCV(cv=self.cv, random_state=self.random_state))}
        for name, part in self.parts.items():
            is_pair = isinstance(part, (tuple, list)) and len(part) == 2
            if not is_pair or not hasattr(part[1], "predict_proba"):
                raise DataError(
                    "a part must be columns and a classifier with probabilities",
                    where=f"part {name}",
                    got=repr(part),
                    expected='("deep_*", SelectiveClassifierCV())',
                )
        if not self.parts:
            raise DataError("late fusion needs at least one part", got=0)
        parts: Mapping[str, tuple[Any, Any]] = self.parts
        return parts

    def _fuse(
        self, rows: Rows, codes: NDArray[np.intp], patients: NDArray[Any] | None, point: OperatingPoint | None
    ) -> None:
        n_parts = len(self.columns_)
        self.meta_: Any = None
        self.weights_: Array | None = np.full(n_parts, 1.0 / n_parts)
        self.oof_auc_: dict[str, float] = {}
        self.threshold_ = EVEN
        if self.method == "mean" and point is None:
            return
        if self.predicts_prior_:
            # Priors of folds differ by the row held out, so that they tell its class, the wrong way round.
            self.notes_.append("every part predicts the training prior, and so does the fusion")
            return
        held_out = self._out_of_fold(rows, codes, patients)
        aucs = [float(roc_auc_score(codes, column)) for column in held_out.T]
        self.oof_auc_ = dict(zip(self.columns_, aucs, strict=True))
        above = np.maximum(np.array(aucs) - 0.5, 0.0)
        if self.method == "stacked":
            self.weights_ = None
            self.meta_ = LogisticRegression().fit(_log_odds(held_out), codes)
        elif self.method == "weighted" and above.sum() > 0.0:
            self.weights_ = above / above.sum()
        elif self.method == "weighted":
            self.notes_.append("no part ranked the classes better than chance out of fold; all weigh the same")
        if point is not None:
            chosen = point.choose(self._fused(held_out), codes)
            self.threshold_ = chosen.value
            self.notes_.append(chosen.note(point))

    def _fused(self, parts: Array) -> Array:
        if self.weights_ is not None:
            return parts @ self.weights_
        return np.asarray(self.meta_.predict_proba(_log_odds(parts))[:, 1], dtype=np.float64)

    def _out_of_fold(self, rows: Rows, codes: NDArray[np.intp], patients: NDArray[Any] | None) -> Array:
        """Return the probabilities of each row from copies of the parts that have not seen its patient."""
        splits = inner_folds(self.cv, rows, codes, patients, self.random_state)
        self.notes_ += [f"fusion: {note}" for note in fewer_folds(self.cv, len(splits))]
        result = np.full((len(codes), len(self.columns_)), np.nan)
        for train, test in splits:
            inside = None if patients is None else patients[train]
            learned, asked = rows_of(rows, train), rows_of(rows, test)
            for number, (name, (_, estimator)) in enumerate(self._parts().items()):
                places = self.columns_[name]
                with warnings.catch_warnings():
                    # What the final fit of the part has to say is said by that fit.
                    warnings.simplefilter("ignore", RadioboneWarning)
                    part, _ = fit_or_prior(estimator, columns_of(learned, places), codes[train], inside)
                result[test, number] = part.predict_proba(columns_of(asked, places))[:, 1]
        if np.isnan(result).any():
            raise DataError(
                "out-of-fold probabilities need each row held out once",
                got=f"{int(np.isnan(result).any(axis=1).sum())} rows never held out",
                do="pass an integer cv, or a splitter that partitions the rows",
            )
        return result

    def part_proba(self, X: Any) -> Array:
        """Return the probability of the second class from each part.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_parts)
            In the order of the parts.
        """
        check_is_fitted(self)
        rows, _ = check_table(self, X, reset=False, gaps=True)
        columns = [
            part.predict_proba(columns_of(rows, self.columns_[name]))[:, 1]
            for name, part in self.estimators_.items()
        ]
        return np.column_stack(columns)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of both classes.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Probabilities, in the order of ``classes_``.
        """
        second = self._fused(self.part_proba(X))
        return np.column_stack([1.0 - second, second])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the second class where its probability lies above ``threshold_``, else the first.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes.
        """
        codes = (self.predict_proba(X)[:, 1] > self.threshold_).astype(np.intp)
        labels: NDArray[Any] = self.classes_[codes]
        return labels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        parts = list((self.parts or {}).values())
        tags.input_tags.allow_nan = bool(parts) and all(_takes_gaps(part) for part in parts)
        return tags


def _takes_gaps(part: Any) -> bool:
    # Tags are asked for before the parts are checked.
    is_part = isinstance(part, (tuple, list)) and len(part) == 2 and hasattr(part[1], "__sklearn_tags__")
    return is_part and bool(get_tags(part[1]).input_tags.allow_nan)


def _log_odds(probability: Array) -> Array:
    inside = np.clip(probability, _SURE, 1.0 - _SURE)
    odds: Array = np.log(inside / (1.0 - inside))
    return odds
