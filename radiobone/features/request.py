"""What to extract from every scan, checked before the first file is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from radiobone.core.errors import UsageError
from radiobone.features.blocks import Block, CalibratedDensityBlock, DensityBlock, RadiomicsBlock
from radiobone.features.deep.block import deep_blocks
from radiobone.features.radiomics.params import read_params
from radiobone.imaging.calibration import read_calibration
from radiobone.tables.vertebrae import level_parts, parse_levels
from radiobone.voi import Recipe, VoiOptions, VoiRequest, find_recipe
from radiobone.voi.maker import Missing
from radiobone.voi.schemes import AUTO, TOTALSEGMENTATOR, VERSE, find_scheme

NONE = "none"
"""Stands for no radiomics where a parameter file is named."""

DETECTABLE = (TOTALSEGMENTATOR, VERSE)
"""The schemes that ``auto`` may choose."""

_NO_OWN_NAME = re.compile(r"[A-Za-z]{1,2}[0-9]+|label_[0-9]+")
"""Levels that are mistyped vertebrae, or need the scheme ``raw``; other names may stand in a mask's own file."""


@dataclass(frozen=True)
class ExtractionRequest:
    """What to extract from every scan.

    Parameters
    ----------
    recipe : Recipe
        How a VOI is made from a label.
    blocks : tuple of Block
        Blocks of features, in the order of their columns.
    levels : tuple of str, optional
        The levels wanted; by default all that the scheme names and the mask holds.
    scheme : str, default "auto"
        Name or file of the label scheme; ``auto`` tells it from each mask.
    missing : {"fail", "skip", "first"}, default "fail"
        What to do about a level that a mask does not hold (see `VoiRequest`).
    options : VoiOptions
        Options of the recipe.
    align : bool, default False
        Resample a mask that lies on another grid than its image.

    Raises
    ------
    UsageError
        If the scheme does not know a level, or the recipe an option.
    """

    recipe: Recipe
    blocks: tuple[Block, ...]
    levels: tuple[str, ...] | None = None
    scheme: str = AUTO
    missing: Missing = "fail"
    options: VoiOptions = field(default_factory=VoiOptions)
    align: bool = False

    @property
    def cohort_columns(self) -> tuple[str, ...]:
        """Columns of the cohort table that scans must carry for the blocks."""
        settings = (block.settings for block in self.blocks if isinstance(block, CalibratedDensityBlock))
        return tuple(dict.fromkeys(name for item in settings for name in item.columns))

    def __post_init__(self) -> None:
        self.recipe.check(self.options)
        if self.scheme != AUTO:
            VoiRequest(find_scheme(self.scheme), self.recipe, self.levels, self.missing, self.options)
            return
        for level in (part for merged in self.levels or () for part in level_parts(merged)):
            if all(scheme.value(level) is None for scheme in DETECTABLE) and _NO_OWN_NAME.fullmatch(level):
                raise UsageError(
                    "no label scheme that can be detected has this level",
                    got=level,
                    expected="a vertebra, such as L1",
                    do="name the scheme: raw for label_1, label_2 and so on, or a YAML file of your own",
                )


def _radiomics(params: str, engine: str, memory_limit_gb: float | None) -> RadiomicsBlock:
    """Make the radiomics block, unless its parameter file asks for nothing."""
    block = RadiomicsBlock(read_params(params), engine, memory_limit_gb)
    if not block.record.columns:
        raise UsageError(
            "the parameter file asks for no feature",
            where=params,
            do="enable a feature class; shape2D counts only with force2D",
        )
    return block


def _density(calibration: str | Path | None) -> Block:
    """Make the density block, with vBMD where there is a calibration file."""
    return DensityBlock() if calibration is None else CalibratedDensityBlock(read_calibration(calibration))


def make_request(
    *,
    params: str | None = "original",
    engine: str = "native",
    memory_limit_gb: float | None = None,
    deep: Sequence[str] = (),
    weights: Sequence[str] = (),
    device: str = "auto",
    voi: str = "label",
    options: VoiOptions | None = None,
    levels: str | None = None,
    scheme: str = AUTO,
    missing: str = "fail",
    align: bool = False,
    calibration: str | Path | None = None,
) -> ExtractionRequest:
    """Make a request from names, as the command line and study recipes give them.

    Parameters
    ----------
    params : str, default "original"
        A preset's name, or the path of a PyRadiomics parameter file; ``none`` for no radiomics. None asks for VOIs
        without radiomics and density.
    engine : str, default "native"
        Name of the radiomics engine; it is looked up only when features are computed.
    memory_limit_gb : float, optional
        Memory in GB that one VOI may take before the engine refuses it; by default the engine's own limit.
    deep : sequence of str
        Deep parameter files: presets' names, or paths. Each gives a block.
    weights : sequence of str
        Files of weights, as ``FILE`` or ``LABEL=FILE`` (see `deep_blocks`).
    device : {"auto", "cpu", "cuda"}
        Where networks run.
    voi : str, default "label"
        VOI recipe by name, or by name and version.
    options : VoiOptions, optional
        Options of the recipe.
    levels : str, optional
        Levels and ranges, such as ``L1-L4``; by default all in the mask.
    scheme : str, default "auto"
        Name or file of the label scheme.
    missing : str, default "fail"
        ``fail``, ``skip`` or ``first``.
    align : bool, default False
        Resample a mask that lies on another grid than its image.
    calibration : str or Path, optional
        A calibration file, for vBMD beside HU.

    Returns
    -------
    ExtractionRequest
        With the radiomics block first, then density, then the deep ones in their order.

    Raises
    ------
    UsageError
        If a name is not known, or a file is not valid.
    """
    if missing not in get_args(Missing):
        raise UsageError("no such policy for missing levels", got=missing, expected=", ".join(get_args(Missing)))
    radiomics = () if params in (None, NONE) else (_radiomics(str(params), engine, memory_limit_gb),)
    density = () if params is None else (_density(calibration),)
    return ExtractionRequest(
        recipe=find_recipe(voi),
        blocks=(*radiomics, *density, *deep_blocks(deep, weights, device)),
        levels=parse_levels(levels) if levels is not None else None,
        scheme=scheme,
        missing=missing,  # type: ignore[arg-type] # checked above
        options=options or VoiOptions(),
        align=align,
    )
