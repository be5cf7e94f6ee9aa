"""Whether anything was learned, and whether more patients would help: permuted labels, and fewer patients."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from radiobone.core.batch import progress_bar
from radiobone.core.errors import RadioboneWarning
from radiobone.study.arms import Planned, columns_of, plan_of
from radiobone.study.dataset import Dataset
from radiobone.study.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from radiobone.evaluation.statistics.learning_curve import LearningCurve
    from radiobone.evaluation.statistics.permutation import Permutation

CURVE_REPEATS = 3
"""How often patients of a learning curve are put in another order."""


def primary_figure(recipe: Recipe, dataset: Dataset, arm: Planned, rows: Any, labels: Any, jobs: int) -> float:
    """Run the whole validation of an arm on some rows, and return the primary figure.

    Parameters
    ----------
    recipe : Recipe
        The study.
    dataset : Dataset
        All rows.
    arm : Planned
        The primary arm.
    rows : ndarray of int
        The rows that there shall be.
    labels : ndarray
        The class of each of them.
    jobs : int
        Outer folds in parallel.

    Returns
    -------
    float
        The mean over outer folds; NaN where a fold cannot show it.
    """
    from radiobone.evaluation import NestedCV

    attributes = dataset.attributes.iloc[rows]
    validation = NestedCV(
        arm.estimator,
        plan_of(recipe, dataset),
        jobs=jobs,
        classes=recipe.classes,
        labels_by=dataset.labels_by,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RadioboneWarning)
        found = validation.run(
            columns_of(dataset, arm).iloc[rows],
            labels,
            groups=dataset.patients[rows],
            ids=dataset.keys.iloc[rows],
            attributes=attributes if len(attributes.columns) else None,
        ).metrics
    primary = recipe.primary
    chosen = (found["name"] == primary.node) & (found["metric"] == primary.metric)
    return float(found.loc[chosen & (found["rows"] == "true_members"), "value"].mean(skipna=False))


def permutations(recipe: Recipe, dataset: Dataset, arm: Planned, jobs: int, progress: bool) -> Permutation | None:
    """Compare the primary figure with those on permuted labels.

    Parameters
    ----------
    recipe : Recipe
        With ``evaluation.permutations``.
    dataset : Dataset
        All rows.
    arm : Planned
        The primary arm.
    jobs : int
        Outer folds in parallel.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Permutation or None
        None where the recipe asks for none.
    """
    from radiobone.evaluation.statistics.permutation import permutation_test

    n = recipe.evaluation.permutations
    if not n:
        return None
    every = np.arange(len(dataset.y))
    with progress_bar("permuting labels", n + 1, progress) as advance:
        return permutation_test(
            lambda labels: primary_figure(recipe, dataset, arm, every, labels, jobs),
            dataset.y.to_numpy(),
            groups=dataset.patients,
            permutations=n,
            seed=recipe.evaluation.seed,
            progress=lambda done, total: advance(),
        )


def curve(recipe: Recipe, dataset: Dataset, arm: Planned, jobs: int, progress: bool) -> LearningCurve | None:
    """Run the validation on ever more of the patients.

    Parameters
    ----------
    recipe : Recipe
        With ``evaluation.learning_curve``.
    dataset : Dataset
        All rows.
    arm : Planned
        The primary arm.
    jobs : int
        Outer folds in parallel.
    progress : bool
        Show a progress bar.

    Returns
    -------
    LearningCurve or None
        None where the recipe asks for none.
    """
    from radiobone.evaluation.statistics.learning_curve import learning_curve

    shares = recipe.evaluation.learning_curve
    if not shares:
        return None
    labels = dataset.y.to_numpy()
    n_fits = CURVE_REPEATS * len(shares) - (CURVE_REPEATS - 1) * (1.0 in shares)
    with progress_bar("learning curve", n_fits, progress) as advance:
        return learning_curve(
            lambda rows: primary_figure(recipe, dataset, arm, rows, labels[rows], jobs),
            labels,
            groups=dataset.patients,
            shares=shares,
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
    if sizes and None not in sizes["mean"]:
        yield (
            "learning_curve",
            learning_curve_figure(
                [
                    LearningCurve(
                        title,
                        metric,
                        np.array(sizes["n_patients"]),
                        np.array(sizes["mean"], dtype=np.float64),
                        values=np.array(sizes["scores"], dtype=np.float64).T,
                        chance=0.5 if primary.metric in ("auc", "balanced_accuracy") else None,
                    )
                ]
            ),
        )
