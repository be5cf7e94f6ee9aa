"""Controls and baselines that stand in every table, whatever the recipe compares.

A control shows what a model could know without looking at bone: how the scan was made, and how large the VOI is. A
baseline shows what is to be had for next to nothing. Where a column is absent, the row says which is needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from radiobone.study.dataset import Dataset
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.images import HU_RULE, HU_RULE_EROSION_MM

if TYPE_CHECKING:
    import pandas as pd

    from radiobone.evaluation import Arm


def comparators(recipe: Recipe, dataset: Dataset) -> list[Arm]:
    """Make the controls and baselines of a study.

    Parameters
    ----------
    recipe : Recipe
        The study.
    dataset : Dataset
        Its columns.

    Returns
    -------
    list of Arm
        Controls first; those whose columns are absent say what they need.
    """
    from radiobone.evaluation import controls
    from radiobone.evaluation.volume import VOLUMES

    nodes = recipe.tree()
    known = dataset.cohort_columns
    acquisition = [column.column for column in recipe.acquisition if column.column in known]
    clinical = [column.column for column in recipe.clinical if column.column in known]
    return [
        controls.acquisition_control(known, acquisition or ["acquisition columns"], nodes),
        _briefly(
            controls.volume_control(_of_main(dataset, "density", "radiomics", "external"), nodes),
            VOLUMES[0],
        ),
        controls.mean_hu_baseline(_of_main(dataset, "density"), nodes),
        _hu_rule(recipe, dataset),
        controls.clinical_baseline(known, clinical or ["clinical columns"], nodes),
    ]


def _hu_rule(recipe: Recipe, dataset: Dataset) -> Arm:
    """Make the published rule, on the VOI that it speaks of and only if every patient has it."""
    from radiobone.evaluation.controls import hu_rule_baseline

    X = _of_main(dataset, f"{HU_RULE}.density")
    arm = hu_rule_baseline(X, HU_RULE_EROSION_MM)
    if arm.needs:
        return _briefly(arm, "scans" if recipe.voi is None else "evaluation.baselines.hu_rule")
    lacking = int(arm.X.isna().all(axis=1).sum())
    return replace(arm, X=None, estimator=None, needs=(f"the VOI of {lacking} more patients",)) if lacking else arm


def _of_main(dataset: Dataset, *blocks: str) -> pd.DataFrame:
    """Return the columns of some blocks."""
    return dataset.X[[column for block in blocks for column in dataset.blocks.get(block, ())]]


def _briefly(arm: Arm, needs: str) -> Arm:
    """Name one thing that would do, where several would: a line of a table has little room."""
    return replace(arm, needs=(needs,)) if arm.needs else arm
