"""ResNets and DenseNet-121 written with plain functions: torchvision's, MedicalNet's and inflated ones.

State dicts are made with the key names and shapes of the published files, not by the networks under test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Resnet:
    """What sets one ResNet apart from another.

    ``padded`` stands for shortcuts that drop places and pad channels with zeros (MedicalNet's type A).
    """

    blocks: tuple[int, int, int, int]
    bottleneck: bool = False
    dims: int = 2
    channels: int = 3
    stem: Sequence[int] | int = 7
    stem_stride: Sequence[int] | int = 2
    strides: tuple[int, int, int, int] = (1, 2, 2, 2)
    dilations: tuple[int, int, int, int] = (1, 1, 1, 1)
    padded: bool = False

    @property
    def stem_kernel(self) -> tuple[int, ...]:
        return (self.stem,) * self.dims if isinstance(self.stem, int) else tuple(self.stem)

    @property
    def widening(self) -> int:
        return 4 if self.bottleneck else 1

    def places(self) -> Iterator[tuple[str, int, int, int, int, int]]:
        """Yield prefix, input channels, planes, stride and dilation of each block, and whether it is the first."""
        inputs = 64
        for stage, number in enumerate(self.blocks):
            planes = 64 * 2**stage
            for block in range(number):
                stride = self.strides[stage] if block == 0 else 1
                yield f"layer{stage + 1}.{block}", inputs, planes, stride, self.dilations[stage], block == 0
                inputs = planes * self.widening


RESNETS = {
    "resnet18": Resnet((2, 2, 2, 2)),
    "resnet34": Resnet((3, 4, 6, 3)),
    "resnet50": Resnet((3, 4, 6, 3), bottleneck=True),
    "resnet10_3d": Resnet((1, 1, 1, 1), dims=3, channels=1, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)),
    "resnet18_3d": Resnet(
        (2, 2, 2, 2), dims=3, channels=1, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), padded=True
    ),
    "resnet34_3d": Resnet(
        (3, 4, 6, 3), dims=3, channels=1, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), padded=True
    ),
    "resnet50_3d": Resnet(
        (3, 4, 6, 3), bottleneck=True, dims=3, channels=1, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)
    ),
    "i3resnet152_3d": Resnet((3, 8, 36, 3), bottleneck=True, dims=3, stem=(3, 7, 7), stem_stride=(1, 2, 2)),
}
"""Blocks: He et al. 2016, table 1. In 3D: what MedicalNet's and Merlin's published networks compute."""

DENSE_121 = (6, 12, 24, 16)


class Maker:
    """Draws the tensors of a state dict, so that no value grows out of hand."""

    def __init__(self, seed: int) -> None:
        self.state: State = {}
        self._draws = torch.Generator().manual_seed(seed)

    def conv(self, key: str, outputs: int, inputs: int, kernel: Sequence[int]) -> None:
        scale = math.sqrt(2 / (inputs * math.prod(kernel)))
        self.state[f"{key}.weight"] = torch.randn(outputs, inputs, *kernel, generator=self._draws) * scale

    def norm(self, key: str, channels: int) -> None:
        def uniform(low: float, high: float) -> torch.Tensor:
            return torch.rand(channels, generator=self._draws) * (high - low) + low

        self.state[f"{key}.weight"] = uniform(0.5, 1.0)
        self.state[f"{key}.bias"] = uniform(-0.2, 0.2)
        self.state[f"{key}.running_mean"] = uniform(-0.2, 0.2)
        self.state[f"{key}.running_var"] = uniform(0.8, 1.5)
        self.state[f"{key}.num_batches_tracked"] = torch.tensor(7)

    def head(self, key: str, inputs: int, outputs: int = 1000) -> None:
        self.state[f"{key}.weight"] = torch.randn(outputs, inputs, generator=self._draws)
        self.state[f"{key}.bias"] = torch.zeros(outputs)


def resnet_state(net: Resnet, seed: int = 1, head: bool = True) -> State:
    """Make a state dict with torchvision's keys."""
    make = Maker(seed)
    make.conv("conv1", 64, net.channels, net.stem_kernel)
    make.norm("bn1", 64)
    three, one = (3,) * net.dims, (1,) * net.dims
    for prefix, inputs, planes, stride, _, first in net.places():
        outputs = planes * net.widening
        kernels = (one, three, one) if net.bottleneck else (three, three)
        widths = (inputs, planes, planes, outputs) if net.bottleneck else (inputs, planes, outputs)
        for number, kernel in enumerate(kernels, start=1):
            make.conv(f"{prefix}.conv{number}", widths[number], widths[number - 1], kernel)
            make.norm(f"{prefix}.bn{number}", widths[number])
        # A stage of stride 1 whose channels grow has a shortcut of its own, too.
        if first and (inputs != outputs or stride != 1) and not net.padded:
            make.conv(f"{prefix}.downsample.0", outputs, inputs, one)
            make.norm(f"{prefix}.downsample.1", outputs)
    if head:
        make.head("fc", 512 * net.widening)
    return make.state


def resnet_maps(net: Resnet, state: State, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compute the map of each stage and the vector of the average pool."""
    conv: Any = functional.conv2d if net.dims == 2 else functional.conv3d
    pool: Any = functional.max_pool2d if net.dims == 2 else functional.max_pool3d
    x = conv(inputs, state["conv1.weight"], None, net.stem_stride, tuple(k // 2 for k in net.stem_kernel))
    x = pool(functional.relu(_norm(x, state, "bn1")), 3, 2, 1)
    maps = {}
    for prefix, _, planes, stride, dilation, _ in net.places():
        shortcut = _shortcut(x, state, prefix, stride, planes * net.widening, conv)
        steps = ((1, 0, 1), (stride, dilation, dilation), (1, 0, 1))
        if not net.bottleneck:
            steps = ((stride, dilation, dilation), (1, dilation, dilation))
        for number, (step, padding, dilated) in enumerate(steps, start=1):
            x = conv(x, state[f"{prefix}.conv{number}.weight"], None, step, padding, dilated)
            x = _norm(x, state, f"{prefix}.bn{number}")
            x = functional.relu(x) if number < len(steps) else functional.relu(x + shortcut)
        maps[prefix.split(".")[0]] = x
    maps["avgpool"] = _pooled(x)
    return maps


def densenet_state(seed: int = 1) -> State:
    """Make a state dict with the keys of today's torchvision."""
    make = Maker(seed)
    make.conv("features.conv0", 64, 3, (7, 7))
    make.norm("features.norm0", 64)
    width = 64
    for block, layers in enumerate(DENSE_121, start=1):
        for layer in range(1, layers + 1):
            prefix = f"features.denseblock{block}.denselayer{layer}"
            make.norm(f"{prefix}.norm1", width)
            make.conv(f"{prefix}.conv1", 128, width, (1, 1))
            make.norm(f"{prefix}.norm2", 128)
            make.conv(f"{prefix}.conv2", 32, 128, (3, 3))
            width += 32
        if block < 4:
            make.norm(f"features.transition{block}.norm", width)
            make.conv(f"features.transition{block}.conv", width // 2, width, (1, 1))
            width //= 2
    make.norm("features.norm5", width)
    make.head("classifier", width)
    return make.state


def densenet_maps(state: State, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compute the map of each dense block, the last map and the vector of the average pool."""

    def step(x: torch.Tensor, norm: str, conv: str, padding: int = 0) -> torch.Tensor:
        return functional.conv2d(functional.relu(_norm(x, state, norm)), state[f"{conv}.weight"], padding=padding)

    x = functional.conv2d(inputs, state["features.conv0.weight"], stride=2, padding=3)
    x = functional.max_pool2d(functional.relu(_norm(x, state, "features.norm0")), 3, 2, 1)
    maps = {}
    for block, layers in enumerate(DENSE_121, start=1):
        for layer in range(1, layers + 1):
            prefix = f"features.denseblock{block}.denselayer{layer}"
            new = step(x, f"{prefix}.norm1", f"{prefix}.conv1")
            x = torch.cat([x, step(new, f"{prefix}.norm2", f"{prefix}.conv2", padding=1)], 1)
        maps[f"denseblock{block}"] = x
        if block < 4:
            prefix = f"features.transition{block}"
            x = functional.avg_pool2d(step(x, f"{prefix}.norm", f"{prefix}.conv"), 2, 2)
    maps["last_map"] = functional.relu(_norm(x, state, "features.norm5"))
    maps["avgpool"] = _pooled(maps["last_map"])
    return maps


def radimagenet_keys(state: State) -> State:
    """Rename torchvision's keys to those of ``nn.Sequential(*children)`` called ``backbone``, without the head."""
    numbers = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7, "features": 0}
    renamed = {}
    for key, value in state.items():
        child, rest = key.split(".", 1)
        if child in numbers:
            renamed[f"backbone.{numbers[child]}.{rest}"] = value
    return renamed


def _norm(x: torch.Tensor, state: State, key: str) -> torch.Tensor:
    mean, variance = state[f"{key}.running_mean"], state[f"{key}.running_var"]
    return functional.batch_norm(x, mean, variance, state[f"{key}.weight"], state[f"{key}.bias"], False, 0.1, 1e-5)


def _shortcut(x: torch.Tensor, state: State, prefix: str, stride: int, outputs: int, conv: Any) -> torch.Tensor:
    if f"{prefix}.downsample.0.weight" in state:
        x = conv(x, state[f"{prefix}.downsample.0.weight"], None, stride)
        return _norm(x, state, f"{prefix}.downsample.1")
    if stride == 1 and x.shape[1] == outputs:
        return x
    thinned = x[(slice(None), slice(None), *[slice(None, None, stride)] * (x.ndim - 2))]
    zeros = torch.zeros(x.shape[0], outputs - x.shape[1], *thinned.shape[2:])
    return torch.cat([thinned, zeros], 1)


def _pooled(x: torch.Tensor) -> torch.Tensor:
    pool: Any = functional.adaptive_avg_pool2d if x.ndim == 4 else functional.adaptive_avg_pool3d
    return torch.flatten(pool(x, 1), 1)
