"""Study recipes: a whole study as one YAML file that reads like its protocol."""

from radiobone.study.recipe.reading import read_recipe
from radiobone.study.recipe.study import Recipe

__all__ = ["Recipe", "read_recipe"]
