"""What a recipe says of learning: nodes, and the arms that are compared on identical folds."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from radiobone.core.config import FileModel
from radiobone.features.deep.patch_params import PatchParams
from radiobone.learning.protocol.models import ModelChoice
from radiobone.learning.protocol.network import Network
from radiobone.learning.protocol.steps import SelectionStep
from radiobone.study.recipe.checks import forbid_twice
from radiobone.study.recipe.table import Names

Steps = tuple[SelectionStep, ...]

ALWAYS = (
    "acquisition only",
    "VOI volume only",
    "mean HU alone",
    "TotalSegmentator rule",
    "clinical covariates alone",
)
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
        Blocks of features: ``radiomics``, ``density``, ``deep`` for all deep ones, or one of these by its full
        name, such as ``deep-resnet50-axial+sagittal+coronal``; ``external`` of an external table; those of one
        more VOI after its name, such as ``body.radiomics``.
    columns : tuple of str
        Columns of the cohort table: the groups ``clinical`` and ``acquisition``, or single ones of these.
    features : tuple of str
        Names or patterns that further restrict the blocks, such as ``density_mean_hu`` or ``*_glcm_*``.
    fusion : {"early", "blockwise", "late", "late_weighted", "late_stacked"}
        Of several blocks and groups of columns: side by side before every step; side by side after steps of their
        own; or one model for each and the mean of their probabilities, weighted by inner out-of-fold AUC, or by a
        logistic regression.
    flat : bool
        One classifier over all classes instead of the nodes.
    steps, model : optional
        Of this arm alone; by default the recipe's.
    volumes : PatchParams, optional
        In place of columns: each row of this arm is the main VOI itself, cut out in this way.
    network : Network, optional
        What learns from volumes, instead of steps and model.
    """

    name: str
    blocks: Names = ()
    columns: Names = ()
    features: Names = ()
    fusion: Literal["early", "blockwise", "late", "late_weighted", "late_stacked"] = "early"
    flat: bool = False
    steps: Steps | None = None
    model: ModelChoice | None = None
    volumes: PatchParams | None = None
    network: Network | None = None

    @model_serializer(mode="wrap")
    def _without_volumes(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        # So that studies without them keep the hash that they had before there were any.
        idle = () if self.volumes is not None else ("volumes", "network")
        return {key: value for key, value in content.items() if key not in idle}

    @field_validator("steps")
    @classmethod
    def _each_step_once(cls, value: Steps | None) -> Steps | None:
        return each_step_once(value)

    @property
    def network_options(self) -> Network:
        """What learns from volumes."""
        return self.network or Network()

    @model_validator(mode="after")
    def _volumes_alone(self) -> Self:
        if self.volumes is None and self.network is not None:
            raise ValueError(f"arm {self.name!r}: a network learns from volumes; give these, too")
        beside = self.model_fields_set & {"blocks", "columns", "features", "fusion", "steps", "model"}
        if self.volumes is not None and beside:
            raise ValueError(
                f"arm {self.name!r}: volumes go with no {', '.join(sorted(beside))}, but with network"
            )
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        forbid_twice(self.blocks)
        forbid_twice(self.columns)
        if not self.blocks and not self.columns and self.volumes is None:
            raise ValueError(f"arm {self.name!r} has neither blocks nor columns")
        if self.features and not self.blocks:
            raise ValueError(f"arm {self.name!r} has features of no block")
        if self.fusion != "early" and len(self.blocks) + len(self.columns) < 2:
            raise ValueError(f"arm {self.name!r}: fusion {self.fusion} needs two parts or more, got one")
        if self.flat and self.fusion.startswith("late"):
            raise ValueError(f"arm {self.name!r}: a flat arm has no late fusion")
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
    rule : {"half", "youden", "sensitivity", "specificity"}
        0.5; the largest sum of sensitivity and specificity; or the best of one where the other reaches a value.
    at_least : float, optional
        That sensitivity or specificity.
    """

    rule: Literal["half", "youden", "sensitivity", "specificity"] = "half"
    at_least: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_enough(cls, value: object) -> object:
        return {"rule": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.rule in ("sensitivity", "specificity")) != (self.at_least is not None):
            raise ValueError("at_least belongs to rule: sensitivity or specificity, which need it")
        return self

    @property
    def choice(self) -> str | tuple[str, float] | None:
        """The rule as `radiobone.learning.SelectiveClassifierCV` takes it."""
        if self.rule == "half":
            return None
        return self.rule if self.at_least is None else (self.rule, self.at_least)


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
