"""From a recipe's words to the estimators that cross-validation fits: every learned step stands inside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from radiobone.core.errors import ConfigError
from radiobone.learning.protocol.choices import StepContext
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.design import ArmChoice, NodeChoice, Steps

if TYPE_CHECKING:
    from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV
    from radiobone.learning.selection.repeats import Repeats

_LATE = {"late": "mean", "late_weighted": "weighted", "late_stacked": "stacked"}


@dataclass(frozen=True)
class Columns:
    """What a procedure knows of the columns of X beforehand: their names, and where they come from.

    Parameters
    ----------
    parts : mapping of str to sequence of str
        The columns of each block and group of the arm.
    covariates : mapping of str to sequence of str
        The columns of X that each clinical or acquisition column became.
    """

    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    covariates: Mapping[str, Sequence[str]] = field(default_factory=dict)


def procedure(
    recipe: Recipe, arm: ArmChoice | None = None, *, columns: Columns | None = None, repeats: Repeats | None = None
) -> Any:
    """Build the estimator of one arm.

    Parameters
    ----------
    recipe : Recipe
        The study.
    arm : ArmChoice, optional
        By default the primary one.
    columns : Columns, optional
        The arm's columns by their parts, for an arm whose parts are selected or modelled apart.
    repeats : Repeats, optional
        Repeated measurements, for the step ``stability``.

    Returns
    -------
    classifier
        Not fitted.

    Raises
    ------
    ConfigError
        If the steps do not go together with the arm's columns.
    """
    arm = arm or recipe.primary_arm
    context = StepContext(inner_folds=recipe.validation.inner_folds, seed=recipe.validation.seed, repeats=repeats)
    builder = _Builder(recipe, arm, columns or Columns(), context)
    return builder.flat() if arm.flat else builder.tree()


@dataclass(frozen=True)
class _Builder:
    recipe: Recipe
    arm: ArmChoice
    columns: Columns
    context: StepContext

    def tree(self) -> HierarchicalClassifier:
        from radiobone.learning import HierarchicalClassifier

        own = any(node.steps is not None or node.model is not None for node in self.recipe.nodes)
        return HierarchicalClassifier(
            estimator={node.name: self.node(node) for node in self.recipe.nodes} if own else self.node(None),
            nodes=self.recipe.tree(),
            train_on=self.recipe.train_on,
            decision=self.recipe.decision,
            cv=self.context.inner_folds,
            random_state=self.context.seed,
        )

    def flat(self) -> Any:
        """Build the comparator without nodes."""
        if self.arm.volumes is not None:
            return self.node(None)
        from radiobone.learning import FlatClassifier

        return FlatClassifier(
            estimator=self.node(None), cv=self.context.inner_folds, random_state=self.context.seed
        )

    def node(self, node: NodeChoice | None) -> Any:
        """Build the classifier of one node; what the node says goes before what the arm and the recipe say."""
        if self.arm.volumes is not None:
            return self.arm.network_options.build(self.context.seed)
        steps = self.steps(node)
        if self.arm.fusion in _LATE:
            from radiobone.learning.fusion import LateFusionClassifier

            return LateFusionClassifier(
                parts={
                    # The operating point is that of the fused probability.
                    name: (
                        list(columns),
                        self.classifier(self.selection(steps), node).set_params(operating_point=None),
                    )
                    for name, columns in self.columns.parts.items()
                },
                method=_LATE[self.arm.fusion],
                cv=self.context.inner_folds,
                operating_point=self.recipe.operating_point.choice,
                random_state=self.context.seed,
            )
        if self.arm.fusion == "blockwise":
            from radiobone.learning.selection.blocks import BlockSelector

            blocks = {name: list(columns) for name, columns in self.columns.parts.items()}
            selector = BlockSelector(
                blocks=blocks, selections=self.selection(steps), random_state=self.context.seed
            )
            return self.classifier(selector, node)
        return self.classifier(self.selection(steps), node)

    def steps(self, node: NodeChoice | None) -> Steps:
        given = [part.steps for part in (node, self.arm) if part is not None and part.steps is not None]
        steps = given[0] if given else self.recipe.steps
        if any(step.name == "combat" for step in steps):
            self._check_combat(steps)
        return steps

    def selection(self, steps: Steps) -> Any:
        from sklearn.pipeline import Pipeline

        if not steps:
            return "passthrough"
        return Pipeline([(step.name, self._named(step.chosen).build(self.context)) for step in steps])

    def classifier(self, selection: Any, node: NodeChoice | None) -> SelectiveClassifierCV:
        from radiobone.learning import SelectiveClassifierCV

        given = [part.model for part in (node, self.arm) if part is not None and part.model is not None]
        model = (given[0] if given else self.recipe.model).chosen
        method = self.recipe.calibration.method
        return SelectiveClassifierCV(
            selection=selection,
            model=model.build(self.context.seed),
            grid=model.grid(),
            cv=self.context.inner_folds,
            calibration=None if method == "none" else method,
            operating_point=self.recipe.operating_point.choice,
            random_state=self.context.seed,
        )

    def _named(self, step: Any) -> Any:
        """Let covariates be told by their names in the cohort table."""
        if not getattr(step, "covariates", ()):
            return step
        known = self.columns.covariates
        named = [name for column in step.covariates for name in known.get(column, [column])]
        return step.model_copy(update={"covariates": tuple(named)})

    def _check_combat(self, steps: Steps) -> None:
        where = f"{self.recipe.name}, arm {self.arm.name}"
        if steps[0].name != "combat":
            raise ConfigError(
                "combat must be the first step, since it takes the column of text that names the batch",
                where=where,
                got=", ".join(step.name for step in steps),
            )
        covariates = set(steps[0].chosen.covariates)
        named = {column.column for name in self.arm.columns for column in self.recipe.group(name)}
        if named - covariates or self.arm.fusion == "blockwise":
            raise ConfigError(
                "combat would harmonise columns of the cohort table",
                where=where,
                got=", ".join(sorted(named - covariates)) or "fusion: blockwise",
                expected="arms of features alone; or columns that are covariates, with keep_covariates: true",
            )
