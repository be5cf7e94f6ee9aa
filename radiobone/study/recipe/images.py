"""What a recipe says of VOIs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from radiobone.core.config import FileModel
from radiobone.study.recipe.checks import as_value_error
from radiobone.tables.vertebrae import parse_levels
from radiobone.voi import VoiOptions, find_recipe
from radiobone.voi.options import DEFAULTS, Plane, Region

HU_RULE = "hu_rule"
HU_RULE_EROSION_MM = 4.0
"""TotalSegmentator's published rule erodes the vertebral body by 4 mm before it takes the median HU."""


class VoiChoice(FileModel):
    """Which VOIs the features must come from.

    Parameters
    ----------
    recipe : str
        VOI recipe, by name or by name and version.
    levels : str, optional
        Levels and ranges, such as ``L1-L3``; by default all in the feature table. Rows of other levels are left
        out.
    erosion_mm : float
        The first of the options of VOI recipes, which bear here the names, meanings and defaults of `VoiOptions`.
    missing_levels : {"fail", "skip", "first"}
        What was done at extraction about a level that a mask lacks. A table of ``first`` holds one level for each
        patient, so that it never stands for one of the others, or they for it.
    scheme : str
        What the labels of the masks mean, as ``radiobone extract --scheme`` takes it.
    """

    recipe: str = "trabecular"
    levels: str | None = None
    erosion_mm: float = VoiOptions.erosion_mm
    upper_hu: float | None = VoiOptions.upper_hu
    lower_hu: float | None = VoiOptions.lower_hu
    endplate_mm: float = VoiOptions.endplate_mm
    vein_depth_share: float = VoiOptions.vein_depth_share
    island_hu: float | None = VoiOptions.island_hu
    width_share: float = VoiOptions.width_share
    depth_share: float = VoiOptions.depth_share
    height_share: float = VoiOptions.height_share
    width_mm: float | None = VoiOptions.width_mm
    depth_mm: float | None = VoiOptions.depth_mm
    height_mm: float | None = VoiOptions.height_mm
    centre_share: float = VoiOptions.centre_share
    region: Region = VoiOptions.region
    plane: Plane = VoiOptions.plane
    n_slices: int = VoiOptions.n_slices
    margin_mm: float = VoiOptions.margin_mm
    scale: float = VoiOptions.scale
    missing_levels: Literal["fail", "skip", "first"] = "fail"
    scheme: str = "auto"

    @field_validator("recipe")
    @classmethod
    def _recipe_exists(cls, value: str) -> str:
        with as_value_error():
            find_recipe(value)
        return value

    @field_validator("levels")
    @classmethod
    def _levels_parse(cls, value: str | None) -> str | None:
        if value is not None:
            with as_value_error():
                parse_levels(value)
        return value

    @model_validator(mode="after")
    def _recipe_takes_the_options(self) -> Self:
        with as_value_error():
            find_recipe(self.recipe).check(self.options)
        return self

    @property
    def options(self) -> VoiOptions:
        """The options of the VOI recipe."""
        return VoiOptions(**{name: getattr(self, name) for name in DEFAULTS})

    @property
    def level_names(self) -> tuple[str, ...] | None:
        """The levels by name; None for all."""
        return None if self.levels is None else parse_levels(self.levels)


class MoreVoi(VoiChoice):
    """One more VOI of the same scans, extracted into a table of its own.

    Parameters
    ----------
    features : {"all", "density"}
        Every block, or the density block alone, which takes next to no time.
    """

    features: Literal["all", "density"] = "all"


def hu_rule_voi(main: VoiChoice) -> MoreVoi:
    """Return the VOI of TotalSegmentator's rule, of the same levels as the main one.

    Parameters
    ----------
    main : VoiChoice
        The recipe's.
    """
    return MoreVoi(
        recipe="trabecular",
        levels=main.levels,
        erosion_mm=HU_RULE_EROSION_MM,
        missing_levels=main.missing_levels,
        scheme=main.scheme,
        features="density",
    )
