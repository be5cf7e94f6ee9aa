"""Selected features that follow the volume of the VOI, and so may tell nothing of its texture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from radiobone.evaluation.fits import FoldFit
from radiobone.evaluation.fold_figures import FoldFigures

VOLUMES = ("density_volume_ml", "original_shape_VoxelVolume", "original_shape_MeshVolume")
"""Columns of volume, without the VOI and level before them; the first kind that is there is taken."""

FLAGGED_ABOVE = 0.8


def volume_columns(X: Any) -> list[str]:
    """Find the columns of volume.

    Parameters
    ----------
    X : DataFrame
        Features.

    Returns
    -------
    list of str
        One for each VOI, of the first kind of `VOLUMES` that is there; empty without any.
    """
    names = [str(name) for name in getattr(X, "columns", [])]
    for volume in VOLUMES:
        found = [name for name in names if name.split("__")[-1] == volume]
        if found:
            return found
    return []


def volume_content(
    result: FoldFigures, volume: NDArray[np.float64] | None, threshold: float = FLAGGED_ABOVE
) -> dict[str, Any] | None:
    """Flag selected features whose rank correlation with volume is high among the training rows.

    Parameters
    ----------
    result : FoldFigures
        All folds of one arm, whose X is a table or a 2-D array.
    volume : ndarray of shape (n_samples,) or None
        Volume of each row's VOIs; NaN where it is not known.
    threshold : float, default 0.8
        A feature is flagged above it, by the absolute value of Spearman's rho.

    Returns
    -------
    dict or None
        ``threshold`` and ``nodes``: ``name``, ``features`` (``name``, ``folds_selected``, ``folds_flagged``,
        ``largest_rho``, the one of the largest absolute value), most flagged first, only those flagged in any
        fold. None if volume or selected features are not known.
    """
    if volume is None or np.ndim(result.data.X) != 2:
        return None
    nodes = []
    for number, node in enumerate(result.fits[0].nodes):
        if any(fit.nodes[number].selected is None for fit in result.fits):
            continue
        nodes.append({"name": node.name, "features": _flagged(result, number, volume, threshold)})
    return {"threshold": threshold, "nodes": nodes} if nodes else None


def _flagged(
    result: FoldFigures, number: int, volume: NDArray[np.float64], threshold: float
) -> list[dict[str, Any]]:
    found: dict[str, list[float]] = {}
    for fit in result.fits:
        rows = _members(result, fit, number)
        for feature in fit.nodes[number].selected or ():
            values = _column(result.data.X, feature)
            if values is not None:
                found.setdefault(feature, []).append(_rho(values[rows], volume[rows]))
    lines = [
        {
            "name": feature,
            "folds_selected": len(rhos),
            "folds_flagged": sum(abs(rho) > threshold for rho in rhos),
            "largest_rho": max(rhos, key=lambda rho: -1.0 if math.isnan(rho) else abs(rho)),
        }
        for feature, rhos in found.items()
    ]
    flagged = [line for line in lines if line["folds_flagged"]]
    return sorted(flagged, key=lambda line: (-line["folds_flagged"], line["name"]))


def _members(result: FoldFigures, fit: FoldFit, number: int) -> NDArray[np.intp]:
    """Return the training rows of a node's classes."""
    assert fit.tree is not None
    member, _ = fit.tree.sides(number, result.data.labels[fit.train])
    return fit.train[member]


def _column(X: Any, feature: str) -> NDArray[np.float64] | None:
    """Return a column of X by its name; None for a feature that a step has made anew."""
    if isinstance(X, pd.DataFrame):
        names = [str(name) for name in X.columns]
        if feature not in names or not pd.api.types.is_numeric_dtype(X.dtypes.iloc[names.index(feature)]):
            return None
        return X.iloc[:, names.index(feature)].to_numpy(dtype=np.float64, na_value=np.nan)
    place = feature.removeprefix("x")
    if not place.isdigit() or int(place) >= X.shape[1]:
        return None
    return np.asarray(X[:, int(place)], dtype=np.float64)


def _rho(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Spearman's rho of the rows that have both; NaN if one of them does not vary."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 3 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return math.nan
    return float(np.corrcoef(rankdata(one[both]), rankdata(other[both]))[0, 1])
