"""The network of a model, built from its plans: no trainer is looked up, and no code of the folder is run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from radiobone.core.errors import ModelError, one_line
from radiobone.segmentation.model import Model

if TYPE_CHECKING:
    import torch

_TRUSTED = re.compile(r"(torch\.nn|dynamic_network_architectures)(\.[A-Za-z_][A-Za-z0-9_]*)+")
"""Where the classes that plans name may come from; nnU-Net itself would import whatever the file says."""


def build_networks(model: Model, device: torch.device) -> tuple[torch.nn.Module, ...]:
    """Build the network of each fold, with its weights, ready to predict.

    Parameters
    ----------
    model : Model
        From `read_model`.
    device : torch.device
        Where the networks are to work.

    Raises
    ------
    ModelError
        If the plans name a class that is no part of a network, or the weights do not fit the network, as with a
        trainer that builds one of its own, or the GPU has too little memory.
    """
    import torch

    networks = []
    for weights in model.weights:
        network = _build(model)
        try:
            # The network works on the model's own tensors: a copy of five large folds takes gigabytes.
            network.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise ModelError(
                "the weights do not fit the network that the plans describe",
                where=str(model.folder),
                got=" ".join(str(error).split())[:300],
                expected=f"the network of the plans, configuration {model.configuration}",
                do=f"check whether trainer {model.trainer!r} builds a network of its own: that is not read",
            ) from None
        try:
            networks.append(network.to(device).eval())
        except torch.cuda.OutOfMemoryError as error:
            raise ModelError(
                "the GPU has too little memory for the model's networks",
                where=str(model.folder),
                got=f"{device}: {one_line(error)[:200]}",
                do="use --device cpu, fewer folds, or a larger GPU",
            ) from None
    return tuple(networks)


def _build(model: Model) -> torch.nn.Module:
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    setup = model.setup
    arguments: dict[str, Any] = setup.network_arch_init_kwargs
    imported = list(setup.network_arch_init_kwargs_req_import)
    named = [setup.network_arch_class_name, *(arguments.get(name) for name in imported)]
    for name in named:
        if name is not None and not _TRUSTED.fullmatch(str(name)):
            raise ModelError(
                "the plans name a class that is no part of a network",
                where=str(model.folder / "plans.json"),
                got=name,
                expected="classes of torch.nn and dynamic_network_architectures",
                do="do not use this model unless you know why it needs that class",
            )
    network: torch.nn.Module = get_network_from_plans(
        setup.network_arch_class_name,
        arguments,
        imported,
        1,
        model.n_outputs,
        allow_init=False,
        deep_supervision=False,
    )
    return network
