"""Pictures of attribution: planes of maps, and what is told of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from radiobone.features.deep.attribution import AttributionMap, AttributionOptions, Share
from radiobone.features.deep.grad_cam import watched_layer
from radiobone.features.deep.occlusion import PARTS
from radiobone.features.deep.params import DeepParams
from radiobone.reporting.attribution import HeatPicture, attribution_figure
from radiobone.reporting.saving import save_figure

DPI = 150

_PLANES = ("axial", "coronal", "sagittal")
"""Planes across the axes z, y and x, in that order, as `triplanar` has them."""


def draw(
    path: Path,
    name: str,
    maps: Sequence[AttributionMap],
    found: Share,
    params: DeepParams,
    options: AttributionOptions,
) -> None:
    """Draw the maps of one view.

    Parameters
    ----------
    path : Path
        The PNG.
    name : str
        Patient, scan and level.
    maps : sequence of AttributionMap
        Of one view, at least one.
    found : Share
        How much of it lies in the VOI.
    params : DeepParams
        The network.
    options : AttributionOptions
        How the maps were made.
    """
    figure = attribution_figure(
        [picture for item in maps for picture in heat_pictures(item)],
        title=name,
        told=share_text(found, "area" if maps[0].heat.ndim == 2 else "room"),
        label="loss when covered (1: most)" if options.method == "occlusion" else "weight in the map (1: most)",
        below=_below(params, options),
    )
    save_figure(figure, path, dpi=DPI)


def heat_pictures(item: AttributionMap) -> list[HeatPicture]:
    """Return what is drawn of a map: itself, its three planes, or of a volume the planes through the VOI's middle.

    Parameters
    ----------
    item : AttributionMap
        The map.
    """
    place = item.place
    if item.heat.ndim == 2:
        number = place.slices[len(place.slices) // 2]
        across = next(axis for axis in range(3) if place.pixel_mm[axis] == 0.0)
        title = f"{place.view}, slice {number + 1}"
        return [HeatPicture(title, item.grey, item.heat, item.inside, _aspect(place.pixel_mm, across))]
    if place.view == "triplanar":
        return [
            HeatPicture(
                f"{plane}, slice {place.slices[axis] + 1}",
                item.grey[axis],
                item.heat[axis],
                item.inside[axis],
                _aspect(place.pixel_mm, axis),
            )
            for axis, plane in enumerate(_PLANES)
        ]
    voxels = np.argwhere(item.inside)
    middle = np.median(voxels, axis=0).astype(int) if len(voxels) else np.array(item.heat.shape) // 2
    pictures = []
    for axis, plane in enumerate(_PLANES):
        planes = [np.take(array, middle[axis], axis=axis) for array in (item.grey, item.heat, item.inside)]
        # Volumes grow to the head, which belongs above.
        grey, heat, inside = planes if axis == 0 else (array[::-1] for array in planes)
        title = f"{plane} plane through the middle of the VOI"
        pictures.append(HeatPicture(title, grey, heat, inside, _aspect(place.pixel_mm, axis)))
    return pictures


def share_text(found: Share, what: str) -> str:
    """Say in words how much of the attribution lies in the VOI.

    Parameters
    ----------
    found : Share
        The numbers.
    what : str
        What the VOI takes a part of: ``area`` or ``room``.
    """
    area = f"{100 * found.area:.0f} % of the {what}"
    if math.isnan(found.fraction):
        return f"nothing raises the target; the VOI takes {area}"
    return (
        f"{100 * found.fraction:.0f} % of the attribution lies in the VOI, which takes {area}: "
        f"{found.ratio:.2f} times as much"
    )


def _below(params: DeepParams, options: AttributionOptions) -> str:
    flat, target = params.network.spatial_dims == 2, options.target
    if options.method == "occlusion":
        parts = options.occluder.parts or PARTS[params.network.spatial_dims]
        what = "how far all features move" if target.weights is None else f"how far {target.name} falls"
        filled = f"{params.window_hu[0]:g} HU" if options.occluder.fill == "lower" else "the mean of the picture"
        shape = "square" if flat else "cube"
        how = f"{what} when the place is covered with {filled}, by a {shape} of 1/{parts} of each edge."
    else:
        layer = watched_layer(params, options.layer).replace("_", " ")
        what = "the length of all features" if target.weights is None else target.name
        how = f"which places of the {layer} raise {what} (Grad-CAM), interpolated from its coarser grid."
    random = " Its weights are random: this is what no training looks like." if params.weights == "random" else ""
    blurred = "Maps are blurred, so that some attribution always lies beside what the network looks at"
    return (
        f"Network {params.name}. Colours: {how} Line: the VOI. {blurred}; compare with random weights on the same "
        f"picture.{random}"
    )


def _aspect(pixel_mm: tuple[float, float, float], across: int) -> float:
    rows, columns = (edge for axis, edge in enumerate(pixel_mm) if axis != across)
    return rows / columns
