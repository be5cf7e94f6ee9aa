"""The network of a recipe: what may be said of one that is trained from volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from radiobone.core.config import FileModel
from radiobone.learning.protocol.choices import Positive
from radiobone.learning.protocol.model_options import Balance, Count

if TYPE_CHECKING:
    from radiobone.learning.network.classifier import NetworkClassifier

_Several = Annotated[int, Field(ge=2)]
_Real = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Network(FileModel):
    """A 3D network, trained from volumes in every outer fold; see `radiobone.learning.NetworkClassifier`.

    Parameters
    ----------
    architecture, width, loss, gamma, class_weight, optimiser, learning_rate, weight_decay, epochs, batch_size, \
patience, stop_folds, flips, max_shift, intensity, device : optional
        As the classifier takes them; its early stopping is the only choice that training makes.
    """

    architecture: Literal["resnet10", "resnet18", "densenet121"] = "resnet18"
    width: Annotated[int, Field(ge=4)] = 64
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    gamma: _Real = 2.0
    class_weight: Balance = "balanced"
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Positive = 1e-3
    weight_decay: _Real = 0.01
    epochs: Count = 100
    batch_size: _Several = 16
    patience: Count | None = 15
    stop_folds: _Several = 5
    flips: tuple[Literal["z", "y", "x"], ...] = ("x",)
    max_shift: Annotated[int, Field(ge=0)] = 2
    intensity: Annotated[float, Field(ge=0, lt=1)] = 0.1
    device: Literal["cpu", "cuda", "auto"] = "cpu"

    def build(self, seed: int = 0) -> NetworkClassifier:
        """Return the classifier.

        Parameters
        ----------
        seed : int, default=0
            Of everything that the classifier draws.

        Returns
        -------
        NetworkClassifier
            Not fitted.
        """
        from radiobone.learning.network.classifier import NetworkClassifier

        return NetworkClassifier(**self.model_dump(), random_state=seed)
