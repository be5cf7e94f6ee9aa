"""Decision trees, forests and boosted trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from radiobone.learning.protocol.choices import Several
from radiobone.learning.protocol.model_options import Balance, Count, Counts, Grid, ModelOptions, Positives

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Fraction = Annotated[float, Field(gt=0, le=1)]


class DecisionTree(ModelOptions):
    """One decision tree.

    Parameters
    ----------
    max_depth : tuple of int
        Most decisions on the way to a leaf.
    min_samples_leaf : tuple of int
        Fewest training rows in a leaf.
    class_weight : {"balanced"} or None
        Weights of the classes.
    """

    max_depth: Counts = (1, 2, 3, 5)
    min_samples_leaf: Counts = (5,)
    class_weight: Balance = "balanced"

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(class_weight=self.class_weight, random_state=seed)

    def _settings(self) -> Grid:
        return [{"max_depth": list(self.max_depth), "min_samples_leaf": list(self.min_samples_leaf)}]


class RandomForest(ModelOptions):
    """A random forest.

    Parameters
    ----------
    trees : int
        Number of trees.
    max_features : tuple of float or "sqrt"
        Share of the columns that a split looks at, or the square root of their number.
    min_samples_leaf : tuple of int
        Fewest training rows in a leaf, large ones first.
    class_weight : {"balanced"} or None
        Weights of the classes.
    """

    trees: Count = 300
    max_features: Several[Fraction | Literal["sqrt"]] = ("sqrt",)
    min_samples_leaf: Counts = (5, 1)
    class_weight: Balance = "balanced"

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            n_estimators=self.trees, class_weight=self.class_weight, random_state=seed, n_jobs=1
        )

    def _settings(self) -> Grid:
        return [{"max_features": list(self.max_features), "min_samples_leaf": list(self.min_samples_leaf)}]


class ExtraTrees(RandomForest):
    """A forest whose splits are drawn at random, with the options of a random forest."""

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(
            n_estimators=self.trees, class_weight=self.class_weight, random_state=seed, n_jobs=1
        )


class LightGbm(ModelOptions):
    """Boosted trees by LightGBM, on one thread and without chance.

    Parameters
    ----------
    trees : tuple of int
        Numbers of trees.
    leaves : tuple of int
        Most leaves of a tree; 2 looks at one column in each tree.
    learning_rate : tuple of float
        Share of each tree that is added.
    min_samples_leaf : tuple of int
        Fewest training rows in a leaf.
    class_weight : {"balanced"} or None
        Weights of the classes.
    """

    trees: Counts = (50, 200)
    leaves: Several[Annotated[int, Field(ge=2)]] = (3, 7)
    learning_rate: Positives = (0.05,)
    min_samples_leaf: Counts = (10,)
    class_weight: Balance = "balanced"

    def _classifier(self, seed: int) -> BaseEstimator:
        from radiobone.learning.boosted_trees import BoostedTreesClassifier

        return BoostedTreesClassifier(class_weight=self.class_weight, random_state=seed)

    def _settings(self) -> Grid:
        return [
            {
                "n_trees": list(self.trees),
                "n_leaves": list(self.leaves),
                "learning_rate": list(self.learning_rate),
                "min_samples_leaf": list(self.min_samples_leaf),
            }
        ]


class AdaBoost(ModelOptions):
    """AdaBoost with trees of one decision.

    Parameters
    ----------
    trees : tuple of int
        Numbers of trees.
    learning_rate : tuple of float
        Share of each tree that is added.
    """

    trees: Counts = (50, 200)
    learning_rate: Positives = (0.1, 1.0)

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.ensemble import AdaBoostClassifier

        return AdaBoostClassifier(random_state=seed)

    def _settings(self) -> Grid:
        return [{"n_estimators": list(self.trees), "learning_rate": list(self.learning_rate)}]


class GradientBoosting(ModelOptions):
    """Gradient boosted trees by scikit-learn.

    Parameters
    ----------
    trees : tuple of int
        Numbers of trees.
    max_depth : tuple of int
        Most decisions on the way to a leaf.
    learning_rate : tuple of float
        Share of each tree that is added.
    """

    trees: Counts = (100,)
    max_depth: Counts = (1, 2, 3)
    learning_rate: Positives = (0.05,)

    def _classifier(self, seed: int) -> BaseEstimator:
        from sklearn.ensemble import GradientBoostingClassifier

        return GradientBoostingClassifier(random_state=seed)

    def _settings(self) -> Grid:
        settings: dict[str, list[Any]] = {
            "n_estimators": list(self.trees),
            "max_depth": list(self.max_depth),
            "learning_rate": list(self.learning_rate),
        }
        return [settings]
