"""Inputs to features: a network that is loaded once in each process and runs in batches of one fixed size.

With another number of inputs or threads, or on another device, a convolution may add its numbers up in another
order, and the last digits of features follow. So a batch always has the same size, the last one filled up with
zeros, and the processor works with one thread. Then the features of an input depend neither on the inputs beside
it nor on its place among them.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError, UsageError, one_line
from radiobone.core.extras import require
from radiobone.features.deep.folding import fold
from radiobone.features.deep.networks import VOLUME_AXES, build, run_layer, turn_axes
from radiobone.features.deep.params import THREADS, DeepParams
from radiobone.features.deep.weights import WeightsFile
from radiobone.features.deep.weights_loading import load_network

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
"""What ``--device`` takes; with several GPUs CUDA_VISIBLE_DEVICES chooses."""

_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
"""With this environment variable cuBLAS gives the same bytes again; without it PyTorch refuses, when it is to be
strict, what it computes with cuBLAS: on a GPU the dilated convolutions of MedicalNet's networks."""

_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
"""How PyTorch's messages say that the processor's memory is full, for which it has no class of errors."""

Tag = TypeVar("Tag")
Laid = TypeVar("Laid", bound="torch.nn.Module | torch.Tensor")


def find_device(name: str) -> str:
    """Return the kind of device that networks will run on.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU if PyTorch can use one.

    Returns
    -------
    str
        ``cpu`` or ``cuda``.

    Raises
    ------
    UsageError
        If there is no such device.
    """
    if name not in DEVICES:
        raise UsageError("no device of this name", got=name, expected=", ".join(DEVICES))
    if name == "cpu":
        return name
    torch = require("torch", "deep")
    # An old driver, say, is told by a warning.
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
    if name == "cuda" and not there:
        built = "; ".join(one_line(item.message) for item in told if isinstance(item.message, Warning))
        raise UsageError(
            "PyTorch finds no GPU that it can use",
            got=built or f"torch {torch.__version__}",
            expected="an NVIDIA GPU, its driver, and a PyTorch that is built for it",
            do="use --device cpu, or install a PyTorch with CUDA (the README says how)",
        )
    return "cuda" if there else "cpu"


