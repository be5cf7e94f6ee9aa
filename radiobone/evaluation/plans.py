"""Plans of validation: which rows train and which test, in every fold.

A plan is a frozen object with ``divide(data)`` and ``describe()``. Whatever cuts the rows, it is proven of every
fold (`radiobone.evaluation.fold_checks`) that no patient stands on both sides, and that training knows each class.
A test fold may lack a class (a centre without osteoporosis): its figures are then undefined and counted, and the
results say so.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError
from radiobone.evaluation.fold_checks import SHOWN, attribute
from radiobone.evaluation.inputs import StudyData
from radiobone.evaluation.splits import OuterFold, check_plan, outer_folds
from radiobone.learning.data import DataError

MEAN_OVER_FOLDS = "mean over outer folds"
MEAN_OVER_CENTRES = "mean over centres, each of which counts once"
FIXED_TEST_SET = "one model on a test set that was set aside"


class Plan(Protocol):
    """What `NestedCV` asks of a plan."""

    @property
    def fixed(self) -> bool:
        """True if test sets were set aside once, so that figures are those of one model."""
        ...

    def divide(self, data: StudyData) -> list[OuterFold]:
        """Return the folds.

        Parameters
        ----------
        data : StudyData
            The rows, with their attributes.

        Returns
        -------
        list of OuterFold
            At least one.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Return plain values for ``validation`` of ``results.json``.

        Returns
        -------
        dict
            At least ``scheme``, ``estimand``, ``repeats`` and ``seed``.
        """
        ...


@dataclass(frozen=True)
class KFolds:
    """Stratified folds that keep patients whole, drawn once for each repeat.

    Parameters
    ----------
    folds : int, default 5
        Test folds in each repeat; at least 2.
    repeats : int, default 1
        How often the rows are divided anew; at least 1.
    seed : int, default 0
        Repeat r (from 0) is shuffled with ``seed + r``; not negative.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    folds: int = 5
    repeats: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_plan(self.folds, self.repeats, self.seed)

    @property
    def fixed(self) -> bool:
        """False: every row is tested in turn."""
        return False

    def divide(self, data: StudyData) -> list[OuterFold]:
        """Return the folds; see `radiobone.evaluation.splits.outer_folds`."""
        return outer_folds(
            data.codes,
            data.groups,
            classes=data.classes,
            folds=self.folds,
            repeats=self.repeats,
            seed=self.seed,
        )

    def describe(self) -> dict[str, Any]:
        """Return scheme, numbers and seed."""
        return {
            "scheme": "nested cross-validation, stratified by class, patients whole in every split",
            "estimand": MEAN_OVER_FOLDS,
            "outer_folds": int(self.folds),
            "repeats": int(self.repeats),
            "seed": int(self.seed),
        }


@dataclass(frozen=True)
class LeaveOneCentreOut:
    """Each centre is tested once, by a model of all the others.

    Parameters
    ----------
    column : str
        Attribute that names the centre of each row (or the scanner, or any other unit that may be new).
    """

    column: str

    @property
    def fixed(self) -> bool:
        """False: every row is tested in turn."""
        return False

    def divide(self, data: StudyData) -> list[OuterFold]:
        """Return one fold for each centre, in sorted order.

        Parameters
        ----------
        data : StudyData
            The rows, with the column among their attributes.

        Returns
        -------
        list of OuterFold
            Named by their centre.

        Raises
        ------
        DataError
            If there is one centre only, or a row has none.
        """
        centre = attribute(data, self.column).astype(str).to_numpy()
        names = np.unique(centre)
        if names.size < 2:
            raise DataError(
                "one centre only: none can be left out", where=self.column, got=names.tolist(), do="use KFolds"
            )
        return [
            OuterFold(1, number + 1, np.flatnonzero(centre != name), np.flatnonzero(centre == name), str(name))
            for number, name in enumerate(names)
        ]

    def describe(self) -> dict[str, Any]:
        """Return scheme and column."""
        return {
            "scheme": "leave one centre out: each is tested by a model of all the others",
            "estimand": MEAN_OVER_CENTRES,
            "outer_folds": None,
            "repeats": 1,
            "seed": None,
            "column": self.column,
        }


