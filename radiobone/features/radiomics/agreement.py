"""How far the values of two engines lie apart, family by family.

A value may be off by 1e-6 of the reference. In the features of `CANCELLING` terms of either sign cancel, so that a
value near 0 says nothing about its error; there it may be off by 1e-6 of the sum of the absolute terms
(`absolute_terms`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TOLERANCE = 1e-6
"""Difference, as a share of its scale, up to which two engines agree."""

ROUNDING = 1e-14
"""Differences below this are the rounding of a zero: of a variance of equal values, say."""

CANCELLING: dict[str, dict[str, str]] = {
    "firstorder": {
        "Mean": "voxels of both signs, which sum to nearly 0 in many filtered images",
        "Skewness": "third powers of both signs, which sum to 0 for a symmetric histogram",
    },
    "glcm": {
        "ClusterShade": "third powers of both signs, which sum to 0 for a symmetric matrix of pairs",
        "Correlation": "products of distances from the mean of either sign",
        "Imc1": "the difference of two joint entropies, each as large as those of the levels",
        "Imc2": "the root of 1 less an exponential of the difference of two joint entropies; near 0 of rounding",
        "MCC": "the second eigenvalue of a matrix whose first is 1; near 0 it is the root of rounding errors",
    },
}
"""Features in which terms cancel, by family, with what cancels."""


@dataclass(frozen=True)
class Difference:
    """One value of two engines.

    Parameters
    ----------
    case : str
        Which VOI.
    column : str
        Which feature.
    ours, reference : float
        The two values.
    cancels : bool
        Whether terms cancel in this feature (see `CANCELLING`).
    terms : float
        Sum of the absolute terms where they cancel (see `absolute_terms`); 0 elsewhere.
    """

    case: str
    column: str
    ours: float
    reference: float
    cancels: bool = False
    terms: float = 0.0

    @property
    def same(self) -> bool:
        """Whether both values are the same to the last bit, or both NaN."""
        return self.ours == self.reference or (math.isnan(self.ours) and math.isnan(self.reference))

    @property
    def relative(self) -> float:
        """Absolute difference over the reference; 0 for the same values, infinity where one is not finite."""
        return self._over(abs(self.reference))

    @property
    def share(self) -> float:
        """Absolute difference over the reference or the sum of terms, whichever is larger.

        0 for the same values and for the rounding of a zero, infinity where one is not finite.
        """
        if abs(self.ours - self.reference) < ROUNDING:
            return 0.0
        return self._over(max(abs(self.reference), self.terms))

    def _over(self, scale: float) -> float:
        if self.same:
            return 0.0
        if not (math.isfinite(self.ours) and math.isfinite(self.reference)) or scale == 0:
            return math.inf
        return abs(self.ours - self.reference) / scale


@dataclass(frozen=True)
class Agreement:
    """How far apart two engines are in one family of features.

    Parameters
    ----------
    family : str
        Such as ``glcm``.
    n_values : int
        Number of values compared.
    largest : Difference or None
        The largest `Difference.share` among features in which no terms cancel: there it is relative.
    largest_cancelling : Difference or None
        The same among those of `CANCELLING`: there it is of the sum of terms.
    beyond : tuple of Difference
        Every difference whose share is above `TOLERANCE`, largest first.
    """

    family: str
    n_values: int
    largest: Difference | None
    largest_cancelling: Difference | None
    beyond: tuple[Difference, ...]


def absolute_terms(column: str, values: Mapping[str, float]) -> float:
    """Return the sum of absolute terms, or a bound of it, of a feature in which terms cancel; 0 for others.

    Parameters
    ----------
    column : str
        The feature; its name ends with family and feature.
    values : mapping of str to float
        Values by column: those of the same image and family tell the scale where the feature alone does not.

    Notes
    -----
    - Mean, E x: E |x| is at least half of E |x - E x|, MeanAbsoluteDeviation. Without that, RootMeanSquared or the
      larger end of the range, which E |x| cannot exceed; without all, the mean must do.
    - Skewness, E x³ / (E x²)^1.5: by Jensen, E |x|³ is at least (E x²)^1.5, so 1.
    - ClusterShade, E x³ with E x² = ClusterTendency: likewise ClusterTendency^1.5. Where that was not asked for,
      E x² is 4 SumSquares - Contrast, since pairs are counted in both orders; without these it is 1, the square
      of a step between grey levels.
    - Correlation, E x y / (sx sy): in units of the spreads; 1 is its range.
    - Imc1, (HXY - HXY1) / max(HX, HY): HXY is at least max(HX, HY), and HXY1 is HX + HY, so 2.
    - Imc2, √(1 - e), and MCC, √λ of a matrix whose largest eigenvalue is 1: 1, of which the square is the rest.
    """
    group, _, feature = column.rpartition("_")
    if feature not in CANCELLING.get(_family(column), ()):
        return 0.0
    siblings = {
        name.rpartition("_")[2]: value
        for name, value in values.items()
        if name.startswith(f"{group}_") and math.isfinite(value)
    }
    if feature == "Mean":
        return _terms_of_mean(siblings)
    if feature == "ClusterShade":
        return _terms_of_cluster_shade(siblings)
    return 2.0 if feature == "Imc1" else 1.0


def _terms_of_mean(siblings: Mapping[str, float]) -> float:
    if "MeanAbsoluteDeviation" in siblings:
        return siblings["MeanAbsoluteDeviation"] / 2
    if "RootMeanSquared" in siblings:
        return siblings["RootMeanSquared"]
    return max(abs(siblings.get("Minimum", 0.0)), abs(siblings.get("Maximum", 0.0)))


def _terms_of_cluster_shade(siblings: Mapping[str, float]) -> float:
    if "ClusterTendency" in siblings:
        squares = siblings["ClusterTendency"]
    elif "SumSquares" in siblings and "Contrast" in siblings:
        squares = 4 * siblings["SumSquares"] - siblings["Contrast"]
    else:
        squares = 1.0
    return float(max(squares, 0.0) ** 1.5)


def differences(
    case: str, columns: Iterable[str], ours: Mapping[str, float], reference: Mapping[str, float]
) -> list[Difference]:
    """Compare the values of one VOI.

    Parameters
    ----------
    case : str
        Name of the VOI, for messages.
    columns : iterable of str
        The columns that both engines gave; each ends with family and feature.
    ours, reference : mapping of str to float
        The values by column.

    Returns
    -------
    list of Difference
        One for each column.
    """
    return [
        Difference(
            case,
            column,
            ours[column],
            reference[column],
            column.rpartition("_")[2] in CANCELLING.get(_family(column), ()),
            # The scale is worth its search only where something differs.
            0.0 if ours[column] == reference[column] else absolute_terms(column, reference),
        )
        for column in columns
    ]


def agreements(items: Iterable[Difference]) -> list[Agreement]:
    """Summarise differences over all VOIs, family by family.

    Parameters
    ----------
    items : iterable of Difference
        From `differences`, of any number of VOIs.

    Returns
    -------
    list of Agreement
        One for each family, in the order in which they come.
    """
    families: dict[str, list[Difference]] = {}
    for item in items:
        families.setdefault(_family(item.column), []).append(item)
    return [_agreement(family, found) for family, found in families.items()]


def _agreement(family: str, items: list[Difference]) -> Agreement:
    ordered = sorted(items, key=lambda item: -item.share)
    return Agreement(
        family,
        len(ordered),
        next((item for item in ordered if not item.cancels), None),
        next((item for item in ordered if item.cancels), None),
        tuple(item for item in ordered if item.share > TOLERANCE),
    )


def _family(column: str) -> str:
    return column.rpartition("_")[0].rpartition("_")[2]
