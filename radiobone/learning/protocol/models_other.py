"""Nearest neighbours, naive Bayes and the multilayer perceptron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from radiobone.learning.protocol.choices import Several
from radiobone.learning.protocol.model_options import Count, Counts, Grid, ModelOptions, Positives

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

# Steps after which the solver gives up, with scikit-learn's warning.
_PATIENCE = 5_000
Layers = Annotated[tuple[Count, ...], Field(min_length=1)]


class Knn(ModelOptions):
    """The nearest training rows; a node with fewer training rows than neighbours is an error.

    A saved model holds the selected columns of every training row, as a support vector machine holds those of its
    support vectors: think of that before a model is given away.

    Parameters
    ----------
    neighbours : tuple of int
        Numbers of neighbours, large ones first.
    weights : tuple of {"uniform", "distance"}
        Whether near neighbours count more.
    """

    neighbours: Counts = (15, 9, 5)
    weights: Several[Literal["uniform", "distance"]] = ("uniform", "distance")

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.neighbors import KNeighborsClassifier

        # Small tables need no search tree, and a saved model then holds plain numbers only.
        return KNeighborsClassifier(algorithm="brute")

    def _settings(self) -> Grid:
        return [{"n_neighbors": list(self.neighbours), "weights": list(self.weights)}]


class NaiveBayes(ModelOptions):
    """Naive Bayes.

    Parameters
    ----------
    distribution : {"gaussian", "bernoulli"}
        Of each column in each class. ``bernoulli`` asks only whether a value lies above 0, which is the training
        mean after ``standardise``.
    smoothing : tuple of float, optional
        ``gaussian``: added to every variance, as a share of the largest one; by default 1e-9 and 0.01.
        ``bernoulli``: added to every count; by default 1.
    """

    distribution: Literal["gaussian", "bernoulli"] = "gaussian"
    smoothing: Positives | None = None

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.naive_bayes import BernoulliNB, GaussianNB

        return GaussianNB() if self.distribution == "gaussian" else BernoulliNB()

    def _settings(self) -> Grid:
        if self.distribution == "gaussian":
            return [{"var_smoothing": list(self.smoothing or (1e-9, 0.01))}]
        return [{"alpha": list(self.smoothing or (1.0,))}]


class Mlp(ModelOptions):
    """A multilayer perceptron, fitted by L-BFGS, which suits small tables and takes no class weights.

    Parameters
    ----------
    hidden : tuple of tuple of int
        Numbers of units of the hidden layers.
    alpha : tuple of float
        Strengths of the squared penalty, strong ones first.
    """

    hidden: Several[Layers] = ((16,),)
    alpha: Positives = (10.0, 1.0, 0.1)

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(solver="lbfgs", max_iter=_PATIENCE, random_state=seed)

    def _settings(self) -> Grid:
        return [{"hidden_layer_sizes": list(self.hidden), "alpha": list(self.alpha)}]
