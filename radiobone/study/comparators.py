"""Controls and baselines that stand in every table, whatever the recipe compares.

A control shows what a model could know without looking at bone: how the scan was made, and how large the VOI is. A
baseline shows what is to be had for next to nothing. Where a column is absent, the row says which is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from radiobone.learning.choices import StepContext
from radiobone.learning.models import ModelChoice
from radiobone.learning.models_linear import Logistic
from radiobone.learning.step_filters import Missing
from radiobone.learning.steps import SelectionStep, Standardise
from radiobone.study.blocks import short_prefix
from radiobone.study.dataset import Dataset
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.study import HU_RULE

Kind = Literal["arm", "control", "baseline"]

MEAN_HU = ("density_mean_hu", "original_firstorder_Mean")
VOLUME = ("density_volume_ml", "original_shape_VoxelVolume", "original_shape_MeshVolume")
"""Columns by their names, the first one found in any of the blocks of the main VOI counts."""


@dataclass(frozen=True, eq=False)
class Planned:
    """One line of the table of arms, before it is fitted.

    Parameters
    ----------
    name : str
        Its name.
    kind : {"arm", "control", "baseline"}
        What it is.
    columns : tuple of str
        Its columns of X.
    estimator : classifier or None
        Not fitted; None where a column is absent.
    needs : str
        What is absent, for the reader; empty where nothing is.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    estimator: Any
    needs: str = ""


def comparators(recipe: Recipe, dataset: Dataset) -> list[Planned]:
    """Plan the controls and baselines of a study.

    Parameters
    ----------
    recipe : Recipe
        The study.
    dataset : Dataset
        Its columns.

    Returns
    -------
    list of Planned
        Controls first; those whose columns are absent say what they need.
    """
    blocks = dataset.blocks
    found: list[tuple[str, Kind, Sequence[str], str]] = [
        (
            "acquisition_only",
            "control",
            blocks.get("acquisition", ()),
            "columns of the cohort table under acquisition in the recipe, such as kvp or kernel",
        ),
        ("volume_only", "control", _named(dataset, VOLUME), f"a column {VOLUME[0]} in the feature table"),
        ("mean_hu_only", "baseline", _named(dataset, MEAN_HU), f"a column {MEAN_HU[0]} in the feature table"),
        (
            "clinical_only",
            "baseline",
            blocks.get("clinical", ()),
            "columns of the cohort table under clinical in the recipe, such as age, sex or bmi",
        ),
    ]
    planned = [
        Planned(name, kind, tuple(columns), logistic(recipe)) if columns else Planned(name, kind, (), None, needs)
        for name, kind, columns, needs in found
    ]
    return [*planned[:3], _hu_rule(dataset), planned[3]]


def logistic(recipe: Recipe) -> Any:
    """Build what controls and baselines learn with: gaps at the median, standardised, logistic regression.

    Parameters
    ----------
    recipe : Recipe
        Nodes, folds and seed.

    Returns
    -------
    HierarchicalClassifier
        Not fitted.
    """
    from sklearn.pipeline import Pipeline

    from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV

    context = StepContext(inner_folds=recipe.validation.inner_folds, seed=recipe.validation.seed)
    steps = (SelectionStep(missing=Missing(max_share=1.0)), SelectionStep(standardise=Standardise()))
    model = ModelChoice(logistic=Logistic()).chosen
    return HierarchicalClassifier(
        estimator=SelectiveClassifierCV(
            selection=Pipeline([(step.name, step.chosen.build(context)) for step in steps]),
            model=model.build(context.seed),
            grid=model.grid(),
            cv=context.inner_folds,
            random_state=context.seed,
        ),
        nodes=recipe.tree(),
        train_on=recipe.train_on,
        decision=recipe.decision,
        cv=context.inner_folds,
        random_state=context.seed,
    )


def _named(dataset: Dataset, names: Sequence[str]) -> list[str]:
    """Find the columns of a feature in the main VOI, or in a table from elsewhere by the end of their names."""
    for name in names:
        for block in ("density", "radiomics"):
            found = [column for column in dataset.blocks.get(block, ()) if short_prefix(column) == name]
            if found:
                return found
        found = [column for column in dataset.blocks.get("external", ()) if column.endswith(name)]
        if found:
            return found
    return []


def _hu_rule(dataset: Dataset) -> Planned:
    """Plan TotalSegmentator's published rule, on the VOI that it speaks of."""
    from radiobone.learning.hu_rule import EROSION_MM, MEDIAN_HU, HuThresholdClassifier

    block = dataset.blocks.get(f"{HU_RULE}.density", ())
    columns = [column for column in block if short_prefix(column) == MEDIAN_HU]
    if not columns:
        needs = (
            f"median HU of the vertebral body eroded by {EROSION_MM:g} mm "
            "(evaluation: {baselines: {hu_rule: true}} in the recipe, and 'radiobone run')"
        )
        return Planned(HU_RULE, "baseline", (), None, needs)
    lacking = int(dataset.X[columns].isna().any(axis=1).sum())
    if lacking:
        return Planned(HU_RULE, "baseline", (), None, f"median HU of {lacking} more patients")
    return Planned(HU_RULE, "baseline", tuple(columns), HuThresholdClassifier(column=columns))
