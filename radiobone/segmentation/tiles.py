"""The sliding window: windows over the whole image, blended by nnU-Net's weights, given out slab by slab.

Windows go from the first slice to the last. A slice that no later window reaches is finished and given out, so
that only one window's depth of outputs is held in memory, however long the scan. The sums are those of the whole.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radiobone.core.errors import ImageError

if TYPE_CHECKING:
    import torch

Shape = tuple[int, int, int]

SMALL_VOXELS = 64**3
"""Windows of up to so many voxels are shown two at a time.

PyTorch does not use its fast kernels of the processor for one small window alone: two are seven times faster.
"""


@dataclass(frozen=True)
class Windows:
    """Where windows lie.

    Parameters
    ----------
    size : tuple of int
        Voxels of a window.
    image : tuple of int
        Voxels of the image, at least as many.
    starts : tuple of list of int
        First voxel of each window along each axis.
    """

    size: Shape
    image: Shape
    starts: tuple[list[int], list[int], list[int]]

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self.starts[0]) * len(self.starts[1]) * len(self.starts[2])

    @property
    def at_once(self) -> int:
        """How many windows the network is shown at a time."""
        return 2 if math.prod(self.size) <= SMALL_VOXELS else 1

    def planes(self) -> Iterator[list[tuple[slice, slice]]]:
        """List the windows of one layer along the other two axes, as many at a time as are shown at once."""
        places = [
            (slice(y, y + self.size[1]), slice(x, x + self.size[2]))
            for y, x in itertools.product(*self.starts[1:])
        ]
        for first in range(0, len(places), self.at_once):
            yield places[first : first + self.at_once]


def place_windows(image: Shape, size: Shape, step: float) -> Windows:
    """Place windows evenly, as nnU-Net does.

    Parameters
    ----------
    image : tuple of int
        Voxels of the image; it is taken to be padded to one window at least.
    size : tuple of int
        Voxels of a window.
    step : float
        Greatest distance of two windows, as a share of a window, above 0 and up to 1.
    """
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    padded = tuple(max(voxels, window) for voxels, window in zip(image, size, strict=True))
    z, y, x = compute_steps_for_sliding_window(padded, size, step)
    if size[0] == 1:
        z = list(range(padded[0]))  # a network of slices takes each slice once
    return Windows(size, (padded[0], padded[1], padded[2]), (z, y, x))


@dataclass(frozen=True)
class Passes:
    """What is done with each window.

    Parameters
    ----------
    networks : sequence of Module
        Of all folds; their outputs are averaged.
    n_outputs : int
        Outputs of each network.
    mirror_axes : sequence of int
        Axes (0 to 2) along which windows are also shown mirrored, and all outputs averaged.
    device : torch.device
        Where the networks work.
    workers : int, default 1
        Windows, or pairs of them, that are worked on side by side. Results do not depend on it.
    """

    networks: Sequence[torch.nn.Module]
    n_outputs: int
    mirror_axes: Sequence[int]
    device: torch.device
    workers: int = 1

    def outputs(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the mean output for some windows.

        Parameters
        ----------
        windows : tensor of shape (n_windows, z, y, x)
            On any device.

        Returns
        -------
        tensor of shape (n_windows, n_outputs, z, y, x), float32
            On the networks' device.
        """
        shown = windows.to(self.device)[:, None]
        flips = [
            flip
            for count in range(len(self.mirror_axes) + 1)
            for flip in itertools.combinations(self.mirror_axes, count)
        ]
        total = None
        for network, flip in itertools.product(self.networks, flips):
            axes = [axis + 2 for axis in flip]
            found = _run(network, shown.flip(axes) if axes else shown)
            found = (found.flip(axes) if axes else found).float()
            total = found if total is None else total.add_(found)
        assert total is not None
        return total.div_(len(self.networks) * len(flips))


@dataclass(frozen=True)
class Sums:
    """Where outputs are summed.

    Parameters
    ----------
    device : torch.device
        The networks' own, or the processor's memory if a GPU has too little.
    dtype : torch.dtype
        Single precision, or half, which nnU-Net always uses, to save memory.
    """

    device: torch.device
    dtype: torch.dtype


