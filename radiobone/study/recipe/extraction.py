"""What a recipe says of the features that are computed of VOIs: radiomics, density and deep ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from radiobone.core.config import FileModel, nearest
from radiobone.core.errors import ConfigError, one_line
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.features.blocks import CalibratedDensityBlock
from radiobone.features.deep.params import DeepParams, read_deep_params
from radiobone.features.deep.weights_registry import RANDOM, get_weights
from radiobone.features.radiomics.params import RadiomicsParams, read_params
from radiobone.features.radiomics.registry import ENGINES
from radiobone.features.request import NONE
from radiobone.imaging.calibration import read_calibration
from radiobone.study.recipe.checks import forbid_twice, refuse_unknown
from radiobone.study.recipe.table import Names

RADIOMICS, DENSITY, DEEP = "radiomics", "density", "deep"
"""Blocks of features as arms name them; `DEEP` stands for all deep ones, each of which has a name of its own."""


class Extraction(FileModel):
    """How features are computed.

    Parameters
    ----------
    params : str
        Radiomics parameters: a preset's name, or a path, relative to the recipe's folder; ``none`` for
        no radiomics.
    engine : str
        Radiomics engine for the extraction. A table of another engine fits as well and is not refused: by
        contract, engines give the same values.
    align : bool
        Resample masks that lie on another grid than their image.
    calibration : str, optional
        Path of a calibration file, relative to the recipe's folder, for vBMD beside HU in the density block.
    deep : tuple of str
        Deep parameter files: presets' names, or paths, relative to the recipe's folder. Each gives a block.
    weights : dict of str to str
        Files of weights, relative to the recipe's folder, by network and weights, such as
        ``resnet50_radimagenet``; for those that are not in the cache and cannot be fetched.
    device : {"auto", "cpu", "cuda"}
        Where networks run. A study is the same on each, up to rounding.
    """

    params: str = "ct_trabecular"
    engine: str = "native"
    align: bool = False
    calibration: str | None = None
    deep: Names = ()
    weights: dict[str, str] = Field(default_factory=dict)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_serializer(mode="wrap")
    def _without_what_is_not_asked_for(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        # So that studies without them keep the hash that they had before there were any.
        idle = [] if self.calibration is not None else ["calibration"]
        idle += [] if self.deep else ["deep", "weights", "device"]
        return {key: value for key, value in content.items() if key not in idle}

    @field_validator("deep")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        forbid_twice(value)
        return value

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

    @model_validator(mode="after")
    def _deep_goes_together(self) -> Self:
        for key in ("weights", "device"):
            if key in self.model_fields_set and not self.deep:
                raise ValueError(f"{key}: takes effect with deep alone")
        return self

    def check_deep(self) -> None:
        """Check that deep parameter files can be read, and go with each other and with the files of weights.

        Raises
        ------
        ValueError
            If they do not.
        ConfigError
            If a file is not valid.
        """
        blocks = [params.block for params in self.deep_params()]
        if len(set(blocks)) < len(blocks):
            raise ValueError(f"extraction.deep: two files give one block ({', '.join(blocks)})")
        known = [_label(params) for params in self.deep_params() if params.weights != RANDOM]
        for label, file in self.weights.items():
            refuse_unknown("extraction.weights: no network of deep has", label, known)
            if not Path(file).is_file():
                raise ValueError(f"extraction.weights.{label}: file not found ({file})")

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks that are computed of a VOI, by the names that arms use."""
        deep = [params.block for params in self.deep_params()]
        radiomics = [] if self.params == NONE else [RADIOMICS]
        return (*radiomics, DENSITY, *([DEEP] if deep else []), *deep)

    @property
    def main_block(self) -> str:
        """The block of a recipe without arms: radiomics, else deep, else density."""
        return next(block for block in (RADIOMICS, DEEP, DENSITY) if block in self.blocks)

    def radiomics_params(self) -> RadiomicsParams | None:
        """Read the radiomics parameters; None where there are none."""
        return None if self.params == NONE else read_params(self.params)

    def deep_params(self) -> list[DeepParams]:
        """Read the deep parameter files, in their order."""
        return [read_deep_params(name) for name in self.deep]

    def deep_records(self) -> dict[str, dict[str, Any]]:
        """Return the parameters that each deep block of a feature table must have, by the block's name."""
        found = {}
        for params in self.deep_params():
            wanted = params.effective()
            sha256 = _known_sha256(params) or self.weights_hashes.get(_label(params))
            if sha256 is None and params.weights != RANDOM:
                # Whatever file the table was made with: nothing says which one it should have been.
                del wanted["weights_sha256"]
            else:
                wanted["weights_sha256"] = sha256
            found[params.block] = wanted
        return found

    @property
    def file_hashes(self) -> dict[str, str]:
        """What the calibration file says, as a hash in place of its path; empty without one."""
        if self.calibration is None:
            return {}
        return {"calibration": sha256_json(read_calibration(self.calibration).model_dump(mode="json"))}

    @property
    def weights_hashes(self) -> dict[str, str]:
        """SHA-256 of each file of weights of which none is known beforehand: all else is said by their name."""
        unknown = {_label(params) for params in self.deep_params() if _known_sha256(params) is None}
        return {label: sha256_file(Path(file)) for label, file in sorted(self.weights.items()) if label in unknown}

    @property
    def density_parameters(self) -> dict[str, Any]:
        """Parameters of the density block: kind and standard of its calibration, or nothing."""
        if self.calibration is None:
            return {}
        return CalibratedDensityBlock(read_calibration(self.calibration)).record.parameters

    def content(self) -> dict[str, Any]:
        """Return the settings with hashes of files instead of where they lie, and without the device."""
        content = self.model_dump(mode="json") | self.file_hashes
        radiomics = self.radiomics_params()
        content["params"] = NONE if radiomics is None else radiomics.sha256
        if self.deep:
            del content["device"]
            content["deep"] = [params.sha256 for params in self.deep_params()]
            content["weights"] = self.weights_hashes
        return content

    def named(self) -> dict[str, Any]:
        """Return the settings with names of files instead of where they lie."""
        content = self.model_dump(mode="json")
        content["params"] = Path(self.params).name
        if self.calibration is not None:
            content["calibration"] = Path(self.calibration).name
        if self.deep:
            content["deep"] = [Path(name).name for name in self.deep]
            content["weights"] = {label: Path(file).name for label, file in self.weights.items()}
        return content


