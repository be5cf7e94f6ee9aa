"""Support vector machines, and models with one weight for each column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from radiobone.learning.protocol.choices import Positive, Several
from radiobone.learning.protocol.model_options import Balance, Counts, Grid, ModelOptions, Positives, Share, Shares

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

# Steps after which a solver gives up, with scikit-learn's warning.
_PATIENCE = 10_000
Kernel = Literal["linear", "rbf", "poly"]


class Svm(ModelOptions):
    """A support vector machine.

    Parameters
    ----------
    kernel : tuple of {"linear", "rbf", "poly"}
        Kernels.
    C : tuple of float
        Costs, for every kernel.
    gamma : tuple of float or "scale"
        Kernel widths, for ``rbf`` and ``poly``.
    degree : tuple of int
        Degrees, for ``poly``.
    class_weight : {"balanced"} or None
        Weights of the classes.
    """

    kernel: Several[Kernel] = ("linear", "rbf")
    C: Positives = (0.01, 0.1, 1.0, 10.0)
    gamma: Several[Positive | Literal["scale"]] = ("scale", 0.01)
    degree: Counts = (3,)
    class_weight: Balance = "balanced"

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.svm import SVC

        return SVC(class_weight=self.class_weight)

    def _settings(self) -> Grid:
        grid: Grid = []
        for kernel in self.kernel:
            one: dict[str, list[Any]] = {"kernel": [kernel], "C": list(self.C)}
            if kernel != "linear":
                one["gamma"] = list(self.gamma)
            if kernel == "poly":
                one["degree"] = list(self.degree)
            grid.append(one)
        return grid


class Logistic(ModelOptions):
    """Logistic regression.

    Parameters
    ----------
    penalty : {"l2", "elastic_net", "none"}
        What keeps the weights small.
    C : tuple of float
        Inverse strengths of the penalty; not used by ``none``.
    l1_ratio : tuple of float
        Share of the absolute in the elastic net, from 0 (ridge) to 1 (LASSO).
    class_weight : {"balanced"} or None
        Weights of the classes.
    """

    penalty: Literal["l2", "elastic_net", "none"] = "l2"
    C: Positives = (0.01, 0.1, 1.0, 10.0)
    l1_ratio: Shares = (0.5,)
    class_weight: Balance = "balanced"

    def _classifier(self, seed: int) -> BaseEstimator:
        import numpy as np
        from sklearn.linear_model import LogisticRegression

        shared = {"class_weight": self.class_weight, "max_iter": _PATIENCE}
        if self.penalty == "none":
            return LogisticRegression(C=np.inf, **shared)
        if self.penalty == "l2":
            return LogisticRegression(**shared)
        return LogisticRegression(solver="saga", l1_ratio=0.5, random_state=seed, **shared)

    def _settings(self) -> Grid:
        if self.penalty == "none":
            return [{}]
        costs: dict[str, list[Any]] = {"C": list(self.C)}
        return [costs if self.penalty == "l2" else {**costs, "l1_ratio": list(self.l1_ratio)}]


class Sgd(ModelOptions):
    """A linear model that is fitted by stochastic gradient descent.

    Parameters
    ----------
    loss : {"log_loss", "hinge", "modified_huber"}
        Of logistic regression, of the support vector machine, or a smooth form of that.
    alpha : tuple of float
        Strengths of the squared penalty, strong ones first.
    class_weight : {"balanced"} or None
        Weights of the classes.
    """

    loss: Literal["log_loss", "hinge", "modified_huber"] = "log_loss"
    alpha: Positives = (0.1, 0.01, 0.001)
    class_weight: Balance = "balanced"

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.linear_model import SGDClassifier

        return SGDClassifier(loss=self.loss, class_weight=self.class_weight, max_iter=_PATIENCE, random_state=seed)

    def _settings(self) -> Grid:
        return [{"alpha": list(self.alpha)}]


class Lda(ModelOptions):
    """Linear discriminant analysis with a shrunken covariance.

    Parameters
    ----------
    shrinkage : tuple of float or "auto"
        Shares of the diagonal, from 0 to 1, or the one of Ledoit and Wolf.
    """

    shrinkage: Several[Share | Literal["auto"]] = ("auto",)

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        return LinearDiscriminantAnalysis(solver="lsqr")

    def _settings(self) -> Grid:
        return [{"shrinkage": list(self.shrinkage)}]
