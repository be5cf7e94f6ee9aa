"""One network trained on one set of volumes, watched on another: epochs, loss, early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.extras import require
from radiobone.learning.data import DataError
from radiobone.learning.folds import Split
from radiobone.learning.network.augmentation import Augmentation
from radiobone.learning.network.volumes import Volumes, read_batch

if TYPE_CHECKING:
    import torch

Weights = dict[str, NDArray[Any]]

# Of stochastic gradient descent; AdamW has its own moments.
_MOMENTUM = 0.9


@dataclass(frozen=True, eq=False)
class Standardised:
    """Volumes, read batch by batch and standardised by a mean and a spread that were learned before.

    Parameters
    ----------
    X : ndarray or VolumeStack
        All volumes, or flattened rows of them.
    shape : tuple of int
        Voxels along (z, y, x).
    mean, spread : float
        What is taken off, and divided by.
    """

    X: Any
    shape: tuple[int, int, int]
    mean: float
    spread: float

    def read(self, rows: NDArray[np.intp]) -> Volumes:
        """Read some volumes.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        ndarray of shape (n, z, y, x)
            Standardised.
        """
        batch = read_batch(self.X, rows, self.shape)
        batch -= np.float32(self.mean)
        batch /= np.float32(self.spread)
        return batch


@dataclass(frozen=True)
class TrainingPlan:
    """How a network is trained.

    Parameters
    ----------
    loss : {"cross_entropy", "focal"}
        What is minimised, weighted by class.
    gamma : float
        Of the focal loss.
    optimiser : {"adamw", "sgd"}
        How the weights are moved.
    learning_rate, weight_decay : float
        By how much, and how strongly they are drawn to zero.
    epochs : int
        How often the training volumes are gone through, at most.
    batch_size : int
        Volumes for one step.
    patience : int or None
        Epochs without a lower loss of the held-out volumes after which training stops.
    augmentation : Augmentation
        What training volumes go through.
    """

    loss: str
    gamma: float
    optimiser: str
    learning_rate: float
    weight_decay: float
    epochs: int
    batch_size: int
    patience: int | None
    augmentation: Augmentation


@dataclass(frozen=True, eq=False)
class Trained:
    """What training left behind.

    Parameters
    ----------
    weights : dict of str to ndarray
        Of the best epoch, or of the last one where nothing was held out.
    best_epoch : int
        That epoch, from 1.
    losses, held_out_losses : tuple of float
        Mean loss of each epoch, of the training volumes as they were met and of those held out.
    """

    weights: Weights
    best_epoch: int
    losses: tuple[float, ...]
    held_out_losses: tuple[float, ...]


def train(
    net: torch.nn.Module,
    volumes: Standardised,
    codes: NDArray[np.intp],
    split: Split,
    class_weights: NDArray[np.float64],
    plan: TrainingPlan,
    rng: np.random.Generator,
    advance: Callable[[], None],
) -> Trained:
    """Train a network in place.

    Parameters
    ----------
    net : torch.nn.Module
        On the device that it is to be trained on.
    volumes : Standardised
        All volumes.
    codes : ndarray of shape (n_samples,)
        Class of each volume as an integer.
    split : pair of ndarray of int
        Rows that train, and rows that are held out to tell when to stop (none: all epochs are gone through).
    class_weights : ndarray of shape (n_classes,)
        Weight of each class in the loss.
    plan : TrainingPlan
        How.
    rng : Generator
        Draws the order of volumes, and their changes.
    advance : callable
        Called after each epoch.

    Returns
    -------
    Trained
        Weights and losses.

    Raises
    ------
    DataError
        If the loss is no longer a finite number.
    """
    torch = require("torch", "deep")
    learned, held_out = split
    device = next(net.parameters()).device
    weights = torch.as_tensor(class_weights, dtype=torch.float32, device=device)
    optimiser = _optimiser(net, plan)
    losses: list[float] = []
    held: list[float] = []
    best, best_epoch, kept = math.inf, 0, _weights(net)
    for epoch in range(1, plan.epochs + 1):
        net.train()
        total = weight = 0.0
        for rows in batches(rng.permutation(learned), plan.batch_size):
            given = torch.from_numpy(plan.augmentation(volumes.read(rows), rng)[:, None]).to(device)
            summed, by = _loss(net(given), torch.from_numpy(codes[rows]).to(device), weights, plan)
            total, weight = total + summed.item(), weight + by.item()
            _check_loss(total, epoch, plan)
            optimiser.zero_grad(set_to_none=True)
            (summed / by).backward()
            optimiser.step()
        losses.append(total / weight)
        if len(held_out):
            held.append(_held_out_loss(net, volumes, codes, held_out, weights, plan))
            _check_loss(held[-1], epoch, plan)
        advance()
        if not held or held[-1] < best:
            best, best_epoch, kept = held[-1] if held else math.inf, epoch, _weights(net)
        elif plan.patience is not None and epoch - best_epoch >= plan.patience:
            break
    return Trained(kept, best_epoch, tuple(losses), tuple(held))


def batches(rows: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    """Cut rows into batches; a last batch of one row joins the one before, since batch statistics need two.

    Parameters
    ----------
    rows : ndarray of int
        In the order in which they are met.
    size : int
        Rows of a batch.

    Returns
    -------
    list of ndarray of int
        The batches.

    Examples
    --------
    >>> [part.tolist() for part in batches(np.arange(5), 2)]
    [[0, 1], [2, 3, 4]]
    """
    ends = list(range(size, len(rows), size))
    if ends and len(rows) - ends[-1] == 1:
        ends.pop()
    return np.split(rows, ends)


def _optimiser(net: torch.nn.Module, plan: TrainingPlan) -> Any:
    from torch.optim import SGD, AdamW

    if plan.optimiser == "sgd":
        return SGD(net.parameters(), lr=plan.learning_rate, momentum=_MOMENTUM, weight_decay=plan.weight_decay)
    return AdamW(net.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)


def _loss(
    logits: torch.Tensor, codes: torch.Tensor, weights: torch.Tensor, plan: TrainingPlan
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weighted sum of the losses of a batch, and the sum of the weights.

    The focal loss is cross-entropy times (1 - p) to the power of gamma, p being the probability of the true class
    (Lin et al. 2017, arXiv:1708.02002).
    """
    from torch import finfo
    from torch.nn.functional import log_softmax

    log_p = log_softmax(logits, dim=1).gather(1, codes[:, None])[:, 0]
    own = weights[codes]
    if plan.loss == "focal":
        # Where p rounds to 1, powers below 1 have no finite slope.
        missing = (1.0 - log_p.exp()).clamp(min=finfo(log_p.dtype).tiny)
        return -(own * missing**plan.gamma * log_p).sum(), own.sum()
    return -(own * log_p).sum(), own.sum()


def _held_out_loss(
    net: torch.nn.Module,
    volumes: Standardised,
    codes: NDArray[np.intp],
    held_out: NDArray[np.intp],
    weights: torch.Tensor,
    plan: TrainingPlan,
) -> float:
    torch = require("torch", "deep")
    net.eval()
    total = weight = 0.0
    with torch.no_grad():
        for start in range(0, len(held_out), plan.batch_size):
            rows = held_out[start : start + plan.batch_size]
            given = torch.from_numpy(volumes.read(rows)[:, None]).to(weights.device)
            summed, by = _loss(net(given), torch.from_numpy(codes[rows]).to(weights.device), weights, plan)
            total, weight = total + summed.item(), weight + by.item()
    return total / weight


def _check_loss(value: float, epoch: int, plan: TrainingPlan) -> None:
    if not math.isfinite(value):
        raise DataError(
            "the loss is no longer a number: training ran away",
            where=f"epoch {epoch}",
            got=value,
            do=f"lower learning_rate (now {plan.learning_rate:g})",
        )


def _weights(net: torch.nn.Module) -> Weights:
    """Copy the weights, so that later steps leave them alone."""
    return {name: value.detach().cpu().numpy().copy() for name, value in net.state_dict().items()}
