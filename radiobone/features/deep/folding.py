"""Batch normalisations folded into the convolutions before them: faster, and equal but for rounding."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from radiobone.core.extras import require

if TYPE_CHECKING:
    import torch


def fold(net: torch.nn.Module) -> torch.nn.Module:
    """Fold every normalisation that follows a convolution into it, in place.

    Parameters
    ----------
    net : torch.nn.Module
        From `networks.build` or `weights_loading.load_network`, in evaluation mode: normalisations are then a
        scaling and a shift by numbers that are known. In these networks a normalisation that stands right behind a
        convolution is what the convolution's output goes through, and nothing else does.

    Returns
    -------
    torch.nn.Module
        The same network. Weights are multiplied in double precision, so that each is rounded once.
    """
    nn = require("torch.nn", "deep")
    convolutions, normalisations = (nn.Conv2d, nn.Conv3d), (nn.BatchNorm2d, nn.BatchNorm3d)
    for module in list(net.modules()):
        children = list(module.named_children())
        for (_, before), (name, after) in pairwise(children):
            if isinstance(before, convolutions) and isinstance(after, normalisations):
                _fold_one(before, after)
                setattr(module, name, nn.Identity())
    return net


def _fold_one(convolution: torch.nn.Module, normalisation: torch.nn.Module) -> None:
    nn = require("torch.nn", "deep")
    scale = normalisation.weight.double() / (normalisation.running_var.double() + normalisation.eps).sqrt()
    weight = convolution.weight.double()
    shift = 0.0 if convolution.bias is None else convolution.bias.double()
    bias = normalisation.bias.double() + (shift - normalisation.running_mean.double()) * scale
    weight = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    convolution.weight = nn.Parameter(weight.float(), requires_grad=False)
    convolution.bias = nn.Parameter(bias.float(), requires_grad=False)
