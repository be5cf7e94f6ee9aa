"""What stands in ``results.json`` beside the figures: recipe, inputs, the primary figure, flow, versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from radiobone.core.hashing import sha256_file
from radiobone.core.provenance import machine, now, versions
from radiobone.study.dataset import Dataset, Tables
from radiobone.study.recipe import Recipe
from radiobone.tables.cohort import Cohort

if TYPE_CHECKING:
    from radiobone.evaluation import ArmsResult


def results_content(
    recipe: Recipe,
    dataset: Dataset,
    validated: ArmsResult,
    tables: Tables,
    cohort: Cohort,
    masks: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Put the content of ``results.json`` together.

    Parameters
    ----------
    recipe : Recipe
        The study.
    dataset : Dataset
        Its patients.
    validated : ArmsResult
        Its figures.
    tables : mapping of str to FeatureTable
        The feature tables by VOI.
    cohort : Cohort
        The cohort table.
    masks : mapping, optional
        How masks were made.

    Returns
    -------
    dict
        Plain values only.
    """
    results = validated.results()
    return {
        "recipe": {"name": recipe.name, "sha256": recipe.sha256, "content": _content(recipe)},
        "inputs": {"features_sha256": None} | file_hashes(tables, cohort, masks),
        **({} if masks is None else {"segmentation": dict(masks)}),
        **results,
        "flow": dataset.flow.table.to_dict("records"),
        "created": now(),
        "versions": versions(),
        "machine": machine(),
    }


def _content(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe with names of files instead of where they lie, which is nobody else's business."""
    content = recipe.model_dump(mode="json")
    if recipe.segment is not None:
        content["segment"] = recipe.segment.content()
    if recipe.extraction is not None:
        content["extraction"] = recipe.extraction.named()
    return content


def file_hashes(tables: Tables, cohort: Cohort, masks: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the SHA-256 of the files that a study was made from, by what they are.

    Parameters
    ----------
    tables : mapping of str to FeatureTable
        The feature tables by VOI.
    cohort : Cohort
        The cohort table.
    masks : mapping, optional
        How masks were made.

    Returns
    -------
    dict of str to str
        ``cohort_sha256``, ``features_sha256``, ``features_<voi>_sha256`` and, of each model that made masks,
        ``segmentation_<folder>_sha256``.
    """
    found = {"cohort_sha256": cohort.sha256}
    for model in (masks or {}).get("models", ()):
        found[f"segmentation_{model['folder']}_sha256"] = model["sha256"]
    for name, table in tables.items():
        if table.path is not None:
            found[f"features_{name}_sha256" if name else "features_sha256"] = sha256_file(table.path)
    return found
