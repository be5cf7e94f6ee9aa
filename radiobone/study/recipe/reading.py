"""Recipes from their files."""

from __future__ import annotations

from pathlib import Path

from radiobone.core.config import read_yaml, validate
from radiobone.core.resources import find
from radiobone.study.recipe.extraction import resolve_paths as resolve_extraction
from radiobone.study.recipe.segment import resolve_paths as resolve_segment
from radiobone.study.recipe.study import Recipe


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
        arms. Paths in ``extraction`` and ``segment`` stand resolved.

    Raises
    ------
    ConfigError
        If there is no such recipe, or it is not valid; unknown keys are told with their path and the nearest
        known key.
    """
    path = find("pipelines", name_or_path)
    content = read_yaml(path)
    if isinstance(content.get("extraction"), dict):
        resolve_extraction(content["extraction"], path.parent)
    if isinstance(content.get("segment"), dict):
        resolve_segment(content["segment"], path.parent)
    return validate(Recipe, content, str(path))
