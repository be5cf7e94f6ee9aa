"""Rules that turn the keys of a published state dict into those of the network, written out one by one.

Every key of a file is either renamed by a rule, dropped because a rule says that it belongs to the head, or kept
as it is; whether the outcome has exactly the network's keys is checked when it is loaded. Nothing is guessed.

ResNets of MONAI have torchvision's keys. MONAI's DenseNet holds the members of a dense layer one level deeper
(``denselayer1.layers.norm1``), and torchvision's own files from 2017 still write ``denselayer1.norm.1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from radiobone.core.errors import ModelError

Value = TypeVar("Value")

WRAPPER = "state_dict"
"""Under this key training programs keep the state dict beside the epoch and the optimiser."""


@dataclass(frozen=True)
class Layout:
    """How the keys of a file are turned into those of the network.

    Parameters
    ----------
    renamed : tuple of (str, str)
        Patterns that a whole key must match, and what takes its place. They are tried in order, and the first one
        that matches is the only one that is used.
    dropped : str
        Pattern of the keys of the classifying head, which features do not need; none by default.
    wrapper : str or None
        The key of the file under which the state dict lies; None if the file is the state dict.
    """

    renamed: tuple[tuple[str, str], ...] = ()
    dropped: str = r"(?!)"
    wrapper: str | None = None


_DENSE_LAYER = r"features\.(denseblock\d+\.denselayer\d+)\.(norm|conv)\.?([12])\.(\w+)"
_DENSE_LAYER_HERE = r"features.\1.layers.\2\3.\4"

# RadImageNet's example puts torchvision's `children()` into one nn.Sequential called `backbone`: of a ResNet
# conv1, bn1, relu, maxpool, layer1 to layer4 and avgpool, of a DenseNet its `features` alone.
_RADIMAGENET_RESNET = (
    (r"backbone\.0\.(weight)", r"conv1.\1"),
    (r"backbone\.1\.(\w+)", r"bn1.\1"),
    (r"backbone\.4\.(.+)", r"layer1.\1"),
    (r"backbone\.5\.(.+)", r"layer2.\1"),
    (r"backbone\.6\.(.+)", r"layer3.\1"),
    (r"backbone\.7\.(.+)", r"layer4.\1"),
)
_RADIMAGENET_DENSENET = (
    (r"backbone\.0\.(denseblock\d+\.denselayer\d+)\.(norm|conv)([12])\.(\w+)", _DENSE_LAYER_HERE),
    (r"backbone\.0\.(.+)", r"features.\1"),
)

_RESNET_HEAD = r"fc\.(weight|bias)"
_DENSENET_HEAD = r"(classifier|class_layers\.out)\.(weight|bias)"

# A network trained on several cards carries the prefix of its wrapper.
_MODULE = (r"module\.(.+)", r"\1")

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "torchvision_resnet": Layout(dropped=_RESNET_HEAD),
        "torchvision_densenet": Layout(((_DENSE_LAYER, _DENSE_LAYER_HERE),), _DENSENET_HEAD),
        "radimagenet_resnet": Layout(_RADIMAGENET_RESNET),
        "radimagenet_densenet": Layout(_RADIMAGENET_DENSENET),
        "medicalnet": Layout((_MODULE,), wrapper=WRAPPER),
        "astra": Layout(wrapper=WRAPPER),
        # One's own checkpoint: the keys of MONAI or torchvision, with or without wrapper, prefix and head.
        "own_resnet": Layout((_MODULE,), rf"(module\.)?{_RESNET_HEAD}"),
        "own_densenet": Layout(
            ((rf"(?:module\.)?{_DENSE_LAYER}", _DENSE_LAYER_HERE), _MODULE), rf"(module\.)?{_DENSENET_HEAD}"
        ),
    }
)
"""All layouts by the name that `WeightsInfo.layout` uses."""


def map_keys(state: Mapping[str, Value], layout: str, where: str) -> dict[str, Value]:
    """Rename the keys of a state dict to those of the network, and drop its head.

    Parameters
    ----------
    state : mapping of str to object
        The state dict of a file.
    layout : str
        A name of `LAYOUTS`.
    where : str
        The file, for the message.

    Returns
    -------
    dict of str to object
        The same values under the network's keys. A key that no rule knows keeps its name.

    Raises
    ------
    ModelError
        If two keys would become one.

    Examples
    --------
    >>> map_keys({"backbone.0.weight": 1, "backbone.4.0.conv1.weight": 2}, "radimagenet_resnet", "ResNet50.pt")
    {'conv1.weight': 1, 'layer1.0.conv1.weight': 2}
    >>> old = "features.denseblock1.denselayer1.norm.1.weight"
    >>> map_keys({old: 1, "classifier.bias": 2}, "torchvision_densenet", "densenet121.pth")
    {'features.denseblock1.denselayer1.layers.norm1.weight': 1}
    """
    rules = LAYOUTS[layout]
    mapped: dict[str, Value] = {}
    for key, value in state.items():
        if re.fullmatch(rules.dropped, key):
            continue
        name = _renamed(key, rules.renamed)
        if name in mapped:
            raise ModelError(
                "two keys of the weights mean the same", where=where, got=f"{key} and another: {name}"
            )
        mapped[name] = value
    return mapped


def differences(found: Iterable[str], wanted: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the keys that are missing, and those that are not expected, each in order.

    The counter ``num_batches_tracked`` of batch normalisation is never missing: it plays a part in training alone,
    and files from before PyTorch 0.4.1 lack it.

    Parameters
    ----------
    found, wanted : iterable of str
        Keys of the file, mapped, and of the network.
    """
    there, needed = dict.fromkeys(found), dict.fromkeys(wanted)
    missing = [key for key in needed if key not in there and not key.endswith(".num_batches_tracked")]
    return missing, [key for key in there if key not in needed]


def _renamed(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(replacement)
    return key
