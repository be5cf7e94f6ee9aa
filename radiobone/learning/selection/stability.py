"""A filter that keeps columns which come out alike when a measurement is repeated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import is_dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from radiobone.learning.data import DataError, check_groups, check_names
from radiobone.learning.harmonisation.covariates import as_text
from radiobone.learning.selection.columns import SupportSelector
from radiobone.learning.selection.icc import intraclass_correlation
from radiobone.learning.selection.repeats import Repeats

FORGOTTEN = "forgotten"
"""What stands in the place of repeated measurements that a saved model must not hold."""


class StabilityFilter(SupportSelector):
    """Keep the columns whose intraclass correlation over repeated measurements is high enough.

    Parameters
    ----------
    repeats : Repeats, optional
        The repeated measurements, as extracted. Without them every column is kept, and ``notes_`` says so.
    form : {"1,1", "2,1", "3,1"}, default="2,1"
        Form of the correlation; see `radiobone.learning.intraclass_correlation`.
    threshold : float, default=0.75
        A column is kept if its correlation is at least this; 0.75 is what Koo and Li call good.
    on : {"estimate", "lower"}, default="estimate"
        Whether the estimate or the lower bound of its confidence interval must reach the threshold.
    level : float, default=0.95
        Level of that interval.
    sample : {"training", "separate"}, default="training"
        ``training``: the repeats are of patients of the study, and only those of the training rows are looked at.
        ``separate``: they are of other patients, and all of them are looked at. ``fit`` refuses training patients
        among them; test patients, whom it cannot know, are refused by a validation before its first fit.
    min_subjects : int, default=5
        Fewest patients that a correlation is computed from. Of the patients with repeats, a node of a hierarchy
        sees those of its classes in the training part of a fold: about 6 of 20 in 5 x 5 nested folds, at a node of
        half the patients. With fewer the step refuses to judge, rather than keep every column; a validation says
        so before its first fit wherever that is certain.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        The columns that are kept.
    icc_, icc_low_, icc_high_ : ndarray of shape (n_features_in_,)
        Correlation and interval of each column; NaN where it is not defined.
    n_subjects_ : ndarray of shape (n_features_in_,), int
        Patients with a measurement of the column in every repeat: those that count.
    patients_ : int
        Patients with repeated measurements that were looked at.
    notes_ : list of str
        Columns that were dropped since they cannot be judged, and columns that some patients do not count in.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    Columns of X and of the repeats are matched by name; where X is an array, they are taken to be the same in the
    same order. The values of X play no part: correlations are those of the repeats as extracted, whatever steps
    come before. A column's shift and scale change no correlation, so standardised columns would give the same, and
    harmonised ones nearly so, as long as all repeats of a patient are of one batch.

    A patient who lacks a repeat of a column, or whose value is missing there, does not count in that column. A
    column with fewer than ``min_subjects`` such patients, or with one value throughout, is dropped.

    Interpretation of the threshold: T. K. Koo and M. Y. Li, J Chiropr Med 15:155-163 (2016).

    Examples
    --------
    >>> import pandas as pd
    >>> read = pd.DataFrame({"a": [1, 1.1, 4, 4.2, 9, 8.8, 5, 5, 2, 2.1], "b": [1, 9, 4, 0, 9, 2, 5, 7, 2, 8]})
    >>> repeats = Repeats(read, patients=[1, 1, 2, 2, 3, 3, 4, 4, 5, 5], repeats=["x", "y"] * 5)
    >>> X = pd.DataFrame({"b": [1.0, 4, 9, 5, 2, 3], "a": [1.0, 4, 9, 5, 2, 3]})
    >>> StabilityFilter(repeats=repeats).fit(X, groups=[1, 2, 3, 4, 5, 6]).get_feature_names_out()
    array(['a'], dtype=object)
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "repeats": [Repeats, StrOptions({FORGOTTEN}), None],
        "form": [StrOptions({"1,1", "2,1", "3,1"})],
        "threshold": [Interval(Real, -1, 1, closed="both")],
        "on": [StrOptions({"estimate", "lower"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "sample": [StrOptions({"training", "separate"})],
        "min_subjects": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self,
        *,
        repeats: Repeats | str | None = None,
        form: str = "2,1",
        threshold: float = 0.75,
        on: str = "estimate",
        level: float = 0.95,
        sample: str = "training",
        min_subjects: int = 5,
    ) -> None:
        self.repeats = repeats
        self.form = form
        self.threshold = threshold
        self.on = on
        self.level = level
        self.sample = sample
        self.min_subjects = min_subjects

    def fit(self, X: ArrayLike, y: object = None, groups: ArrayLike | None = None) -> StabilityFilter:
        """Find the columns to keep.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; which columns there are is all that counts.
        y : ignored
            The class plays no part.
        groups : array-like of shape (n_samples,)
            Patient of each row.

        Returns
        -------
        StabilityFilter
            The fitted filter.

        Raises
        ------
        DataError
            If ``groups`` are missing, too few training patients have repeated measurements, a column has none, a
            patient of a separate sample is among the training rows or is written in another way there (7 and
            007), names of columns are there twice, or the repeats were forgotten.
        """
        self._validate_params()
        check_names(X)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        patients = check_groups(groups, values[:, 0])
        self.notes_: list[str] = []
        if isinstance(self.repeats, str):
            raise DataError(
                "this filter comes from a saved model, which does not hold repeated measurements",
                do="set repeats to fit it again",
            )
        if self.repeats is None:
            self._keep_all(values.shape[1])
        else:
            self._judge(self.repeats, None if patients is None else set(as_text(patients, "patient").tolist()))
        return self

    def _keep_all(self, n_columns: int) -> None:
        self.patients_ = 0
        self.icc_, self.icc_low_, self.icc_high_ = (np.full(n_columns, np.nan) for _ in range(3))
        self.n_subjects_ = np.zeros(n_columns, dtype=np.intp)
        self.support_ = np.ones(n_columns, dtype=bool)
        self.notes_.append("no repeated measurements were given; every column is kept")

    def _judge(self, repeats: Repeats, training: set[str] | None) -> None:
        repeats.check_spelling(training or ())
        taken, cube = repeats.cube(self._columns(), self._sample(repeats, training))
        if len(taken) < self.min_subjects:
            raise DataError(
                "too few patients with repeated measurements",
                where="StabilityFilter",
                got=f"{len(taken)} of {len(repeats.subjects)} are among the training rows",
                expected=f"at least {self.min_subjects}",
                do="repeat more measurements, use those of a separate sample, or lower min_subjects",
            )
        found = intraclass_correlation(cube, self.form, level=self.level)  # type: ignore[arg-type]
        self.patients_ = len(taken)
        self.icc_, self.icc_low_, self.icc_high_ = found.estimate, found.low, found.high
        self.n_subjects_ = found.n_subjects
        few = self.n_subjects_ < self.min_subjects
        judged = self.icc_ if self.on == "estimate" else self.icc_low_
        # A comparison with NaN is False: what cannot be judged is dropped.
        self.support_ = (judged >= self.threshold) & ~few
        undefined = np.isnan(judged) & ~few
        partly = (found.n_dropped > 0) & ~few
        for count, what in (
            (few.sum(), f"columns dropped: fewer than {self.min_subjects} patients have every repeat of them"),
            (undefined.sum(), "columns dropped: one value throughout the repeated measurements"),
            (partly.sum(), "columns judged without the patients who lack a repeat of them"),
        ):
            if count:
                self.notes_.append(f"{count} {what}")

    def _columns(self) -> list[Any] | int:
        names = getattr(self, "feature_names_in_", None)
        return int(self.n_features_in_) if names is None else list(names)

    def _sample(self, repeats: Repeats, training: set[str] | None) -> set[str] | None:
        """Return the patients to look at; None for all."""
        if self.sample == "training":
            if training is None:
                raise DataError(
                    "stability on training patients needs the patient of each row",
                    where="StabilityFilter",
                    do="pass groups, or use the repeats of a separate sample (sample: separate)",
                )
            return training
        both = sorted((training or set()) & set(repeats.subjects))
        if both:
            raise DataError(
                f"{len(both)} patients of the separate sample are among the training rows",
                where="StabilityFilter",
                got=", ".join(both[:5]),
                expected="patients who are no part of the study",
                do="use sample: training",
            )
        return None

    def forget_repeats(self) -> StabilityFilter:
        """Let go of the repeated measurements, as a model that is saved must: they are data of patients.

        A fitted filter works without them; fitting it again says that they are missing. The filter is changed in
        place, so a model that is to go on learning is copied first.

        Returns
        -------
        StabilityFilter
            The same filter.
        """
        if self.repeats is not None:
            self.repeats = FORGOTTEN
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


E = TypeVar("E", bound=BaseEstimator)


def without_repeats(estimator: E) -> E:
    """Copy an estimator and let every stability filter inside the copy forget its repeated measurements.

    Parameters
    ----------
    estimator : estimator
        Fitted or not; stays as it is.

    Returns
    -------
    estimator
        A copy that predicts the same and may be saved.
    """
    copy: E = deepcopy(estimator)
    for part in stability_filters(copy):
        part.forget_repeats()
    return copy


def stability_filters(estimator: Any) -> list[StabilityFilter]:
    """Find every stability filter inside an estimator, templates and fitted ones.

    Parameters
    ----------
    estimator : estimator
        Anything.

    Returns
    -------
    list of StabilityFilter
        Each once.
    """
    return list(_filters(estimator, set()))


def _filters(part: Any, seen: set[int]) -> Iterator[StabilityFilter]:
    """Walk through parameters and fitted parts, lists and mappings of them."""
    if id(part) in seen:
        return
    seen.add(id(part))  # every part is held by the estimator, so that no other takes its id meanwhile
    inside: Iterable[Any] = ()
    if isinstance(part, StabilityFilter):
        yield part
    elif isinstance(part, dict):
        inside = part.values()
    elif isinstance(part, (list, tuple)) or (isinstance(part, np.ndarray) and part.dtype == object):
        inside = part
    elif isinstance(part, BaseEstimator) or (is_dataclass(part) and not isinstance(part, type)):
        inside = vars(part).values()
    for value in inside:
        yield from _filters(value, seen)
