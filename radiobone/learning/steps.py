"""In-fold steps by name, as study recipes write them.

A new step is one more key of `SelectionStep`: recipes, their error messages and the estimator that is built follow
from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from radiobone.core.config import FileModel
from radiobone.learning.choices import OneKey, StepContext

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


class Standardise(FileModel):
    """Subtract the mean and divide by the standard deviation of the training rows."""

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer.

        Parameters
        ----------
        context : StepContext
            The study around the step.

        Returns
        -------
        transformer
            Not fitted.
        """
        from sklearn.preprocessing import StandardScaler

        return StandardScaler()


class Correlation(FileModel):
    """Drop columns that are too similar to one that is kept.

    Parameters
    ----------
    method : {"spearman", "pearson"}
        Which correlation.
    threshold : float
        Largest absolute correlation of two kept columns.
    """

    method: Literal["spearman", "pearson"] = "spearman"
    threshold: float = Field(default=0.9, gt=0, le=1)

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer.

        Parameters
        ----------
        context : StepContext
            The study around the step.

        Returns
        -------
        transformer
            Not fitted.
        """
        from radiobone.learning.correlation import CorrelationFilter

        return CorrelationFilter(method=self.method, threshold=self.threshold)


class Lasso(FileModel):
    """Keep the columns with a coefficient in a LASSO whose penalty is cross-validated.

    Parameters
    ----------
    loss : {"squared"}
        Squared loss on the classes coded 0 and 1.
    rule : {"min", "1se"}
        Penalty of smallest error, or the one-standard-error rule.
    penalties : int
        Number of penalties on the path.
    folds : int, optional
        Folds for the penalty; by default as many as the inner validation.
    """

    loss: Literal["squared"] = "squared"
    rule: Literal["min", "1se"] = "min"
    penalties: int = Field(default=100, ge=2)
    folds: int | None = Field(default=None, ge=2)

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer.

        Parameters
        ----------
        context : StepContext
            The study around the step.

        Returns
        -------
        transformer
            Not fitted.
        """
        from radiobone.learning.lasso import LassoSelector

        return LassoSelector(
            loss=self.loss,
            rule=self.rule,
            n_alphas=self.penalties,
            cv=self.folds or context.inner_folds,
            random_state=context.seed,
        )


class SelectionStep(OneKey):
    """One step before the model; exactly one of the keys is given.

    Parameters
    ----------
    standardise : Standardise, optional
        Scale columns.
    correlation : Correlation, optional
        Drop columns that are too similar to another.
    lasso : Lasso, optional
        Keep the columns of a LASSO.
    """

    standardise: Standardise | None = None
    correlation: Correlation | None = None
    lasso: Lasso | None = None
