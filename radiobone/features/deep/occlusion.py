"""Occlusion maps: what a network's features lose when a part of its input is covered (Zeiler and Fergus 2014).

A square, or a cube, slides over the input. Wherever it lies, the network is asked anew, and each pixel gets the
mean change of all places at which it was covered. Nothing of the network needs to be known, and nothing of it is
changed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.core.errors import UsageError

Fill = Literal["lower", "mean"]

See = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Inputs of shape (n, channels, ...) to features of shape (n, width)."""

PARTS = {2: 8, 3: 6}
"""Into how many parts each edge of a picture, or of a volume, is cut by default."""


@dataclass(frozen=True)
class Occluder:
    """What covers a part of an input.

    Parameters
    ----------
    parts : int, optional
        Its edges are such a part of those of the input: of a picture an eighth, of a volume a sixth, unless given.
        In a picture it moves by half of its edge, in a volume, where each step costs more, by the whole.
    fill : {"lower", "mean"}
        With what it covers: the lower bound of the window, or the mean of the input's channel. The former also
        takes away brightness: what is dark already is hardly changed by it.

    Raises
    ------
    UsageError
        If it would cover everything, or the fill is not known.
    """

    parts: int | None = None
    fill: Fill = "lower"

    def __post_init__(self) -> None:
        if self.parts is not None and self.parts < 2:
            raise UsageError(
                "the occluder would cover the whole input", got=self.parts, expected="2 parts or more"
            )
        if self.fill not in ("lower", "mean"):
            raise UsageError("no such fill of the occluder", got=self.fill, expected="lower or mean")

    def windows(self, shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
        """Return all places of the occluder in an input; together they cover it.

        Parameters
        ----------
        shape : tuple of int
            Edges of the input, two or three.

        Raises
        ------
        UsageError
            If an edge has fewer pixels than parts.
        """
        parts = self.parts or PARTS[len(shape)]
        if parts > min(shape):
            raise UsageError("more parts than pixels", got=parts, expected=f"at most {min(shape)}")
        return list(itertools.product(*(_along(size, parts, halves=len(shape) == 2) for size in shape)))


def occlusion(
    see: See,
    inputs: NDArray[np.float32],
    target: NDArray[np.float64] | None,
    occluder: Occluder,
    *,
    lower: ArrayLike = 0.0,
    apart: bool = False,
    batch: int = 16,
) -> NDArray[np.float64]:
    """Make the occlusion map of one input.

    Parameters
    ----------
    see : callable
        The network.
    inputs : ndarray of shape (channels, ...)
        One input, as the network is shown it.
    target : ndarray of shape (width,), optional
        The weight of each feature: the map tells by how much their weighted sum falls when a place is covered
        (below 0 where it rises). Without it, how far the features move altogether: the length of their change.
    occluder : Occluder
        What covers.
    lower : array_like of shape () or (channels,)
        What the lower bound of the window is in the input.
    apart : bool, default False
        Cover one channel at a time, where channels show different planes, for a map of each.
    batch : int, default 16
        How many covered inputs are held at once.

    Returns
    -------
    ndarray of shape (n_maps, ...)
        One map, or one for each channel.
    """
    windows = occluder.windows(inputs.shape[1:])
    groups = [slice(number, number + 1) for number in range(len(inputs))] if apart else [slice(None)]
    places = [(number, group, window) for number, group in enumerate(groups) for window in windows]
    space = tuple(range(1, inputs.ndim))
    filling = inputs.mean(axis=space, dtype=np.float64) if occluder.fill == "mean" else lower
    covering = np.broadcast_to(np.asarray(filling, dtype=np.float32), len(inputs)).reshape(-1, *(1,) * len(space))
    whole = see(inputs[None])[0]
    heat = np.zeros((len(groups), *inputs.shape[1:]))
    count = np.zeros(inputs.shape[1:])
    for window in windows:
        count[window] += 1
    for some in _batches(places, batch):
        moved = whole - see(np.stack([_covered(inputs, group, window, covering) for _, group, window in some]))
        changes = np.linalg.norm(moved, axis=1) if target is None else moved @ target
        for (number, _, window), change in zip(some, changes, strict=True):
            heat[number][window] += change
    return heat / count


_Place = tuple[int, slice, tuple[slice, ...]]


def _batches(places: list[_Place], size: int) -> Iterator[list[_Place]]:
    for begin in range(0, len(places), size):
        yield places[begin : begin + size]


def _covered(
    inputs: NDArray[np.float32], group: slice, window: tuple[slice, ...], covering: NDArray[np.float32]
) -> NDArray[np.float32]:
    covered = inputs.copy()
    covered[(group, *window)] = covering[group]
    return covered


def _along(size: int, parts: int, *, halves: bool) -> list[slice]:
    """Spread windows evenly along an edge, from its very beginning to its very end."""
    edge = math.ceil(size / parts)
    step = edge / 2 if halves else edge
    n_places = math.ceil((size - edge) / step - 1e-9) + 1
    starts = np.rint(np.linspace(0, size - edge, n_places)).astype(int)
    return [slice(int(start), int(start) + edge) for start in starts]
