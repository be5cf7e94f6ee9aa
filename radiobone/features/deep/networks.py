"""The networks themselves: MONAI's, without heads, built the way that published weights expect them.

2D ResNets and DenseNet-121 compute what torchvision's compute with the same weights, to the bit: MONAI's ResNet
does so with a stem of stride 2 and downsampling without bias.

3D ResNets are those that MedicalNet published (Chen et al. 2019, arXiv:1904.00625): a stem of stride 2, the third
and fourth stage dilated by 2 and 4 rather than strided, and, in ResNet-18 and -34, shortcuts that pad with zeros
(type A). Their last feature map is thus 8 times coarser than the input. MONAI's ``pretrained=True`` loads the same
weights into a network of another geometry (a stem of stride 1, strided stages, no dilation), whose features are
others.

``i3resnet152_3d`` is a ResNet-152 whose kernels were inflated to 3D: the stem has a kernel of 3 x 7 x 7 with
stride 1 along the first axis, everything else strides by 2 along all three.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from radiobone.core.extras import require
from radiobone.features.deep.backbones import BACKBONES, Backbone

if TYPE_CHECKING:
    import torch

LAST_MAP = "last_map"
"""The feature map whose mean over all places is ``avgpool``: what attribution looks at."""

VOLUME_AXES = "SPL"
"""Where the axes (z, y, x) of a volume point as `patches` makes it: superior, posterior, left."""

_OPPOSITE = {"S": "I", "I": "S", "A": "P", "P": "A", "L": "R", "R": "L"}

_DRAWING = ("kaiming_normal_", "kaiming_uniform_", "normal_", "uniform_")
"""PyTorch's functions that draw weights."""

