"""A linear score as a formula: intercept and coefficients on raw feature values, which anyone can compute."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from radiobone.core.config import FileModel, nearest
from radiobone.core.errors import TableError, UsageError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Number = Annotated[float, Field(allow_inf_nan=False)]

# Significant digits of the text, which is for reading; JSON and CSV hold every digit.
_DIGITS = 6

# How many names a message shows.
_SHOWN = 5


class Term(FileModel):
    """One feature of a score.

    Parameters
    ----------
    feature : str
        Name of the column.
    coefficient : float
        By which its raw value is multiplied.
    fill : float or None
        Value that stands in where the column has none; None where a missing value is an error.
    """

    feature: str
    coefficient: Number
    fill: Number | None = None


class Sigmoid(FileModel):
    """Probability = 1 / (1 + exp(-(slope x score + offset))).

    Parameters
    ----------
    slope, offset : float
        The slope is positive: a higher score speaks for the positive class.
    """

    slope: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    offset: Number


class Corners(FileModel):
    """A rising curve, straight between its corners and level outside.

    Parameters
    ----------
    scores, probabilities : tuple of float
        The corners, by rising score.
    """

    scores: tuple[Number, ...]
    probabilities: tuple[Number, ...]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if len(self.scores) != len(self.probabilities) or not self.scores:
            raise ValueError("scores and probabilities need one value each for every corner")
        if np.any(np.diff(self.scores) < 0) or np.any(np.diff(self.probabilities) < 0):
            raise ValueError("corners must rise")
        return self


class LinearFormula(FileModel):
    """A score = intercept + sum of coefficient x raw feature value; higher means the positive class.

    Parameters
    ----------
    format : int
        Version of the file's form.
    name : str
        What the score is called.
    positive, negative : str
        The class that a higher score speaks for, and what it speaks against.
    intercept : float
        The score where all features are zero.
    terms : tuple of Term
        The features.
    calibration : Sigmoid, Corners or None
        From the score to the probability of the positive class, if that is known.
    threshold : float or None
        The positive class is called where its probability lies above this.

    Examples
    --------
    >>> import pandas as pd
    >>> formula = LinearFormula(
    ...     positive="osteoporosis",
    ...     negative="rest",
    ...     intercept=4.5,
    ...     terms=(Term(feature="density_mean_hu", coefficient=-0.05),),
    ...     calibration=Sigmoid(slope=1.0, offset=0.0),
    ... )
    >>> formula.score(pd.DataFrame({"density_mean_hu": [80.0, 110.0]})).tolist()
    [0.5, -1.0]
    """

    format: Literal[1] = 1
    name: str = "radscore"
    positive: str
    negative: str
    intercept: Number
    terms: tuple[Term, ...]
    calibration: Sigmoid | Corners | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = 0.5

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [term.feature for term in self.terms]
        if len(set(names)) < len(names):
            raise ValueError("a feature has two coefficients")
        return self

    def score(self, table: pd.DataFrame) -> pd.Series:
        """Compute the score of every row.

        Parameters
        ----------
        table : DataFrame of shape (n_rows, n_columns)
            Raw features; columns in any order, further ones are ignored.

        Returns
        -------
        Series of shape (n_rows,)
            The scores, named as the formula, with the index of the table.

        Raises
        ------
        TableError
            If a column is missing or no number, or a value is infinite, or missing without a value to fill in.
        """
        import pandas as pd

        values = self._values(table)
        scores = self.intercept + values @ np.array([term.coefficient for term in self.terms], dtype=np.float64)
        return pd.Series(scores, index=table.index, name=self.name)

    def probability(self, table: pd.DataFrame) -> pd.Series:
        """Compute the probability of the positive class of every row.

        Parameters
        ----------
        table : DataFrame of shape (n_rows, n_columns)
            Raw features.

        Returns
        -------
        Series of shape (n_rows,)
            The probabilities, with the index of the table.

        Raises
        ------
        UsageError
            If the formula has no calibration.
        """
        import pandas as pd

        scores = self.score(table).to_numpy()
        if self.calibration is None:
            raise UsageError("the formula has no calibration, and gives scores alone", where=self.name)
        if isinstance(self.calibration, Corners):
            values = np.interp(scores, self.calibration.scores, self.calibration.probabilities)
        else:
            # tanh keeps large scores from overflowing.
            values = 0.5 * (1.0 + np.tanh(0.5 * (self.calibration.slope * scores + self.calibration.offset)))
        return pd.Series(values, index=table.index, name=f"p_{self.positive}")

    def _values(self, table: pd.DataFrame) -> NDArray[np.float64]:
        known = [str(name) for name in table.columns]
        absent = [term.feature for term in self.terms if term.feature not in table.columns]
        if absent:
            raise TableError(
                f"the table lacks {len(absent)} of {len(self.terms)} columns of the formula"
                + nearest(absent[0], known),
                where=self.name,
                got=", ".join(absent[:_SHOWN]),
                do="extract the features that the formula was made from",
            )
        values = np.empty((len(table), len(self.terms)))
        for place, term in enumerate(self.terms):
            try:
                column = np.array(table[term.feature], dtype=np.float64)
            except (TypeError, ValueError):
                raise TableError("a column of the formula is no number", where=term.feature) from None
            if term.fill is not None:
                column[np.isnan(column)] = term.fill
            if not np.isfinite(column).all():
                raise TableError(
                    "a column of the formula has values that are missing or infinite",
                    where=term.feature,
                    got=f"{int((~np.isfinite(column)).sum())} rows",
                    do="leave these rows out",
                )
            values[:, place] = column
        return values

    @property
    def threshold_score(self) -> float | None:
        """The score above which the positive class is called; None where no sigmoid and threshold say so."""
        if not isinstance(self.calibration, Sigmoid) or self.threshold is None or not 0.0 < self.threshold < 1.0:
            return None
        logit = math.log(self.threshold / (1.0 - self.threshold))
        return (logit - self.calibration.offset) / self.calibration.slope

    def text(self) -> str:
        """Write the formula for a reader.

        Returns
        -------
        str
            Lines with the equation, the classes, the calibration and the threshold.

        Examples
        --------
        >>> formula = LinearFormula(
        ...     positive="fracture", negative="none", intercept=1.5, terms=(Term(feature="hu", coefficient=-0.02),)
        ... )
        >>> print(formula.text())
        radscore = 1.5
            - 0.02 * hu
        A higher radscore speaks for fracture (against none).
        """
        lines = [f"{self.name} = {_short(self.intercept)}"]
        for term in self.terms:
            sign = "-" if term.coefficient < 0 else "+"
            lines.append(f"    {sign} {_short(abs(term.coefficient))} * {term.feature}")
        lines.append(f"A higher {self.name} speaks for {self.positive} (against {self.negative}).")
        lines += self._calibration_lines()
        for term in self.terms:
            if term.fill is not None:
                lines.append(f"Where {term.feature} is missing, {_short(term.fill)} stands in.")
        numbers = [self.intercept, *(term.coefficient for term in self.terms)]
        if any(float(_short(number)) != number for number in numbers):
            lines.append(f"Rounded to {_DIGITS} digits; the JSON and CSV forms hold them all.")
        return "\n".join(lines)

    def _calibration_lines(self) -> list[str]:
        lines = []
        called = (
            f"{self.positive} is called where P > {_short(self.threshold)}" if self.threshold is not None else ""
        )
        if isinstance(self.calibration, Sigmoid):
            slope, offset = self.calibration.slope, self.calibration.offset
            sign = "-" if offset < 0 else "+"
            inner = f"{_short(slope)} * {self.name} {sign} {_short(abs(offset))}"
            lines.append(f"P({self.positive}) = 1 / (1 + exp(-({inner})))")
            if self.threshold_score is not None:
                called += f", that is {self.name} > {_short(self.threshold_score)}"
        elif isinstance(self.calibration, Corners):
            corners = zip(self.calibration.scores, self.calibration.probabilities, strict=True)
            listed = ", ".join(f"({_short(score)}, {_short(p)})" for score, p in corners)
            lines.append(f"P({self.positive}) runs straight between ({self.name}, P) = {listed}.")
        return [*lines, f"{called}."] if self.calibration is not None and called else lines


def _short(number: float | None) -> str:
    return f"{number:.{_DIGITS}g}"
