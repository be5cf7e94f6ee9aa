"""Operating points: the probability above which a row is called positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.learning.data import DataError

Array = NDArray[np.float64]

EVEN = 0.5
"""The threshold at which the more probable class is called."""

# Shares such as 9/10 and 0.9 differ by rounding alone.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class OperatingPoint:
    """A rule for the threshold.

    Parameters
    ----------
    rule : {"youden", "sensitivity", "specificity"}
        The largest sum of sensitivity and specificity; or the best of one where the other reaches ``least``.
    least : float
        Least sensitivity or specificity, above 0 and at most 1; not used by ``youden``.
    """

    rule: str
    least: float = 0.0

    @staticmethod
    def of(given: Any) -> OperatingPoint | None:
        """Read what a user gave.

        Parameters
        ----------
        given : None, "youden" or pair of ("sensitivity" or "specificity", float)
            The rule.

        Returns
        -------
        OperatingPoint or None
            The rule, or None.

        Raises
        ------
        DataError
            If it is none of these.
        """
        if given is None:
            return None
        if given == "youden":
            return OperatingPoint("youden")
        pair = given if isinstance(given, (tuple, list)) and len(given) == 2 else (None, 0.0)
        rule, least = pair
        is_share = isinstance(least, (int, float)) and 0.0 < least <= 1.0
        if rule not in ("sensitivity", "specificity") or not is_share:
            raise DataError(
                "operating_point is not known",
                got=repr(given),
                expected='None, "youden", ("sensitivity", 0.9) or ("specificity", 0.9)',
            )
        return OperatingPoint(rule, float(least))

    def __str__(self) -> str:
        return "largest Youden index" if self.rule == "youden" else f"{self.rule} at least {self.least:g}"

    def choose(self, probability: Array, codes: NDArray[np.intp]) -> Threshold:
        """Choose the threshold on rows that the model was not trained on.

        Parameters
        ----------
        probability : ndarray of shape (n_samples,)
            Probability of the second class.
        codes : ndarray of shape (n_samples,)
            Their classes, 0 and 1, both present.

        Returns
        -------
        Threshold
            The threshold, and what it does on these rows.
        """
        thresholds = _between(probability)
        called = probability[None, :] > thresholds[:, None]
        sensitivity = called[:, codes == 1].mean(axis=1)
        specificity = 1.0 - called[:, codes == 0].mean(axis=1)
        if self.rule == "youden":
            total = np.round(sensitivity + specificity, 12)
            # Of equal ones the nearest to 0.5, then the lower one.
            order = np.lexsort((thresholds, np.abs(thresholds - EVEN), -total))
        else:
            bound, other = (sensitivity, specificity) if self.rule == "sensitivity" else (specificity, sensitivity)
            # Rows of probability 0 are called at no threshold: where none reaches the least, the nearest counts.
            reached = np.minimum(bound, self.least - _ROUNDING)
            order = np.lexsort((thresholds, -bound, -other, -reached))
        best = int(order[0])
        return Threshold(float(thresholds[best]), float(sensitivity[best]), float(specificity[best]))


@dataclass(frozen=True)
class Threshold:
    """A threshold, and what it does on the rows that it was chosen on.

    Parameters
    ----------
    value : float
        A row is called positive above it.
    sensitivity, specificity : float
        On those rows, and so a little too good.
    """

    value: float
    sensitivity: float
    specificity: float

    def note(self, point: OperatingPoint) -> str:
        """Tell a reader of the result what was chosen.

        Parameters
        ----------
        point : OperatingPoint
            The rule.

        Returns
        -------
        str
            One sentence.
        """
        reached = self.specificity if point.rule == "specificity" else self.sensitivity
        missed = ", which no threshold reaches" if reached < point.least - _ROUNDING else ""
        return (
            f"operating point, {point}{missed}: called above {self.value:.3g}, with a sensitivity of "
            f"{self.sensitivity:.3g} and a specificity of {self.specificity:.3g} on inner out-of-fold rows"
        )


def _between(probability: Array) -> Array:
    """Return one threshold below all probabilities, one between any two neighbours, and one above all."""
    distinct = np.unique(probability)
    edges = np.concatenate([[0.0], distinct, [1.0]])
    thresholds: Array = 0.5 * (edges[:-1] + edges[1:])
    thresholds[0] = 0.0
    return thresholds
