"""From the image's grid to the network's and back, as nnU-Net resamples, but piece by piece.

nnU-Net's resampling is linear and goes axis by axis, so that along each axis it is one matrix. To multiply by
these matrices gives the same numbers (to single precision) for any piece of the result alone, without copies of
the whole scan in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ModelError

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float32]
Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]

DEFAULT, TORCH = "resample_data_or_seg_to_shape", "resample_torch_fornnunet"
"""nnU-Net's ways of resampling that are known here: that of its default plans, and its faster linear one."""

NEGLIGIBLE = 1e-7
"""Weights below play no part: the spline's fall by 0.27 with each voxel, and single precision ends here."""

PIECE_BYTES = 64e6
"""How much of the scan is turned into single precision at a time."""


@dataclass(frozen=True)
class Axes:
    """How each axis is resampled.

    Parameters
    ----------
    old, new : tuple of int
        Voxels before and after.
    orders : tuple of int
        Order of the spline along each axis; 0 takes the nearest voxel, 1 is linear.
    apart : int or None
        The axis of thick slices, which is resampled by itself after the other two.
    """

    old: Shape
    new: Shape
    orders: tuple[int, int, int]
    apart: int | None


def plan_axes(
    name: str, options: Mapping[str, Any], old: Shape, new: Shape, spacing: Spacing, new_spacing: Spacing
) -> Axes:
    """Read from a model's plans how axes are resampled.

    Parameters
    ----------
    name : str
        nnU-Net's function.
    options : mapping
        Its further arguments in the plans.
    old, new : tuple of int
        Voxels before and after.
    spacing, new_spacing : tuple of float
        Voxel sizes before and after, which decide whether one axis is of thick slices.

    Raises
    ------
    ModelError
        If the plans resample in a way that is not known here.
    """
    from nnunetv2.configuration import ANISO_THRESHOLD
    from nnunetv2.preprocessing.resampling.default_resampling import determine_do_sep_z_and_axis

    threshold = options.get("separate_z_anisotropy_threshold", ANISO_THRESHOLD)
    # nnU-Net's default for its first function is never to part axes; its plans always say.
    forced = options.get("force_separate_z", False if name == DEFAULT else None)
    parted, found = determine_do_sep_z_and_axis(forced, spacing, new_spacing, threshold)
    apart = int(found) if parted and found is not None else None
    if name == DEFAULT:
        inside, across = int(options.get("order", 3)), int(options.get("order_z", 0))
    elif name == TORCH and options.get("mode", "linear") == "linear":
        inside, across = 1, 1 if options.get("aniso_axis_mode") == "linear" else 0
    else:
        raise ModelError(
            "the model's plans resample in a way that is not known here",
            got=f"{name} with {dict(options)}",
            expected=f"{DEFAULT}, or {TORCH} with mode linear",
        )
    first, second, third = (across if axis == apart else inside for axis in range(3))
    return Axes(old, new, (first, second, third), apart)


def resample_image(
    image: NDArray[Any],
    normalise: Callable[[Floats], Floats],
    axes: Axes,
    device: torch.device,
    out: torch.Tensor,
) -> None:
    """Bring an image to the network's grid.

    Parameters
    ----------
    image : ndarray of shape ``axes.old``
        In its own type, and any order in memory.
    normalise : callable
        Turns voxels into the network's values, each by itself and without changing their order.
    axes : Axes
        How.
    device : torch.device
        Where to compute.
    out : tensor of shape ``axes.new``, float32
        The result.
    """
    import torch

    matrices = [axis_matrix(*how) for how in zip(axes.old, axes.new, axes.orders, strict=True)]
    low, high = (torch.from_numpy(ends).to(device) for ends in _ends(image, normalise, axes))
    # A slice of the result is made from several of the image, if it is coarser.
    widest = max(math.prod(axes.old[1:]), math.prod(axes.new[1:])) * max(1.0, axes.old[0] / axes.new[0])
    depth = max(1, int(PIECE_BYTES / 4 / widest))
    for start in range(0, axes.new[0], depth):
        rows = matrices[0][start : start + depth]
        used = np.flatnonzero(rows.any(axis=0))
        begin, end = int(used[0]), int(used[-1]) + 1
        piece = torch.from_numpy(normalise(np.array(image[begin:end], dtype=np.float32, order="C"))).to(device)
        by_axis = [rows[:, begin:end], matrices[1], matrices[2]]
        limits = [ends[begin:end] if axes.apart == 0 else ends for ends in (low, high)]
        inside = [axis for axis in range(3) if axis != axes.apart]
        for axis in inside:
            piece = _apply(by_axis[axis], piece, axis)
        # As nnU-Net's: the spline may overshoot, so values are held within those that were there.
        piece = piece.clamp(limits[0], limits[1])
        if axes.apart is not None:
            piece = _apply(by_axis[axes.apart], piece, axes.apart)
        out[start : start + depth] = piece


