"""In-fold steps that fill, harmonise or drop columns, as study recipes write them.

Each has ``build(context)``, which returns its transformer, not fitted; `radiobone.learning.protocol.steps` names
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from radiobone.core.config import FileModel
from radiobone.core.errors import ConfigError
from radiobone.learning.protocol.choices import Positive, Several, StepContext

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


class Missing(FileModel):
    """Drop columns with many missing values, and fill the gaps of the others.

    Parameters
    ----------
    max_share : float
        Largest share of training rows that may lack a column.
    strategy : {"median", "mean", "knn", "drop_columns"}
        How gaps are filled; or every column with one is dropped.
    neighbours : int
        Number of nearest rows for ``knn``.
    """

    max_share: float = Field(default=0.2, ge=0, le=1)
    strategy: Literal["median", "mean", "knn", "drop_columns"] = "median"
    neighbours: int = Field(default=5, ge=1)

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.selection.missing import MissingValues

        return MissingValues(max_share=self.max_share, strategy=self.strategy, n_neighbors=self.neighbours)


class Variance(FileModel):
    """Drop columns that hardly vary, and those that hold a single value.

    Parameters
    ----------
    threshold : float
        Largest variance of a column that is dropped.
    """

    threshold: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.selection.variance import VarianceFilter

        return VarianceFilter(threshold=self.threshold)


class Stability(FileModel):
    """Keep columns that come out alike when a measurement is repeated.

    Parameters
    ----------
    form : {"1,1", "2,1", "3,1"}
        Form of the intraclass correlation; in quotation marks within braces, where YAML parts words at commas.
    threshold : float
        Least correlation of a column that is kept.
    on : {"estimate", "lower"}
        Whether the estimate or the lower bound of its interval must reach it.
    level : float
        Level of that interval.
    sample : {"training", "separate"}
        Whose measurements are repeated: training patients', or those of people who are no part of the study.
    min_subjects : int
        Fewest patients that a correlation is computed from.
    """

    form: Literal["1,1", "2,1", "3,1"] = "2,1"
    threshold: float = Field(default=0.75, ge=-1, le=1)
    on: Literal["estimate", "lower"] = "estimate"
    level: float = Field(default=0.95, gt=0, lt=1)
    sample: Literal["training", "separate"] = "training"
    min_subjects: int = Field(default=5, ge=2)

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer; without repeated measurements in the context, a ConfigError."""
        from radiobone.learning.selection.stability import StabilityFilter

        if context.repeats is None:
            raise ConfigError(
                "the step stability needs repeated measurements, and the study has none",
                got="no rows of several repeats",
                do="extract a cohort table with a column 'repeat', or leave the step out",
            )
        return StabilityFilter(
            repeats=context.repeats,
            form=self.form,
            threshold=self.threshold,
            on=self.on,
            level=self.level,
            sample=self.sample,
            min_subjects=self.min_subjects,
        )


class Univariate(FileModel):
    """Keep columns in which a test finds a difference between the classes.

    Parameters
    ----------
    test : {"auto", "t", "welch", "mannwhitney", "anova", "kruskal"}
        Which test; ``auto`` decides for each column by Shapiro and Wilk's test.
    alpha : float
        P-value below which a column is kept.
    correction : {"fdr_bh", "holm", "bonferroni"}, optional
        Correction of p-values for the number of columns.
    normality : float
        P-value of Shapiro and Wilk's test below which a class does not count as normal, for ``auto``.
    """

    test: Literal["auto", "t", "welch", "mannwhitney", "anova", "kruskal"] = "auto"
    alpha: float = Field(default=0.05, gt=0, le=1)
    correction: Literal["fdr_bh", "holm", "bonferroni"] | None = None
    normality: float = Field(default=0.05, ge=0, le=1)

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.selection.univariate import UnivariateFilter

        return UnivariateFilter(
            test=self.test, alpha=self.alpha, correction=self.correction, normality=self.normality
        )


