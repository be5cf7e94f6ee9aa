"""What all models of a recipe share: a classifier to build, and settings among which the inner folds choose."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from radiobone.core.config import FileModel
from radiobone.learning.protocol.choices import Positive, Several

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Grid = list[dict[str, list[Any]]]
Balance = Literal["balanced"] | None
"""Whether rows of the rarer class weigh more, so that both classes weigh the same."""
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positives = Several[Positive]
Counts = Several[Count]
Shares = Several[Share]


class ModelOptions(FileModel):
    """Base of the models of a recipe.

    Each key that holds several values is searched by the inner folds. The values stand in the order in which ties
    are broken: the first wins, so the simpler ones come first.
    """

    def build(self, seed: int = 0) -> BaseEstimator:
        """Return the classifier.

        Parameters
        ----------
        seed : int, default=0
            Of everything that the classifier draws.

        Returns
        -------
        classifier
            Not fitted.
        """
        return self._classifier(seed)

    def grid(self) -> Grid:
        """Return the settings in the order in which ties are broken.

        Returns
        -------
        list of dict
            Grids, as scikit-learn's ParameterGrid takes them.
        """
        return self._settings()

    @abstractmethod
    def _classifier(self, seed: int) -> BaseEstimator: ...

    @abstractmethod
    def _settings(self) -> Grid: ...
