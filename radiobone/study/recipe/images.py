"""What a recipe says of scans: VOIs, and the features that are computed of them."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from radiobone.core.config import FileModel, nearest
from radiobone.core.errors import ConfigError, one_line
from radiobone.core.hashing import sha256_json
from radiobone.features.blocks import CalibratedDensityBlock
from radiobone.features.radiomics.registry import ENGINES
from radiobone.imaging.calibration import read_calibration
from radiobone.study.recipe.checks import as_value_error
from radiobone.tables.vertebrae import parse_levels
from radiobone.voi import VoiOptions, find_recipe
from radiobone.voi.options import DEFAULTS, Plane, Region


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


class Extraction(FileModel):
    """How features are computed.

    Parameters
    ----------
    params : str
        Radiomics parameters: a preset's name, or a path, relative to the recipe's folder.
    engine : str
        Radiomics engine for the extraction. A table of another engine fits as well and is not refused: by
        contract, engines give the same values.
    align : bool
        Resample masks that lie on another grid than their image.
    calibration : str, optional
        Path of a calibration file, relative to the recipe's folder, for vBMD beside HU in the density block.
    """

    params: str = "ct_trabecular"
    engine: str = "native"
    align: bool = False
    calibration: str | None = None

    @model_serializer(mode="wrap")
    def _without_empty_calibration(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        # So that studies without one keep the hash that they had before there were calibrations.
        if self.calibration is None:
            content.pop("calibration", None)
        return content

    @property
    def file_hashes(self) -> dict[str, str]:
        """What the calibration file says, as a hash in place of its path; empty without one."""
        if self.calibration is None:
            return {}
        return {"calibration": sha256_json(read_calibration(self.calibration).model_dump(mode="json"))}

    @property
    def density_parameters(self) -> dict[str, Any]:
        """Parameters of the density block: kind and standard of its calibration, or nothing."""
        if self.calibration is None:
            return {}
        return CalibratedDensityBlock(read_calibration(self.calibration)).record.parameters

    @field_validator("calibration")
    @classmethod
    def _calibration_is_valid(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                read_calibration(value)
            except ConfigError as error:
                raise ValueError(one_line(error)) from None
        return value

    @field_validator("engine")
    @classmethod
    def _engine_exists(cls, value: str) -> str:
        # The name alone: a study may be trained where no engine is installed.
        if value not in ENGINES:
            raise ValueError(
                f"no engine of this name{nearest(value, list(ENGINES))}, expected {', '.join(ENGINES)}"
            )
        return value
