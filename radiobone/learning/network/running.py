"""A network at work: the device, one thread, weights put in, batches of one size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.core.extras import require
from radiobone.learning.network.training import Standardised, Weights
from radiobone.learning.network.volumes import check_finite

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda", "auto")

_LOW = 8
"""Edge along z from which on oneDNN is used.

Below, oneDNN 3.12 (of PyTorch 2.13) reads beyond its arrays where it computes the gradient of a stem of 7 voxels
with a stride of 2: of volumes of 5 to 7 slices the gradients are chance, or the process ends. PyTorch's own way is
right.
"""


def find_device(name: str) -> str:
    """Return the device that a network is to run on.

    Parameters
    ----------
    name : {"cpu", "cuda", "auto"}
        ``auto`` is a GPU where there is one.

    Returns
    -------
    str
        ``cpu`` or ``cuda``.

    Raises
    ------
    UsageError
        If a GPU is asked for and PyTorch finds none.
    """
    there = name != "cpu" and bool(require("torch", "deep").cuda.is_available())
    if name == "cuda" and not there:
        raise UsageError(
            "no GPU that PyTorch can use",
            got="device: cuda",
            do="set device to cpu or auto, or install a PyTorch that fits the GPU's driver",
        )
    return "cuda" if there else "cpu"


@contextlib.contextmanager
def reproducibly(shape: tuple[int, int, int]) -> Iterator[None]:
    """Hold PyTorch at one thread and at exact arithmetic: the same weights to the byte on one machine.

    On a GPU, PyTorch adds up the gradients of its pooling in any order, so that the last digits differ.

    Parameters
    ----------
    shape : tuple of int
        Voxels along (z, y, x).
    """
    torch = require("torch", "deep")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    one_dnn, *_ = torch.backends.mkldnn.set_flags()
    torch.backends.mkldnn.set_flags(one_dnn and shape[0] >= _LOW)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    except torch.OutOfMemoryError as error:
        raise UsageError(
            "the network needs more memory than the GPU has",
            got=" ".join(str(error).split())[:200],
            do="lower batch_size, or make smaller volumes",
        ) from None
    finally:
        torch.backends.mkldnn.set_flags(one_dnn)
        torch.set_num_threads(threads)


def fill(net: torch.nn.Module, weights: Weights) -> torch.nn.Module:
    """Put weights into a network.

    Parameters
    ----------
    net : torch.nn.Module
        Of the same architecture.
    weights : dict of str to ndarray
        By the names of its state.

    Returns
    -------
    torch.nn.Module
        The same network, in evaluation mode.
    """
    torch = require("torch", "deep")
    net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=True)
    return net.eval()


def run(net: torch.nn.Module, volumes: Standardised, n_rows: int, batch_size: int) -> NDArray[np.float64]:
    """Return the outputs of a network for every volume.

    Parameters
    ----------
    net : torch.nn.Module
        In evaluation mode, on its device.
    volumes : Standardised
        The volumes.
    n_rows : int
        How many there are.
    batch_size : int
        How many go through at once. The last batch is filled up, so that every one is computed in the same way.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
        Before the softmax.
    """
    torch = require("torch", "deep")
    device = next(net.parameters()).device
    found = []
    with torch.no_grad():
        for start in range(0, n_rows, batch_size):
            rows = np.arange(start, min(start + batch_size, n_rows))
            batch = np.zeros((batch_size, 1, *volumes.shape), dtype=np.float32)
            batch[: len(rows), 0] = volumes.read(rows)
            check_finite(batch[: len(rows), 0], start)
            found.append(net(torch.from_numpy(batch).to(device)).cpu().numpy()[: len(rows)])
    return np.concatenate(found).astype(np.float64)
