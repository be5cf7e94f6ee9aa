"""Grad-CAM: which places of a feature map a target hangs on (Selvaraju et al. 2017).

The channels of the map are added up, each weighted by the mean of the target's gradient over its places; what is
below zero is left out. For features of ``avgpool`` and the last map the sum is exact: added up over all places,
and before anything is left out, the map gives the target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.core.extras import require
from radiobone.features.deep.compute import Network, pooled
from radiobone.features.deep.networks import LAST_MAP, VOLUME_AXES, run_layer, turn_axes
from radiobone.features.deep.params import THREADS, DeepParams

if TYPE_CHECKING:
    import torch


def watched_layer(params: DeepParams, layer: str | None) -> str:
    """Return the layer whose map is looked at: that of the features, or an earlier one.

    Parameters
    ----------
    params : DeepParams
        Which layer gives the features.
    layer : str, optional
        The layer asked for; by default the one that gives the features, for ``avgpool`` the last map.

    Raises
    ------
    UsageError
        If the network has no such map, or it lies behind the features.
    """
    own = LAST_MAP if params.layer == "avgpool" else params.layer
    maps = [name for name in params.network.layers if name != "avgpool"]
    known = [*maps, LAST_MAP] if own == LAST_MAP else maps[: maps.index(own) + 1]
    if layer is not None and layer not in known:
        raise UsageError(
            "Grad-CAM looks at maps that the features come from",
            got=layer,
            expected=f"one of {', '.join(known)}",
        )
    return layer or own


def grad_cam(
    network: Network, inputs: NDArray[np.float32], target: NDArray[np.float64] | None, layer: str
) -> NDArray[np.float64]:
    """Make the Grad-CAM map of one input.

    Parameters
    ----------
    network : Network
        The network.
    inputs : ndarray of shape (channels, ...)
        One input, normalised.
    target : ndarray of shape (width,), optional
        The weight of each feature in the sum whose gradient is taken; without it, the length of the features'
        vector.
    layer : str
        From `watched_layer`.

    Returns
    -------
    ndarray of shape (...)
        The map, interpolated linearly to the input's grid; 0 or more.
    """
    torch = require("torch", "deep")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(THREADS)
        return _map(network, torch.from_numpy(inputs[None]).to(network.device), target, layer)
    finally:
        torch.set_num_threads(threads)


def _map(
    network: Network, batch: torch.Tensor, target: NDArray[np.float64] | None, layer: str
) -> NDArray[np.float64]:
    torch = require("torch", "deep")
    space = tuple(range(2, batch.ndim))
    turned = batch if network.axes is None else turn_axes(batch, network.axes, VOLUME_AXES)
    with torch.no_grad():
        seen = run_layer(network.net, turned, layer)
    # Only what lies behind the map keeps what its gradient needs.
    seen.requires_grad_()
    features = pooled(run_layer(network.net, seen, network.params.layer, after=layer), network.params.pooling)[0]
    value = features.norm() if target is None else features.double() @ torch.from_numpy(target).to(features.device)
    (gradient,) = torch.autograd.grad(value, seen)
    with torch.no_grad():
        weights = gradient.mean(dim=space, keepdim=True)
        cam = torch.relu((weights * seen).sum(dim=1, keepdim=True))
        if network.axes is not None:
            cam = turn_axes(cam, VOLUME_AXES, network.axes)
        mode = "bilinear" if len(space) == 2 else "trilinear"
        fine = torch.nn.functional.interpolate(cam.double(), size=batch.shape[2:], mode=mode, align_corners=False)
    found: NDArray[np.float64] = fine[0, 0].cpu().numpy()
    return found
