"""ComBat: take the shifts and spreads of batches (centres, scanners) out of features, by training rows only."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from radiobone.core.config import nearest
from radiobone.learning.data import DataError
from radiobone.learning.harmonisation.batch_effects import BatchEffects, design_matrix, is_full_rank
from radiobone.learning.harmonisation.covariates import Coding, as_text, check_no_text

Array = NDArray[np.float64]
Name = str | int

# How many names a message shows.
_SHOWN = 5


class ComBat(TransformerMixin, BaseEstimator):
    """Harmonise features over batches by empirical Bayes, with parameters from the training rows alone.

    Parameters
    ----------
    batch_column : str or int, optional
        The column of X that names the batch of each row: by name in a DataFrame (text, category or numbers), by
        position in either. It is consumed: the output has no such column. None means one batch: nothing is
        harmonised, every column passes as it is, and ``notes_`` says so.
    covariates : sequence of str or int, default=()
        Columns of X whose effect on the features is kept while batches are aligned, such as age and sex. Text,
        category and boolean columns are dummy-coded. They are consumed too, unless ``keep_covariates``.
    parametric : bool, default=True
        Normal and inverse gamma priors, or the nonparametric ones.
    mean_only : bool, default=False
        Align means and leave variances as they are; the choice where batches have one row each, or differ in
        shift alone. As in sva, shifts are shrunk hard then (see Notes).
    reference_batch : str, int or float, optional
        A batch to which the others are brought, and which passes unchanged; by default all are brought to their
        common mean and variance.
    unseen : {"error", "identity"}, default="error"
        What happens to rows of a batch that was not among the training rows: an error, or they pass as they are,
        with the shift of their batch. With a ``reference_batch`` they pass, too, as if they were of the reference.
    keep_covariates : bool, default=False
        Pass covariates on, unharmonised, in their places. They have to be numbers then.

    Attributes
    ----------
    batches_ : ndarray of str
        Batches of the training rows, sorted; numbers are written as text (1.0 as ``1``). Empty without a batch
        column.
    n_rows_ : ndarray of int, shape (n_batches,)
        Training rows of each.
    effects_ : BatchEffects
        Mean and scale of each column, effects of covariates, shrunken shifts and variances of the batches, and
        which columns are harmonised at all (`radiobone.learning.harmonisation.batch_effects`).
    n_features_in_ : int
        Number of columns seen in ``fit``; ``feature_names_in_`` are their names, where X had any.
    notes_ : list of str
        What a reader of the result should know.

    Notes
    -----
    Johnson, Li and Rabinovic, Biostatistics 8:118 (2007); Fortin et al., NeuroImage 161:149 (2017) and 167:104
    (2018). Value = mean + covariate effects + batch shift + batch spread x noise. Shifts and variances of a batch
    are shrunk over the columns, and every column that is not consumed is harmonised: these should be of one kind,
    such as the features of one extraction. Clinical columns belong to the covariates, or to a block of their own.
    The posterior is iterated to its fixed point; sva stops at a relative change of 1e-4 (4e-6 of a standard
    deviation on radiomics tables). With ``mean_only`` a batch's mean counts as one observation, however many rows
    it has, as in sva: of what a column's shift has beyond the mean shift of all, 1 / (1 + their variance) stays.

    The class of the rows is never used: ``y`` is ignored. A covariate that *is* the label, or was made from it,
    cannot be told from any other column; naming one leaks the label into the features of test rows, and nothing
    can warn of it. If batches differ in the share of classes, harmonising takes a part of the class difference
    away with the batch difference, as any unsupervised harmonisation does.

    Rules. Missing values are left out column by column, and stay missing; this step stands before imputation.
    A column passes as it is if it is constant in the training rows, has too few values in some batch (two, or one
    with ``mean_only``), is constant within a batch (unless ``mean_only``), or if its own missing values leave
    batch and covariates confounded. Priors are made from the other columns; a single column has no prior, and is
    aligned without shrinkage. One batch among the training rows: every column passes as it is. A batch of one
    training row is treated as an unseen one (without ``mean_only``): an error, or it passes as it is, as small
    centres come to be in inner folds. Rows without a batch or a covariate, and batches that covariates determine,
    are errors.

    Examples
    --------
    >>> X = pd.DataFrame({"centre": ["A", "A", "A", "B", "B", "B"], "hu": [1.0, 2, 3, 11, 12, 13]})
    >>> ComBat(batch_column="centre").fit_transform(X).round(2).ravel().tolist()
    [6.18, 7.0, 7.82, 6.18, 7.0, 7.82]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "batch_column": [str, Integral, None],
        "covariates": ["array-like"],
        "parametric": ["boolean"],
        "mean_only": ["boolean"],
        "reference_batch": [str, int, float, None],
        "unseen": [StrOptions({"error", "identity"})],
        "keep_covariates": ["boolean"],
    }

    def __init__(
        self,
        *,
        batch_column: Name | None = None,
        covariates: Sequence[Name] = (),
        parametric: bool = True,
        mean_only: bool = False,
        reference_batch: str | float | None = None,
        unseen: str = "error",
        keep_covariates: bool = False,
    ) -> None:
        self.batch_column = batch_column
        self.covariates = covariates
        self.parametric = parametric
        self.mean_only = mean_only
        self.reference_batch = reference_batch
        self.unseen = unseen
        self.keep_covariates = keep_covariates

    def fit(self, X: ArrayLike, y: object = None) -> ComBat:
        """Learn shift and spread of each batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, with the batch and the covariates among the columns.
        y : ignored
            The class plays no part.

        Returns
        -------
        ComBat
            The fitted transformer.

        Raises
        ------
        DataError
            If a named column is missing, a row has no batch or covariate, a batch has one row (and neither
            ``mean_only`` is set nor may unseen rows pass), the reference is no batch of these rows, or covariates
            determine the batches.
        """
        self._validate_params()
        X, values = self._read(X, reset=True)
        self.notes_: list[str] = []
        batch_of_row, dummies = self._learn_columns(X, len(values))
        n_batches, n_columns = len(self.batches_), values.shape[1]
        if n_batches < 2:
            one = f"one batch ({self.batches_[0]})" if n_batches else "no batch"
            self.notes_.append(
                f"{one if self._batch >= 0 else 'no batch column was named'}; nothing is harmonised"
            )
            self.effects_ = BatchEffects.none(n_batches, dummies.shape[1], n_columns)
            return self
        rows = batch_of_row >= 0
        self._check_confounding(batch_of_row[rows], dummies[rows])
        self.effects_ = BatchEffects.of(
            values[rows],
            batch_of_row[rows],
            dummies[rows],
            parametric=self.parametric,
            mean_only=self.mean_only,
            reference=self._reference,
        )
        n_harmonised = int(self.effects_.harmonised.sum())
        if n_harmonised == 1:
            self.notes_.append("one column is harmonised; it has no prior, and is not shrunk")
        if n_harmonised < n_columns:
            left = f"{n_columns - n_harmonised} of {n_columns} columns pass as they are"
            self.notes_.append(f"{left}: constant, or too few values, in some batch")
        return self

    def _check_confounding(self, batch_of_row: NDArray[np.intp], dummies: Array) -> None:
        if not is_full_rank(design_matrix(batch_of_row, len(self.batches_), dummies)):
            raise DataError(
                "batch and covariates are confounded",
                got=f"{len(self.batches_)} batches and covariates {', '.join(c.name for c in self._codings)}",
                expected="covariates that vary within batches, none of them the sum of others",
                do="leave out a covariate",
            )

    def _read(self, X: Any, *, reset: bool) -> tuple[Any, Array]:
        """Return X as it is, with the features apart, as floats."""
        if not isinstance(X, pd.DataFrame):
            # Without a batch, X is numbers throughout; with one, a column may be text.
            plain = self.batch_column is None
            X = check_array(
                X, dtype=np.float64 if plain else None, ensure_all_finite="allow-nan" if plain else False
            )
        validate_data(self, X, skip_check_array=True, reset=reset)
        if reset:
            self._find_columns()
        features = X.iloc[:, self._kept] if isinstance(X, pd.DataFrame) else X[:, self._kept]
        check_no_text(features)
        if not len(self._kept):
            raise DataError(
                "no column is left beside the batch and the covariates", got=f"n_features = {self.n_features_in_}"
            )
        return X, check_array(
            features,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            estimator=self,
            ensure_min_samples=2 if reset and self.batch_column is not None else 1,
        )

    def _find_columns(self) -> None:
        """Find the places of batch, covariates and features."""
        if self.batch_column is None and len(self.covariates):
            raise DataError("covariates without a batch column", do="name the batch_column, or no covariates")
        self._batch = -1 if self.batch_column is None else self._place(self.batch_column, "batch column")
        self._covariates = [self._place(name, "covariate") for name in self.covariates]
        taken = [*self._covariates, *([] if self._batch < 0 else [self._batch])]
        if len(set(taken)) < len(taken):
            raise DataError("a column is named twice as batch or covariate", got=taken, expected="each once")
        self._kept = [place for place in range(self.n_features_in_) if place not in set(taken)]

    def _place(self, name: Name, what: str) -> int:
        if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
            if 0 <= name < self.n_features_in_:
                return int(name)
            raise DataError(f"no such {what}", got=name, expected=f"a position below {self.n_features_in_}")
        names = [str(column) for column in getattr(self, "feature_names_in_", ())]
        if not names:
            raise DataError(
                f"X has no column names to find the {what} by",
                got=name,
                do="pass a DataFrame, or give the column's position",
            )
        if name not in names:
            raise DataError(
                f"the {what} is no column of X{nearest(str(name), names)}",
                got=name,
                expected=f"one of {len(names)} columns, such as {', '.join(names[:_SHOWN])}",
            )
        return names.index(str(name))

    def _learn_columns(self, X: Any, n_rows: int) -> tuple[NDArray[np.intp], Array]:
        """Learn batches and codings of covariates; return the batch of each row and the coded covariates."""
        self._codings = [Coding.of(_column(X, place), self._name(place)) for place in self._covariates]
        self._check_kept_covariates()
        if self._batch < 0:
            self.batches_, self.n_rows_ = np.array([], dtype=np.str_), np.array([], dtype=np.intp)
            self._reference = -1
            return np.zeros(n_rows, dtype=np.intp), np.empty((n_rows, 0))
        names = as_text(_column(X, self._batch), "batch")
        self.batches_, self.n_rows_ = np.unique(names, return_counts=True)
        if not self.mean_only and len(self.batches_) > 1:
            self._part_from_single_rows()
        self._reference = self._find_reference()
        for coding in self._codings:
            if coding.levels is None and coding.width == 0.0:
                self.notes_.append(f"covariate {coding.name!r} is constant, and has no effect")
        return self._numbers(names), self._code(X, n_rows)

    def _part_from_single_rows(self) -> None:
        """Treat batches of one training row, which have no variance, as unseen ones."""
        alone = self.batches_[self.n_rows_ == 1].tolist()
        if not alone:
            return
        if not self._unseen_may_pass():
            raise DataError(
                "batches of one training row have no variance",
                got=", ".join(alone[:_SHOWN]),
                do="leave them out, merge them with a like batch, set mean_only=True, or let such rows pass as "
                "they are by unseen='identity'",
            )
        self.batches_, self.n_rows_ = self.batches_[self.n_rows_ > 1], self.n_rows_[self.n_rows_ > 1]
        self.notes_.append(
            f"{len(alone)} batches of one training row pass as they are: {', '.join(alone[:_SHOWN])}"
        )

    def _unseen_may_pass(self) -> bool:
        return self.unseen == "identity" or self.reference_batch is not None

    def _numbers(self, names: NDArray[np.str_]) -> NDArray[np.intp]:
        """Give rows the numbers of their batches; those of unseen ones, which pass as they are, get -1."""
        numbers = {batch: place for place, batch in enumerate(self.batches_.tolist())}
        return np.array([numbers.get(name, -1) for name in names.tolist()], dtype=np.intp)

    def _check_kept_covariates(self) -> None:
        names = [coding.name for coding in self._codings if coding.levels is not None]
        if self.keep_covariates and names:
            raise DataError(
                "covariates that are kept must be numbers",
                got=", ".join(names[:_SHOWN]),
                do="code them as numbers, or set keep_covariates=False",
            )

    def _find_reference(self) -> int:
        if self.reference_batch is None:
            return -1
        known: list[str] = self.batches_.tolist()
        wanted = str(as_text([self.reference_batch], "reference")[0])
        if wanted not in known:
            raise DataError(
                f"the reference_batch is no batch of the training rows{nearest(wanted, known)}",
                got=wanted,
                expected=", ".join(known),
                do="name a batch that every training set holds",
            )
        return known.index(wanted)

    def _name(self, place: int) -> str:
        names = getattr(self, "feature_names_in_", None)
        return f"x{place}" if names is None else str(names[place])

    def _code(self, X: Any, n_rows: int) -> Array:
        coded = [
            coding.apply(_column(X, place)) for coding, place in zip(self._codings, self._covariates, strict=True)
        ]
        return np.column_stack([np.empty((n_rows, 0)), *coded])

    def transform(self, X: ArrayLike) -> Array:
        """Take each row's batch out of its features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, with the columns of the training rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            Without the batch column, and without the covariates unless they are kept.

        Raises
        ------
        DataError
            If a row has no batch or covariate, or a batch or level that the training rows had not.
        """
        check_is_fitted(self)
        X, values = self._read(X, reset=False)
        if self._batch < 0:
            return self._with_covariates(X, values)
        names = as_text(_column(X, self._batch), "batch")
        self._check_unseen(names)
        result = self.effects_.remove(values, self._numbers(names), self._code(X, len(values)))
        return self._with_covariates(X, result)

    def _check_unseen(self, names: NDArray[np.str_]) -> None:
        known = self.batches_.tolist()
        unseen = sorted(set(names.tolist()) - set(known))
        if unseen and not self._unseen_may_pass():
            raise DataError(
                f"rows of a batch that was not among the training rows{nearest(unseen[0], known)}",
                got=", ".join(unseen[:_SHOWN]),
                expected=", ".join(known),
                do="set unseen='identity' or a reference_batch, which let such rows pass as they are",
            )

    def _with_covariates(self, X: Any, harmonised: Array) -> Array:
        if not self.keep_covariates or not self._covariates:
            return harmonised
        whole = np.empty((len(harmonised), self.n_features_in_))
        whole[:, self._kept] = harmonised
        for place in self._covariates:
            whole[:, place] = np.asarray(_column(X, place), dtype=np.float64)
        return whole[:, self._output()]

    def _output(self) -> list[int]:
        return sorted([*self._kept, *self._covariates]) if self.keep_covariates else self._kept

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the columns that are left.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the columns of X; by default those seen in ``fit``.

        Returns
        -------
        ndarray of str
            Without batch and consumed covariates.
        """
        check_is_fitted(self)
        names = np.asarray(_check_feature_names_in(self, input_features), dtype=object)
        return np.asarray(names[self._output()], dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = self.batch_column is not None
        return tags


def _column(X: Any, place: int) -> Any:
    return X.iloc[:, place].to_numpy(dtype=object) if isinstance(X, pd.DataFrame) else X[:, place]
