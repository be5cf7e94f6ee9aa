"""Reading weights without running anything that stands in their file, and filling a network with them."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.errors import ModelError, one_line
from radiobone.core.extras import require
from radiobone.features.deep.backbones import BACKBONES
from radiobone.features.deep.networks import outline
from radiobone.features.deep.weights_keys import LAYOUTS, WRAPPER, differences, map_keys
from radiobone.features.deep.weights_registry import WEIGHTS, WeightsInfo, get_weights

if TYPE_CHECKING:
    import torch

_SHOWN = 3
"""How many keys a message names."""


def load_network(path: Path, info: WeightsInfo, n_channels: int | None = None) -> torch.nn.Module:
    """Build the network of some weights, and fill it with them.

    Parameters
    ----------
    path : Path
        The file, its hash checked (`find_weights`).
    info : WeightsInfo
        What is known of it.
    n_channels : int, optional
        Channels of the input, where a checkpoint of one's own has others than the network was published with.

    Returns
    -------
    torch.nn.Module
        As `build` gives it.

    Raises
    ------
    ModelError
        If the file cannot be read, or does not hold exactly the network's weights.
    """
    net = outline(info.backbone, info.n_channels if n_channels is None else n_channels).to_empty(device="cpu")
    fill(net, load_state(path, info), info.backbone, str(path))
    return net


def load_state(path: Path, info: WeightsInfo) -> dict[str, torch.Tensor]:
    """Read a file of weights, with the keys of the network that they are for.

    Parameters
    ----------
    path : Path
        A file of ``torch.save``, old or new, or of safetensors.
    info : WeightsInfo
        What is known of it.

    Returns
    -------
    dict of str to torch.Tensor
        Mapped from the file where its format allows that, so that it is to be copied, as `fill` does.

    Raises
    ------
    ModelError
        If the file is damaged, or holds anything else than named tensors (it is not loaded then).
    """
    return map_keys(_unwrapped(read_tensors(path), LAYOUTS[info.layout].wrapper, path), info.layout, str(path))


def read_tensors(path: Path) -> Mapping[str, object]:
    """Read a file as data: tensors, numbers, text, and containers of these; nothing of it is run.

    Parameters
    ----------
    path : Path
        A file of ``torch.save``, old or new, or of safetensors (known by its suffix).

    Raises
    ------
    ModelError
        If the file cannot be read, holds anything else, or holds no mapping.
    """
    if not path.is_file():
        raise ModelError("no such file of weights", where=str(path), do="check the path")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not isinstance(content, Mapping):
        raise ModelError(
            "the file holds no state dict", where=str(path), got=type(content).__name__, expected="named tensors"
        )
    return content


def fill(net: torch.nn.Module, state: Mapping[str, torch.Tensor], backbone: str, where: str) -> None:
    """Copy weights into a network, which must have exactly their keys and shapes.

    Parameters
    ----------
    net : torch.nn.Module
        From `build` or `outline`.
    state : mapping of str to torch.Tensor
        From `load_state`. Floating-point numbers become float32: shorter ones exactly, longer ones rounded.
    backbone : str
        Name of the network, for the message.
    where : str
        The file, for the message.

    Raises
    ------
    ModelError
        If keys are missing, not expected or of another shape, or a value is NaN or infinite.
    """
    wanted = _forms(net.state_dict())
    problems = _problems(_forms(state), wanted)
    if problems:
        fits = [name for name in fitting(state) if name != backbone]
        raise ModelError(
            f"the weights are not those of {backbone}",
            where=where,
            got="; ".join(problems),
            expected=f"the {len(wanted)} tensors of {backbone}, each of its shape",
            do=f"they fit {', '.join(fits)}: set backbone to it, or use other weights"
            if fits
            else "they fit no network that radiobone knows; check the file",
        )
    # As float32, in which a number of more digits may be infinite.
    spoilt = [
        key for key, value in state.items() if value.is_floating_point() and not value.float().isfinite().all()
    ]
    if spoilt:
        raise ModelError(
            "the weights hold NaN or infinite values", where=where, got=_some(spoilt), do="copy it anew"
        )
    # Counters of training steps may be missing (see `differences`), and play no part.
    counters = {key: value.new_zeros(()) for key, value in net.state_dict().items() if key not in state}
    net.load_state_dict({**counters, **state})


def fitting(state: Mapping[str, torch.Tensor]) -> list[str]:
    """List the networks whose keys and shapes some weights have under any known layout.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        With the keys of the file or of a network.
    """
    names = []
    channels = _channels(state)
    for backbone in BACKBONES:
        layouts = {get_weights(backbone, "file").layout}
        layouts |= {info.layout for (network, _), info in WEIGHTS.items() if network == backbone}
        wanted = _forms(outline(backbone, channels).state_dict())
        for layout in sorted(layouts):
            try:
                mapped = map_keys(state, layout, "")
            except ModelError:
                continue
            if not _problems(_forms(mapped), wanted):
                names.append(backbone)
                break
    return names


def tensors_of(content: Mapping[str, object]) -> dict[str, torch.Tensor] | None:
    """Return the state dict of a file's content, wrapped or not, or None if it holds none.

    Parameters
    ----------
    content : mapping
        From `read_tensors`.
    """
    torch = require("torch", "deep")
    inner = content.get(WRAPPER, content)
    if not isinstance(inner, Mapping) or not inner:
        return None
    if not all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in inner.items()):
        return None
    return dict(inner)


def _unwrapped(content: Mapping[str, object], wrapper: str | None, path: Path) -> dict[str, torch.Tensor]:
    """Return the state dict of a file, of which the layout says where it lies."""
    own = wrapper is None
    state = tensors_of(content) if own or wrapper in content else None
    if state is None:
        raise ModelError(
            "the file holds no state dict",
            where=str(path),
            got=_some(map(str, content)) or "nothing",
            expected="named tensors" if own else f"named tensors under the key {wrapper!r}",
            do="give the state dict alone, as torch.save(network.state_dict(), file) writes it",
        )
    return state


def _read_torch(path: Path) -> object:
    torch = require("torch", "deep")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of its own old formats
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise ModelError(
            "the file is not safe to load: it holds more than numbers and text, or is no file of weights",
            where=str(path),
            got=_told(error),
            expected="a state dict: named tensors, written by torch.save",
            do="do not load it; ask for the state dict alone",
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(
            "the weights cannot be read",
            where=str(path),
            got="a TorchScript archive, which is a program"
            if "TorchScript" in str(error)
            else one_line(error)[:200],
            expected="a whole file that torch.save wrote, or one of safetensors with that suffix",
            do="copy it anew, or ask for the state dict alone",
        ) from None


def _read_safetensors(path: Path) -> object:
    reader = require("safetensors.torch", "deep")
    broken = require("safetensors", "deep").SafetensorError
    try:
        return reader.load_file(path)
    except (broken, OSError, ValueError) as error:
        raise ModelError(
            "the weights cannot be read",
            where=str(path),
            got=one_line(error)[:200],
            expected="a whole file of safetensors",
            do="copy it anew",
        ) from None


def _forms(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Describe each tensor: its shape, and what else it is if not a dense array of floating-point numbers."""
    forms = {}
    for key, value in state.items():
        parts = [" x ".join(map(str, value.shape)) or "one number"]
        parts += [] if value.is_floating_point() else [str(value.dtype)]
        parts += [] if str(value.layout) == "torch.strided" else [str(value.layout)]
        forms[key] = " of ".join(parts)
    return forms


def _problems(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    missing, unexpected = differences(found, wanted)
    shapes = [
        f"{key} {found[key]} instead of {form}" for key, form in wanted.items() if found.get(key, form) != form
    ]
    named = {"missing": missing, "not expected": unexpected, "of another shape": shapes}
    return [f"{len(keys)} {what}: {_some(keys)}" for what, keys in named.items() if keys]


def _some(keys: Iterable[str]) -> str:
    listed = list(keys)
    return ", ".join(listed[:_SHOWN]) + (", ..." if len(listed) > _SHOWN else "")


def _channels(state: Mapping[str, torch.Tensor]) -> int | None:
    """Read off the channels of the input: the second edge of the first kernel of more than one dimension."""
    kernels = [value.shape for value in state.values() if value.ndim >= 4]
    return int(min(kernels, key=lambda shape: (shape[1], shape[0]))[1]) if kernels else None


def _told(error: pickle.UnpicklingError) -> str:
    """Return what PyTorch's long message says was found, without its advice to trust the file."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f"a pickle that calls {named[1]}" if named else "a pickle of other things than tensors, or none at all"
