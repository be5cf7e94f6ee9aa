"""Arms: several procedures, or several kinds of features, on identical outer folds."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError
from radiobone.evaluation.arm import Arm, ArmsFound, Primary
from radiobone.evaluation.arm_content import arms_content, comparisons
from radiobone.evaluation.compare import THREE_CLASS
from radiobone.evaluation.fitting import check_estimator, check_nodes, check_prevalence
from radiobone.evaluation.fold_checks import attribute
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.input_columns import ColumnRules
from radiobone.evaluation.inputs import LabelsBy, StudyData, prepare
from radiobone.evaluation.memory import check_memory
from radiobone.evaluation.nested import Work, cut, fit_all, gather
from radiobone.evaluation.plans import KFolds, Plan
from radiobone.evaluation.splits import check_jobs
from radiobone.evaluation.strata import Strata
from radiobone.evaluation.volume import volume_columns
from radiobone.learning.data import DataError
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.nodes import Node, NodeError, chain


@dataclass(frozen=True)
class ArmsCV:
    """Several arms on identical outer folds.

    Parameters
    ----------
    arms : sequence of Arm
        At least the primary one.
    primary : Primary
        What the study was designed for.
    plan : Plan
        Which rows train and which test.
    jobs : int, default 1
        Fits in parallel, over arms and folds; -1 is one for each core. The result is the same for any number.
    classes : tuple, optional
        Order of the classes in every output; by default sorted.
    nodes : sequence of Node, optional
        Nodes at which flat arms are judged; by default those of the primary arm.
    options : FigureOptions
        Level of intervals, prevalence of predictive values, draws of the bootstrap.
    strata : sequence of Strata
        Attributes by which the primary figure is told apart.
    volume : str, optional
        Attribute with the volume of each row's VOIs, against which selected features are held; by default columns
        of volume in X of the primary arm are found by their names, and added up.
    labels_by : {"patient", "row"}, default "patient"
        Whose the classes are; see `NestedCV`.

    Raises
    ------
    UsageError
        If two arms have one name, the primary figure names no arm, or an estimator gives no probabilities.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> y = np.repeat(["normal", "osteoporosis"], 30)
    >>> X = np.random.default_rng(0).normal(size=(60, 3)) + (y == "normal")[:, None]
    >>> model = HierarchicalClassifier(estimator=LogisticRegression())
    >>> arms = [Arm("all", X, model), Arm("first", X[:, :1], model, kind="baseline")]
    >>> primary = Primary("normal_vs_osteoporosis", "auc", "all", against="first")
    >>> result = ArmsCV(arms, primary, KFolds(folds=3)).run(y, groups=np.arange(60))
    >>> result.table[["arm", "mean", "difference"]].round(2).values.tolist()
    [['all', 0.93, nan], ['first', 0.76, -0.16]]
    """

    arms: Sequence[Arm]
    primary: Primary
    plan: Plan = field(default_factory=KFolds)
    jobs: int = 1
    classes: Sequence[Any] | None = None
    nodes: Sequence[Node] | None = None
    options: FigureOptions = field(default_factory=FigureOptions)
    strata: Sequence[Strata] = ()
    volume: str | None = None
    labels_by: LabelsBy = "patient"

    def __post_init__(self) -> None:
        check_jobs(self.jobs)
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError("two arms have the same name", got=", ".join(twice))
        present = [arm.name for arm in self.arms if not arm.needs]
        for role in ("arm", "against"):
            wanted = getattr(self.primary, role)
            if wanted is not None and wanted not in present:
                lacking = next((arm.needs for arm in self.arms if arm.name == wanted), ())
                raise UsageError(
                    f"the primary figure names no arm that can be fitted{nearest(wanted, present)}",
                    where=f"primary.{role}",
                    got=wanted + (f", which needs {', '.join(lacking)}" if lacking else ""),
                    expected=", ".join(present),
                )
        for arm in self.arms:
            if not arm.needs:
                check_estimator(arm.estimator, arm.name)

    def run(
        self,
        y: ArrayLike,
        *,
        groups: ArrayLike,
        ids: Any = None,
        attributes: pd.DataFrame | None = None,
        keep: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> ArmsResult:
        """Fit and judge every arm on every outer fold.

        Parameters
        ----------
        y, groups, ids, attributes, keep
            As for `NestedCV.run`.
        progress : callable, optional
            Called with the number of finished fits and of all, over arms and folds.

        Returns
        -------
        ArmsResult
            A result for each arm, and their comparison.

        Raises
        ------
        DataError
            As `NestedCV.run`, with the name of the arm.
        UsageError
            If the primary figure names a node that there is not.
        """
        present = [arm for arm in self.arms if not arm.needs]
        data = self._prepared(present, y, groups, ids, attributes)
        first = [arm.name for arm in present].index(self.primary.arm)
        nodes = self._nodes(present[first].estimator, data[first])
        check_prevalence(self.options.prevalence, present[first].estimator, nodes, data[first])
        for arm, rows in zip(present, data, strict=True):
            with _in_arm(arm.name):
                check_nodes(arm.estimator, nodes, rows)
        for item in self.strata:
            item.of(data[first].attributes)
        volume = self._volume(present[first].X, data[first])
        folds = cut(self.plan, data[first])
        works = [
            Work(arm.estimator, rows, None if isinstance(arm.estimator, HierarchicalClassifier) else nodes)
            for arm, rows in zip(present, data, strict=True)
        ]
        fits = fit_all(works, folds, self.jobs, progress, keep)
        found = {
            arm.name: gather(arm.estimator, self.plan, rows, folds, fit, self.options, arm.preset)
            for arm, rows, fit in zip(present, data, fits, strict=True)
        }
        arms = tuple(replace(arm, X=None) for arm in self.arms)
        return ArmsResult(arms, self.primary, found, tuple(self.strata), volume)

    def _volume(self, X: Any, data: StudyData) -> NDArray[np.float64] | None:
        if self.volume is not None:
            try:
                return pd.to_numeric(attribute(data, self.volume)).to_numpy(dtype=np.float64)
            except (ValueError, TypeError) as error:
                raise DataError("volumes that are no numbers", where=self.volume, got=str(error)) from None
        columns = volume_columns(X)
        return data.X[columns].sum(axis=1, skipna=False).to_numpy(dtype=np.float64) if columns else None

    def _prepared(
        self, arms: Sequence[Arm], y: ArrayLike, groups: ArrayLike, ids: Any, attributes: pd.DataFrame | None
    ) -> list[StudyData]:
        data = []
        for arm in arms:
            check_memory(arm.X, self.jobs, arm.name)
            rules = ColumnRules.of(arm.estimator)
            with _in_arm(arm.name):
                data.append(
                    prepare(arm.X, y, groups, ids, self.classes, attributes, rules=rules, labels_by=self.labels_by)
                )
        return data

    def _nodes(self, estimator: Any, data: StudyData) -> Sequence[Node]:
        """Return the nodes at which flat arms are judged: by default those of the primary arm, if it has any."""
        own = estimator.nodes if isinstance(estimator, HierarchicalClassifier) else None
        by_default = chain(np.unique(data.labels).tolist()) if own is None else own
        nodes = by_default if self.nodes is None else self.nodes
        known = [node.name for node in (by_default if isinstance(estimator, HierarchicalClassifier) else nodes)]
        if self.primary.node != THREE_CLASS and self.primary.node not in known:
            raise UsageError(
                f"the primary figure names no node{nearest(self.primary.node, known)}",
                where="primary.node",
                got=self.primary.node,
                expected=", ".join([*known, THREE_CLASS]),
            )
        return nodes


@contextlib.contextmanager
def _in_arm(name: str) -> Iterator[None]:
    """Say in which arm an input is wrong."""
    try:
        yield
    except (DataError, NodeError) as error:
        error.where = f"arm {name}" + (f", {error.where}" if error.where else "")
        raise


@dataclass(frozen=True, eq=False)
class ArmsResult(ArmsFound):
    """Everything that the arms found, and their comparison.

    Notes
    -----
    The fields are those of `ArmsFound`.
    """

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Predictions of all arms, one below the other; column ``arm``, then those of `NestedResult.predictions`.

        An arm with other nodes, or none, leaves the columns of these empty.
        """
        parts = []
        for name, result in self.nested.items():
            part = result.predictions.copy()
            part.insert(0, "arm", name)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def comparisons(self) -> list[dict[str, Any]]:
        """Every comparison as a line; the primary one first. See `radiobone.evaluation.content`."""
        return comparisons(self)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One line for each arm: the primary figure with its interval, and its difference to the primary arm.

        Of several fixed test sets, the first.

        Columns ``arm``, ``kind``, ``needs``, ``n_features``, ``node``, ``metric``, ``mean``, ``low``, ``high``,
        ``n_undefined``, ``difference``, ``difference_low``, ``difference_high``, ``p_value``, ``p_holm``,
        ``method``.
        """
        target = self.primary.target
        content = {arm["name"]: arm for arm in self._content["arms"]}
        first = self.main.fits[0].name or None if self.main.fixed else None
        wanted = (target.node, target.metric, first, False)
        against = {
            row["arm"]: row
            for row in self.comparisons
            if (row["node"], row["metric"], row["test_set"], row["primary"]) == wanted
        }
        lines = []
        for arm in self.arms:
            figure = content[arm.name]["figure"] or {}
            interval = figure.get("interval") or {}
            row = against.get(arm.name, {})
            lines.append(
                {
                    "arm": arm.name,
                    "kind": arm.kind,
                    "needs": ", ".join(arm.needs),
                    "n_features": content[arm.name]["n_features"],
                    "node": target.node,
                    "metric": target.metric,
                    **{name: figure.get(name) for name in ("mean", "n_undefined")},
                    **{name: interval.get(name) for name in ("low", "high")},
                    "difference": row.get("difference"),
                    "difference_low": row.get("low"),
                    "difference_high": row.get("high"),
                    **{name: row.get(name) for name in ("p_value", "p_holm", "method")},
                }
            )
        return pd.DataFrame(lines)

    def results(self) -> dict[str, Any]:
        """Return the content of ``results.json``.

        Returns
        -------
        dict
            Plain values only, with None for what is not defined; see `radiobone.evaluation.content`.
        """
        return copy.deepcopy(self._content)

    @cached_property
    def _content(self) -> dict[str, Any]:
        return arms_content(self, self.comparisons)