def axis_matrix(old: int, new: int, order: int) -> Floats:
    """Return the matrix that resamples a line of voxels, edges extended by their last voxel.

    Parameters
    ----------
    old, new : int
        Voxels before and after; the line's two ends stay where they are.
    order : int
        Order of the spline.

    Returns
    -------
    ndarray of shape (new, old)
        Each row sums to 1.
    """
    from scipy import ndimage

    if old == new:
        return np.eye(new, dtype=np.float32)
    if order == 0:
        return np.eye(old, dtype=np.float32)[nearest(old, new)]
    unit = np.eye(old)
    matrix = np.stack(
        [ndimage.zoom(line, new / old, order=order, mode="nearest", grid_mode=True) for line in unit], axis=1
    )
    matrix[np.abs(matrix) < NEGLIGIBLE] = 0.0
    return matrix.astype(np.float32)


def nearest(old: int, new: int) -> NDArray[np.int64]:
    """Return the voxel before that is nearest to each voxel after.

    Parameters
    ----------
    old, new : int
        Voxels of a line before and after.
    """
    places = (np.arange(new) + 0.5) * old / new
    return np.clip(np.floor(places), 0, old - 1).astype(np.int64)


def neighbours(old: int, new: int, order: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the two voxels before, and the second one's share, from which each voxel after is interpolated.

    Parameters
    ----------
    old, new : int
        Voxels of a line before and after.
    order : int
        1, or 0 for the nearest voxel alone.
    """
    if order == 0 or old == new:
        first = nearest(old, new)
        return first, first, np.zeros(new, dtype=np.float32)
    places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0.0, old - 1.0)
    first = np.floor(places).astype(np.int64)
    return first, np.minimum(first + 1, old - 1), (places - first).astype(np.float32)


def _apply(matrix: Floats, piece: torch.Tensor, axis: int) -> torch.Tensor:
    """Multiply along one axis; a matrix that only picks voxels is not multiplied by."""
    import torch

    if (np.count_nonzero(matrix, axis=1) == 1).all() and (matrix.max(axis=1) == 1.0).all():
        picked = matrix.argmax(axis=1)
        if len(picked) == piece.shape[axis] and (picked == np.arange(len(picked))).all():
            return piece
        return piece.index_select(axis, torch.from_numpy(picked).to(piece.device))
    weights = torch.from_numpy(np.ascontiguousarray(matrix)).to(piece.device)
    if axis == 0:
        return (weights @ piece.reshape(piece.shape[0], -1)).reshape(-1, *piece.shape[1:])
    return weights @ piece if axis == 1 else piece @ weights.T


def _ends(image: NDArray[Any], normalise: Callable[[Floats], Floats], axes: Axes) -> tuple[Floats, Floats]:
    """Return the least and greatest value of the image, or of each thick slice, in the network's values."""
    across = None if axes.apart is None else tuple(axis for axis in range(3) if axis != axes.apart)
    ends = (image.min(axis=across, keepdims=True), image.max(axis=across, keepdims=True))
    low, high = (normalise(np.array(end, dtype=np.float32, order="C")) for end in ends)
    return low, high
