"""An arm, the one figure that a study was designed for, and what each arm found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.evaluation.compare import Target
from radiobone.evaluation.results import NestedResult
from radiobone.evaluation.strata import Strata

Kind = Literal["arm", "control", "baseline"]


@dataclass(frozen=True, eq=False)
class Arm:
    """One procedure on one kind of features.

    Parameters
    ----------
    name : str
        In every output.
    X : anything indexable by row
        Features, row for row as ``y``; None if columns are absent.
    estimator : classifier
        Copied, not changed; None if columns are absent.
    kind : {"arm", "control", "baseline"}
        A control should fail (acquisition only), a baseline should be beaten (mean HU alone).
    needs : tuple of str
        Columns that are absent: the arm is then listed with them, and not fitted.
    preset : sequence of str, optional
        Columns that the extraction gave, from its manifest, so that columns taken away before are seen.
    """

    name: str
    X: Any = None
    estimator: Any = None
    kind: Kind = "arm"
    needs: tuple[str, ...] = ()
    preset: Sequence[str] | None = None


@dataclass(frozen=True)
class Primary:
    """The one figure, and the one comparison, that a study was designed for; all else is exploratory.

    Parameters
    ----------
    node : str
        A node, or ``three_class``.
    metric : str
        One of its figures, on true members.
    arm : str
        Whose figure it is.
    against : str, optional
        The arm that it is compared with; without it there is no primary comparison.

    Raises
    ------
    UsageError
        If there is no such figure, or an arm is compared with itself.
    """

    node: str
    metric: str
    arm: str
    against: str | None = None

    def __post_init__(self) -> None:
        if self.arm == self.against:
            raise UsageError("an arm is compared with itself", where="primary", got=self.arm)
        self.target  # noqa: B018  checks the names

    @property
    def target(self) -> Target:
        """The figure."""
        return Target(self.node, self.metric)


@dataclass(frozen=True, eq=False)
class ArmsFound:
    """What the arms found, before figures are compared and put together.

    Parameters
    ----------
    arms : tuple of Arm
        In the order given, without their features.
    primary : Primary
        What the study was designed for.
    nested : dict of str to NestedResult
        By arm, of those that could be fitted.
    strata : tuple of Strata
        Attributes by which the primary figure is told apart.
    volume : ndarray of shape (n_samples,) or None
        Volume of each row's VOIs, where it is known.
    """

    arms: tuple[Arm, ...]
    primary: Primary
    nested: dict[str, NestedResult]
    strata: tuple[Strata, ...] = ()
    volume: NDArray[np.float64] | None = None

    @property
    def main(self) -> NestedResult:
        """The result of the primary arm."""
        return self.nested[self.primary.arm]

    @property
    def folds(self) -> pd.DataFrame:
        """The folds, which are those of every arm; see `NestedResult.folds`."""
        return self.main.folds
