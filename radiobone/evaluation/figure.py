"""A figure as ``results.json`` holds it, and what its parts share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.evaluation.fits import FoldFit
from radiobone.evaluation.fold_figures import FoldFigures, Key
from radiobone.evaluation.intervals import plain_interval
from radiobone.evaluation.statistics.estimates import Interval


@dataclass(frozen=True)
class FigureTable:
    """A value for each outer fold, and an interval, by scope, name, rows and metric.

    Parameters
    ----------
    values : dict of Key to list of float
        One value for each fold.
    intervals : dict of Key to Interval
        Of those figures that have one.
    """

    values: dict[Key, list[float]]
    intervals: dict[Key, Interval]

    def figure(self, scope: str, name: str, rows: str, metric: str) -> dict[str, Any]:
        """Return a figure; see `figure`.

        Parameters
        ----------
        scope, name, rows, metric : str
            Where it stands.

        Returns
        -------
        dict
            The figure.
        """
        key = (scope, name, rows, metric)
        return figure(self.values[key], self.intervals.get(key))


def figure(values: list[float], interval: Interval | None = None) -> dict[str, Any]:
    """Sum up one metric over the outer folds.

    Parameters
    ----------
    values : list of float
        One value for each outer fold; NaN where the fold cannot show it.
    interval : Interval, optional
        Around the mean.

    Returns
    -------
    dict
        ``mean``, ``sd`` (divisor n - 1), ``n_folds``, ``n_undefined`` (how many are NaN), ``folds`` (the values),
        ``interval`` (an object, or None).
        One undefined fold leaves mean and SD undefined: a mean over the others would be another figure.
    """
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
        "n_folds": len(values),
        "n_undefined": int(np.isnan(values).sum()),
        "folds": values,
        "interval": plain_interval(interval),
    }


def n_patients(result: FoldFigures, rows: Iterable[tuple[FoldFit, NDArray[np.bool_]]]) -> int:
    """Count patients with at least one of the rows; in several folds or repeats, each counts once.

    Parameters
    ----------
    result : FoldFigures
        For the patient of each row.
    rows : iterable of (FoldFit, ndarray of bool)
        Which of each fold's test rows count.

    Returns
    -------
    int
        The number.
    """
    return len({patient for fit, chosen in rows for patient in result.data.groups[fit.test[chosen]].tolist()})


def plain_label(label: Any) -> Any:
    """Return a class as JSON can hold it.

    Parameters
    ----------
    label : object
        The class.

    Returns
    -------
    str, int, float or bool
        Itself, or its text.
    """
    return label if isinstance(label, (str, int, float, bool)) else str(label)


def without_nan(value: Any) -> Any:
    """Put None in place of every number that is not finite.

    Parameters
    ----------
    value : object
        Mappings, sequences and plain values.

    Returns
    -------
    object
        The same, with lists for sequences.
    """
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