class Network:
    """A network with its weights on a device, which gives features of inputs.

    Parameters
    ----------
    params : DeepParams
        Which network and layer, how its maps are pooled, and how many inputs it takes at once.
    weights : WeightsFile or None
        The file, from `find_weights`; None for random weights.
    device : {"cpu", "cuda"}
        From `find_device`.
    source : str
        The preset or file of the parameters, for messages.

    Raises
    ------
    MissingExtraError
        If PyTorch or MONAI is not installed.
    ModelError
        If the file does not hold exactly the network's weights.
    """

    def __init__(self, params: DeepParams, weights: WeightsFile | None, device: str, source: str) -> None:
        self.params = params
        self.device = device
        self.source = source
        self.axes = None if weights is None else weights.info.axes
        self.net = _loaded(params.backbone, params.n_channels, params.seed, weights, device)

    def features(
        self, inputs: Iterable[tuple[Tag, NDArray[np.float32]]]
    ) -> Iterator[tuple[Tag, NDArray[np.float32]]]:
        """Give the features of inputs, in their order; no more than one batch of them is held.

        Parameters
        ----------
        inputs : iterable of (tag, ndarray of shape (channels, ...))
            Normalised inputs, each with whatever tells it from others.

        Yields
        ------
        tag : object
            That of the input.
        features : ndarray of shape (n_features,), float32
            Of the layer: one value for each channel, or its mean and its maximum one after the other.

        Raises
        ------
        EngineError
            If there is too little memory for a batch.
        """
        size = self.params.micro_batch
        waiting = iter(inputs)
        while batch := list(islice(waiting, size)):
            found = self.run(np.stack([array for _, array in batch]))
            yield from zip((tag for tag, _ in batch), found, strict=True)

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the features of at most one batch of inputs.

        Parameters
        ----------
        inputs : ndarray of shape (n, channels, ...)
            Normalised, no more than ``micro_batch``.

        Returns
        -------
        ndarray of shape (n, n_features), float32
            As `features` gives them.

        Raises
        ------
        EngineError
            If there is too little memory for the batch. It is not tried with a smaller one, which would give other
            last digits.
        """
        torch = require("torch", "deep")
        n_there = len(inputs)
        try:
            padded = np.zeros((self.params.micro_batch, *inputs.shape[1:]), dtype=np.float32)
            padded[:n_there] = inputs
            with steady(self.device):
                batch = torch.from_numpy(padded).to(self.device)
                if self.axes is not None:
                    batch = turn_axes(batch, self.axes, VOLUME_AXES)
                batch = _laid_out(batch, self.device)
                vectors = pooled(run_layer(self.net, batch, self.params.layer), self.params.pooling)
                found: NDArray[np.float32] = vectors[:n_there].cpu().numpy()
                return found
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not isinstance(error, torch.OutOfMemoryError | MemoryError) and not any(
                words in str(error) for words in _NO_MEMORY
            ):
                raise
            told = one_line(error)
        if self.device == "cuda":
            torch.cuda.empty_cache()
        raise self._no_memory(told)

    def _no_memory(self, told: str) -> EngineError:
        size = self.params.micro_batch
        less = f"set micro_batch to {size // 2} or less" if size > 1 else "set a smaller size"
        there = "--device cpu, or " if self.device == "cuda" else "fewer --jobs, or "
        return EngineError(
            "there is too little memory for a batch of the network",
            where=self.source,
            got=told[:200],
            expected=f"room for {size} inputs at once (micro_batch) on the device {self.device}",
            do=f"{there}{less} in a copy of this parameter file, and use that for all cases: the last digits of "
            "values depend on it",
        )


@contextlib.contextmanager
def steady(device: str) -> Iterator[None]:
    """Let PyTorch compute the same bytes again and again, without gradients; all settings are put back.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        On a GPU, full single precision is used (no TF32) and no algorithm is chosen by its speed.
    """
    torch = require("torch", "deep")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(THREADS)
        with torch.inference_mode(), _repeatable() if device == "cuda" else contextlib.nullcontext():
            yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def _repeatable() -> Iterator[None]:
    """Allow a GPU such algorithms alone as give the same bytes again; one thread of a processor has no others."""
    torch = require("torch", "deep")
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    name, workspace = _WORKSPACE
    given = os.environ.get(name)
    try:
        os.environ[name] = given or workspace
        # This loads hundreds of modules.
        torch.use_deterministic_algorithms(True)
        with _full_precision():
            yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
        if given is None:
            del os.environ[name]


def _full_precision() -> contextlib.AbstractContextManager[None]:
    """Keep convolutions on a GPU from TF32, which has ten bits, and from choosing an algorithm by its speed."""
    flags = require("torch.backends.cudnn", "deep").flags
    # Since PyTorch 2.9 there is a second name for the same.
    newer = {"fp32_precision": "ieee"} if "fp32_precision" in inspect.signature(flags).parameters else {}
    found: contextlib.AbstractContextManager[None] = flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False, **newer
    )
    return found


def forget_networks() -> None:
    """Give back the memory of all networks that this process holds."""
    _loaded.cache_clear()


@functools.cache
def _loaded(
    backbone: str, n_channels: int, seed: int, weights: WeightsFile | None, device: str
) -> torch.nn.Module:
    """Load a network, once in each process for all parameter files that share it."""
    net = (
        build(backbone, n_channels, seed=seed)
        if weights is None
        else load_network(weights.path, weights.info, n_channels)
    )
    return _laid_out(fold(net), device).to(device)


def _laid_out(item: Laid, device: str) -> Laid:
    """Lay a network or its inputs out with the channels last, which the processor is faster with."""
    torch = require("torch", "deep")
    if device != "cpu":
        return item
    tensors = list(item.parameters()) if isinstance(item, torch.nn.Module) else [item]
    flat = max(tensor.ndim for tensor in tensors) == 4
    found: Laid = item.to(memory_format=torch.channels_last if flat else torch.channels_last_3d)
    return found


def pooled(features: torch.Tensor, pooling: str) -> torch.Tensor:
    """Make one value of each channel's map, or two; vectors stay as they are.

    Parameters
    ----------
    features : torch.Tensor of shape (n, width) or (n, width, ...)
        From `run_layer`.
    pooling : {"mean", "max", "mean_max"}
        As `DeepParams.pooling`.
    """
    if features.ndim == 2:
        return features
    torch = require("torch", "deep")
    places = features.flatten(2)
    parts = ([places.mean(2)] if "mean" in pooling else []) + ([places.amax(2)] if "max" in pooling else [])
    return torch.cat(parts, dim=1)
