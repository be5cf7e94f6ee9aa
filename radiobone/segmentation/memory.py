"""How much memory a prediction will take, asked before it begins."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiobone.core.errors import ImageError
from radiobone.core.memory import free_memory
from radiobone.segmentation.decoding import PIECE_VOXELS
from radiobone.segmentation.resampling import PIECE_BYTES

PROGRAM = 0.8e9
"""Bytes of the process itself with torch and nnU-Net loaded."""

_DECIDED = 32
"""Bytes for each voxel of the image's grid that is decided at a time: two interpolated outputs and what they are
made from."""

_RESAMPLED = 5
"""Copies of a piece of the image while it is resampled."""

_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Forecast:
    """Memory of one prediction, in bytes.

    Parameters
    ----------
    parts : mapping of str to float
        What takes how much.
    """

    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """All parts together."""
        return sum(self.parts.values())

    def __str__(self) -> str:
        told = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in self.parts.items() if size >= 5e7)
        return f"{self.total / 1e9:.1f} GB ({told})"


def forecast(
    *,
    image_bytes: int,
    voxels: int,
    network_shape: tuple[int, int, int],
    patch: tuple[int, int, int],
    at_once: int,
    n_outputs: int,
    output_bytes: int,
    architecture: Mapping[str, Any],
    weights_bytes: int,
    normalised_whole: bool,
    on_gpu: bool,
) -> Forecast:
    """Say how much of the machine's memory a prediction takes at its peak.

    Parameters
    ----------
    image_bytes, voxels : int
        Size of the image.
    network_shape : tuple of int
        Voxels on the network's grid, padded to a window.
    patch, at_once : tuple of int, int
        Voxels of a window, and how many windows are shown at a time.
    n_outputs, output_bytes : int
        Outputs of the network, and bytes of each where they are summed.
    architecture : mapping
        Arguments of the network in the plans: features and strides of its stages.
    weights_bytes : int
        Of all folds.
    normalised_whole : bool
        Whether the image is normalised as a whole (z-score, say).
    on_gpu : bool
        Whether the network works elsewhere.

    Returns
    -------
    Forecast
        An upper estimate.
    """
    plane = math.prod(network_shape[1:])
    parts = {
        "program": PROGRAM,
        "image": image_bytes + (4.0 * voxels if normalised_whole else 0.0),
        "mask": voxels * (2.0 if n_outputs > 255 else 1.0),
        "weights": weights_bytes,
        "image on the network's grid": 4.0 * math.prod(network_shape),
        "outputs": float((n_outputs * output_bytes + 4) * (patch[0] + 1) * plane),
        "network": 0.0 if on_gpu else at_once * _activations(patch, n_outputs, architecture),
        "pieces": _RESAMPLED * PIECE_BYTES + _DECIDED * PIECE_VOXELS,
    }
    return Forecast(parts)


def check_memory(needed: Forecast, limit: float, what: str) -> None:
    """Refuse an image that would need more memory than there is.

    Parameters
    ----------
    needed : Forecast
        From `forecast`.
    limit : float
        In bytes.
    what : str
        The image, for the message.

    Raises
    ------
    ImageError
        With the parts of the forecast.
    """
    if needed.total > limit:
        raise ImageError(
            "the image would need more memory than the limit",
            where=what,
            got=str(needed),
            expected=f"up to {limit / 1e9:.1f} GB",
            do="segment only the spine's box (a coarse model before this one: --coarse), crop the image, "
            "raise --memory-limit-gb, or use a machine with more memory",
        )


def memory_limit(limit_gb: float | None) -> float:
    """Return the limit in bytes: as given, else what this process can have on this machine.

    Parameters
    ----------
    limit_gb : float, optional
        In 10⁹ bytes.
    """
    return limit_gb * 1e9 if limit_gb is not None else min(_bounds(), default=math.inf)


def _activations(patch: tuple[int, int, int], n_outputs: int, architecture: Mapping[str, Any]) -> float:
    """Estimate what a U-Net holds for one window: each stage's features, and the widest while it is joined."""
    features = architecture.get("features_per_stage", 32)
    strides = architecture.get("strides", [1])
    if isinstance(features, int):
        features = [min(features * 2**stage, 320) for stage in range(len(strides))]
    voxels = float(math.prod(patch))
    held, widest = 0.0, 0.0
    for count, stride in zip(features, strides, strict=False):
        voxels /= math.prod([stride] * len(patch) if isinstance(stride, int) else stride)
        held += count * voxels
        widest = max(widest, count * voxels)
    # Joined in the decoder: the skip and the upsampled features (2), their product, its normalised copy, and the
    # reordered copy that the processor's kernels work on (2 more).
    return 4.0 * (held + 6.0 * widest + 3.0 * n_outputs * math.prod(patch))


def _bounds() -> list[float]:
    """List what bounds this process: memory that is free or already its own, and the limit of its container."""
    found = []
    free = free_memory()
    if free is not None:
        found.append(float(free) + _resident())
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(0.9 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in _CGROUPS:
        try:
            text = Path(name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdecimal():
            found.append(float(text))
    return found


def _resident() -> float:
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0.0
    return float(pages) * os.sysconf("SC_PAGE_SIZE")
