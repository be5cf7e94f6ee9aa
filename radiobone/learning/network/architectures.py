"""The networks that can be trained: MONAI's 3D ResNets and DenseNet-121, as wide as is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from radiobone.core.extras import require
from radiobone.learning.data import DataError

if TYPE_CHECKING:
    import torch

ARCHITECTURES = ("resnet10", "resnet18", "densenet121")

# Blocks in each stage (He et al. 2016, table 1; ResNet-10 has one in each).
_RESNET = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}

# Layers in each dense block (Huang et al. 2017, table 1).
_DENSE_121 = (6, 12, 24, 16)

_STEM = 4
"""Stem and pooling behind it halve each edge twice, rounding up."""


def build(architecture: str, width: int, n_classes: int, *, seed: int) -> torch.nn.Module:
    """Build a network for volumes of one channel, with weights drawn from a seed.

    Parameters
    ----------
    architecture : str
        One of `ARCHITECTURES`.
    width : int
        Channels behind the stem. Each later stage of a ResNet doubles them; a DenseNet grows by half of them with
        each layer. The published networks have 64.
    n_classes : int
        Number of outputs.
    seed : int
        Of the weights. The random state of the caller is left as it is.

    Returns
    -------
    torch.nn.Module
        On the processor, in float32 and in evaluation mode.

    Raises
    ------
    MissingExtraError
        If PyTorch or MONAI is not installed.
    """
    torch = require("torch", "deep")
    require("monai", "deep")
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        return _made(architecture, width, n_classes).eval()


def _made(architecture: str, width: int, n_classes: int) -> torch.nn.Module:
    from monai.networks.nets import DenseNet, ResNet

    if architecture == "densenet121":
        dense: torch.nn.Module = DenseNet(
            spatial_dims=3,
            in_channels=1,
            out_channels=n_classes,
            init_features=width,
            growth_rate=width // 2,
            block_config=_DENSE_121,
        )
        return dense
    residual: torch.nn.Module = ResNet(
        block="basic",
        layers=list(_RESNET[architecture]),
        block_inplanes=[width * 2**stage for stage in range(4)],
        spatial_dims=3,
        n_input_channels=1,
        conv1_t_size=7,
        conv1_t_stride=2,
        bias_downsample=False,
        num_classes=n_classes,
    )
    return residual


def smallest_edge(architecture: str) -> int:
    """Return the shortest edge of a volume in voxels.

    Parameters
    ----------
    architecture : str
        One of `ARCHITECTURES`.

    Returns
    -------
    int
        A ResNet pads whatever it strides over, so that a single voxel goes through it. A DenseNet halves its maps
        three more times and rounds down.

    Examples
    --------
    >>> smallest_edge("resnet18"), smallest_edge("densenet121")
    (1, 29)
    """
    if architecture in _RESNET:
        return 1
    last: int = 2 ** (len(_DENSE_121) - 1)
    return _STEM * (last - 1) + 1


def check_size(architecture: str, shape: Sequence[int]) -> None:
    """Refuse volumes of which nothing would be left at the network's end.

    Parameters
    ----------
    architecture : str
        One of `ARCHITECTURES`.
    shape : sequence of int
        Voxels along (z, y, x).

    Raises
    ------
    DataError
        That names the edge it needs.
    """
    needed = smallest_edge(architecture)
    if min(shape) < needed:
        raise DataError(
            "the volumes are too small for the network",
            where=architecture,
            got=f"{' x '.join(map(str, shape))} voxels (z, y, x)",
            expected=f"{needed} voxels or more along each edge",
            do="make larger volumes, or take a resnet",
        )
