"""Reading nnU-Net's checkpoints without running anything that stands in them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radiobone.core.errors import ModelError, one_line
from radiobone.core.extras import require

if TYPE_CHECKING:
    import torch

_DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")
"""Types of the numbers that nnU-Net's training log may hold."""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint as data: tensors, numbers, text, and containers of these.

    Parameters
    ----------
    path : Path
        A file that nnU-Net's trainer wrote.

    Returns
    -------
    dict
        Its content. Tensors are mapped from the file, so that what is not used costs no memory.

    Raises
    ------
    ModelError
        If the file holds anything else (it is not loaded then), is damaged, or is no checkpoint.
    """
    torch = require("torch", "segment")
    try:
        with torch.serialization.safe_globals(_allowed()):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            "the checkpoint is not safe to load: it holds more than numbers and text",
            where=str(path),
            got=_told(error),
            expected="tensors, numbers, text, and containers of these, as nnU-Net's own trainers write them",
            do="do not load it; ask those who trained it for the plain weights",
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(
            "the checkpoint cannot be read",
            where=str(path),
            got=one_line(error)[:200],
            expected="a whole file in the format of PyTorch 1.6 or later",
            do="copy it anew",
        ) from None
    if not isinstance(content, dict) or "network_weights" not in content or "init_args" not in content:
        raise ModelError(
            "the file is no checkpoint of nnU-Net v2",
            where=str(path),
            got=", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__,
            expected="network_weights, init_args, trainer_name",
        )
    return content


def take_weights(content: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return a checkpoint's weights in memory of their own, in single precision, under the plain network's names.

    Parameters
    ----------
    content : mapping
        From `load_checkpoint`.
    """
    import torch

    copies: dict[tuple[int, tuple[int, ...]], torch.Tensor] = {}
    weights = {}
    for name, tensor in content["network_weights"].items():
        # nnU-Net's networks name each tensor several times: it is copied once.
        place = (tensor.data_ptr(), tuple(tensor.shape))
        if place not in copies:
            kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
            copies[place] = tensor.to(kind, copy=True)
        # A network that was trained on several cards carries the prefix of its wrapper.
        weights[name.removeprefix("module.")] = copies[place]
    return weights


def _allowed() -> list[Any]:
    """List what a checkpoint may hold beside tensors: NumPy's scalars, under their old and new name."""
    from numpy._core.multiarray import scalar

    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [*((scalar, name) for name in names), np.dtype, *(type(np.dtype(code)) for code in _DTYPES)]


def _told(error: pickle.UnpicklingError) -> str:
    """Return the one line of torch's long advice that names what was found, without the advice to trust it."""
    lines = [line.strip() for line in str(error).splitlines()]
    named = [line for line in lines if "GLOBAL" in line]
    return (named or lines)[-1].removeprefix("WeightsUnpickler error: ")[:200]