@dataclass(frozen=True)
class TemporalSplit:
    """Train on the rows before a date, test on those from it on.

    Parameters
    ----------
    column : str
        Attribute with the date of each row: dates, ISO 8601 text (``2024-05-31``), or numbers such as years.
    cut : str, date or number
        The first date of the test set.
    """

    column: str
    cut: Any

    @property
    def fixed(self) -> bool:
        """True: the later rows are the test set."""
        return True

    def divide(self, data: StudyData) -> list[OuterFold]:
        """Return one fold, named ``from <date>``.

        Parameters
        ----------
        data : StudyData
            The rows, with the column among their attributes.

        Returns
        -------
        list of OuterFold
            One.

        Raises
        ------
        DataError
            If a row has no date, a date cannot be read, or all lie on one side.
        """
        later = self._later(attribute(data, self.column))
        if later.all() or not later.any():
            raise DataError(
                "all rows lie on one side of the date",
                where=self.column,
                got=f"{int((~later).sum())} rows before {self.cut}, {int(later.sum())} from then on",
            )
        return [OuterFold(1, 1, np.flatnonzero(~later), np.flatnonzero(later), f"from {self.cut}")]

    def _later(self, values: pd.Series) -> NDArray[np.bool_]:
        if pd.api.types.is_numeric_dtype(values):
            if isinstance(self.cut, bool) or not isinstance(self.cut, (int, float, np.number)):
                raise UsageError("dates are numbers, and the cut is none", where=self.column, got=repr(self.cut))
            return values.to_numpy(dtype=np.float64) >= float(self.cut)
        dates = _dates(values, self.column)
        cut = _dates(pd.Series([self.cut]), "cut").iloc[0]
        later: NDArray[np.bool_] = (dates >= cut).to_numpy(dtype=bool)
        return later

    def describe(self) -> dict[str, Any]:
        """Return scheme, column and date."""
        cut = self.cut.item() if isinstance(self.cut, np.generic) else self.cut
        return {
            "scheme": "temporal split: trained on earlier patients, tested on later ones",
            "estimand": FIXED_TEST_SET,
            "outer_folds": 1,
            "repeats": 1,
            "seed": None,
            "column": self.column,
            "cut": cut.isoformat() if isinstance(cut, datetime.date) else cut,
        }


@dataclass(frozen=True)
class FixedSplit:
    """Train on the rows of one set, test on one or more others: internal, temporal, external.

    One model is fitted, and each test set makes a fold of its own. The first one is the one that the study was
    designed for; figures of the others stand beside it.

    Parameters
    ----------
    column : str
        Attribute that says to which set each row belongs. Rows of an external table are rows with a value of their
        own.
    train : str or sequence of str
        Values of the training rows.
    tests : str or sequence of str
        One test set each.

    Raises
    ------
    UsageError
        If there is no test set, or a value stands on both sides or twice.
    """

    column: str
    train: str | Sequence[str] = "train"
    tests: str | Sequence[str] = "test"

    def __post_init__(self) -> None:
        for name in ("train", "tests"):
            given = getattr(self, name)
            values = (given,) if isinstance(given, str) else tuple(str(value) for value in given)
            object.__setattr__(self, name, values)
        named = (*self.train, *self.tests)
        if not self.train or not self.tests or len(set(named)) < len(named):
            raise UsageError(
                "a split needs training values and test sets, each named once",
                where=self.column,
                got=f"train: {', '.join(self.train) or 'none'}; tests: {', '.join(self.tests) or 'none'}",
            )

    @property
    def fixed(self) -> bool:
        """True: the test sets were set aside."""
        return True

    def divide(self, data: StudyData) -> list[OuterFold]:
        """Return one fold for each test set, in the order given.

        Parameters
        ----------
        data : StudyData
            The rows, with the column among their attributes.

        Returns
        -------
        list of OuterFold
            Named by their test set.

        Raises
        ------
        DataError
            If a row has no value or one that is not named, or a set is empty.
        """
        found = attribute(data, self.column).astype(str).to_numpy()
        known = [*self.train, *self.tests]
        strangers = sorted(set(found.tolist()) - set(known))
        if strangers:
            hint = nearest(strangers[0], known)
            raise DataError(
                f"rows of sets that the split does not name{hint}",
                where=self.column,
                got=", ".join(strangers[:SHOWN]) + f" ({int(np.isin(found, strangers).sum())} rows)",
                expected=", ".join(known),
                do="name them in tests, or leave their rows out",
            )
        empty = sorted(set(known) - set(found.tolist()))
        if empty:
            raise DataError("sets without rows", where=self.column, got=", ".join(empty))
        train = np.flatnonzero(np.isin(found, self.train))
        return [
            OuterFold(1, number + 1, train, np.flatnonzero(found == name), name)
            for number, name in enumerate(self.tests)
        ]

    def describe(self) -> dict[str, Any]:
        """Return scheme, column and sets."""
        return {
            "scheme": "fixed split: one model, tested on sets that were set aside",
            "estimand": FIXED_TEST_SET,
            "outer_folds": len(self.tests),
            "repeats": 1,
            "seed": None,
            "column": self.column,
            "train": list(self.train),
            "tests": list(self.tests),
        }


def _dates(values: pd.Series, where: str) -> pd.Series:
    try:
        return pd.to_datetime(values, format=None if values.dtype.kind == "M" else "ISO8601", utc=True)
    except (ValueError, TypeError) as error:
        raise DataError(
            "dates that cannot be read", where=where, got=str(error).split(".")[0], expected="such as 2024-05-31"
        ) from None
