"""Whether anything was learned, and whether more patients would help: permuted labels, and fewer patients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radiobone.core.batch import progress_bar
from radiobone.study.arms import Planned, columns_of, plan_of
from radiobone.study.dataset import Dataset
from radiobone.study.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from radiobone.evaluation import Refits
    from radiobone.evaluation.statistics.learning_curve import LearningCurve
    from radiobone.evaluation.statistics.permutation import Permutation

CURVE_REPEATS = 3
"""How often patients of a learning curve are put in another order."""


def refits(recipe: Recipe, dataset: Dataset, arm: Planned, keep: Path, jobs: int) -> Refits:
    """Prepare to run the whole validation of an arm again and again.

    Parameters
    ----------
    recipe : Recipe
        The study.
    dataset : Dataset
        All rows.
    arm : Planned
        The primary arm.
    keep : Path
        Folder of finished folds: the first validation of the study is taken from it, and a stopped run goes on.
    jobs : int
        Outer folds in parallel.

    Returns
    -------
    Refits
        Judged by the primary figure.
    """
    from radiobone.evaluation import NestedCV, Refits, Target

    validation = NestedCV(
        arm.estimator,
        plan_of(recipe, dataset),
        jobs=jobs,
        classes=recipe.classes,
        labels_by=dataset.labels_by,
    )
    return Refits(
        validation,
        Target(recipe.primary.node, recipe.primary.metric),
        columns_of(dataset, arm),
        dataset.y.to_numpy(),
        dataset.patients,
        dataset.keys,
        dataset.attributes if len(dataset.attributes.columns) else None,
        keep,
    )


def permutations(
    recipe: Recipe, dataset: Dataset, arm: Planned, keep: Path, jobs: int, progress: bool
) -> Permutation | None:
    """Compare the primary figure with those on permuted labels.

    Parameters
    ----------
    recipe : Recipe
        With ``evaluation.permutations``.
    dataset : Dataset
        All rows.
    arm : Planned
        The primary arm.
    keep : Path
        Folder of finished folds.
    jobs : int
        Outer folds in parallel.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Permutation or None
        None where the recipe asks for none.
    """
    n = recipe.evaluation.permutations
    if not n:
        return None
    again = refits(recipe, dataset, arm, keep, jobs)
    with progress_bar("permuting labels", n + 1, progress) as advance:
        return again.permutation(n, seed=recipe.evaluation.seed, progress=lambda done, total: advance())


def curve(
    recipe: Recipe, dataset: Dataset, arm: Planned, keep: Path, jobs: int, progress: bool
) -> LearningCurve | None:
    """Run the validation on ever more of the patients.

    Parameters
    ----------
    recipe : Recipe
        With ``evaluation.learning_curve``.
    dataset : Dataset
        All rows.
    arm : Planned
        The primary arm.
    keep : Path
        Folder of finished folds.
    jobs : int
        Outer folds in parallel.
    progress : bool
        Show a progress bar.

    Returns
    -------
    LearningCurve or None
        None where the recipe asks for none.
    """
    shares = recipe.evaluation.learning_curve
    if not shares:
        return None
    again = refits(recipe, dataset, arm, keep, jobs)
    n_fits = CURVE_REPEATS * len(shares) - (CURVE_REPEATS - 1) * (1.0 in shares)
    with progress_bar("learning curve", n_fits, progress) as advance:
        return again.learning_curve(
            shares,
            repeats=CURVE_REPEATS,
            seed=recipe.evaluation.seed,
            progress=lambda done, total: advance(),
        )


def learned_content(permuted: Permutation | None, sizes: LearningCurve | None) -> dict[str, Any]:
    """Put both into the form of ``results.json``.

    Parameters
    ----------
    permuted : Permutation or None
        From `permutations`.
    sizes : LearningCurve or None
        From `curve`.

    Returns
    -------
    dict
        ``permutation`` and ``learning_curve``, each None where it was not asked for.
    """

    def plain(values: Any) -> list[float | None]:
        return [float(value) if np.isfinite(value) else None for value in values]

    return {
        "permutation": permuted
        and {
            "observed": plain([permuted.score])[0],
            "null": plain(permuted.permuted),
            "p_value": plain([permuted.p_value])[0],
            "n_undefined": permuted.n_undefined,
            "notes": list(permuted.notes),
        },
        "learning_curve": sizes
        and {
            "n_patients": [int(size) for size in sizes.n_patients],
            "mean": plain(sizes.mean),
            "sd": plain(sizes.sd),
            "scores": [plain(row) for row in sizes.scores],
            "n_undefined": sizes.n_undefined.tolist(),
            "note": "means over orders of the patients; the SD is of samples of one cohort, and no standard error",
        },
    }


def learned_figures(recipe: Recipe, results: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the permutation test and the learning curve, where there are any.

    Parameters
    ----------
    recipe : Recipe
        The study.
    results : dict
        With what `learned_content` gives.

    Yields
    ------
    tuple of str and Figure
        Name of the file without its suffix, and the figure.
    """
    from radiobone.reporting.arms import heading
    from radiobone.reporting.figures import (
        LearningCurve,
        Permutations,
        learning_curve_figure,
        permutation_figure,
    )
    from radiobone.reporting.words import METRICS

    primary = recipe.primary
    title = f"{heading(results, primary.node)}\n{recipe.primary_arm.name}"
    metric = METRICS.get(primary.metric, primary.metric)
    permuted, sizes = results.get("permutation"), results.get("learning_curve")
    if permuted and permuted["observed"] is not None and None not in permuted["null"]:
        null = np.array(permuted["null"], dtype=np.float64)
        drawn = Permutations(title, metric, null, permuted["observed"], permuted["p_value"])
        yield "permutation", permutation_figure([drawn])
    if sizes:
        # Sizes that have no figure stand in results.json, with the number of repeats that lack it.
        shown = [place for place, mean in enumerate(sizes["mean"]) if mean is not None]
        if shown:
            drawn_sizes = LearningCurve(
                title,
                metric,
                np.array(sizes["n_patients"])[shown],
                np.array(sizes["mean"], dtype=np.float64)[shown],
                values=np.array(sizes["scores"], dtype=np.float64).T[shown],
                chance=0.5 if primary.metric in ("auc", "balanced_accuracy") else None,
            )
            yield "learning_curve", learning_curve_figure([drawn_sizes])
