"""The networks that deep features can come from: what their layers give, known without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Backbone:
    """A network without its classifying head.

    Parameters
    ----------
    name : str
        As deep parameter files name it.
    family : str
        ``resnet``, ``densenet`` or ``i3resnet``.
    spatial_dims : int
        2 for pictures, 3 for volumes.
    layers : mapping of str to int
        The layers that features may be taken from, in their order, and the number of channels of each. The last
        one, ``avgpool``, is the mean over all places of the last feature map.
    n_channels : int
        Channels of the input, unless weights say otherwise.
    smallest : int
        Shortest edge of an input in pixels or voxels: the last feature map is up to 32 times coarser.
    """

    name: str
    family: str
    spatial_dims: int
    layers: Mapping[str, int]
    n_channels: int
    smallest: int = 32


def _resnet(name: str, spatial_dims: int, widening: int, n_channels: int, family: str = "resnet") -> Backbone:
    """Describe a ResNet; its blocks widen their channels by 1 (two convolutions) or 4 (bottlenecks of three)."""
    layers = {f"layer{stage}": 32 * 2**stage * widening for stage in range(1, 5)}
    return Backbone(
        name, family, spatial_dims, MappingProxyType(layers | {"avgpool": layers["layer4"]}), n_channels
    )


# Of each dense block, before the transition that halves its channels: 64 at first, and 32 more with each of
# 6, 12, 24 and 16 layers (Huang et al. 2017, table 1).
_DENSE_121 = MappingProxyType(
    {"denseblock1": 256, "denseblock2": 512, "denseblock3": 1024, "denseblock4": 1024, "avgpool": 1024}
)

BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        backbone.name: backbone
        for backbone in (
            _resnet("resnet18", 2, 1, 3),
            _resnet("resnet34", 2, 1, 3),
            _resnet("resnet50", 2, 4, 3),
            Backbone("densenet121", "densenet", 2, _DENSE_121, 3),
            _resnet("resnet10_3d", 3, 1, 1),
            _resnet("resnet18_3d", 3, 1, 1),
            _resnet("resnet34_3d", 3, 1, 1),
            _resnet("resnet50_3d", 3, 4, 1),
            _resnet("i3resnet152_3d", 3, 4, 3, "i3resnet"),
        )
    }
)
"""All networks by name. ResNets: He et al. 2016, table 1; in 3D the same with cubes for squares."""