class Mrmr(FileModel):
    """Keep k columns of much relevance to the class and little redundancy.

    Parameters
    ----------
    k : int
        Number of columns.
    form : {"FCD", "FCQ", "MID", "MIQ"}
        F statistic and correlation, or mutual information; difference or quotient.
    """

    k: int = Field(default=20, ge=1)
    form: Literal["FCD", "FCQ", "MID", "MIQ"] = "FCQ"

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.selection.mrmr import MRMRSelector

        return MRMRSelector(k=self.k, form=self.form)


class Rfe(FileModel):
    """Drop the columns of smallest weight in a linear support vector machine, over and over.

    Parameters
    ----------
    k : int
        Number of columns in the end.
    step : float
        Share of all columns dropped at a time.
    C : float
        Cost of the machine.
    class_weight : {"balanced"} or None
        Weights of the classes.
    """

    k: int = Field(default=10, ge=1)
    step: float = Field(default=0.1, gt=0, lt=1)
    C: Positive = 1.0
    class_weight: Literal["balanced"] | None = "balanced"

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.selection.ranking import EliminationSelector

        return EliminationSelector(k=self.k, step=self.step, C=self.C, class_weight=self.class_weight)


class Importance(FileModel):
    """Keep the k columns of largest importance in a random forest.

    Parameters
    ----------
    k : int
        Number of columns.
    trees : int
        Number of trees.
    criterion : {"gini", "entropy", "log_loss"}
        Impurity.
    class_weight : {"balanced", "balanced_subsample"} or None
        Weights of the classes.
    """

    k: int = Field(default=10, ge=1)
    trees: int = Field(default=500, ge=1)
    criterion: Literal["gini", "entropy", "log_loss"] = "gini"
    class_weight: Literal["balanced", "balanced_subsample"] | None = None

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.selection.ranking import ImportanceSelector

        return ImportanceSelector(
            k=self.k,
            n_estimators=self.trees,
            criterion=self.criterion,
            class_weight=self.class_weight,
            random_state=context.seed,
        )


class Pca(FileModel):
    """Put principal components in the place of columns.

    Parameters
    ----------
    columns : tuple of str, optional
        Names or patterns, such as ``"*deep-*"``; by default all columns. Columns of other names pass as they are.
    share : float
        Share of the variance that the components hold together.
    components : int, optional
        Largest number of components.
    whiten : bool
        Divide each component by its standard deviation.
    """

    columns: Several[str] | None = None
    share: float = Field(default=0.95, gt=0, le=1)
    components: int | None = Field(default=None, ge=1)
    whiten: bool = False

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.selection.components import PrincipalComponents

        return PrincipalComponents(
            columns=self.columns, share=self.share, n_components=self.components, whiten=self.whiten
        )


class Combat(FileModel):
    """Take the shifts and spreads of batches (centres, scanners) out of features.

    Parameters
    ----------
    batch_column : str
        Column of X that names the batch of each row.
    covariates : tuple of str
        Columns whose effect is kept.
    parametric, mean_only : bool
        Parametric priors; align means alone.
    unseen : {"error", "identity"}
        What happens to rows of a batch that was not among the training rows.
    reference_batch : str, int or float, optional
        Batch to which the others are brought.
    keep_covariates : bool
        Pass covariates on, unharmonised.
    """

    batch_column: str
    covariates: tuple[str, ...] = ()
    parametric: bool = True
    mean_only: bool = False
    unseen: Literal["error", "identity"] = "error"
    reference_batch: str | int | float | None = None
    keep_covariates: bool = False

    def build(self, context: StepContext) -> BaseEstimator:
        """Return the transformer."""
        from radiobone.learning.harmonisation.combat import ComBat

        return ComBat(
            batch_column=self.batch_column,
            covariates=self.covariates,
            parametric=self.parametric,
            mean_only=self.mean_only,
            unseen=self.unseen,
            reference_batch=self.reference_batch,
            keep_covariates=self.keep_covariates,
        )
