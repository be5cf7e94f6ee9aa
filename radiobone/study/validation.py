"""Validation of every arm of a study on the same folds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.batch import progress_bar
from radiobone.core.errors import UsageError
from radiobone.study.arms import Planned, columns_of, plan_of
from radiobone.study.comparators import comparators
from radiobone.study.dataset import VOLUME, Dataset
from radiobone.study.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from radiobone.evaluation import ArmsResult, Primary

_COPIES = 4
"""How often one fit holds its training rows: outer and inner ones, standardised, and what a step makes of them."""


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

    refuse_beyond_memory(dataset.X, jobs)
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


def refuse_beyond_memory(X: pd.DataFrame, jobs: int) -> None:
    """Refuse a table that would not fit into memory as often as a validation holds it.

    Parameters
    ----------
    X : DataFrame
        All columns.
    jobs : int
        Fits in parallel, each of which holds copies of its own.

    Raises
    ------
    UsageError
        With the estimate, where the system says how much memory there is.
    """
    has = machine_memory()
    workers = jobs if jobs > 0 else os.cpu_count() or 1
    needed = X.shape[0] * X.shape[1] * 8 * (1 + _COPIES * workers)
    if has is not None and needed > has:
        raise UsageError(
            "the table of features needs more memory than the machine has",
            got=f"about {needed / 1e9:.1f} GB for {X.shape[0]} patients x {X.shape[1]} columns and {workers} jobs",
            expected=f"at most {has / 1e9:.1f} GB",
            do="use fewer jobs, a smaller preset of parameters, or a machine with more memory",
        )


def machine_memory() -> int | None:
    """Return how much memory the machine has, in bytes; None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


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