_BLOCKS = {
    "resnet10_3d": ("basic", (1, 1, 1, 1)),
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet18_3d": ("basic", (2, 2, 2, 2)),
    "resnet34": ("basic", (3, 4, 6, 3)),
    "resnet34_3d": ("basic", (3, 4, 6, 3)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
    "resnet50_3d": ("bottleneck", (3, 4, 6, 3)),
    "i3resnet152_3d": ("bottleneck", (3, 8, 36, 3)),
}
"""Kind and number of the blocks in each stage (He et al. 2016, table 1; ResNet-10 as MedicalNet has it)."""

_PADDED_SHORTCUTS = ("resnet18_3d", "resnet34_3d")
"""MedicalNet's README: `--resnet_shortcut A` for these, B for all others."""

_DILATIONS = {"layer3": 2, "layer4": 4}
"""MedicalNet's dilation of these stages, in place of their stride."""


def build(backbone: str, n_channels: int | None = None, *, seed: int = 0) -> torch.nn.Module:
    """Build a network without its head, in evaluation mode, with weights drawn from a seed.

    Parameters
    ----------
    backbone : str
        A name of `BACKBONES`.
    n_channels : int, optional
        Channels of the input; by default those that the network was published with.
    seed : int
        Of the weights. The random state of the caller is left as it is.

    Returns
    -------
    torch.nn.Module
        On the processor, in float32. Batch normalisation uses the statistics kept with the weights, never those of
        the batch, so that one input's features do not depend on the others.

    Raises
    ------
    MissingExtraError
        If PyTorch or MONAI is not installed.
    """
    torch = require("torch", "deep")
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        return _made(backbone, n_channels)


def outline(backbone: str, n_channels: int | None = None) -> torch.nn.Module:
    """Build a network whose weights have names and shapes, but neither values nor memory yet.

    Parameters
    ----------
    backbone, n_channels : str, int
        As `build` takes them.

    Returns
    -------
    torch.nn.Module
        On the device ``meta``; ``to_empty`` gives it memory, and `weights_loading.fill` values.
    """
    torch = require("torch", "deep")
    from torch.overrides import TorchFunctionMode

    class Undrawn(TorchFunctionMode):  # type: ignore[misc]
        """Leaves out the drawing of weights, for which PyTorch would load hundreds of modules without a device."""

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            drawing = getattr(function, "__name__", "") in _DRAWING
            # The tensor is the first argument, or the one named so.
            if drawing:
                return args[0] if args else (kwargs or {})["tensor"]
            return function(*args, **(kwargs or {}))

    with torch.device("meta"), Undrawn():
        return _made(backbone, n_channels)


def run_layer(net: torch.nn.Module, inputs: torch.Tensor, layer: str, *, after: str | None = None) -> torch.Tensor:
    """Run a network up to one of its layers.

    Parameters
    ----------
    net : torch.nn.Module
        From `build`.
    inputs : torch.Tensor of shape (n, channels, ...)
        Normalised inputs, with two or three axes of space, on the device of the network.
    layer : str
        A layer that `BACKBONES` lists for the network, or ``last_map``.
    after : str, optional
        The layer whose map is given in place of inputs: only what comes behind it is run.

    Returns
    -------
    torch.Tensor of shape (n, width) or (n, width, ...)
        The vector of ``avgpool``, or the map of any other layer.

    Raises
    ------
    ValueError
        If the network has no such layer, or none behind ``after``.
    """
    torch = require("torch", "deep")
    if layer == after:
        return inputs
    features = inputs
    for name, step in _steps_after(net, after):
        features = step(features)
        if name == layer:
            return features
    if layer == LAST_MAP:
        return features
    if layer != "avgpool":
        raise ValueError(f"the network has no layer {layer!r}" + (f" behind {after!r}" if after else ""))
    pool = (
        torch.nn.functional.adaptive_avg_pool2d if features.ndim == 4 else torch.nn.functional.adaptive_avg_pool3d
    )
    return torch.flatten(pool(features, 1), 1)


def turn_axes(volume: torch.Tensor, axes: str, given: str = VOLUME_AXES) -> torch.Tensor:
    """Put the axes of volumes, or of their feature maps, into another order, turned as the new order says.

    Parameters
    ----------
    volume : torch.Tensor of shape (n, channels, ...)
        With three axes of space.
    axes : str
        Where each axis is to point as its index grows, such as ``SRA`` (superior, right, anterior); see
        `WeightsInfo.axes`.
    given : str
        Where the axes point now.

    Returns
    -------
    torch.Tensor
        The same values. ``turn_axes(turned, given, axes)`` turns them back.
    """
    sources = [next(i for i, now in enumerate(given) if wanted in (now, _OPPOSITE[now])) for wanted in axes]
    flips = [place + 2 for place, source in enumerate(sources) if axes[place] != given[source]]
    return volume.permute(0, 1, *(source + 2 for source in sources)).flip(flips)


def _made(backbone: str, n_channels: int | None) -> torch.nn.Module:
    require("monai", "deep")
    network = BACKBONES[backbone]
    channels = network.n_channels if n_channels is None else n_channels
    net = _densenet(channels) if network.family == "densenet" else _resnet(network, channels)
    return net.eval().requires_grad_(False)


def _steps(net: torch.nn.Module) -> list[tuple[str, Any]]:
    """List the parts of a network in the order in which they work, up to the last map."""
    torch = require("torch", "deep")
    if hasattr(net, "features"):
        # Behind the last dense block come a normalisation and a rectifier that belong to the head in MONAI.
        return [*net.features.named_children(), ("relu", torch.nn.functional.relu)]
    names = ("conv1", "bn1", "act", "maxpool", "layer1", "layer2", "layer3", "layer4")
    return [(name, getattr(net, name)) for name in names]


def _steps_after(net: torch.nn.Module, layer: str | None) -> list[tuple[str, Any]]:
    steps = _steps(net)
    if layer is None:
        return steps
    names = [name for name, _ in steps]
    return [] if layer == LAST_MAP else steps[names.index(layer) + 1 :]


def _resnet(backbone: Backbone, channels: int) -> torch.nn.Module:
    from monai.networks.nets import ResNet

    block, blocks = _BLOCKS[backbone.name]
    inflated = backbone.family == "i3resnet"
    net: torch.nn.Module = ResNet(
        block=block,
        layers=list(blocks),
        block_inplanes=[64, 128, 256, 512],
        spatial_dims=backbone.spatial_dims,
        n_input_channels=channels,
        conv1_t_size=(3, 7, 7) if inflated else 7,
        conv1_t_stride=(1, 2, 2) if inflated else 2,
        shortcut_type="A" if backbone.name in _PADDED_SHORTCUTS else "B",
        bias_downsample=False,
        feed_forward=False,
    )
    if backbone.spatial_dims == 3 and not inflated:
        for stage, dilation in _DILATIONS.items():
            _dilate(getattr(net, stage), dilation)
        for stage in ("layer2", "layer3", "layer4"):
            first = getattr(net, stage)[0]
            if backbone.name in _PADDED_SHORTCUTS:
                planes = first.conv1.out_channels
                first.downsample = partial(_padded, channels=planes, stride=first.conv1.stride[0])
    return net


def _dilate(stage: torch.nn.Module, dilation: int) -> None:
    """Give a stage's convolutions a dilation in place of their stride; no weight changes."""
    from torch.nn import Conv3d

    for module in stage.modules():
        if isinstance(module, Conv3d):
            module.stride = (1, 1, 1)
            if module.kernel_size == (3, 3, 3):
                module.dilation = module.padding = (dilation,) * 3


def _padded(features: torch.Tensor, channels: int, stride: int) -> torch.Tensor:
    """Take every ``stride``-th place, and fill channels up with zeros: a shortcut of type A.

    MONAI's own gives the same values, but cuts gradients off, which attribution needs.
    """
    from torch.nn.functional import pad

    thinned = features[:, :, ::stride, ::stride, ::stride]
    return pad(thinned, (0, 0, 0, 0, 0, 0, 0, channels - features.shape[1]))


def _densenet(channels: int) -> torch.nn.Module:
    from monai.networks.nets import DenseNet121
    from torch.nn import Identity

    net: torch.nn.Module = DenseNet121(spatial_dims=2, in_channels=channels, out_channels=1)
    net.class_layers = Identity()
    return net
