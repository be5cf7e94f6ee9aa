"""Which part of a scan an input shows: the edge of its pixels, and where they lie along each axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from radiobone.core.errors import EngineError
from radiobone.features.deep.body import Body
from radiobone.features.deep.params import DeepParams
from radiobone.features.deep.resampling import Line

_ROUNDING = 1e-3
"""By how many pixels a VOI may stick out: files keep spacings in single precision, so that one may seem to."""


def frame(body: Body, axes: Sequence[int], params: DeepParams) -> dict[int, Line]:
    """Return the pixels along each of the body's axes that an input shows.

    Parameters
    ----------
    body : Body
        The scan and the VOI.
    axes : sequence of int
        Which axes (0 is z) are seen: two of a picture, three of a volume. All get pixels of one edge, in mm,
        unless ``spacing_mm`` says otherwise.
    params : DeepParams
        What is to be seen.

    Raises
    ------
    EngineError
        If ``spacing_mm`` makes the window too small for the VOI.
    """
    shape = body.hu.shape
    whole = params.masking == "mask"
    # Three axes and two sizes: the planes of `triplanar`, which are square and of one scale.
    sizes = dict(zip(axes, params.sizes if len(axes) == len(params.sizes) else params.sizes[:1] * 3, strict=True))
    if params.spacing_mm is None:
        extents = {
            axis: shape[axis] * body.spacing_mm[axis] if whole else body.extent_mm[axis] + 2 * params.margin_mm
            for axis in axes
        }
        edges = dict.fromkeys(axes, max(extents[axis] / sizes[axis] for axis in axes))
    else:
        given = params.spacing_mm if isinstance(params.spacing_mm, tuple) else (params.spacing_mm,) * 3
        edges = {axis: given[axis] for axis in axes}
        _check_fits(body, edges, sizes)
    return {
        axis: Line(
            middle=(shape[axis] - 1) / 2 if whole else body.middle[axis],
            step=edges[axis] / body.spacing_mm[axis],
            size=sizes[axis],
        )
        for axis in axes
    }


def _check_fits(body: Body, edges: dict[int, float], sizes: dict[int, int]) -> None:
    """Refuse a VOI that sticks out of its window: part of it would be left out unseen."""
    needed = {axis: math.ceil(body.extent_mm[axis] / edge - _ROUNDING) for axis, edge in edges.items()}
    if all(needed[axis] <= sizes[axis] for axis in edges):
        return
    names = "zyx"
    raise EngineError(
        "the VOI sticks out of the window that spacing_mm and size make",
        got=", ".join(f"{body.extent_mm[axis]:.4g} mm along {names[axis]}" for axis in edges),
        expected=", ".join(
            f"at most {sizes[axis] * edge:.4g} mm along {names[axis]}" for axis, edge in edges.items()
        ),
        do=f"set size to {max(needed.values())} or more, or raise or remove spacing_mm",
    )
