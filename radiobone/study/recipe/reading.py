"""Recipes from their files."""

from __future__ import annotations

from pathlib import Path

from radiobone.core.config import read_yaml, validate
from radiobone.core.resources import find
from radiobone.study.recipe.segment import resolve_paths
from radiobone.study.recipe.study import Recipe
from radiobone.study.registry import refuse_unbuilt


def read_recipe(name_or_path: str | Path) -> Recipe:
    """Read a study recipe by its shipped name, or from the user's own file.

    Parameters
    ----------
    name_or_path : str or Path
        A name such as ``two_level_osteoporosis_first``, or the path of a YAML file.

    Returns
    -------
    Recipe
        Checked against itself: levels, VOI recipe and its options, parameters, engine, columns, steps, nodes and
        arms. Paths in ``extraction.params`` and ``segment`` stand resolved.

    Raises
    ------
    ConfigError
        If there is no such recipe, or it is not valid; unknown keys are told with their path and the nearest
        known key, and keys of steps that are not built yet as such.
    """
    path = find("pipelines", name_or_path)
    content = read_yaml(path)
    refuse_unbuilt(content, str(path))
    extraction = content.get("extraction")
    params = extraction.get("params") if isinstance(extraction, dict) else None
    if isinstance(params, str) and _is_path(params):
        content["extraction"]["params"] = str((path.parent / params).resolve())
    calibration = extraction.get("calibration") if isinstance(extraction, dict) else None
    if isinstance(calibration, str):
        content["extraction"]["calibration"] = str((path.parent / calibration).resolve())
    if isinstance(content.get("segment"), dict):
        resolve_paths(content["segment"], path.parent)
    return validate(Recipe, content, str(path))


def _is_path(params: str) -> bool:
    """Tell a path from a preset's name, as `radiobone.core.resources.find` does."""
    return Path(params).suffix in {".yaml", ".yml"} or Path(params).parent != Path()
