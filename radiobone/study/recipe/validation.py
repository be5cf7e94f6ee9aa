"""What a recipe says of validation: who is tested by whom."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from radiobone.core.config import FileModel
from radiobone.core.errors import ConfigError
from radiobone.study.recipe.table import Names

if TYPE_CHECKING:
    from radiobone.evaluation.plans import Plan

_NEEDS: dict[str, tuple[str, ...]] = {
    "nested": (),
    "leave_one_centre_out": ("column",),
    "temporal": ("column", "cut"),
    "split": ("column", "train", "tests"),
}
"""The keys that each scheme needs; the others of this table are none of its business."""


class Validation(FileModel):
    """Who is tested by whom; whole patients in every split, and stratified by class wherever folds are drawn.

    Parameters
    ----------
    scheme : {"nested", "leave_one_centre_out", "temporal", "split"}
        Outer folds drawn at random; each centre in turn; all patients after a date (or number); or a column that
        says who trains and who tests, which an external cohort is, too.
    outer_folds, inner_folds : int
        Number of folds that test the procedure, and of those that choose within it.
    repeats : int
        How often the outer folds are drawn.
    seed : int
        Draws all folds.
    column : str, optional
        The column of centres, of dates, or of the split.
    cut : str, optional
        ``temporal``: patients from here on are the test set; an ISO date or a number, as in the column.
    train : str, optional
        ``split``: the value of the column in training rows.
    tests : tuple of str
        ``split``: the value of each test set.
    """

    scheme: Literal["nested", "leave_one_centre_out", "temporal", "split"] = "nested"
    outer_folds: int = Field(default=5, ge=2)
    inner_folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    column: str | None = None
    cut: str | None = None
    train: str | None = None
    tests: Names = ()

    @field_validator("cut", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        # YAML reads 2020-01-31 as a date, and 2020 as a number.
        if isinstance(value, datetime.date):
            return value.isoformat()
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _keys_of_the_scheme(self) -> Self:
        needed = _NEEDS[self.scheme]
        missing = [name for name in needed if not getattr(self, name)]
        if missing:
            raise ValueError(f"scheme {self.scheme} needs {', '.join(missing)}")
        drawn = () if self.scheme == "nested" else ("outer_folds", "repeats")
        others = {name for names in _NEEDS.values() for name in names} - set(needed) | set(drawn)
        idle = sorted(others & self.model_fields_set)
        if idle:
            raise ValueError(f"scheme {self.scheme} has no {', '.join(idle)}")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the cohort table that the plan needs."""
        return () if self.column is None else (self.column,)

    def plan(self, *, numbers: bool = False) -> Plan:
        """Build the plan that draws the outer folds.

        Parameters
        ----------
        numbers : bool, default False
            Whether the column holds numbers, such as years, so that the cut is one, too.

        Returns
        -------
        Plan
            Of `radiobone.evaluation.plans`.
        """
        from radiobone.evaluation import plans

        if self.scheme == "nested":
            return plans.KFolds(folds=self.outer_folds, repeats=self.repeats, seed=self.seed)
        column: Any = self.column
        if self.scheme == "leave_one_centre_out":
            return plans.LeaveOneCentreOut(column)
        if self.scheme == "temporal":
            return plans.TemporalSplit(column, self._number() if numbers else self.cut)
        assert self.train is not None
        return plans.FixedSplit(column, self.train, self.tests)

    def _number(self) -> float:
        """Return the cut as a number."""
        try:
            return float(self.cut or "")
        except ValueError:
            raise ConfigError(
                f"the column {self.column!r} holds numbers, and the cut is none",
                where="validation.cut",
                got=self.cut,
                expected="a number, such as a year",
            ) from None
