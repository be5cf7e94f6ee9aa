"""Models by name, as study recipes write them.

A new model is one more key of `ModelChoice`: recipes, their error messages and the estimator that is built follow
from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from radiobone.core.config import FileModel
from radiobone.learning.choices import OneKey, Positive

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


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


class ModelChoice(OneKey):
    """The model at every node; exactly one of the keys is given.

    Parameters
    ----------
    svm : Svm, optional
        A support vector machine.
    """

    svm: Svm | None = None
