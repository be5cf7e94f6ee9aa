"""In-fold steps by name, as study recipes write them.

A new step is one more key of `SelectionStep`: recipes, their error messages and the estimator that is built follow
from it. Each has ``build(context)``, which returns its transformer, not fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from radiobone.core.config import FileModel
from radiobone.learning.protocol.choices import OneKey, Several, StepContext
from radiobone.learning.protocol.step_filters import (
    Combat,
    Importance,
    Missing,
    Mrmr,
    Pca,
    Rfe,
    Stability,
    Univariate,
    Variance,
)

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


class Standardise(FileModel):
    """Scale columns by what the training rows say of them.

    Parameters
    ----------
    method : {"zscore", "minmax", "robust"}
        Subtract the mean and divide by the standard deviation; bring the training rows between 0 and 1 (later rows
        may lie beyond); or subtract the median and divide by the range between the quartiles.
    """

    method: Literal["zscore", "minmax", "robust"] = "zscore"

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

        return {"zscore": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}[self.method]()


class Correlation(FileModel):
    """Drop columns that are too similar to one that is kept.

    Parameters
    ----------
    method : {"spearman", "pearson"}
        Which correlation.
    threshold : float
        Largest absolute correlation of two kept columns.
    keep : {"first", "largest_univariate", "smallest_mean_correlation"}
        Which of two similar columns is kept.
    """

    method: Literal["spearman", "pearson"] = "spearman"
    threshold: float = Field(default=0.9, gt=0, le=1)
    keep: Literal["first", "largest_univariate", "smallest_mean_correlation"] = "first"

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.selection.correlation import CorrelationFilter

        return CorrelationFilter(method=self.method, threshold=self.threshold, keep=self.keep)


class Lasso(FileModel):
    """Keep the columns with a coefficient in a LASSO whose penalty is cross-validated.

    Parameters
    ----------
    loss : {"squared", "binomial"}
        Squared loss on the classes coded 0 and 1, or the binomial likelihood (penalised logistic regression).
    rule : {"min", "1se"}
        Penalty of smallest loss, or the one-standard-error rule.
    penalties : int
        Number of penalties on the path.
    folds : int, optional
        Folds for the penalty; by default as many as the inner validation.
    """

    loss: Literal["squared", "binomial"] = "squared"
    rule: Literal["min", "1se"] = "min"
    penalties: int = Field(default=100, ge=2)
    folds: int | None = Field(default=None, ge=2)

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.penalised.lasso import LassoSelector

        return LassoSelector(
            loss=self.loss,
            rule=self.rule,
            n_alphas=self.penalties,
            cv=self.folds or context.inner_folds,
            random_state=context.seed,
        )


class ElasticNet(Lasso):
    """Keep the columns with a coefficient in an elastic net whose penalty is cross-validated.

    It takes the options of `Lasso`, too.

    Parameters
    ----------
    l1_ratio : tuple of float
        Share of the L1 norm in the penalty, above 0 and at most 1; of several, the cross-validation takes one.
    """

    l1_ratio: Several[Annotated[float, Field(gt=0, le=1)]] = (0.5,)

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        return super().build(context).set_params(l1_ratio=list(self.l1_ratio))


class Block(FileModel):
    """Columns that are selected by themselves.

    Parameters
    ----------
    columns : tuple of str
        Their names, or patterns such as ``deep_*``.
    steps : tuple of SelectionStep
        What is done to them; without any they are kept as they are.
    """

    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    steps: tuple[SelectionStep, ...] = ()


class Blocks(FileModel):
    """Select within each block of columns by itself, and put what is kept side by side.

    Parameters
    ----------
    of : mapping of str to Block
        The blocks by name; every column belongs to exactly one.
    """

    of: Annotated[dict[str, Block], Field(min_length=1)]

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from sklearn.pipeline import Pipeline

        from radiobone.learning.selection.blocks import BlockSelector

        return BlockSelector(
            blocks={name: list(block.columns) for name, block in self.of.items()},
            selections={
                name: Pipeline([(step.name, step.chosen.build(context)) for step in block.steps])
                if block.steps
                else "passthrough"
                for name, block in self.of.items()
            },
            random_state=context.seed,
        )


class SelectionStep(OneKey):
    """One step before the model; exactly one of the keys is given.

    Parameters
    ----------
    combat : Combat, optional
        Harmonise batches.
    missing : Missing, optional
        Drop columns with many missing values, and fill the others.
    stability : Stability, optional
        Keep columns that repeated measurements agree on.
    variance : Variance, optional
        Drop columns that hardly vary.
    standardise : Standardise, optional
        Scale columns.
    univariate : Univariate, optional
        Keep columns in which classes differ.
    correlation : Correlation, optional
        Drop columns that are too similar to another.
    mrmr : Mrmr, optional
        Keep relevant columns that are little redundant.
    lasso : Lasso, optional
        Keep the columns of a LASSO.
    elastic_net : ElasticNet, optional
        Keep the columns of an elastic net.
    rfe : Rfe, optional
        Eliminate columns by the weights of a linear machine.
    importance : Importance, optional
        Keep columns that matter to a random forest.
    pca : Pca, optional
        Put principal components in the place of columns.
    blocks : Blocks, optional
        Steps within blocks of columns.
    """

    newer: ClassVar[frozenset[str]] = frozenset({"pca"})

    combat: Combat | None = None
    missing: Missing | None = None
    stability: Stability | None = None
    variance: Variance | None = None
    standardise: Standardise | None = None
    univariate: Univariate | None = None
    correlation: Correlation | None = None
    mrmr: Mrmr | None = None
    lasso: Lasso | None = None
    elastic_net: ElasticNet | None = None
    rfe: Rfe | None = None
    importance: Importance | None = None
    pca: Pca | None = None
    blocks: Blocks | None = None


Block.model_rebuild()
Blocks.model_rebuild()
