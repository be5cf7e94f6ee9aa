"""An estimate with its interval, as figures, tables and the terminal write it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOT_DEFINED = "n/a"


@dataclass(frozen=True)
class Estimate:
    """A value and its interval.

    Parameters
    ----------
    value : float
        NaN if it is not defined.
    low, high : float, optional
        Borders of the interval; NaN if there is none.
    level : float, default 0.95
        Nominal coverage.
    method : str, optional
        How the interval was made, such as ``corrected resampled t``.

    Examples
    --------
    >>> str(Estimate(0.871, 0.806, 0.934))
    '0.87 (0.81 to 0.93)'
    >>> str(Estimate(0.871)), str(Estimate(float("nan")))
    ('0.87', 'n/a')
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    level: float = 0.95
    method: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level of an interval is {self.level}, not between 0 and 1")
        if self.low > self.high:
            raise ValueError(f"interval from {self.low} to {self.high}")

    @property
    def has_interval(self) -> bool:
        """Whether both borders are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def __str__(self) -> str:
        return self.text()

    def text(self, digits: int = 2, *, signed: bool = False) -> str:
        """Write the value and its interval.

        Parameters
        ----------
        digits : int, default 2
            Decimals.
        signed : bool, default False
            Write a plus, too, as is usual for differences.

        Returns
        -------
        str
            Such as ``0.87 (0.81 to 0.93)``.
        """
        if not math.isfinite(self.value):
            return NOT_DEFINED
        sign = "+" if signed else ""
        value, low, high = (f"{number:{sign}.{digits}f}" for number in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})" if self.has_interval else value


NO_ESTIMATE = Estimate(math.nan)
"""Nothing is known."""


def estimate(figure: Mapping[str, Any] | None) -> Estimate:
    """Take an estimate from an entry of ``results.json``.

    Parameters
    ----------
    figure : mapping or None
        With ``mean`` (or ``value``), and perhaps ``interval`` of ``low``, ``high``, ``level`` and ``method``; any
        of them may be None.

    Returns
    -------
    Estimate
        NaN where nothing is known.
    """
    figure = figure or {}
    value = figure.get("mean", figure.get("value"))
    interval = figure.get("interval") or {}
    low, high = interval.get("low"), interval.get("high")
    return Estimate(
        math.nan if value is None else float(value),
        math.nan if low is None else float(low),
        math.nan if high is None else float(high),
        float(interval.get("level") or 0.95),
        str(interval.get("method") or ""),
    )
