"""How two engines' values of the same features are compared: what every parity test shares.

A value may be off by 1e-6 of PyRadiomics' own. In the features of `agreement.CANCELLING` terms of either sign
cancel, so that a value near 0 says nothing about its error; there it is 1e-6 of the sum of absolute terms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from radiobone.features.radiomics.agreement import CANCELLING, TOLERANCE

ROUNDING = 1e-14
"""Differences below this are the rounding of a zero: of a variance of equal values, say."""


@dataclass(frozen=True)
class Deviation:
    """A value that is not PyRadiomics' to the last bit.

    Parameters
    ----------
    name : str
        Its column.
    ours, right : float
        The value, and PyRadiomics' own.
    scale : float
        What the difference is measured against.
    """

    name: str
    ours: float
    right: float
    scale: float

    @property
    def share(self) -> float:
        """The difference as a share of the scale; 0 for the rounding of a zero, infinite beside NaN."""
        if math.isnan(self.ours) or math.isnan(self.right) or math.isinf(self.ours) or math.isinf(self.right):
            return math.inf
        apart = abs(self.ours - self.right)
        if apart < ROUNDING:
            return 0.0
        return apart / self.scale if self.scale else math.inf

    def __str__(self) -> str:
        return f"{self.name}: {self.ours!r} instead of {self.right!r} ({self.share:.1e})"


def deviations(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Iterator[Deviation]:
    """Yield every value that differs, NaN being equal to NaN.

    Parameters
    ----------
    ours, theirs : mapping of str to float
        Values by name; `theirs` are right. Names end with family and feature.
    """
    for name, right in theirs.items():
        if ours[name] != right and not (math.isnan(ours[name]) and math.isnan(right)):
            yield Deviation(name, ours[name], right, max(abs(right), absolute_terms(name, theirs)))


def cancels(name: str) -> bool:
    """Tell whether terms of a feature cancel."""
    family, _, feature = name.rpartition("_")
    return feature in CANCELLING.get(family.rpartition("_")[2], ())


def absolute_terms(name: str, features: Mapping[str, float]) -> float:
    """Return a lower bound of the sum of absolute terms of a feature in which terms cancel, 0 for others.

    Parameters
    ----------
    name : str
        Column of the feature.
    features : mapping of str to float
        PyRadiomics' values of all features.

    Notes
    -----
    - Mean, E x: E |x| is at least half of E |x - E x|, MeanAbsoluteDeviation.
    - Skewness, E x³ / (E x²)^1.5: by Jensen, E |x|³ is at least (E x²)^1.5, so 1.
    - ClusterShade, E x³ with E x² = ClusterTendency: likewise ClusterTendency^1.5.
    - Correlation, E x y / (sx sy): in units of the spreads; 1 is its range.
    - Imc1, (HXY - HXY1) / max(HX, HY): HXY is at least max(HX, HY), and HXY1 is HX + HY, so 2.
    - Imc2, √(1 - e), and MCC, √λ of a matrix whose largest eigenvalue is 1: 1, of which the square is the rest.
    """
    if not cancels(name):
        return 0.0
    if name.endswith("_Mean"):
        return features.get(f"{name}AbsoluteDeviation", 0.0) / 2
    if name.endswith("_ClusterShade"):
        return float(max(features.get(name.replace("Shade", "Tendency"), 0.0), 0.0) ** 1.5)
    return 2.0 if name.endswith("_Imc1") else 1.0


def assert_parity(ours: Mapping[str, float], theirs: Mapping[str, float], relative: float = TOLERANCE) -> None:
    """Assert that two mappings hold the same names in the same order, NaN at the same places, the same values.

    Parameters
    ----------
    ours, theirs : mapping of str to float
        Values by name; `theirs` are right.
    relative : float, default=1e-6
        Largest difference, as a share of PyRadiomics' value, or of the sum of absolute terms where terms cancel.
    """
    assert list(ours) == list(theirs)
    wrong = [str(item) for item in deviations(ours, theirs) if item.share > relative]
    assert not wrong, f"{len(wrong)} of {len(theirs)}:\n" + "\n".join(wrong[:10])
