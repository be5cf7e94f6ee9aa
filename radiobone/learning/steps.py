"""In-fold steps and models by name, as study recipes write them.

A new step is one more key of `SelectionStep`, a new model one more key of `ModelChoice`: recipes, their error
messages and the estimator that is built follow from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from radiobone.core.config import FileModel

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Standardise(FileModel):
    """Subtract the mean and divide by the standard deviation of the training rows."""

    def build(self, inner_folds: int, seed: int) -> BaseEstimator:
        """Return the transformer.

        Parameters
        ----------
        inner_folds : int
            Folds of the inner validation, for a step that cross-validates.
        seed : int
            Shuffles those folds.

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

    def build(self, inner_folds: int, seed: int) -> BaseEstimator:
        """Return the transformer.

        Parameters
        ----------
        inner_folds : int
            Folds of the inner validation, for a step that cross-validates.
        seed : int
            Shuffles those folds.

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

    def build(self, inner_folds: int, seed: int) -> BaseEstimator:
        """Return the transformer.

        Parameters
        ----------
        inner_folds : int
            Folds of the inner validation, for a step that cross-validates.
        seed : int
            Shuffles those folds.

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
            cv=self.folds or inner_folds,
            random_state=seed,
        )


class _OneKey(FileModel):
    """A mapping of exactly one name to its options, such as ``correlation: {threshold: 0.9}``."""

    @model_validator(mode="before")
    @classmethod
    def _options_may_be_left_out(cls, value: object) -> object:
        if isinstance(value, dict):
            return {key: {} if options is None else options for key, options in value.items()}
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = self.model_fields_set
        if len(given) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"expected exactly one of {known}, got {', '.join(sorted(given)) or 'none'}")
        return self

    @property
    def name(self) -> str:
        """The one name given."""
        return next(iter(self.model_fields_set))

    @property
    def chosen(self) -> Any:
        """Its options."""
        return getattr(self, self.name)


class SelectionStep(_OneKey):
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


class Svm(FileModel):
    """Settings of a support vector machine among which the inner folds choose; linear ones come first.

    Parameters
    ----------
    kernel : tuple of {"linear", "rbf"}
        Kernels.
    C : tuple of float
        Costs, for every kernel.
    gamma : tuple of float or "scale"
        Kernel widths, for ``rbf``.
    class_weight : {"balanced"} or None
        Weights of the classes.
    """

    kernel: tuple[Literal["linear", "rbf"], ...] = ("linear", "rbf")
    C: tuple[Positive, ...] = (0.01, 0.1, 1.0, 10.0)
    gamma: tuple[Positive | Literal["scale"], ...] = ("scale", 0.01)
    class_weight: Literal["balanced"] | None = "balanced"

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        for name in ("kernel", "C", "gamma"):
            if not getattr(self, name):
                raise ValueError(f"{name}: at least one value is needed")
        return self

    def build(self) -> BaseEstimator:
        """Return the classifier.

        Returns
        -------
        SVC
            Not fitted.
        """
        from sklearn.svm import SVC

        return SVC(class_weight=self.class_weight)

    def grid(self) -> list[dict[str, list[Any]]]:
        """Return the settings in the order in which ties are broken.

        Returns
        -------
        list of dict
            Grids, as scikit-learn takes them.
        """
        settings: list[dict[str, list[Any]]] = []
        for kernel in self.kernel:
            one: dict[str, list[Any]] = {"kernel": [kernel], "C": list(self.C)}
            settings.append({**one, "gamma": list(self.gamma)} if kernel == "rbf" else one)
        return settings


class ModelChoice(_OneKey):
    """The model at every node; exactly one of the keys is given.

    Parameters
    ----------
    svm : Svm, optional
        A support vector machine.
    """

    svm: Svm | None = None
