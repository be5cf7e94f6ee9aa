"""The arms of a study: which columns each learns from, and by which estimator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radiobone.core.errors import RadioboneWarning
from radiobone.features.column import Column
from radiobone.study.dataset import Dataset
from radiobone.study.procedure import Columns, procedure
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.design import ArmChoice
from radiobone.study.recipe.extraction import DEEP, DENSITY, RADIOMICS

if TYPE_CHECKING:
    from radiobone.evaluation.plans import Plan
    from radiobone.learning.network.volumes import VolumeStack
    from radiobone.study.volumes import Stacks


@dataclass(frozen=True, eq=False)
class Planned:
    """One arm of the recipe, before it is fitted.

    Parameters
    ----------
    name : str
        Its name.
    columns : tuple of str
        Its columns of X.
    estimator : classifier
        Not fitted.
    preset : tuple of str or None
        The columns that the recipe's parameters give, whatever the table holds; None where they are not known.
    volumes : VolumeStack, optional
        What it sees instead of columns.
    """

    name: str
    columns: tuple[str, ...]
    estimator: Any
    preset: tuple[str, ...] | None = None
    volumes: VolumeStack | None = None


def plan_arms(recipe: Recipe, dataset: Dataset, stacks: Stacks | None = None) -> list[Planned]:
    """Plan the arms of a recipe.

    Parameters
    ----------
    recipe : Recipe
        The study.
    dataset : Dataset
        Its columns.
    stacks : mapping of str to PatchStack, optional
        The stacks of arms that learn from volumes.

    Returns
    -------
    list of Planned
        The primary arm first, then the others in the recipe's order.
    """
    primary = recipe.primary_arm
    arms = [primary, *(arm for arm in recipe.all_arms if arm.name != primary.name)]
    return [
        plan_arm(recipe, arm, dataset)
        if arm.volumes is None
        else _plan_network(recipe, arm, dataset, stacks or {})
        for arm in arms
    ]


def _plan_network(recipe: Recipe, arm: ArmChoice, dataset: Dataset, stacks: Stacks) -> Planned:
    from radiobone.study.volumes import volumes_of

    return Planned(arm.name, (), procedure(recipe, arm), None, volumes_of(recipe, arm, dataset, stacks))


def plan_arm(recipe: Recipe, arm: ArmChoice, dataset: Dataset) -> Planned:
    """Plan one arm of the recipe.

    Parameters
    ----------
    recipe : Recipe
        The study.
    arm : ArmChoice
        One of its arms.
    dataset : Dataset
        Its columns.

    Returns
    -------
    Planned
        With the batch of the step ``combat`` among its columns, where it has that step.
    """
    own = dataset.columns(arm)
    beside = list(recipe.batches(arm))
    beside += [name for column in recipe.covariates(arm) for name in dataset.blocks[column]]
    parts = dataset.parts(arm)
    if arm.fusion.startswith("late"):
        # Each part has a step combat of its own, which needs the batch.
        parts = {name: list(dict.fromkeys([*columns, *beside])) for name, columns in parts.items()}
    estimator = procedure(recipe, arm, columns=Columns(parts, dataset.blocks), repeats=dataset.repeats)
    return Planned(arm.name, tuple(dict.fromkeys([*own, *beside])), estimator, _preset(recipe, arm, dataset))


def _preset(recipe: Recipe, arm: ArmChoice, dataset: Dataset) -> tuple[str, ...] | None:
    """List the columns that the arm's blocks have by their parameters, so that missing ones are seen."""
    if arm.features or (recipe.voi is None and arm.blocks):
        return None
    # Columns of the cohort table are those that the recipe names.
    found: list[str] = []
    for name in arm.blocks:
        beginnings = dict.fromkeys(column.partition("__")[0] for column in dataset.blocks.get(name, ()))
        given = _columns_of_block(recipe, name.rpartition(".")[2])
        found += [f"{beginning}__{column.name}" for beginning in beginnings for column in given]
    return tuple(found)


def _columns_of_block(recipe: Recipe, block: str) -> Sequence[Column]:
    """List the columns that a block has by the recipe's parameters."""
    from radiobone.features.deep.columns import columns as deep_columns
    from radiobone.features.density import COLUMNS
    from radiobone.features.radiomics.columns import columns

    assert recipe.extraction is not None
    if block == DENSITY:
        return COLUMNS
    if block == RADIOMICS:
        params = recipe.params()
        return [] if params is None else columns(params)
    chosen = (params for params in recipe.extraction.deep_params() if block in (DEEP, params.block))
    return [column for params in chosen for column in deep_columns(params)]


def columns_of(dataset: Dataset, planned: Planned) -> Any:
    """Return the rows that an arm sees.

    Parameters
    ----------
    dataset : Dataset
        All columns.
    planned : Planned
        The arm.

    Returns
    -------
    DataFrame or VolumeStack
        Its columns, or its volumes.
    """
    return dataset.X[list(planned.columns)] if planned.volumes is None else planned.volumes


def plan_of(recipe: Recipe, dataset: Dataset) -> Plan:
    """Build the plan that draws the outer folds of a study.

    Parameters
    ----------
    recipe : Recipe
        The study.
    dataset : Dataset
        What its column holds.

    Returns
    -------
    Plan
        Of `radiobone.evaluation.plans`.
    """
    column = recipe.validation.column
    kind = None if column is None else dataset.attributes[column].dtype.kind
    return recipe.validation.plan(numbers=kind in ("i", "f"))


def fit_final(planned: Planned, dataset: Dataset) -> Any:
    """Fit an arm's procedure on all patients.

    Parameters
    ----------
    planned : Planned
        The arm.
    dataset : Dataset
        All rows.

    Returns
    -------
    classifier
        Fitted, in one native thread: sums of several threads differ in their last bits.
    """
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    from radiobone.learning.routing import fit_with_groups

    with threadpool_limits(limits=1), warnings.catch_warnings():
        # What nodes have to say stands in the model's manifest.
        warnings.simplefilter("ignore", RadioboneWarning)
        return fit_with_groups(
            clone(planned.estimator),
            columns_of(dataset, planned),
            dataset.y.to_numpy(),
            dataset.patients,
        )
