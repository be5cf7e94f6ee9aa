"""From a recipe's words to the estimators that cross-validation fits: every learned step stands inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radiobone.learning.choices import StepContext
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.design import ArmChoice, NodeChoice

if TYPE_CHECKING:
    from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV
    from radiobone.learning.repeats import Repeats


def procedure(recipe: Recipe, arm: ArmChoice | None = None, repeats: Repeats | None = None) -> Any:
    """Build the estimator of one arm.

    Parameters
    ----------
    recipe : Recipe
        The study.
    arm : ArmChoice, optional
        By default the primary one.
    repeats : Repeats, optional
        Repeated measurements, for the step ``stability``.

    Returns
    -------
    classifier
        Not fitted.
    """
    arm = arm or recipe.primary_arm
    context = StepContext(inner_folds=recipe.validation.inner_folds, seed=recipe.validation.seed, repeats=repeats)
    return _tree(recipe, arm, context)


def _tree(recipe: Recipe, arm: ArmChoice, context: StepContext) -> HierarchicalClassifier:
    from radiobone.learning import HierarchicalClassifier

    own = any(node.steps is not None or node.model is not None for node in recipe.nodes)
    return HierarchicalClassifier(
        estimator={node.name: _node(recipe, arm, context, node) for node in recipe.nodes}
        if own
        else _node(recipe, arm, context, None),
        nodes=recipe.tree(),
        train_on=recipe.train_on,
        decision=recipe.decision,
        cv=context.inner_folds,
        random_state=context.seed,
    )


def _node(recipe: Recipe, arm: ArmChoice, context: StepContext, node: NodeChoice | None) -> SelectiveClassifierCV:
    """Build the classifier of one node; what the node says goes before what the arm and the recipe say."""
    from sklearn.pipeline import Pipeline

    from radiobone.learning import SelectiveClassifierCV

    given = [part for part in (node, arm) if part is not None]
    steps = next((part.steps for part in given if part.steps is not None), recipe.steps)
    model = next((part.model for part in given if part.model is not None), recipe.model).chosen
    method = recipe.calibration.method
    return SelectiveClassifierCV(
        selection=Pipeline([(step.name, step.chosen.build(context)) for step in steps])
        if steps
        else "passthrough",
        model=model.build(context.seed),
        grid=model.grid(),
        cv=context.inner_folds,
        calibration=None if method == "none" else method,
        random_state=context.seed,
    )
