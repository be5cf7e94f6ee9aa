"""Selection within blocks of columns (radiomics, deep, clinical), before they stand side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted

from radiobone.learning.column_choice import choose_columns, column_names, columns_of
from radiobone.learning.data import DataError, check_groups, check_labels
from radiobone.learning.defaults import default_selection
from radiobone.learning.frames import Rows, check_table, lets_gaps_pass
from radiobone.learning.search import fit_steps, step_notes, transform_steps

Array = NDArray[np.float64]

# How many columns a message names.
_SHOWN = 5


class BlockSelector(TransformerMixin, BaseEstimator):
    """Select within each block of columns by itself, and put what is kept side by side.

    Parameters
    ----------
    blocks : dict of str to (str, int or list of these), optional
        Columns of each block: names, patterns such as ``deep_*``, or places. Every column must belong to exactly
        one block. By default one block ``all``.
    selections : transformer, Pipeline, "passthrough", or dict of str to these, optional
        Steps for every block, or for each by its name; by default standardisation, Spearman correlation filter
        and LASSO.
    random_state : int, RandomState or None, default=0
        Shuffles the folds in the default steps.

    Attributes
    ----------
    columns_ : dict of str to ndarray of int
        Places of the columns of each block.
    selections_ : dict of str to Pipeline
        The fitted steps of each block.
    names_ : dict of str to ndarray of str
        Names of what each block keeps.
    notes_ : list of str
        Blocks that keep nothing, and what the steps note, after the name of their block.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X had any.

    Notes
    -----
    A wide block cannot crowd out a narrow one: each has its own penalty and thresholds. Every step sees the rows
    and patients given to ``fit`` only.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.feature_selection import SelectKBest
    >>> X = pd.DataFrame({"hu": [90, 95, 140, 150], "glcm": [3, 1, 2, 4], "age": [70, 65, 50, 45]})
    >>> blocks = {"image": ["hu", "glcm"], "clinical": "age"}
    >>> selections = {"image": SelectKBest(k=1), "clinical": "passthrough"}
    >>> selector = BlockSelector(blocks=blocks, selections=selections).fit(X, [1, 1, 0, 0])
    >>> selector.get_feature_names_out().tolist()
    ['hu', 'age']
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "blocks": [dict, None],
        "selections": [HasMethods(["fit", "transform"]), StrOptions({"passthrough"}), dict, None],
        "random_state": ["random_state"],
    }

    def __init__(self, *, blocks: Any = None, selections: Any = None, random_state: Any = 0) -> None:
        self.blocks = blocks
        self.selections = selections
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> BlockSelector:
        """Fit the steps of each block.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Classes.
        groups : array-like of shape (n_samples,), optional
            Patient of each row; reaches every step that takes it.

        Returns
        -------
        BlockSelector
            The fitted selector.

        Raises
        ------
        DataError
            If a column belongs to no block or to two, a block has no column, or the names of blocks and selections
            differ.
        """
        self._validate_params()
        rows, labels = check_table(self, X, y, reset=True, gaps=self._gaps_may_enter())
        labels = check_labels(labels)
        _, codes = np.unique(labels, return_inverse=True)
        patients = check_groups(groups, labels)
        names = column_names(rows)
        self.columns_ = self._places(names)
        steps = self._steps()
        self.selections_: dict[str, Pipeline] = {}
        self.names_: dict[str, NDArray[Any]] = {}
        self.notes_: list[str] = []
        for block, places in self.columns_.items():
            fitted, kept = fit_steps(steps[block], columns_of(rows, places), codes, patients)
            self.selections_[block] = fitted
            out = np.array([names[place] for place in places], dtype=object)
            for _, step in fitted.steps:
                out = step.get_feature_names_out(out)
            self.names_[block] = np.asarray(out, dtype=object)
            self.notes_ += [f"{block}: {note}" for note in step_notes(fitted)]
            if not kept.shape[1]:
                self.notes_.append(f"block {block} keeps none of its {len(places)} columns")
        self._part_names()
        return self

    def _part_names(self) -> None:
        """Put the block before names that several blocks give to what they have made anew, such as ``pca_001``."""
        counts = Counter(name for names in self.names_.values() for name in names.tolist())
        for block, names in self.names_.items():
            told = [f"{block}_{name}" if counts[name] > 1 else name for name in names.tolist()]
            self.names_[block] = np.array(told, dtype=object)

    def _places(self, names: list[Any]) -> dict[str, NDArray[np.intp]]:
        blocks: Mapping[str, Any] = {"all": None} if self.blocks is None else self.blocks
        places = {block: choose_columns(chosen, names, f"block {block}") for block, chosen in blocks.items()}
        taken = Counter(place for found in places.values() for place in found.tolist())
        twice = [str(names[place]) for place, count in taken.items() if count > 1]
        left = [str(name) for place, name in enumerate(names) if place not in taken]
        if twice or left:
            raise DataError(
                "columns belong to several blocks" if twice else "columns belong to no block",
                got=", ".join((twice or left)[:_SHOWN]) + f" ({len(twice or left)} columns)",
                expected="each column in exactly one block",
            )
        return places

    def _steps(self) -> dict[str, Pipeline]:
        blocks = ["all"] if self.blocks is None else list(self.blocks)
        given = self.selections
        if isinstance(given, dict) and set(given) != set(blocks):
            raise DataError("selections do not match the blocks", got=sorted(given), expected=sorted(blocks))
        return {block: self._pipeline(given[block] if isinstance(given, dict) else given) for block in blocks}

    def _pipeline(self, given: Any) -> Pipeline:
        if given is None:
            return default_selection(self.random_state)
        if isinstance(given, str):
            return Pipeline([])
        return given if isinstance(given, Pipeline) else Pipeline([("selection", given)])

    def _gaps_may_enter(self) -> bool:
        return any(lets_gaps_pass([step for _, step in part.steps]) for part in self._steps().values())

    @property
    def fills_missing(self) -> bool:
        """Whether some block fills missing values; the steps of the others refuse theirs."""
        return self._gaps_may_enter()

    def transform(self, X: Any) -> Array:
        """Return what each block keeps, side by side.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, with the columns of the fit.

        Returns
        -------
        ndarray of shape (n_samples, n_kept)
            In the order of the blocks.
        """
        check_is_fitted(self)
        rows, _ = check_table(self, X, reset=False, gaps=self._gaps_may_enter())
        return np.hstack([self._part(block, rows) for block in self.columns_])

    def _part(self, block: str, rows: Rows) -> Array:
        if not len(self.names_[block]):
            return np.empty((len(rows), 0))
        return transform_steps(self.selections_[block], columns_of(rows, self.columns_[block]))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of what is kept.

        Parameters
        ----------
        input_features : ignored
            The names seen in ``fit`` are used.

        Returns
        -------
        ndarray of str
            In the order of the columns that ``transform`` gives.
        """
        check_is_fitted(self)
        return np.concatenate([np.empty(0, dtype=object), *self.names_.values()])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)
        tags.input_tags.allow_nan = self._gaps_may_enter()
        return tags
