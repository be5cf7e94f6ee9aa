"""Principal components in the place of columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from radiobone.learning.selection.columns import ROUNDING

Array = NDArray[np.float64]


class PrincipalComponents(TransformerMixin, BaseEstimator):
    """Put the principal components of columns in their place; other columns pass as they are.

    Parameters
    ----------
    columns : str or sequence of str, optional
        Names of columns, or patterns such as ``*deep-*``; by default all.
    share : float, default=0.95
        Share of the columns' variance that the components hold together: no more are kept than that takes.
    n_components : int, optional
        Largest number of components.
    whiten : bool, default=False
        Whether each component is divided by its standard deviation.

    Attributes
    ----------
    places_ : ndarray of int
        Places of the columns; empty where none has such a name.
    mean_ : ndarray of shape (n_columns,)
        Mean of each of them.
    components_ : ndarray of shape (n_components, n_columns)
        Weights of the columns in each component.
    explained_variance_ : ndarray of shape (n_components,)
        Variance of each component (divided by n - 1).
    explained_share_ : ndarray of shape (n_components,)
        Share of the columns' variance that each component holds.
    names_ : ndarray of str
        Names of the components: what the names of the columns begin with, and a number.
    notes_ : list of str
        Whether there was no such column.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    Columns are centred, not scaled: standardise before, unless all have one unit. Components come after the
    columns that pass. The decomposition is exact and has no random part; the sign of a component is such that its
    largest weight is positive. Each fit has components of its own rows: those of one number from several folds are
    alike only as far as the rows are.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"hu": [9.0, 7, 5, 8], "deep_0": [0.0, 1, 2, 3], "deep_1": [0.0, 2, 4, 6]})
    >>> PrincipalComponents(columns="deep_*").fit(X).get_feature_names_out().tolist()
    ['hu', 'deep_pca_001']
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "columns": [str, "array-like", None],
        "share": [Interval(Real, 0, 1, closed="right")],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "whiten": ["boolean"],
    }

    def __init__(
        self, *, columns: Any = None, share: float = 0.95, n_components: int | None = None, whiten: bool = False
    ) -> None:
        self.columns = columns
        self.share = share
        self.n_components = n_components
        self.whiten = whiten

    def fit(self, X: Any, y: object = None) -> PrincipalComponents:
        """Learn the components.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training rows.
        y : ignored
            The class plays no part.

        Returns
        -------
        PrincipalComponents
            The fitted transformer.
        """
        self._validate_params()
        values = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        names = self._input_names()
        self.places_ = np.flatnonzero([self._is_chosen(name) for name in names])
        self.notes_ = [] if len(self.places_) else ["no column of these names"]
        chosen = [names[place] for place in self.places_]
        self._learn(np.ascontiguousarray(values[:, self.places_]))
        beginning = _beginning(chosen)
        self.names_ = np.array(
            [f"{beginning}pca_{number:03d}" for number in range(1, len(self.components_) + 1)], dtype=object
        )
        return self

    def _learn(self, values: Array) -> None:
        self.mean_ = values.mean(axis=0)
        spread = np.ptp(values, axis=0).max(initial=0.0)
        if spread == 0.0:
            self.components_ = np.empty((0, values.shape[1]))
            self.explained_variance_ = self.explained_share_ = np.empty(0)
            return
        found = PCA(svd_solver="full").fit(values)
        shares = found.explained_variance_ratio_
        # The last ones of many columns and few rows are nothing but rounding.
        wanted = int(np.searchsorted(np.cumsum(shares), self.share - ROUNDING)) + 1
        kept = min(wanted, int((shares > ROUNDING).sum()), self.n_components or wanted)
        self.components_ = found.components_[:kept]
        self.explained_variance_ = found.explained_variance_[:kept]
        self.explained_share_ = shares[:kept]

    def _is_chosen(self, name: str) -> bool:
        if self.columns is None:
            return True
        patterns = [self.columns] if isinstance(self.columns, str) else list(self.columns)
        return any(name == pattern or fnmatchcase(name, str(pattern)) for pattern in patterns)

    def _input_names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{place}" for place in range(self.n_features_in_)] if names is None else [str(n) for n in names]

    def transform(self, X: Any) -> Array:
        """Return the columns that pass, then the components.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_out)
            The new columns.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        components = (values[:, self.places_] - self.mean_) @ self.components_.T
        if self.whiten:
            components /= np.sqrt(self.explained_variance_)
        return np.hstack([np.delete(values, self.places_, axis=1), components])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the new columns.

        Parameters
        ----------
        input_features : ignored
            The names seen in ``fit`` are used.

        Returns
        -------
        ndarray of str
            In the order of ``transform``.
        """
        check_is_fitted(self)
        passing = np.delete(np.array(self._input_names(), dtype=object), self.places_)
        return np.concatenate([passing, self.names_])


def _beginning(names: Sequence[str]) -> str:
    """Return what all names begin with, up to the last mark between words; nothing for columns of an array."""
    if not names:
        return ""
    # What the first and the last of sorted names share is what all share.
    low, high = min(names), max(names)
    same = next((place for place, pair in enumerate(zip(low, high, strict=False)) if len(set(pair)) > 1), len(low))
    found = re.match(r".*[_.\-]", low[:same])
    return found.group() if found else ""
