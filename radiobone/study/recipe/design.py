"""What a recipe says of learning: nodes, and the arms that are compared on identical folds."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from radiobone.core.config import FileModel
from radiobone.learning.models import ModelChoice
from radiobone.learning.steps import SelectionStep
from radiobone.study.recipe.checks import forbid_twice
from radiobone.study.recipe.table import Names

Steps = tuple[SelectionStep, ...]

ALWAYS = ("acquisition_only", "volume_only", "mean_hu_only", "hu_rule", "clinical_only")
"""Controls and baselines that stand in every table, by the names that ``primary.comparison`` may give."""


class NodeChoice(FileModel):
    """One binary decision.

    Parameters
    ----------
    name : str
        Name in every output.
    positive, negative : tuple of str
        The classes on either side.
    steps, model : optional
        Of this node alone; by default those of the arm.
    """

    name: str
    positive: Names
    negative: Names
    steps: Steps | None = None
    model: ModelChoice | None = None

    @field_validator("steps")
    @classmethod
    def _each_step_once(cls, value: Steps | None) -> Steps | None:
        return each_step_once(value)


class ArmChoice(FileModel):
    """One set of columns, and how they are learned from.

    Parameters
    ----------
    name : str
        Name in every output.
    blocks : tuple of str
        Blocks of features: ``radiomics``, ``density``, ``deep``; ``external`` of an external table; those of one
        more VOI after its name, such as ``body.radiomics``.
    columns : tuple of str
        Columns of the cohort table: the groups ``clinical`` and ``acquisition``, or single ones of these.
    features : tuple of str
        Names or patterns that further restrict the blocks, such as ``density_mean_hu`` or ``*_glcm_*``.
    fusion : {"early", "late"}
        Of several blocks: columns side by side, or the mean of the probabilities of one model for each block.
    flat : bool
        One classifier over all classes instead of the nodes.
    steps, model : optional
        Of this arm alone; by default the recipe's.
    """

    name: str
    blocks: Names = ()
    columns: Names = ()
    features: Names = ()
    fusion: Literal["early", "late"] = "early"
    flat: bool = False
    steps: Steps | None = None
    model: ModelChoice | None = None

    @field_validator("steps")
    @classmethod
    def _each_step_once(cls, value: Steps | None) -> Steps | None:
        return each_step_once(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        forbid_twice(self.blocks)
        forbid_twice(self.columns)
        if not self.blocks and not self.columns:
            raise ValueError(f"arm {self.name!r} has neither blocks nor columns")
        if self.features and not self.blocks:
            raise ValueError(f"arm {self.name!r} has features of no block")
        if self.fusion == "late" and len(self.blocks) + len(self.columns) < 2:
            raise ValueError(f"arm {self.name!r}: late fusion needs two parts, got {len(self.blocks)} blocks")
        if self.name in ALWAYS:
            raise ValueError(f"arm {self.name!r} has the name of a control or baseline that is always there")
        return self


class Calibration(FileModel):
    """How decision values become probabilities, on inner out-of-fold predictions.

    Parameters
    ----------
    method : {"sigmoid", "isotonic", "none"}
        Platt's sigmoid, isotonic regression, or the model's own probabilities.
    """

    method: Literal["sigmoid", "isotonic", "none"] = "sigmoid"

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_enough(cls, value: object) -> object:
        return {"method": value} if isinstance(value, str) else value


class OperatingPoint(FileModel):
    """The probability above which a node decides for its positive side, from inner out-of-fold predictions.

    Parameters
    ----------
    rule : {"half", "youden", "sensitivity"}
        0.5; the largest sum of sensitivity and specificity; the highest that keeps a sensitivity.
    at_least : float, optional
        That sensitivity.
    """

    rule: Literal["half", "youden", "sensitivity"] = "half"
    at_least: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_enough(cls, value: object) -> object:
        return {"rule": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.rule == "sensitivity") != (self.at_least is not None):
            raise ValueError("at_least belongs to rule: sensitivity, which needs it")
        return self


def each_step_once(steps: Steps | None) -> Steps | None:
    """Refuse a list of steps that names one of them twice.

    Parameters
    ----------
    steps : tuple of SelectionStep or None
        The steps.

    Returns
    -------
    tuple of SelectionStep or None
        The same.
    """
    forbid_twice([step.name for step in steps or ()])
    return steps
