"""A whole validation again and again: on permuted labels, and on ever fewer patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from radiobone.core.errors import UsageError
from radiobone.evaluation.compare import Target
from radiobone.evaluation.nested import NestedCV
from radiobone.evaluation.statistics.estimates import Progress
from radiobone.evaluation.statistics.learning_curve import SHARES, LearningCurve, learning_curve
from radiobone.evaluation.statistics.permutation import Permutation, permutation_test
from radiobone.learning.data import DataError, take_rows
from radiobone.learning.nodes import NodeError


@dataclass(frozen=True, eq=False)
class Refits:
    """A procedure with its rows, and the figure that it is judged by.

    Parameters
    ----------
    validation : NestedCV
        Procedure and plan.
    target : Target
        The figure: its mean over outer folds, or that of the first test set.
    X : anything indexable by row
        Features.
    y : array-like of shape (n_samples,)
        Class of each row.
    groups : array-like of shape (n_samples,)
        Patient of each row.
    ids, attributes
        As for `NestedCV.run`.
    keep : Path, optional
        Folder of finished folds, from which a stopped run goes on; see `NestedCV.run`. Folds of a validation that
        was kept there before are taken for the true labels, and for the sample of all patients.
    """

    validation: NestedCV
    target: Target
    X: Any
    y: ArrayLike
    groups: ArrayLike
    ids: Any = None
    attributes: pd.DataFrame | None = None
    keep: Path | None = None

    def permutation(
        self, permutations: int = 200, *, seed: int = 0, progress: Progress | None = None
    ) -> Permutation:
        """Ask whether anything was learned at all.

        Parameters
        ----------
        permutations : int, default 200
            How often labels are dealt anew among patients.
        seed : int, default 0
            Deals them.
        progress : callable, optional
            Called with the number of finished validations and of all.

        Returns
        -------
        Permutation
            See `radiobone.evaluation.statistics.permutation.permutation_test`. Labels that the plan cannot divide
            (a training set that lacks a class) have no figure, and are counted.
        """
        labels = np.asarray(self.y)
        every = np.arange(len(labels))
        return permutation_test(
            lambda dealt: self._score(every, dealt),
            labels,
            groups=np.asarray(self.groups),
            permutations=permutations,
            seed=seed,
            greater_is_better=self.target.metric != "brier",
            progress=progress,
        )

    def learning_curve(
        self,
        shares: Sequence[float] = SHARES,
        *,
        repeats: int = 5,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> LearningCurve:
        """Ask whether more patients would help.

        Parameters
        ----------
        shares : sequence of float
            Shares of all patients, rising.
        repeats : int, default 5
            How often patients are drawn in another order.
        seed : int, default 0
            Draws them.
        progress : callable, optional
            Called with the number of finished validations and of all.

        Returns
        -------
        LearningCurve
            See `radiobone.evaluation.statistics.learning_curve.learning_curve`. A sample that is too small for the
            plan has no figure, and is counted.
        """
        labels = np.asarray(self.y)
        return learning_curve(
            lambda rows: self._score(rows, labels[rows]),
            labels,
            groups=np.asarray(self.groups),
            shares=shares,
            repeats=repeats,
            seed=seed,
            progress=progress,
        )

    def _score(self, rows: NDArray[np.intp], labels: NDArray[Any]) -> float:
        """Return the figure of a validation; NaN where the plan cannot divide what is not the study itself."""
        try:
            found = self.validation.run(
                take_rows(self.X, rows),
                labels,
                groups=np.asarray(self.groups)[rows],
                ids=None if self.ids is None else take_rows(self.ids, rows),
                attributes=None if self.attributes is None else self.attributes.iloc[rows],
                keep=self.keep,
            )
        except (DataError, NodeError):
            if np.array_equal(labels, np.asarray(self.y)):
                raise
            return float("nan")
        if self.target.key not in found.values:
            raise UsageError(
                "the figure is of no node",
                where="target",
                got=self.target.node,
                expected=", ".join(node.name for node in found.fits[0].nodes)
                or "none: the classifier has no nodes",
            )
        values = found.values[self.target.key]
        return values[0] if found.fixed else float(np.mean(values))
