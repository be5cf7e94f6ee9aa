"""Validation of every arm of a study on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.batch import progress_bar
from radiobone.study.arms import Planned, columns_of, plan_of
from radiobone.study.comparators import comparators
from radiobone.study.dataset import VOLUME, Dataset
from radiobone.study.recipe import Recipe

if TYPE_CHECKING:
    from radiobone.evaluation import ArmsResult, Primary


def validate(
    recipe: Recipe, dataset: Dataset, arms: Sequence[Planned], keep: Path, jobs: int, progress: bool
) -> ArmsResult:
    """Fit and judge every arm on every outer fold.

    Parameters
    ----------
    recipe : Recipe
        Plan, primary figure, intervals.
    dataset : Dataset
        The patients.
    arms : sequence of Planned
        The recipe's arms; controls and baselines join them.
    keep : Path
        Folder of finished folds, from which a stopped run goes on.
    jobs : int
        Fits in parallel.
    progress : bool
        Show a progress bar.

    Returns
    -------
    ArmsResult
        Of all arms whose columns are there.
    """
    from radiobone.evaluation import Arm, ArmsCV
    from radiobone.evaluation.strata import Strata

    own = [
        Arm(planned.name, columns_of(dataset, planned), planned.estimator, preset=planned.preset)
        for planned in arms
    ]
    every = [*own, *comparators(recipe, dataset)]
    validation = ArmsCV(
        every,
        _primary(recipe),
        plan_of(recipe, dataset),
        jobs=jobs,
        classes=recipe.classes,
        nodes=recipe.tree(),
        options=recipe.evaluation.options(recipe.primary.node),
        strata=[Strata(stratum.column, stratum.reference, stratum.bands) for stratum in recipe.evaluation.strata],
        volume=VOLUME if VOLUME in dataset.attributes.columns else None,
        labels_by=dataset.labels_by,
    )
    n_fits = _n_folds(recipe, dataset) * sum(not arm.needs for arm in every)
    with progress_bar("validating, arms x outer folds", n_fits, progress) as advance:
        return validation.run(
            dataset.y.to_numpy(),
            groups=dataset.patients,
            ids=dataset.keys,
            attributes=dataset.attributes if len(dataset.attributes.columns) else None,
            keep=keep,
            progress=lambda done, total: advance(),
        )


def _primary(recipe: Recipe) -> Primary:
    from radiobone.evaluation import Primary

    primary = recipe.primary
    return Primary(primary.node, primary.metric, recipe.primary_arm.name, primary.comparison)


def _n_folds(recipe: Recipe, dataset: Dataset) -> int:
    validation = recipe.validation
    if validation.scheme == "nested":
        return validation.outer_folds * validation.repeats
    if validation.scheme == "leave_one_centre_out":
        return int(dataset.attributes[validation.column].nunique())
    return 1