def slide(
    data: torch.Tensor,
    windows: Windows,
    passes: Passes,
    sums: Sums,
    advance: Callable[[], None],
) -> Iterator[tuple[int, torch.Tensor]]:
    """Give out the blended outputs, slab by slab.

    Parameters
    ----------
    data : tensor of shape ``windows.image``, float32
        The image on the network's grid, padded.
    windows : Windows
        Where to look.
    passes : Passes
        What to do.
    sums : Sums
        Where and how outputs are summed.
    advance : callable
        Called after each window.

    Yields
    ------
    int
        First slice of the slab. Slabs overlap by one slice, so that what lies between two can be interpolated.
    tensor of shape (n_outputs, slices, y, x)
        Valid until the next slab is asked for.

    Raises
    ------
    ImageError
        If an output is not finite.
    """
    import torch

    blend = _weights(windows.size, sums.device)
    # One slice more than a window: the last one of the slab before.
    depth, (rows, columns) = windows.size[0] + 1, windows.image[1:]
    total = torch.zeros((passes.n_outputs, depth, rows, columns), device=sums.device, dtype=sums.dtype)
    weight = torch.zeros((depth, rows, columns), device=sums.device)
    ends = [*windows.starts[0][1:], windows.image[0]]
    for begin, end in zip(windows.starts[0], ends, strict=True):
        for planes, found in _answers(data[begin : begin + windows.size[0]], windows, passes):
            for plane, outputs in zip(planes, found.to(sums.device), strict=True):
                total[(slice(None), slice(1, None), *plane)] += outputs * blend
                weight[(slice(1, None), *plane)] += blend
                advance()
        ready = end - begin
        total[:, 1 : ready + 1] /= weight[1 : ready + 1]
        _check_finite(total[:, 1 : ready + 1], sums.dtype)
        known = 0 if begin else 1
        yield begin - 1 + known, total[:, known : ready + 1]
        _move_up(weight, ready)
        for output in total:
            _move_up(output, ready)


def _answers(
    layer: torch.Tensor, windows: Windows, passes: Passes
) -> Iterator[tuple[list[tuple[slice, slice]], torch.Tensor]]:
    """Give out windows of one layer with the networks' outputs, always in the same order."""
    import torch

    def answer(planes: list[tuple[slice, slice]]) -> torch.Tensor:
        with _arithmetic(passes.device):
            return passes.outputs(torch.stack([layer[(slice(None), *plane)] for plane in planes]))

    if passes.workers == 1:
        for planes in windows.planes():
            yield planes, answer(planes)
        return
    with ThreadPoolExecutor(passes.workers) as pool:
        waiting: deque[tuple[list[tuple[slice, slice]], Future[torch.Tensor]]] = deque()
        for planes in windows.planes():
            waiting.append((planes, pool.submit(answer, planes)))
            if len(waiting) > passes.workers:  # no more outputs in memory than are being worked on, and one
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()


def pad(data_shape: Shape, windows: Windows) -> tuple[slice, slice, slice]:
    """Return where the image lies within its padded copy: in the middle, as nnU-Net pads.

    Parameters
    ----------
    data_shape : tuple of int
        Voxels of the image.
    windows : Windows
        For its padded copy.
    """
    z, y, x = (
        slice((padded - voxels) // 2, (padded - voxels) // 2 + voxels)
        for voxels, padded in zip(data_shape, windows.image, strict=True)
    )
    return z, y, x


def _run(network: torch.nn.Module, shown: torch.Tensor) -> torch.Tensor:
    """Run a network of volumes, or one of slices on a window that is one slice."""
    import torch

    flat = shown.shape[2] == 1 and not any(isinstance(part, torch.nn.Conv3d) for part in network.modules())
    found: torch.Tensor = network(shown[:, :, 0])[:, :, None] if flat else network(shown)
    return found


def _weights(size: Shape, device: torch.device) -> torch.Tensor:
    """Return nnU-Net's weights of a window's voxels, greatest in its middle, to nnU-Net's half precision."""
    import torch
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    flat = size[1:] if size[0] == 1 else size
    half = compute_gaussian(
        tuple(flat), sigma_scale=1.0 / 8, value_scaling_factor=10, dtype=torch.float16, device=torch.device("cpu")
    )
    return half.float().reshape(size).to(device)


def _check_finite(outputs: torch.Tensor, dtype: torch.dtype) -> None:
    """Refuse outputs that no label can be read from: they would all count as background."""
    import torch

    if all(bool(torch.isfinite(output.sum(dtype=torch.float32))) for output in outputs):
        return
    raise ImageError(
        "the network's outputs are not finite",
        got=f"infinite values or NaN, summed as {str(dtype).removeprefix('torch.')}",
        expected="finite ones",
        do="check the model's weights, or try --device cpu and a higher --memory-limit-gb: a GPU, and a machine "
        "short of memory, work in half precision, which ends at 65504",
    )


def _move_up(values: torch.Tensor, ready: int) -> None:
    """Keep the last finished slice as the first, the unfinished ones behind it, and make room for new ones."""
    left = values.shape[0] - ready
    values[:left] = values[ready:].clone()
    values[left:] = 0.0


@contextlib.contextmanager
def _arithmetic(device: torch.device) -> Iterator[None]:
    """Let a GPU work in mixed precision, as nnU-Net does; a processor works in single precision."""
    import torch

    with torch.inference_mode(), torch.autocast(device.type, enabled=device.type == "cuda"):
        yield
