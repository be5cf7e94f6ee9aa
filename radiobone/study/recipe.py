"""Study recipes: a whole study as one YAML file that reads like its protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator, model_validator

from radiobone.core.config import FileModel, nearest, read_yaml, validate
from radiobone.core.errors import UsageError
from radiobone.core.hashing import sha256_json
from radiobone.core.resources import find
from radiobone.features.radiomics.params import RadiomicsParams, read_params
from radiobone.features.radiomics.registry import ENGINES
from radiobone.learning.choices import StepContext
from radiobone.learning.models import ModelChoice, Svm
from radiobone.learning.nodes import Node, NodeTree
from radiobone.learning.steps import Correlation, Lasso, SelectionStep, Standardise
from radiobone.tables.labels import LabelRule
from radiobone.tables.vertebrae import parse_levels
from radiobone.voi import VoiOptions, find_recipe

if TYPE_CHECKING:
    from radiobone.learning import HierarchicalClassifier


@contextlib.contextmanager
def _as_value_error(key: str = "") -> Iterator[None]:
    """Hand another room's error to pydantic, which tells it with the recipe's file and the path of the key."""
    try:
        yield
    except UsageError as error:
        where = f" ({error.where})" if error.where else ""
        expected = f", expected {error.expected}" if error.expected is not None else ""
        raise ValueError(f"{key}{error.what}{where}{expected}") from None


def _forbid_twice(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"given twice: {', '.join(twice)}")


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
        Of the trabecular recipe, in mm.
    upper_hu, lower_hu : float, optional
        Of the trabecular recipe: bounds in HU.
    missing_levels : {"fail", "skip", "first"}
        What was done at extraction about a level that a mask lacks. A table of ``first`` holds one level for each
        patient, so that it never stands for one of the others, or they for it.
    """

    recipe: str = "trabecular"
    levels: str | None = None
    erosion_mm: float = 3.0
    upper_hu: float | None = None
    lower_hu: float | None = None
    missing_levels: Literal["fail", "skip", "first"] = "fail"

    @field_validator("recipe")
    @classmethod
    def _recipe_exists(cls, value: str) -> str:
        with _as_value_error():
            find_recipe(value)
        return value

    @field_validator("levels")
    @classmethod
    def _levels_parse(cls, value: str | None) -> str | None:
        if value is not None:
            with _as_value_error():
                parse_levels(value)
        return value

    @model_validator(mode="after")
    def _recipe_takes_the_options(self) -> Self:
        with _as_value_error():
            find_recipe(self.recipe).check(self.options)
        return self

    @property
    def options(self) -> VoiOptions:
        """The options of the VOI recipe."""
        return VoiOptions(self.erosion_mm, self.upper_hu, self.lower_hu)

    @property
    def level_names(self) -> tuple[str, ...] | None:
        """The levels by name; None for all."""
        return None if self.levels is None else parse_levels(self.levels)


class Extraction(FileModel):
    """How features are computed.

    Parameters
    ----------
    params : str
        Radiomics parameters: a preset's name, or a path, relative to the recipe's folder.
    engine : str
        Radiomics engine for the extraction. A table of another engine fits as well and is not refused: by
        contract, engines give the same values.
    """

    params: str = "ct_trabecular"
    engine: str = "native"

    @field_validator("engine")
    @classmethod
    def _engine_exists(cls, value: str) -> str:
        # The name alone: a study may be trained where no engine is installed.
        if value not in ENGINES:
            raise ValueError(
                f"no engine of this name{nearest(value, list(ENGINES))}, expected {', '.join(ENGINES)}"
            )
        return value


class Table(FileModel):
    """From rows to patients.

    Parameters
    ----------
    blocks : tuple of str
        Blocks of features that make up X.
    levels : {"mean", "min", "concat"}
        What becomes of the levels of a patient.
    exclude : str, optional
        Column of the cohort table; patients with anything in it are excluded, and counted by it.
    """

    blocks: tuple[Literal["radiomics", "density"], ...] = Field(default=("radiomics",), min_length=1)
    levels: Literal["mean", "min", "concat"] = "mean"
    exclude: str | None = None

    @field_validator("blocks")
    @classmethod
    def _each_block_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        _forbid_twice(value)
        return value


class Validation(FileModel):
    """Nested cross-validation, stratified by class, with whole patients in every split.

    Parameters
    ----------
    outer_folds, inner_folds : int
        Number of folds that test the procedure, and of those that choose within it.
    repeats : int
        How often the outer folds are drawn.
    seed : int
        Draws all folds.
    """

    outer_folds: int = Field(default=5, ge=2)
    inner_folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)


class NodeChoice(FileModel):
    """One binary decision.

    Parameters
    ----------
    name : str
        Name in every output.
    positive, negative : tuple of str
        The classes on either side.
    """

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


class Primary(FileModel):
    """The one figure that the study was designed for; all others are exploratory.

    Parameters
    ----------
    node : str
        Name of the node.
    metric : {"auc", "sensitivity", "specificity", "balanced_accuracy"}
        Which figure of it.
    """

    node: str
    metric: Literal["auc", "sensitivity", "specificity", "balanced_accuracy"] = "auc"


