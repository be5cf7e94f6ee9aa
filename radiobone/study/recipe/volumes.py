"""What a recipe may say of arms that learn from volumes."""

from __future__ import annotations

from collections.abc import Sequence

from radiobone.study.recipe.design import ArmChoice
from radiobone.study.recipe.images import VoiChoice


def check_volumes(
    arms: Sequence[ArmChoice], primary: ArmChoice, voi: VoiChoice | None, *, levels_are_rows: bool
) -> None:
    """Refuse arms of volumes where there are no scans, or not one volume for each row.

    Parameters
    ----------
    arms : sequence of ArmChoice
        Of the recipe.
    primary : ArmChoice
        The one whose model is kept.
    voi : VoiChoice or None
        What volumes are cut out of.
    levels_are_rows : bool
        Whether each level of a patient has a row of its own.

    Raises
    ------
    ValueError
        That names the arm.
    """
    names = [arm.name for arm in arms if arm.volumes is not None]
    if not names:
        return
    where = f"arm {names[0]!r}: volumes"
    if voi is None:
        raise ValueError(f"{where} need voi and extraction, since they are cut out of scans")
    if primary.name in names:
        raise ValueError(
            f"primary.arm: {primary.name!r} learns from volumes, and the model that is kept from tables; name "
            "another one, and this one as primary.comparison"
        )
    one = voi.missing_levels == "first" or (voi.level_names is not None and len(voi.level_names) == 1)
    if not levels_are_rows and not one:
        raise ValueError(
            f"{where} are of one level: set table.unit: level, name one level in voi.levels, or take the first "
            "(voi.missing_levels: first)"
        )
