"""Strata: the named figure among women and men, age bands, centres, tube voltages, and against a reference.

Patients of different strata are different patients, so that the difference of two strata is drawn by drawing the
patients of each by themselves; where a patient stands in both there is no interval of it. Over outer folds the
predictions are pooled (the mean over repeats of each row, called at the median of the folds' operating points),
and everything here is conditional on the fitted models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.evaluation.compare import Target
from radiobone.evaluation.fold_figures import FigureOptions, FoldFigures
from radiobone.evaluation.intervals import CONDITIONAL, SHARES, auc_interval, plain_interval, share_intervals
from radiobone.evaluation.pooled import pooled_scores
from radiobone.evaluation.statistics.bootstrap import bootstrap_interval, patients_to_draw
from radiobone.evaluation.statistics.estimates import Interval
from radiobone.evaluation.statistics.weighted import binary_statistics
from radiobone.learning.data import DataError

MISSING = "missing"


@dataclass(frozen=True)
class Strata:
    """An attribute by which patients are parted.

    Parameters
    ----------
    column : str
        The attribute.
    reference : str, optional
        Its value, or band, that the others are compared with; by default the one with the most patients.
    edges : tuple of float
        Inner borders of bands of numbers, ascending: ``(50, 65)`` makes ``< 50``, ``50 to < 65``, ``>= 65``.

    Raises
    ------
    UsageError
        If the edges are no numbers that ascend.
    """

    column: str
    reference: str | None = None
    edges: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(self.edges))
        if not np.isfinite(self.edges).all() or list(self.edges) != sorted(set(self.edges)):
            where = f"strata.{self.column}"
            raise UsageError("edges must be numbers that ascend", where=where, got=list(self.edges))

    def of(self, attributes: pd.DataFrame | None) -> NDArray[Any]:
        """Return the stratum of each row, as text.

        Parameters
        ----------
        attributes : DataFrame or None
            The rows' attributes.

        Returns
        -------
        ndarray of shape (n_samples,)
            ``missing`` where there is no value; whole numbers without a decimal point (``120``), text without
            blanks around it.

        Raises
        ------
        DataError
            If there is no such attribute, or bands are asked for of what is no number.
        """
        if attributes is None or self.column not in attributes.columns:
            known = [] if attributes is None else [str(name) for name in attributes.columns]
            raise DataError(f"no attribute {self.column!r}", where="strata", expected=", ".join(known) or "none")
        values = attributes[self.column]
        empty = (values.isna() | (values.astype(str).str.strip() == "")).to_numpy(dtype=bool)
        if not self.edges:
            names = np.array([_plain(value) for value in values], dtype=object)
            return np.where(empty, MISSING, names).astype(str)
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
        if len(wrong := values[np.isnan(numbers) & ~empty]):
            raise DataError(
                "bands of what is no number",
                where=f"strata.{self.column}",
                got=", ".join(map(repr, wrong.unique()[:5])),
                expected="numbers or empty cells",
            )
        names = np.array(_bands(self.edges), dtype=object)
        found = names[np.searchsorted(self.edges, np.where(empty, self.edges[0], numbers), side="right")]
        return np.where(empty, MISSING, found).astype(str)


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def relative_difference(value: float, reference: float) -> float:
    """Return by which share of the reference a figure differs from it.

    Parameters
    ----------
    value, reference : float
        The two figures.

    Returns
    -------
    float
        Negative where the value is lower; NaN for a reference of 0.

    Examples
    --------
    >>> round(relative_difference(0.72, 0.84), 3)
    -0.143
    """
    return value / reference - 1 if reference else math.nan


def strata_content(result: FoldFigures, strata: Sequence[Strata], target: Target) -> list[dict[str, Any]]:
    """Judge one figure of one arm in every stratum.

    Parameters
    ----------
    result : FoldFigures
        All folds, or one test set.
    strata : sequence of Strata
        By what patients are parted.
    target : Target
        A figure of a node.

    Returns
    -------
    list of dict
        For each attribute: ``column``, ``node``, ``metric``, ``threshold``, ``reference``, ``conditional`` and
        ``strata``, a list: ``name``, ``n_patients``, ``n_positive``, ``n_rows``, ``value``, ``interval``, and
        ``difference``, ``difference_interval``, ``relative_difference``, ``relative_interval`` to the reference
        (None for itself). Not yet without NaN. Empty where no row was tested at the node.

    Raises
    ------
    DataError
        If an attribute or the reference is not there.
    UsageError
        If the figure is none of a node.
    """
    if not strata:
        return []
    names = [node.name for node in result.fits[0].nodes]
    if target.node not in names:
        raise UsageError("strata are judged at a node", got=target.node, expected=", ".join(names) or "no nodes")
    number = names.index(target.node)
    positive, probability, rows = pooled_scores(result, number)
    if not rows.size:
        return []
    threshold = float(np.median([fit.nodes[number].threshold for fit in result.fits]))
    parts = _Rows(positive, probability, result.data.groups[rows], threshold, target.metric, result.options)
    return [_one(parts, item, item.of(result.data.attributes)[rows], result, target) for item in strata]


@dataclass(frozen=True, eq=False)
class _Rows:
    positive: NDArray[np.bool_]
    probability: NDArray[np.float64]
    patients: NDArray[Any]
    threshold: float
    metric: str
    options: FigureOptions

    def take(self, chosen: NDArray[np.bool_]) -> _Rows:
        return _Rows(
            self.positive[chosen],
            self.probability[chosen],
            self.patients[chosen],
            self.threshold,
            self.metric,
            self.options,
        )

    def interval(self) -> Interval:
        if self.metric == "auc":
            return auc_interval(self.positive, self.probability, self.patients, self.options.level)
        if self.metric in SHARES:
            called = self.probability > self.threshold
            return share_intervals(self.positive, called, self.patients, self.options.level)[self.metric]
        options = self.options
        return bootstrap_interval(
            self._statistic,
            len(self.positive),
            groups=self.patients,
            strata=self.positive,
            draws=options.draws,
            level=options.level,
            seed=options.seed,
        )

    def draws(self, seed: int) -> NDArray[np.float64]:
        """Return the figure of every draw of patients, within each side."""
        patients = patients_to_draw(len(self.positive), self.patients, self.positive)
        return np.concatenate([self._statistic(weights) for weights in patients.weights(self.options.draws, seed)])

    def _statistic(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        statistics = binary_statistics(self.positive, self.probability, threshold=self.threshold)
        return statistics[self.metric](weights)


def _one(rows: _Rows, item: Strata, stratum: NDArray[Any], result: FoldFigures, target: Target) -> dict[str, Any]:
    counts = {str(name): int(np.unique(rows.patients[stratum == name]).size) for name in np.unique(stratum)}
    known = [name for name in counts if name != MISSING]
    reference = item.reference or max(known or list(counts), key=lambda name: counts[name])
    if reference not in counts:
        raise DataError(
            "no patients in the reference stratum",
            where=f"strata.{item.column}",
            got=reference,
            expected=", ".join(counts),
        )
    compared = rows.take(stratum == reference)
    order = [*(_bands(item.edges) if item.edges else known), MISSING]
    conditional = None if result.fixed else CONDITIONAL
    return {
        "column": item.column,
        "node": target.node,
        "metric": target.metric,
        "threshold": rows.threshold,
        "reference": reference,
        "conditional": conditional,
        "strata": [
            _line(rows.take(stratum == name), name, None if name == reference else compared, conditional)
            for name in order
            if name in counts
        ],
    }


def _line(here: _Rows, name: str, reference: _Rows | None, conditional: str | None) -> dict[str, Any]:
    found = here.interval()
    line: dict[str, Any] = {
        "name": name,
        "n_patients": int(np.unique(here.patients).size),
        "n_positive": int(np.unique(here.patients[here.positive]).size),
        "n_rows": len(here.positive),
        "value": found.estimate,
        "interval": plain_interval(found, conditional),
        "difference": None,
        "difference_interval": None,
        "relative_difference": None,
        "relative_interval": None,
    }
    if reference is None:
        return line
    base = reference.interval().estimate
    line |= {
        "difference": found.estimate - base,
        "relative_difference": relative_difference(found.estimate, base),
    }
    if np.intersect1d(here.patients, reference.patients).size:
        return line
    seed = here.options.seed
    # Other patients, hence other draws.
    drawn, against = here.draws(seed), reference.draws(seed + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = drawn / against - 1
    return line | {
        "difference_interval": _quantiles(drawn - against, here.options, conditional),
        "relative_interval": _quantiles(relative, here.options, conditional),
    }


def _quantiles(
    drawn: NDArray[np.float64], options: FigureOptions, conditional: str | None
) -> dict[str, Any] | None:
    """Return the interval between quantiles of the draws; None if any of them is undefined."""
    if not np.isfinite(drawn).all():
        return None
    low, high = np.quantile(drawn, [(1 - options.level) / 2, (1 + options.level) / 2]).tolist()
    method = f"bootstrap (percentile, {options.draws} draws)"
    return plain_interval(Interval(math.nan, low, high, options.level, method), conditional)


def _bands(edges: tuple[float, ...]) -> list[str]:
    inner = [f"{low:g} to < {high:g}" for low, high in pairwise(edges)]
    return [f"< {edges[0]:g}", *inner, f">= {edges[-1]:g}"]
