"""Weights of networks beside a saved model: state dicts in files named by their SHA-256, never executable code."""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from radiobone.core.errors import ModelError
from radiobone.core.extras import require
from radiobone.core.files import atomic_path
from radiobone.learning.disk.tree_audit import estimators_in
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.network.architectures import build
from radiobone.learning.network.classifier import NetworkClassifier
from radiobone.learning.network.training import Weights

SUFFIX = ".pt"


def networks_in(estimator: Any) -> list[NetworkClassifier]:
    """Find every trained network inside an estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted, as it was or as it came from a file.

    Returns
    -------
    list of NetworkClassifier
        Each once.
    """
    found = (part for part in estimators_in(estimator) if isinstance(part, NetworkClassifier))
    return [part for part in found if hasattr(part, "shape_")]


def without_weights(estimator: HierarchicalClassifier) -> tuple[HierarchicalClassifier, dict[str, bytes]]:
    """Copy an estimator whose networks know the names of their weights alone.

    Parameters
    ----------
    estimator : HierarchicalClassifier
        Fitted; stays as it is.

    Returns
    -------
    HierarchicalClassifier
        The copy, or the same object if there is no network in it.
    dict of str to bytes
        Files by name: each a state dict.
    """
    if not networks_in(estimator):
        return estimator, {}
    copy = deepcopy(estimator)
    files = {}
    for network in networks_in(copy):
        content = _to_bytes(network.weights_)
        network.weights_sha256_ = hashlib.sha256(content).hexdigest()
        del network.weights_
        files[f"{network.weights_sha256_}{SUFFIX}"] = content
    return copy, files


def write_weights(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files that `without_weights` gave.

    Parameters
    ----------
    folder : Path
        Of the model.
    files : mapping of str to bytes
        By name.
    """
    for name, content in files.items():
        with atomic_path(folder / name) as part:
            part.write_bytes(content)


def restore_weights(estimator: HierarchicalClassifier, folder: Path) -> None:
    """Read the weights of every network of a loaded estimator, and put them into it.

    Parameters
    ----------
    estimator : HierarchicalClassifier
        As it came from a file.
    folder : Path
        Of the model.

    Raises
    ------
    ModelError
        If a file is missing, is not the one that was saved, holds anything but tensors, or does not fit its
        network.
    MissingExtraError
        If PyTorch or MONAI is not installed.
    """
    for network in networks_in(estimator):
        sha256 = str(getattr(network, "weights_sha256_", ""))
        network.weights_ = _read(folder / f"{sha256}{SUFFIX}", sha256)
        _check_fit(network, str(folder / f"{sha256}{SUFFIX}"))
        del network.weights_sha256_


def _to_bytes(weights: Weights) -> bytes:
    torch = require("torch", "deep")
    stream = io.BytesIO()
    torch.save({name: torch.from_numpy(np.array(value)) for name, value in weights.items()}, stream)
    return stream.getvalue()


def _read(path: Path, sha256: str) -> Weights:
    torch = require("torch", "deep")
    if not path.is_file():
        raise ModelError("file of weights not found", where=str(path), do="copy the whole model folder")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            "the file of weights is not the one that was saved",
            where=str(path),
            got=f"SHA-256 {found}",
            do="take the folder from its source again",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles by other programs, which are refused
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return {name: value.numpy() for name, value in loaded.items()}
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, TypeError, ValueError) as error:
        raise ModelError(
            "the file of weights holds something else than a state dict",
            where=str(path),
            got=" ".join(str(error).split())[:200],
            do="do not use this folder",
        ) from None


def _check_fit(network: NetworkClassifier, where: str) -> None:
    expected = build(network.architecture, network.width, len(network.classes_), seed=0).state_dict()
    kinds = {name: (tuple(value.shape), value.numpy().dtype) for name, value in expected.items()}
    held = {name: (value.shape, value.dtype) for name, value in network.weights_.items()}
    wrong = [name for name in {**kinds, **held} if kinds.get(name) != held.get(name)]
    if wrong:
        raise ModelError(
            "the weights do not fit the network",
            where=where,
            got=f"{len(wrong)} that are missing, unknown or of another shape, such as {wrong[0]}",
            expected=f"those of {network.architecture}, width {network.width}",
            do="take the folder from its source again",
        )