def _label(params: DeepParams) -> str:
    """Return the name of a network and its weights, such as ``resnet50_radimagenet``."""
    return f"{params.backbone}_{params.weights}"


def _known_sha256(params: DeepParams) -> str | None:
    """Return the hash that weights must have; None for random ones, and where none is known beforehand."""
    if params.weights == RANDOM:
        return None
    return params.weights_sha256 or get_weights(params.backbone, params.weights).sha256


def deep_blocks(blocks: Iterable[str]) -> list[str]:
    """Return the names of single deep blocks among those of blocks.

    Parameters
    ----------
    blocks : iterable of str
        Names, as a manifest has them.
    """
    return [name for name in blocks if name.startswith(f"{DEEP}-")]


def resolve_paths(content: dict[str, Any], folder: Path) -> None:
    """Make the paths of a recipe's key ``extraction`` relative to the recipe's folder.

    Parameters
    ----------
    content : dict
        The key's content as its file has it, not yet checked; changed in place.
    folder : Path
        The recipe's.
    """

    def resolved(value: Any) -> Any:
        return str((folder / value).resolve()) if isinstance(value, str) and value else value

    def preset(value: Any) -> Any:
        return resolved(value) if isinstance(value, str) and _is_path(value) else value

    if "params" in content:
        content["params"] = preset(content["params"])
    if "calibration" in content:
        content["calibration"] = resolved(content["calibration"])
    deep, weights = content.get("deep"), content.get("weights")
    if deep is not None:
        content["deep"] = [preset(one) for one in deep] if isinstance(deep, list) else preset(deep)
    if isinstance(weights, dict):
        content["weights"] = {label: resolved(file) for label, file in weights.items()}


def _is_path(params: str) -> bool:
    """Tell a path from a preset's name, as `radiobone.core.resources.find` does."""
    return Path(params).suffix in {".yaml", ".yml"} or Path(params).parent != Path()
