"""From the network's outputs to labels on the image's grid, a few slices and one class at a time.

nnU-Net resamples the outputs of every class to the whole image and then takes the greatest. On the image's grid,
the outputs of 25 classes for a large CT fill 20 GB. Here each class is resampled only where it can win: a value
between voxels is a mean of theirs, so a class that lies below the background in all voxels around a point lies
below it at the point, too. The labels are the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ModelError
from radiobone.segmentation.resampling import Axes, neighbours

if TYPE_CHECKING:
    import torch

PIECE_VOXELS = 8_000_000
"""Voxels of the image's grid that are decided at a time."""


@dataclass(frozen=True)
class _Line:
    """One axis of a piece: voxels after, and for each the two before with the second one's share."""

    start: int
    first: torch.Tensor
    second: torch.Tensor
    share: torch.Tensor

    @property
    def place(self) -> slice:
        """Where the voxels after lie."""
        return slice(self.start, self.start + len(self.share))


class Decoder:
    """Takes outputs of the network from the first slice to the last, and writes labels.

    Parameters
    ----------
    axes : Axes
        From the network's grid (``old``) to the image's (``new``).
    regions : sequence of int
        Values of regions, later ones above earlier ones; empty where outputs are labels, the first the background.
    out : ndarray of shape ``axes.new``
        Where labels are written; zeros.
    """

    def __init__(self, axes: Axes, regions: Sequence[int], out: NDArray[Any]) -> None:
        if max(axes.orders) > 1:
            raise ModelError(
                "the model's plans resample outputs in a way that is not known here",
                got=f"splines of order {max(axes.orders)}",
                expected="order 1 or 0, as nnU-Net plans",
            )
        self._regions = tuple(regions)
        self._out = out
        self._lines = [neighbours(*how) for how in zip(axes.old, axes.new, axes.orders, strict=True)]
        self._depth = max(1, PIECE_VOXELS // math.prod(axes.new[1:]))
        self._done = 0

    def take(self, start: int, outputs: torch.Tensor) -> None:
        """Decide all slices of the image that the outputs up to here decide.

        Parameters
        ----------
        start : int
            Slice of the network's grid at which the outputs begin: 0, or the last slice of the call before.
        outputs : tensor of shape (outputs, slices, y, x)
            The network's, before any softmax.
        """
        first, second, share = self._lines[0]
        ready = int(np.searchsorted(second, start + outputs.shape[1]))
        while self._done < ready:
            stop = min(self._done + self._depth, ready)
            part = slice(self._done, stop)
            low, high = int(first[part].min()), int(second[part].max()) + 1
            piece = outputs[:, low - start : high - start]
            line = _line(self._done, first[part] - low, second[part] - low, share[part], piece.device)
            (self._decide_regions if self._regions else self._decide_labels)(piece, line)
            self._done = stop

    def _decide_labels(self, outputs: torch.Tensor, depth: _Line) -> None:
        """Write the label of the greatest output; of equal ones, the first."""
        import torch

        background = outputs[0]
        boxes = {
            label: box
            for label in range(1, outputs.shape[0])
            if (box := self._box((outputs[label] >= background).any(dim=0))) is not None
        }
        if not boxes:
            return
        whole = tuple(_span([box[axis].place for box in boxes.values()]) for axis in range(2))
        best = _between(background, depth, *self._within(whole, background.device))
        labels = torch.zeros(best.shape, dtype=torch.int16, device=best.device)
        for label, (y, x) in boxes.items():
            value = _between(outputs[label], depth, y, x)
            inner = (
                slice(None),
                slice(y.place.start - whole[0].start, y.place.stop - whole[0].start),
                slice(x.place.start - whole[1].start, x.place.stop - whole[1].start),
            )
            wins = value > best[inner]
            labels[inner][wins] = label
            best[inner] = torch.maximum(best[inner], value)
        self._write(depth, whole, labels.cpu().numpy())

    def _decide_regions(self, outputs: torch.Tensor, depth: _Line) -> None:
        """Write the value of each region where its output is positive, later ones above earlier ones."""
        for place, value in enumerate(self._regions):
            box = self._box((outputs[place] > 0).any(dim=0))
            if box is None:
                continue
            found = (_between(outputs[place], depth, *box) > 0).cpu().numpy()
            self._out[depth.place, box[0].place, box[1].place][found] = value

    def _write(self, depth: _Line, whole: tuple[slice, ...], labels: NDArray[np.int16]) -> None:
        self._out[depth.place, whole[0], whole[1]] = labels

    def _box(self, found: torch.Tensor) -> tuple[_Line, _Line] | None:
        """Return the part of the image's plane that any voxel found takes part in, or None."""
        rows, columns = (found.any(dim=axis).nonzero().flatten().cpu().numpy() for axis in (1, 0))
        if not len(rows):
            return None
        spans = []
        for axis, hit in ((1, rows), (2, columns)):
            first, second, _ = self._lines[axis]
            low = int(np.searchsorted(second, hit[0]))
            high = int(np.searchsorted(first, hit[-1], side="right"))
            if low >= high:
                return None
            spans.append(slice(low, high))
        y, x = self._within(tuple(spans), found.device)
        return y, x

    def _within(self, spans: tuple[slice, ...], device: torch.device) -> tuple[_Line, _Line]:
        y, x = (
            _line(span.start, first[span], second[span], share[span], device)
            for span, (first, second, share) in zip(spans, self._lines[1:], strict=True)
        )
        return y, x


def _line(
    start: int,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    share: NDArray[np.float32],
    device: torch.device,
) -> _Line:
    import torch

    one, other, part = (torch.from_numpy(np.ascontiguousarray(item)).to(device) for item in (first, second, share))
    return _Line(start, one, other, part)


def _between(values: torch.Tensor, z: _Line, y: _Line, x: _Line) -> torch.Tensor:
    """Interpolate along z, then y, then x."""
    values = values.float()
    low, high = int(x.first[0]), int(x.second[-1]) + 1
    values = _blend(values[:, :, low:high], z, 0)
    values = _blend(values, y, 1)
    return _blend(values, _Line(x.start, x.first - low, x.second - low, x.share), 2)


def _blend(values: torch.Tensor, line: _Line, axis: int) -> torch.Tensor:
    import torch

    one = values.index_select(axis, line.first)
    if not line.share.any():
        return one
    shape = [1, 1, 1]
    shape[axis] = -1
    return torch.lerp(one, values.index_select(axis, line.second), line.share.reshape(shape))


def _span(places: Sequence[slice]) -> slice:
    return slice(min(place.start for place in places), max(place.stop for place in places))
