"""What a recipe says of masks that are to be made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from radiobone.core.config import FileModel
from radiobone.imaging.orientation import check_orientation
from radiobone.segmentation.labels import AUTO, MODEL
from radiobone.segmentation.naming import Anchor, parse_anchor
from radiobone.segmentation.options import SegmentOptions
from radiobone.study.recipe.checks import as_value_error
from radiobone.voi.schemes import find_scheme

_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]+)?")
_FILE = {".yaml", ".yml"}


def _names_of_folds(value: object) -> object:
    """Let folds be written as ``0``, ``all``, ``0,1`` or a list."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (str(value),)
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(","))
    if isinstance(value, list):
        return tuple(str(part) if isinstance(part, int) else part for part in value)
    return value


Folds = Annotated[tuple[str, ...], BeforeValidator(_names_of_folds), Field(min_length=1)]


class SegmentChoice(FileModel):
    """Which model makes the masks of scans that have none, and how; names and defaults are `SegmentOptions`'.

    Parameters
    ----------
    model : str
        nnU-Net model folder, relative to the recipe's folder.
    coarse : str, optional
        Model folder of a first pass that finds the spine's box.
    margin_mm : float
        With ``coarse``: how far beyond the coarse mask to look.
    folds : tuple of str, optional
        Folds to be averaged, such as ``0,1`` or ``all``; by default all numbered ones.
    scheme : str
        Values of levels in the masks made: ``auto``, ``model``, or a label scheme by its name or file. It need not
        be that of masks that are given, which ``voi.scheme`` says.
    anchor : str, optional
        For a model with one label for all vertebrae, the known one, such as ``lowest=L5``. A column ``anchor`` of
        the cohort table comes first.
    orientation : str, optional
        Order of axes of the files that the model learned from.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:<number>``.
    step_size : float
        Distance of windows as a share of one.
    mirroring : bool
        Average over mirrored windows, if the model learned so.
    memory_limit_gb : float, optional
        A scan that would need more fails, with the estimate.
    threads : int, optional
        Of the processor; by default all.
    """

    model: str = Field(min_length=1)
    coarse: str | None = None
    margin_mm: float = Field(default=SegmentOptions.margin_mm, ge=0, allow_inf_nan=False)
    folds: Folds | None = SegmentOptions.folds
    scheme: str = SegmentOptions.scheme
    anchor: str | None = None
    orientation: str | None = SegmentOptions.orientation
    device: str = SegmentOptions.device
    step_size: float = Field(default=SegmentOptions.step_size, gt=0, le=1)
    mirroring: bool = SegmentOptions.mirroring
    memory_limit_gb: float | None = Field(default=SegmentOptions.memory_limit_gb, gt=0)
    threads: int | None = Field(default=SegmentOptions.threads, ge=1)

    @field_validator("anchor")
    @classmethod
    def _anchor_parses(cls, value: str | None) -> str | None:
        if value is not None:
            with as_value_error():
                parse_anchor(value)
        return value

    @field_validator("scheme")
    @classmethod
    def _scheme_exists(cls, value: str) -> str:
        if value not in (AUTO, MODEL):
            with as_value_error():
                find_scheme(value)
        return value

    @field_validator("orientation")
    @classmethod
    def _orientation_is_one(cls, value: str | None) -> str | None:
        if value is not None:
            with as_value_error():
                check_orientation(value)
        return value

    @field_validator("device")
    @classmethod
    def _device_is_one(cls, value: str) -> str:
        if not _DEVICE.fullmatch(value):
            raise ValueError("no device of this name, expected auto, cpu, cuda or cuda:<number>")
        return value

    @model_validator(mode="after")
    def _margin_of_a_coarse_pass(self) -> Self:
        if self.coarse is None and "margin_mm" in self.model_fields_set:
            raise ValueError("margin_mm: needs coarse, beyond whose mask it reaches")
        return self

    @property
    def options(self) -> SegmentOptions:
        """The model, and how it is used."""
        content = self.model_dump(exclude={"model", "coarse", "anchor"})
        coarse = None if self.coarse is None else Path(self.coarse)
        return SegmentOptions(model=Path(self.model), coarse=coarse, **content)

    @property
    def known(self) -> Anchor | None:
        """The anchor, read."""
        return None if self.anchor is None else parse_anchor(self.anchor)

    def content(self) -> dict[str, Any]:
        """Return the settings with names of folders and files instead of where they lie."""
        content = self.model_dump(mode="json")
        for key in ("model", "coarse", "scheme"):
            content[key] = content[key] and Path(content[key]).name
        return content


def resolve_paths(content: dict[str, Any], folder: Path) -> None:
    """Make the paths of a recipe's key ``segment`` relative to the recipe's folder.

    Parameters
    ----------
    content : dict
        The key's content as its file has it, not yet checked; changed in place.
    folder : Path
        The recipe's.
    """
    for key in ("model", "coarse", "scheme"):
        value = content.get(key)
        if isinstance(value, str) and value and (key != "scheme" or Path(value).suffix in _FILE):
            content[key] = str((folder / value).resolve())
