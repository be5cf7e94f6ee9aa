"""What a recipe says of evaluation: strata, prevalence, tests, baselines, tables and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from radiobone.core.config import FileModel
from radiobone.study.recipe.checks import forbid_twice

if TYPE_CHECKING:
    from radiobone.evaluation.fold_figures import FigureOptions

Share = Annotated[float, Field(gt=0, lt=1)]


class Stratum(FileModel):
    """Figures for each value of a column of the cohort table.

    Parameters
    ----------
    column : str
        Its name.
    bands : tuple of float
        For numbers: ascending cuts; a band holds its lower cut.
    reference : str, optional
        The stratum that the others are compared with; by default the largest.
    """

    column: str
    bands: tuple[float, ...] = ()
    reference: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_enough(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value

    @field_validator("bands")
    @classmethod
    def _ascend(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("cuts must ascend")
        return value


class Baselines(FileModel):
    """Baselines beyond those that are always in the table.

    Parameters
    ----------
    hu_rule : bool
        Extract the VOI of TotalSegmentator's published rule as well (the vertebral body eroded by 4 mm, density
        block only), so that the rule stands in the table; without it, the row says what is needed.
    """

    hu_rule: bool = False


class Evaluation(FileModel):
    """What is reported beside the figures of each node and class.

    Parameters
    ----------
    level : float
        Level of every interval.
    strata : tuple of Stratum
        Columns by whose values the primary metric is told.
    prevalence : float, or dict of str to float, optional
        Share of the positive side where the test would be used, for PPV and NPV: of the primary node, or by node.
    draws, seed : int
        Draws of the bootstrap, and its seed.
    permutations : int
        Refits of the primary arm's whole validation with permuted labels; 0 for none.
    learning_curve : tuple of float
        Shares of the patients on whom the primary arm's whole validation is run again; empty for none.
    thresholds : (float, float)
        First and last threshold probability of the decision curves, in steps of 0.01.
    baselines : Baselines
        Further baselines.
    clinical_table : bool
        Write tables of univariable and multivariable regression of the clinical columns.
    figures : tuple of {"png", "pdf", "svg"}
        Formats of the figures; empty for none.
    nomogram : bool
        Draw a nomogram of the primary arm's final model, where it is linear.
    """

    level: Share = 0.95
    strata: tuple[Stratum, ...] = ()
    prevalence: Share | dict[str, Share] | None = None
    draws: int = Field(default=2000, ge=100)
    seed: int = Field(default=0, ge=0)
    permutations: int = Field(default=0, ge=0)
    learning_curve: tuple[Annotated[float, Field(gt=0, le=1)], ...] = ()
    thresholds: tuple[Share, Share] = (0.01, 0.99)
    baselines: Baselines = Baselines()
    clinical_table: bool = True
    figures: tuple[Literal["png", "pdf", "svg"], ...] = ("png", "pdf")
    nomogram: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        forbid_twice([stratum.column for stratum in self.strata])
        if not self.thresholds[0] < self.thresholds[1]:
            raise ValueError(f"thresholds must ascend, got {list(self.thresholds)}")
        return self

    def prevalences(self, node: str) -> dict[str, float]:
        """Return the stated prevalence of each node.

        Parameters
        ----------
        node : str
            The node that one number speaks of.

        Returns
        -------
        dict of str to float
            Empty where none is stated.
        """
        if self.prevalence is None:
            return {}
        return self.prevalence if isinstance(self.prevalence, dict) else {node: self.prevalence}

    def options(self, node: str) -> FigureOptions:
        """Return what figures are asked for.

        Parameters
        ----------
        node : str
            The primary node.

        Returns
        -------
        FigureOptions
            Level, prevalence, draws and seed.
        """
        from radiobone.evaluation.fold_figures import FigureOptions

        return FigureOptions(self.level, self.prevalences(node), self.draws, self.seed, self.thresholds)


class Primary(FileModel):
    """The one figure that the study was designed for; all others are exploratory.

    Parameters
    ----------
    node : str
        Name of the node.
    metric : {"auc", "sensitivity", "specificity", "balanced_accuracy"}
        Which figure of it.
    arm : str, optional
        Of which arm; by default the first.
    comparison : str, optional
        The arm (or control, or baseline) that it is compared with.
    """

    node: str
    metric: Literal["auc", "sensitivity", "specificity", "balanced_accuracy"] = "auc"
    arm: str | None = None
    comparison: str | None = None
