"""One slice, or one box, of a scan on the pixels of an input: the window, the VOI and the masking."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.deep.body import Body
from radiobone.features.deep.params import DeepParams
from radiobone.features.deep.resampling import Line, resample

_HALF = 0.5 - 1e-9
"""From what share on a pixel belongs to the VOI. One on the very edge does, on either side of the VOI."""


def sample(
    body: Body, lines: Mapping[int, Line], params: DeepParams, at: Mapping[int, int] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Show a part of a scan, and the VOI in it.

    HU are cut off at the window's ends before they are interpolated, so that a piece of metal does not shine into
    its surroundings. Beyond the scan all is at the lower bound. Only the voxels that pixels are made of are read.

    Parameters
    ----------
    body : Body
        The scan and the VOI.
    lines : mapping of int to Line
        The pixels along each axis that is seen, in the order of the axes.
    params : DeepParams
        Window and masking.
    at : mapping of int to int, optional
        The slice along the axis that is not seen.

    Returns
    -------
    grey : ndarray with the sizes of the lines
        From 0 to 1, outside the VOI 0 if the surroundings are masked.
    inside : ndarray of the same shape, bool
        Which pixels belong to the VOI, interpolated like the scan: half or more of a pixel.

    Raises
    ------
    EngineError
        If there are NaN or infinite voxels in this part of the scan.
    """
    at = at or {}
    seen = [axis for axis in range(3) if axis in lines]
    reading = {axis: lines[axis].voxels(body.hu.shape[axis]) for axis in seen}
    hu = body.hu[tuple(at[axis] if axis in at else reading[axis] for axis in range(3))]
    grey = resample(
        _windowed(hu, params.window_hu), [lines[axis].from_voxel(reading[axis].start) for axis in seen]
    )
    inside = _inside(body, lines, at, seen)
    if params.masking != "crop":
        grey[~inside] = 0.0
    return grey, inside


def _inside(body: Body, lines: Mapping[int, Line], at: Mapping[int, int], seen: list[int]) -> NDArray[np.bool_]:
    """Interpolate the VOI, of which the box alone is known."""
    chosen: list[int | slice] = [slice(None)] * 3
    for axis, number in at.items():
        if not body.box[axis].start <= number < body.box[axis].stop:
            return np.zeros([lines[axis].size for axis in seen], dtype=bool)
        chosen[axis] = number - body.box[axis].start
    widths = [math.ceil(lines[axis].reach) for axis in seen]
    voi = np.pad(body.voi[tuple(chosen)], [(width, width) for width in widths])
    firsts = [body.box[axis].start - width for axis, width in zip(seen, widths, strict=True)]
    shares = resample(voi, [lines[axis].from_voxel(first) for axis, first in zip(seen, firsts, strict=True)])
    return shares >= _HALF


def _windowed(hu: NDArray[Any], window_hu: tuple[float, float]) -> NDArray[np.float64]:
    """Bring HU to 0..1; both ends of the window come out exactly."""
    low, high = window_hu
    if hu.dtype.kind == "f" and not np.isfinite(hu).all():
        raise EngineError(
            "the image holds NaN or infinite values where the network looks",
            got=f"{int(hu.size - np.isfinite(hu).sum())} of {hu.size} voxels",
            expected="finite values",
            do="mend the image, for instance by giving these voxels the value of air",
        )
    return (hu.astype(np.float64).clip(low, high) - low) / (high - low)
