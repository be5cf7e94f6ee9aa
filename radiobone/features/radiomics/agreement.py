"""How far the values of two engines lie apart, family by family."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from radiobone.features.column import Column

TOLERANCE = 1e-6
"""Relative difference up to which two engines agree."""

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
"""Features in which terms cancel, by family, with what cancels.

Where such a value is near 0, its relative difference says nothing; the difference is then measured against the sum
of the absolute terms.
"""


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
    """

    case: str
    column: str
    ours: float
    reference: float
    cancels: bool

    @property
    def relative(self) -> float:
        """Absolute difference over the reference; 0 if both are the same or both NaN, infinity if one is NaN."""
        if self.ours == self.reference or (math.isnan(self.ours) and math.isnan(self.reference)):
            return 0.0
        if not (math.isfinite(self.ours) and math.isfinite(self.reference)) or self.reference == 0:
            return math.inf
        return abs(self.ours - self.reference) / abs(self.reference)


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
        The largest relative difference among features in which no terms cancel.
    largest_cancelling : Difference or None
        The same among those of `CANCELLING`.
    beyond : tuple of Difference
        Every difference above `TOLERANCE` among features in which no terms cancel, largest first.
    n_beyond_cancelling : int
        Number of differences above `TOLERANCE` among those of `CANCELLING`.
    """

    family: str
    n_values: int
    largest: Difference | None
    largest_cancelling: Difference | None
    beyond: tuple[Difference, ...]
    n_beyond_cancelling: int


def differences(
    case: str, columns: Iterable[Column], ours: Mapping[str, float], reference: Mapping[str, float]
) -> dict[str, list[Difference]]:
    """Compare the values of one VOI.

    Parameters
    ----------
    case : str
        Name of the VOI, for messages.
    columns : iterable of Column
        The columns that both engines gave.
    ours, reference : mapping of str to float
        The values by column.

    Returns
    -------
    dict of str to list of Difference
        By family, one for each column.
    """
    found: dict[str, list[Difference]] = {}
    for column in columns:
        feature = column.name.rpartition("_")[2]
        item = Difference(
            case,
            column.name,
            ours[column.name],
            reference[column.name],
            feature in CANCELLING.get(column.family, ()),
        )
        found.setdefault(column.family, []).append(item)
    return found


def agreement(family: str, items: Iterable[Difference]) -> Agreement:
    """Summarise the differences of one family over all VOIs.

    Parameters
    ----------
    family : str
        Such as ``glcm``.
    items : iterable of Difference
        From `differences`.
    """
    ordered = sorted(items, key=lambda item: -item.relative)
    plain = [item for item in ordered if not item.cancels]
    cancelling = [item for item in ordered if item.cancels]
    return Agreement(
        family,
        len(ordered),
        plain[0] if plain else None,
        cancelling[0] if cancelling else None,
        tuple(item for item in plain if item.relative > TOLERANCE),
        sum(item.relative > TOLERANCE for item in cancelling),
    )
