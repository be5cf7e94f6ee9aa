"""Study recipes: a whole study as one YAML file that reads like its protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from radiobone.core.config import FileModel, read_yaml, validate
from radiobone.core.resources import find
from radiobone.learning.steps import Correlation, Lasso, ModelChoice, SelectionStep, Standardise, Svm
from radiobone.tables.labels import LabelRule

if TYPE_CHECKING:
    from radiobone.learning import HierarchicalClassifier


class VoiChoice(FileModel):
    """Which VOIs the features must come from.

    Parameters
    ----------
    recipe : str
        VOI recipe, by name or by name and version.
    levels : str, optional
        Levels and ranges, such as ``L1-L3``; by default all in the mask.
    erosion_mm : float
        Of the trabecular recipe.
    missing_levels : {"fail", "skip", "first"}
        What to do about a level that a mask lacks.
    """

    recipe: str = "trabecular"
    levels: str | None = None
    erosion_mm: float = 3.0
    missing_levels: Literal["fail", "skip", "first"] = "fail"


class Extraction(FileModel):
    """How features are computed.

    Parameters
    ----------
    params : str
        Radiomics parameters: a preset's name, or a path beside the recipe.
    engine : str
        Radiomics engine.
    """

    params: str = "ct_trabecular"
    engine: str = "pyradiomics"


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

    blocks: tuple[Literal["radiomics", "density"], ...] = ("radiomics",)
    levels: Literal["mean", "min", "concat"] = "mean"
    exclude: str | None = None


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

    @model_validator(mode="after")
    def _nodes_split_the_classes(self) -> Self:
        named = {label for node in self.nodes for label in (*node.positive, *node.negative)}
        unknown = sorted(named - set(self.label.classes))
        if unknown:
            raise ValueError(f"nodes name classes that label.classes does not: {', '.join(unknown)}")
        if self.primary.node not in {node.name for node in self.nodes}:
            raise ValueError(f"primary.node {self.primary.node!r} is no node of this recipe")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the nodes split, in the order of the labels; patients of others are left out."""
        named = {label for node in self.nodes for label in (*node.positive, *node.negative)}
        return tuple(name for name in self.label.classes if name in named)

    def estimator(self) -> HierarchicalClassifier:
        """Build the estimator that cross-validation fits: every learned step stands inside it."""
        from sklearn.pipeline import Pipeline

        from radiobone.learning import HierarchicalClassifier, Node, SelectiveClassifierCV

        inner, seed = self.validation.inner_folds, self.validation.seed
        selection = Pipeline([(step.name, step.chosen.build(inner, seed)) for step in self.steps])
        model = self.model.chosen
        return HierarchicalClassifier(
            estimator=SelectiveClassifierCV(
                selection=selection, model=model.build(), grid=model.grid(), cv=inner, random_state=seed
            ),
            nodes=[Node(node.name, node.positive, node.negative) for node in self.nodes],
            train_on=self.train_on,
            decision=self.decision,
            cv=inner,
            random_state=seed,
        )


def read_recipe(name_or_path: str | Path) -> Recipe:
    """Read a study recipe by its shipped name, or from the user's own file.

    Raises
    ------
    ConfigError
        If there is no such recipe, or it is not valid; unknown keys are told with their path and the nearest
        known key.
    """
    path = find("pipelines", name_or_path)
    return validate(Recipe, read_yaml(path), str(path))
