"""What the figures of calibration and decision curves draw, taken from the pooled figures of ``results.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.reporting.calibration import Calibration
from radiobone.reporting.decision import DecisionCurve
from radiobone.reporting.estimates import estimate
from radiobone.reporting.nested import identifiers, judged_on, sides
from radiobone.reporting.words import either

if TYPE_CHECKING:
    import pandas as pd


def calibrations(results: Mapping[str, Any], predictions: pd.DataFrame) -> list[Calibration]:
    """Take the calibration of each node on its true members.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    predictions : DataFrame
        The content of ``predictions.csv``, of the same arm; the mean over repeats of each row counts.

    Returns
    -------
    list of Calibration
        Nodes without pooled figures are left out.
    """
    found = []
    for node in results["nodes"]:
        pooled = node.get("pooled")
        if not pooled:
            continue
        curve = pooled["calibration_curve"]
        truth, probability = _mean_over_repeats(node, predictions)
        part = node["on_true_members"]
        arrays = {name: _array(values) for name, values in curve.items()}
        found.append(
            Calibration(
                name=node["name"],
                positive=either(node["positive"]),
                is_positive=truth,
                probability=probability,
                predicted=arrays["probability"],
                observed=arrays["observed"],
                low=arrays["low"],
                high=arrays["high"],
                smooth_probability=arrays["smooth_probability"],
                smooth_observed=arrays["smooth_observed"],
                slope=estimate(pooled["calibration_slope"]),
                in_the_large=estimate(pooled["calibration_in_the_large"]),
                judged_on=judged_on(results),
                level=estimate(pooled["calibration_slope"]).level,
                method=", ".join(["Wilson", *_told(pooled)]),
                n_patients=part["n_patients"],
                n_positive=part["n_patients_positive"],
            )
        )
    return found


def decision_curves(arms: Mapping[str, Mapping[str, Any]]) -> list[DecisionCurve]:
    """Take the decision curve of each node, of one arm or of several in one panel.

    Parameters
    ----------
    arms : mapping of str to mapping
        Name of each arm, and its part of ``results.json``. The first has the band, and its nodes are drawn.

    Returns
    -------
    list of DecisionCurve
        Nodes without pooled figures are left out.
    """
    first = next(iter(arms))
    found = []
    for node in arms[first]["nodes"]:
        curves = {name: _decision_curve(part, node["name"]) for name, part in arms.items()}
        of_first = curves[first]
        if of_first is None:
            continue
        thresholds = _array(of_first["thresholds"])
        same = {
            name: _array(curve["net_benefit"])
            for name, curve in curves.items()
            if curve is not None and curve["thresholds"] == of_first["thresholds"]
        }
        band = (_array(of_first["low"]), _array(of_first["high"]))
        drawn = bool(np.isfinite(band).all())
        method = ", ".join(text for text in (of_first.get("method"), *_told(node["pooled"])) if text)
        found.append(
            DecisionCurve(
                name=node["name"],
                positive=either(node["positive"]),
                threshold=thresholds,
                models=same,
                treat_all=_array(of_first["treat_all"]),
                n_patients=node["on_true_members"]["n_patients"],
                n_positive=node["on_true_members"]["n_patients_positive"],
                bands={first: band} if drawn else {},
                judged_on=judged_on(arms[first]),
                method=f"{first}, {method}" if drawn else "",
            )
        )
    return found


def _told(pooled: Mapping[str, Any]) -> list[str]:
    """Say what pooled figures rest on: fitted models, and means over repeats."""
    repeats = pooled.get("repeats", 1)
    conditional = pooled.get("conditional")
    means = f"each probability the mean of {repeats} repeats" if repeats > 1 else None
    return [text for text in (means, conditional) if text]


def _decision_curve(part: Mapping[str, Any], node: str) -> Mapping[str, Any] | None:
    for one in part["nodes"] or ():
        if one["name"] == node and one.get("pooled"):
            curve: Mapping[str, Any] = one["pooled"]["decision_curve"]
            return curve
    return None


def _mean_over_repeats(
    node: Mapping[str, Any], predictions: pd.DataFrame
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return truth and mean probability of each row that belongs to a node."""
    positive, member = sides(node, predictions["true_class"].astype(str))
    rows = predictions[member].assign(is_positive=positive[member])
    by_row = rows.groupby(identifiers(predictions), sort=False)
    probability = by_row[f"p_node_{node['name']}"].mean().to_numpy(dtype=np.float64)
    return by_row["is_positive"].first().to_numpy(dtype=np.bool_), probability


def _array(values: Any) -> NDArray[np.float64]:
    """Return numbers, with NaN for None."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
