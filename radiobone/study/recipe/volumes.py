"""What a recipe may say of arms that learn from volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radiobone.study.recipe.study import Recipe


def check_volumes(recipe: Recipe) -> None:
    """Refuse arms of volumes where there are no scans, or not one volume for each row.

    Parameters
    ----------
    recipe : Recipe
        The study.

    Raises
    ------
    ValueError
        That names the arm.
    """
    names = [arm.name for arm in recipe.all_arms if arm.volumes is not None]
    if not names:
        return
    where = f"arm {names[0]!r}: volumes"
    if recipe.voi is None:
        raise ValueError(f"{where} need voi and extraction, since they are cut out of scans")
    if recipe.primary_arm.name in names:
        raise ValueError(
            f"primary.arm: {recipe.primary_arm.name!r} learns from volumes, and the model that is kept from "
            "tables; name another one, and this one as primary.comparison"
        )
    levels = recipe.voi.level_names
    one = recipe.voi.missing_levels == "first" or (levels is not None and len(levels) == 1)
    if recipe.unit_levels is None and not one:
        raise ValueError(
            f"{where} are of one level: set table.unit: level, name one level in voi.levels, or take the first "
            "(voi.missing_levels: first)"
        )
