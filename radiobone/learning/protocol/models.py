"""Models by name, as study recipes write them.

A new model is one more key of `ModelChoice`: recipes, their error messages and the estimator that is built follow
from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from radiobone.learning.protocol.choices import OneKey
from radiobone.learning.protocol.model_options import Grid, ModelOptions
from radiobone.learning.protocol.models_linear import Lda, Logistic, Sgd, Svm
from radiobone.learning.protocol.models_other import Knn, Mlp, NaiveBayes
from radiobone.learning.protocol.models_trees import (
    AdaBoost,
    DecisionTree,
    ExtraTrees,
    GradientBoosting,
    LightGbm,
    RandomForest,
)

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = [
    "AdaBoost",
    "DecisionTree",
    "ExtraTrees",
    "GradientBoosting",
    "Knn",
    "Lda",
    "LightGbm",
    "Logistic",
    "Mlp",
    "ModelChoice",
    "ModelOptions",
    "NaiveBayes",
    "RandomForest",
    "Sgd",
    "Stacking",
    "Svm",
]


class Stacking(ModelOptions):
    """Several models, weighed by a logistic regression on their inner out-of-fold probabilities.

    Each model chooses among its own settings and is calibrated by folds within those of the stacking, so that a
    stacking of k folds fits each model about k times as often as the model alone.

    Parameters
    ----------
    of : tuple of ModelChoice
        The models.
    folds : int
        Folds of the out-of-fold probabilities, and of each model's own choice.
    """

    of: Annotated[tuple[ModelChoice, ...], Field(min_length=2)]
    folds: Annotated[int, Field(ge=2)] = 5

    def _classifier(self, seed: int) -> BaseEstimator:
        from radiobone.learning.fusion import LateFusionClassifier
        from radiobone.learning.selective import SelectiveClassifierCV

        parts = {}
        for number, choice in enumerate(self.of):
            model = choice.chosen
            twice = sum(other.name == choice.name for other in self.of) > 1
            parts[f"{choice.name}_{number + 1}" if twice else choice.name] = (
                None,
                SelectiveClassifierCV(
                    selection="passthrough",
                    model=model.build(seed),
                    grid=model.grid(),
                    cv=self.folds,
                    random_state=seed,
                ),
            )
        return LateFusionClassifier(parts=parts, method="stacked", cv=self.folds, random_state=seed)

    def _settings(self) -> Grid:
        return [{}]


class ModelChoice(OneKey):
    """The model at every node; exactly one of the keys is given.

    Parameters
    ----------
    svm : Svm, optional
        A support vector machine: linear, RBF or polynomial.
    logistic : Logistic, optional
        Logistic regression.
    random_forest : RandomForest, optional
        A random forest.
    extra_trees : ExtraTrees, optional
        A forest of random splits.
    lightgbm : LightGbm, optional
        Boosted trees by LightGBM.
    knn : Knn, optional
        Nearest neighbours.
    naive_bayes : NaiveBayes, optional
        Naive Bayes, Gaussian or Bernoulli.
    mlp : Mlp, optional
        A multilayer perceptron.
    stacking : Stacking, optional
        Several of these, weighed by logistic regression.
    decision_tree : DecisionTree, optional
        One tree.
    sgd : Sgd, optional
        A linear model by stochastic gradient descent.
    adaboost : AdaBoost, optional
        AdaBoost.
    gradient_boosting : GradientBoosting, optional
        Boosted trees by scikit-learn.
    lda : Lda, optional
        Linear discriminant analysis.
    """

    svm: Svm | None = None
    logistic: Logistic | None = None
    random_forest: RandomForest | None = None
    extra_trees: ExtraTrees | None = None
    lightgbm: LightGbm | None = None
    knn: Knn | None = None
    naive_bayes: NaiveBayes | None = None
    mlp: Mlp | None = None
    stacking: Stacking | None = None
    decision_tree: DecisionTree | None = None
    sgd: Sgd | None = None
    adaboost: AdaBoost | None = None
    gradient_boosting: GradientBoosting | None = None
    lda: Lda | None = None


Stacking.model_rebuild()