class Recipe(FileModel):
    """A study.

    Parameters
    ----------
    name, title, source : str
        What it is called, what it does, and where its design comes from.
    label : LabelRule
        How patients get their class.
    voi, extraction, table : VoiChoice, Extraction, Table
        From scans to X.
    validation : Validation
        Nested cross-validation.
    steps : tuple of SelectionStep
        Learned steps before the model, each fitted within every fold.
    nodes : tuple of NodeChoice
        The tree of decisions.
    train_on : {"members", "routed"}
        Later nodes learn from their true members, or from those that earlier nodes send to them.
    model : ModelChoice
        The model at every node.
    decision : {"argmax", "routed"}
        How a class is chosen.
    primary : Primary
        The primary figure.
    """

    name: str
    title: str
    source: str
    label: LabelRule
    voi: VoiChoice = VoiChoice()
    extraction: Extraction = Extraction()
    table: Table = Table()
    validation: Validation = Validation()
    steps: tuple[SelectionStep, ...] = (
        SelectionStep(standardise=Standardise()),
        SelectionStep(correlation=Correlation()),
        SelectionStep(lasso=Lasso()),
    )
    nodes: tuple[NodeChoice, ...]
    train_on: Literal["members", "routed"] = "members"
    model: ModelChoice = ModelChoice(svm=Svm())
    decision: Literal["argmax", "routed"] = "argmax"
    primary: Primary

    @field_validator("steps")
    @classmethod
    def _each_step_once(cls, value: tuple[SelectionStep, ...]) -> tuple[SelectionStep, ...]:
        _forbid_twice([step.name for step in value])
        return value

    @model_validator(mode="after")
    def _params_exist(self) -> Self:
        with _as_value_error("extraction.params: "):
            self.params()
        return self

    @model_validator(mode="after")
    def _nodes_split_the_classes(self) -> Self:
        named = {label for node in self.nodes for label in (*node.positive, *node.negative)}
        unknown = sorted(named - set(self.label.classes))
        if unknown:
            raise ValueError(f"nodes name classes that label.classes does not: {', '.join(unknown)}")
        if self.primary.node not in {node.name for node in self.nodes}:
            raise ValueError(f"primary.node {self.primary.node!r} is no node of this recipe")
        with _as_value_error("nodes: "):
            NodeTree.build(self.tree(), self.classes)
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the nodes split, in the order of the labels; patients of others are left out."""
        named = {label for node in self.nodes for label in (*node.positive, *node.negative)}
        return tuple(name for name in self.label.classes if name in named)

    @property
    def sha256(self) -> str:
        """SHA-256 of the study: the same wherever its files lie, another for any other setting."""
        content = self.model_dump(mode="json")
        content["extraction"]["params"] = self.params().sha256
        return sha256_json(content)

    def params(self) -> RadiomicsParams:
        """Read the radiomics parameters.

        Returns
        -------
        RadiomicsParams
            The preset, or the user's file.
        """
        return read_params(self.extraction.params)

    def tree(self) -> list[Node]:
        """Build the nodes.

        Returns
        -------
        list of Node
            In the recipe's order.
        """
        return [Node(node.name, node.positive, node.negative) for node in self.nodes]

    def estimator(self) -> HierarchicalClassifier:
        """Build the estimator that cross-validation fits: every learned step stands inside it.

        Returns
        -------
        HierarchicalClassifier
            Not fitted.
        """
        from sklearn.pipeline import Pipeline

        from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV

        inner, seed = self.validation.inner_folds, self.validation.seed
        context = StepContext(inner_folds=inner, seed=seed)
        selection = Pipeline([(step.name, step.chosen.build(context)) for step in self.steps])
        model = self.model.chosen
        return HierarchicalClassifier(
            estimator=SelectiveClassifierCV(
                selection=selection, model=model.build(), grid=model.grid(), cv=inner, random_state=seed
            ),
            nodes=self.tree(),
            train_on=self.train_on,
            decision=self.decision,
            cv=inner,
            random_state=seed,
        )


def read_recipe(name_or_path: str | Path) -> Recipe:
    """Read a study recipe by its shipped name, or from the user's own file.

    Parameters
    ----------
    name_or_path : str or Path
        A name such as ``two_level_osteoporosis_first``, or the path of a YAML file.

    Returns
    -------
    Recipe
        Checked against itself: levels, VOI recipe and its options, parameters, engine, steps and nodes. A path in
        ``extraction.params`` stands resolved.

    Raises
    ------
    ConfigError
        If there is no such recipe, or it is not valid; unknown keys are told with their path and the nearest
        known key.
    """
    path = find("pipelines", name_or_path)
    content = read_yaml(path)
    extraction = content.get("extraction")
    params = extraction.get("params") if isinstance(extraction, dict) else None
    if isinstance(params, str) and _is_path(params):
        content["extraction"]["params"] = str((path.parent / params).resolve())
    return validate(Recipe, content, str(path))


def _is_path(params: str) -> bool:
    """Tell a path from a preset's name, as `radiobone.core.resources.find` does."""
    return Path(params).suffix in {".yaml", ".yml"} or Path(params).parent != Path()
