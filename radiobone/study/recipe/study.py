"""A whole study: every part of a recipe, checked against the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from radiobone.core.config import FileModel
from radiobone.core.hashing import sha256_json
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.learning.nodes import Node, NodeTree
from radiobone.learning.protocol.models import ModelChoice, Svm
from radiobone.learning.protocol.steps import Correlation, Lasso, SelectionStep, Standardise
from radiobone.reporting.words import file_name
from radiobone.study.recipe.checks import as_value_error, forbid_twice, refuse_unknown
from radiobone.study.recipe.design import (
    ALWAYS,
    ArmChoice,
    Calibration,
    NodeChoice,
    OperatingPoint,
    Steps,
    each_step_once,
)
from radiobone.study.recipe.evaluation import Evaluation, Primary
from radiobone.study.recipe.extraction import DENSITY, Extraction
from radiobone.study.recipe.images import HU_RULE, MoreVoi, VoiChoice, hu_rule_voi
from radiobone.study.recipe.segment import SegmentChoice
from radiobone.study.recipe.table import CohortKeys, Column, ExternalTable, Table
from radiobone.study.recipe.validation import Validation
from radiobone.study.recipe.volumes import check_volumes
from radiobone.tables.labels import LabelRule

EXTERNAL = "external"
GROUPS = ("clinical", "acquisition")

Columns = tuple[Column, ...]


class Recipe(FileModel):
    """A study.

    Parameters
    ----------
    name, title, source : str
        What it is called, what it does, and where its design comes from.
    cohort : CohortKeys
        How rows of the cohort table are patients.
    label : LabelRule
        How patients get their class.
    segment : SegmentChoice, optional
        The model that makes masks of scans that have none.
    voi, extraction : VoiChoice, Extraction, optional
        From scans to features; either brings the other's defaults. Without both there are no features of scans.
    more_vois : dict of str to MoreVoi
        Further VOIs of the same scans, by the name under which arms use them.
    external : ExternalTable, optional
        Features that radiobone did not extract, in a table of their own.
    table : Table
        From features to one row for each patient, or for each of their levels.
    clinical, acquisition : tuple of Column
        Columns of the cohort table: of the patient, and of how the scan was made.
    validation : Validation
        Who is tested by whom.
    steps : tuple of SelectionStep
        Learned steps before the model, each fitted within every fold.
    nodes : tuple of NodeChoice
        The tree of decisions.
    train_on : {"members", "routed"}
        Later nodes learn from their true members, or from those that earlier nodes send to them.
    model : ModelChoice
        The model at every node.
    calibration, operating_point : Calibration, OperatingPoint
        From decision values to probabilities, and from these to decisions.
    decision : {"argmax", "routed"}
        How a class is chosen.
    arms : tuple of ArmChoice
        What is compared on identical folds. By default one arm of the blocks of ``table``, or of the clinical
        columns where there are no features.
    evaluation : Evaluation
        What is reported beside.
    primary : Primary
        The primary figure.
    """

    name: str
    title: str
    source: str
    cohort: CohortKeys = CohortKeys()
    label: LabelRule
    segment: SegmentChoice | None = None
    voi: VoiChoice | None = None
    extraction: Extraction | None = None
    more_vois: dict[str, MoreVoi] = Field(default_factory=dict)
    external: ExternalTable | None = None
    table: Table = Table()
    clinical: Columns = ()
    acquisition: Columns = ()
    validation: Validation = Validation()
    steps: Steps = (
        SelectionStep(standardise=Standardise()),
        SelectionStep(correlation=Correlation()),
        SelectionStep(lasso=Lasso()),
    )
    nodes: tuple[NodeChoice, ...]
    train_on: Literal["members", "routed"] = "members"
    model: ModelChoice = ModelChoice(svm=Svm())
    calibration: Calibration = Calibration()
    operating_point: OperatingPoint = OperatingPoint()
    decision: Literal["argmax", "routed"] = "argmax"
    arms: tuple[ArmChoice, ...] = ()
    evaluation: Evaluation = Evaluation()
    primary: Primary

    @field_validator("steps")
    @classmethod
    def _each_step_once(cls, value: Steps) -> Steps | None:
        return each_step_once(value)

    @model_validator(mode="before")
    @classmethod
    def _scans_need_both(cls, value: object) -> object:
        if isinstance(value, dict) and ("voi" in value or "extraction" in value):
            return {"voi": {}, "extraction": {}} | value
        return value

    @model_validator(mode="after")
    def _params_exist(self) -> Self:
        if self.extraction is not None:
            with as_value_error("extraction.params: "):
                self.params()
            with as_value_error("extraction.deep: "):
                self.extraction.check_deep()
        return self

    @model_validator(mode="after")
    def _nodes_split_the_classes(self) -> Self:
        # Each node has files of its own.
        forbid_twice([file_name(node.name) for node in self.nodes])
        named = {label for node in self.nodes for label in (*node.positive, *node.negative)}
        unknown = sorted(named - set(self.label.names))
        if unknown:
            raise ValueError(f"nodes name classes that label.classes does not: {', '.join(unknown)}")
        if self.primary.node not in {node.name for node in self.nodes}:
            raise ValueError(f"primary.node {self.primary.node!r} is no node of this recipe")
        for name in self.evaluation.prevalences(self.primary.node):
            refuse_unknown("evaluation.prevalence: no node", name, [node.name for node in self.nodes])
        with as_value_error("nodes: "):
            NodeTree.build(self.tree(), self.classes)
        return self

    @model_validator(mode="after")
    def _features_of_one_kind(self) -> Self:
        if self.external is not None and self.voi is not None:
            raise ValueError("external: a table made elsewhere has no voi and no extraction")
        if self.segment is not None and self.voi is None:
            raise ValueError("segment: needs voi and extraction, for which it makes masks")
        if self.more_vois and self.voi is None:
            raise ValueError("more_vois: needs voi, whose scans they share")
        if self.voi is None and self.external is None and not self.clinical:
            raise ValueError("nothing to learn from: give voi and extraction, external, or clinical")
        if self.evaluation.baselines.hu_rule and self.voi is None:
            raise ValueError(
                "evaluation.baselines.hu_rule: needs voi and extraction, since it is measured in scans"
            )
        forbid_twice([column.column for column in (*self.clinical, *self.acquisition)])
        for name in self.more_vois:
            if file_name(name) != name or "." in name:
                raise ValueError(f"more_vois.{name}: a name is made of letters, digits, hyphens and underscores")
        if HU_RULE in self.more_vois:
            raise ValueError(f"more_vois.{HU_RULE}: this name is kept for the baseline's own VOI")
        if self.table.status == "keep" and not self.imputes:
            raise ValueError(
                "table.status: keep leaves values missing, which every arm needs a step 'missing' to fill"
            )
        return self

    @model_validator(mode="after")
    def _levels_can_be_rows(self) -> Self:
        if self.table.unit == "patient":
            return self
        if self.voi is None or self.voi.levels is None:
            raise ValueError("table.unit: level needs voi.levels, which say what the rows of a patient are")
        if self.voi.missing_levels == "first":
            raise ValueError(
                "table.unit: level does not go with voi.missing_levels: first, one row for each patient"
            )
        if any(" " in level for level in self.voi.level_names or ()):
            raise ValueError("table.unit: level needs names of levels without spaces")
        if any("stability" in _names(steps) for steps in self._all_steps()):
            raise ValueError("table.unit: level has no step 'stability', whose repeats are those of patients")
        return self

    @model_validator(mode="after")
    def _arms_have_what_they_name(self) -> Self:
        forbid_twice([arm.name for arm in self.all_arms])
        for arm in self.all_arms:
            for block in arm.blocks:
                refuse_unknown(f"arm {arm.name!r}: no block", block, self.blocks)
            for column in self.covariates(arm):
                refuse_unknown(f"arm {arm.name!r}, combat.covariates: no column", column, self._column_names())
            for column in arm.columns:
                refuse_unknown(f"arm {arm.name!r}: no column", column, self._column_names())
        names = [arm.name for arm in self.all_arms]
        if self.primary.arm is not None:
            refuse_unknown("primary.arm: no arm", self.primary.arm, names)
        if self.primary.comparison is not None:
            refuse_unknown("primary.comparison: no arm", self.primary.comparison, [*names, *ALWAYS])
            if self.primary.comparison == self.primary_arm.name:
                raise ValueError("primary.comparison: an arm is compared with another one")
        check_volumes(self.all_arms, self.primary_arm, self.voi, levels_are_rows=self.unit_levels is not None)
        if self.primary_arm.flat:
            raise ValueError("primary.arm: a flat arm has no nodes of its own, so it cannot be the primary one")
        return self

    @property
    def unit_levels(self) -> tuple[str, ...] | None:
        """The levels that are rows of their own; None where each row is a patient."""
        return self.voi.level_names if self.voi is not None and self.table.unit == "level" else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the nodes split, in the order of the labels; patients of others are left out."""
        named = {label for node in self.nodes for label in (*node.positive, *node.negative)}
        return tuple(name for name in self.label.names if name in named)

    @property
    def imputes(self) -> bool:
        """Whether every arm fills missing values inside the folds, so that patients keep rows with gaps."""
        return all("missing" in _names(steps) for steps in self._all_steps())

    @property
    def sha256(self) -> str:
        """SHA-256 of the study: the same wherever its files lie, another for any other setting."""
        return sha256_json(self.content())

    def content(self, keys: Iterable[str] | None = None) -> dict[str, Any]:
        """Return the settings as plain values, with the parameters' SHA-256 instead of where they lie.

        Parameters
        ----------
        keys : iterable of str, optional
            Which keys; by default all.

        Returns
        -------
        dict
            For a hash of what a step depends on.
        """
        content = self.model_dump(mode="json")
        if self.extraction is not None:
            content["extraction"] = self.extraction.content()
        if self.segment is not None:
            content["segment"] = self.segment.content()
        return content if keys is None else {key: content[key] for key in keys if key in content}

    @property
    def all_arms(self) -> tuple[ArmChoice, ...]:
        """The recipe's arms, or the one that it implies."""
        if self.arms:
            return self.arms
        if self.voi is None and self.external is None:
            return (ArmChoice(name="clinical", columns=("clinical",)),)
        blocks = (EXTERNAL,) if self.external is not None else self.table.blocks
        if self.extraction is not None and "blocks" not in self.table.model_fields_set:
            blocks = (self.extraction.main_block,)
        return (ArmChoice(name="+".join(blocks), blocks=blocks),)

    @property
    def primary_arm(self) -> ArmChoice:
        """The arm whose figures stand at the top of the results, and whose procedure makes the model."""
        wanted = self.primary.arm
        return next(arm for arm in self.all_arms if wanted in (None, arm.name))

    @property
    def vois(self) -> dict[str, VoiChoice]:
        """Every VOI that is extracted, by name; the main one under the empty name, and that of the HU rule."""
        if self.voi is None:
            return {}
        found: dict[str, VoiChoice] = {"": self.voi, **self.more_vois}
        if self.evaluation.baselines.hu_rule:
            found[HU_RULE] = hu_rule_voi(self.voi)
        return found

    @property
    def blocks(self) -> tuple[str, ...]:
        """Every block of features by the name that arms use."""
        if self.external is not None:
            return (EXTERNAL,)
        if self.extraction is None:
            return ()
        found = list(self.extraction.blocks)
        for name, voi in self.more_vois.items():
            own = self.extraction.blocks if voi.features == "all" else (DENSITY,)
            found += [f"{name}.{block}" for block in own]
        return tuple(found)

    def group(self, name: str) -> Columns:
        """Return the columns of the cohort table that a name of an arm stands for.

        Parameters
        ----------
        name : str
            ``clinical``, ``acquisition``, or one column of either.

        Returns
        -------
        tuple of Column
            In the recipe's order.
        """
        if name in GROUPS:
            columns: Columns = getattr(self, name)
            return columns
        return tuple(column for column in (*self.clinical, *self.acquisition) if column.column == name)

    def steps_of(self, arm: ArmChoice) -> list[Steps]:
        """List the steps that an arm runs through: a node's own, else the arm's, else the recipe's.

        Parameters
        ----------
        arm : ArmChoice
            One of the arms.

        Returns
        -------
        list of tuple of SelectionStep
            One for each node; one for a flat arm, which has none; none for an arm of volumes.
        """
        if arm.volumes is not None:
            return []
        own = self.steps if arm.steps is None else arm.steps
        return [own] if arm.flat else [own if node.steps is None else node.steps for node in self.nodes]

    def batches(self, arm: ArmChoice) -> tuple[str, ...]:
        """List the columns of the cohort table that name the batch of a patient in an arm's step ``combat``.

        Parameters
        ----------
        arm : ArmChoice
            One of the arms.

        Returns
        -------
        tuple of str
            Usually none, or one.
        """
        chosen = (step.chosen for steps in self.steps_of(arm) for step in steps if step.name == "combat")
        return tuple(dict.fromkeys(step.batch_column for step in chosen))

    def covariates(self, arm: ArmChoice) -> tuple[str, ...]:
        """List the columns of the cohort table whose effect an arm's step ``combat`` keeps.

        Parameters
        ----------
        arm : ArmChoice
            One of the arms.

        Returns
        -------
        tuple of str
            Names that stand under ``clinical`` or ``acquisition``.
        """
        chosen = (step.chosen for steps in self.steps_of(arm) for step in steps if step.name == "combat")
        return tuple(dict.fromkeys(name for step in chosen for name in step.covariates))

    def params(self) -> RadiomicsParams | None:
        """Read the radiomics parameters: the preset, or the user's file; None where no radiomics are computed."""
        assert self.extraction is not None
        return self.extraction.radiomics_params()

    def tree(self) -> list[Node]:
        """Build the nodes.

        Returns
        -------
        list of Node
            In the recipe's order.
        """
        return [Node(node.name, node.positive, node.negative) for node in self.nodes]

    def _all_steps(self) -> list[Steps]:
        return [steps for arm in self.all_arms for steps in self.steps_of(arm)]

    def _column_names(self) -> list[str]:
        groups = [name for name in GROUPS if getattr(self, name)]
        return [*groups, *(column.column for column in (*self.clinical, *self.acquisition))]


def _names(steps: Steps) -> list[str]:
    return [step.name for step in steps]
