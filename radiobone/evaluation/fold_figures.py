"""The figures of each outer fold, from its predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.evaluation.fits import FoldFit
from radiobone.evaluation.inputs import StudyData
from radiobone.evaluation.statistics.estimates import check_fraction, check_whole
from radiobone.evaluation.statistics.metrics import binary_metrics, class_metrics
from radiobone.learning.nodes import NodeTree

Key = tuple[str, str, str, str]
"""Scope, name, rows and metric of a figure."""


class FoldMetric(NamedTuple):
    """One figure of one outer fold.

    Parameters
    ----------
    repeat, fold : int
        From 1.
    scope : {"node", "three_class"}
        Figures of a node, or over all classes.
    name : str
        The node; the class of a one-versus-rest figure; empty for figures over all classes.
    rows : {"true_members", "routed", "all"}
        Which test rows.
    metric : str
        Which figure.
    value : float
        NaN where the fold cannot show it.
    n_predictions : int
        Rows that it rests on.
    """

    repeat: int
    fold: int
    scope: str
    name: str
    rows: str
    metric: str
    value: float
    n_predictions: int


@dataclass(frozen=True)
class FigureOptions:
    """What figures are asked for.

    Parameters
    ----------
    level : float, default 0.95
        Nominal coverage of intervals.
    prevalence : mapping of str to float, optional
        Share of the positive side, by node, at which predictive values are told too.
    draws : int, default 2000
        Draws of patients behind bootstrap intervals.
    seed : int, default 0
        Draws them.
    thresholds : (float, float), default (0.01, 0.99)
        First and last probability of decision curves, in steps of 0.01.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    level: float = 0.95
    prevalence: Mapping[str, float] = field(default_factory=dict)
    draws: int = 2000
    seed: int = 0
    thresholds: tuple[float, float] = (0.01, 0.99)

    def __post_init__(self) -> None:
        check_fraction("level", self.level)
        for node, share in self.prevalence.items():
            check_fraction(f"prevalence of {node}", share)
        check_whole("draws", self.draws, 100)
        check_whole("seed", self.seed, 0)
        for share in self.thresholds:
            check_fraction("thresholds", share)
        # In whole steps, as they are drawn: what cannot be drawn is refused before hours of fits, not after them.
        first, last = (round(100 * share) for share in self.thresholds)
        if not 1 <= first < last <= 99:
            raise UsageError(
                "thresholds are out of range", got=self.thresholds, expected="two that ascend, from 0.01 to 0.99"
            )


@dataclass(frozen=True, eq=False)
class NodeRows:
    """Which test rows of a fold a node is judged on.

    Parameters
    ----------
    judged : ndarray of shape (n_test,), bool
        Members of the node; of the routed ones, those that earlier decisions sent there.
    positive : ndarray of shape (n_test,), bool
        Rows whose class stands on the node's positive side.
    n_foreign, n_missed : int
        Rows of other classes sent to the node; members sent elsewhere. Zero for true members.
    """

    judged: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    n_foreign: int = 0
    n_missed: int = 0


@dataclass(frozen=True, eq=False)
class FoldFigures:
    """All folds of a nested cross-validation, and their figures.

    Parameters
    ----------
    classes : tuple
        In reporting order.
    decision : {"argmax", "routed"}
        The rule behind the figures over all classes.
    validation : dict
        Scheme, folds, seeds, counts.
    folds : DataFrame
        Columns ``repeat``, ``fold``, the identifiers, ``group``, ``role``.
    fits : tuple of FoldFit
        One for each outer fold.
    data : StudyData
        The rows.
    fixed : bool
        True if test sets were set aside once, so that each fold stands for itself.
    options : FigureOptions
        What figures are asked for.
    """

    classes: tuple[Any, ...]
    decision: str
    validation: dict[str, Any]
    folds: pd.DataFrame
    fits: tuple[FoldFit, ...]
    data: StudyData
    fixed: bool = False
    options: FigureOptions = field(default_factory=FigureOptions)

    @property
    def tree(self) -> NodeTree | None:
        """The nodes, or None for a flat classifier."""
        return self.fits[0].tree

    @cached_property
    def patients(self) -> tuple[list[int], list[int]]:
        """Patients in the training part and in the test part of each fold: the independent units."""
        groups = self.data.groups
        train, test = (
            [int(np.unique(groups[getattr(fit, part)]).size) for fit in self.fits] for part in ("train", "test")
        )
        return train, test

    @property
    def repeats(self) -> int:
        """How often the rows were divided anew."""
        return len({fit.repeat for fit in self.fits})

    @property
    def by_centre(self) -> bool:
        """True if the folds are units with a name, such as centres, and not drawn by chance."""
        return not self.fixed and any(fit.name for fit in self.fits)

    def only(self, number: int) -> FoldFigures:
        """Return one fold by itself, such as one of several test sets.

        Parameters
        ----------
        number : int
            Number of the fold, from 0.

        Returns
        -------
        FoldFigures
            With this fold only; the same one each time, so that its figures are made once.
        """
        return self._each[number]

    @cached_property
    def _each(self) -> tuple[FoldFigures, ...]:
        return tuple(replace(self, fits=(fit,)) for fit in self.fits)

    @cached_property
    def values(self) -> dict[Key, list[float]]:
        """A value for each fold, of every figure."""
        found: dict[Key, list[float]] = {}
        for line in self.lines:
            found.setdefault((line.scope, line.name, line.rows, line.metric), []).append(line.value)
        return found

    @property
    def lines(self) -> Iterator[FoldMetric]:
        """The figures of each fold, fold after fold."""
        for fit in self.fits:
            yield from self._fold_lines(fit)

    def _fold_lines(self, fit: FoldFit) -> Iterator[FoldMetric]:
        where = (fit.repeat, fit.fold)
        for number, node in enumerate(fit.nodes):
            for rows in ("true_members", "routed"):
                here = self.node_rows(fit, number, rows)
                figures = binary_metrics(
                    here.positive[here.judged],
                    fit.node_proba[here.judged, number],
                    threshold=node.threshold,
                    prevalence=self.options.prevalence.get(node.name),
                )
                if rows == "routed":
                    figures |= {"n_foreign": float(here.n_foreign), "n_missed": float(here.n_missed)}
                for metric, value in figures.items():
                    yield FoldMetric(*where, "node", node.name, rows, metric, value, int(here.judged.sum()))
        true = self.data.codes[fit.test]
        overall, by_class = class_metrics(true, fit.class_proba, fit.decided(self.decision))
        for metric, value in overall.items():
            yield FoldMetric(*where, "three_class", "", "all", metric, value, len(true))
        for name, of_class in zip(self.classes, by_class, strict=True):
            for metric, value in of_class.items():
                yield FoldMetric(*where, "three_class", str(name), "all", metric, value, len(true))

    def node_rows(self, fit: FoldFit, number: int, rows: str) -> NodeRows:
        """Return which test rows of a fold a node is judged on.

        Parameters
        ----------
        fit : FoldFit
            The fold.
        number : int
            Number of the node.
        rows : {"true_members", "routed"}
            All rows of the node's classes, or those of them that earlier decisions sent there.

        Returns
        -------
        NodeRows
            The rows, and counts of the others.
        """
        assert fit.tree is not None
        member, positive = fit.tree.sides(number, self.data.labels[fit.test])
        if rows == "true_members":
            return NodeRows(member, positive)
        arrived = fit.tree.reached(fit.calls)[:, number]
        return NodeRows(arrived & member, positive, int((arrived & ~member).sum()), int((member & ~arrived).sum()))
