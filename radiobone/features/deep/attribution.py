"""Where a network looks: maps of what its features hang on, and how much of that lies inside the VOI.

A number alone says little. A VOI that fills half of a picture holds half of the attribution of a network that
looks nowhere in particular, which is why the share of the area stands beside it. And a network that does nothing
but answer to brightness finds bone bright: judge a pretrained network beside ``resnet18_random``, on the same
pictures. Maps are blurred, occlusion by the size of what covers, Grad-CAM by that of the map's cells, so that some
attribution always spills over the VOI's edge. Where the surroundings are masked, they hold nothing that could be
covered.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError
from radiobone.features.deep.columns import columns
from radiobone.features.deep.compute import Network
from radiobone.features.deep.grad_cam import grad_cam, watched_layer
from radiobone.features.deep.normalising import normalised
from radiobone.features.deep.occlusion import Occluder, occlusion
from radiobone.features.deep.params import DeepParams, View
from radiobone.features.deep.patches import Inputs, Place

Method = Literal["occlusion", "grad_cam"]

ALL = "all"
"""The target of all features together."""


@dataclass(frozen=True)
class Target:
    """What of the features is asked after.

    Parameters
    ----------
    name : str
        For tables and pictures: ``all``, the name of a column, or of a file.
    weights : mapping of str to float, optional
        The weight of each column in a sum, such as the coefficients of a linear model; other columns have none.
        None for all features together: the length of their vector, or of its change.
    """

    name: str = ALL
    weights: Mapping[str, float] | None = None

    def of(self, view: View, params: DeepParams) -> NDArray[np.float64] | None:
        """Return the weight of each feature of a view, or None for all together.

        Parameters
        ----------
        view : str
            The view.
        params : DeepParams
            Which columns there are.
        """
        if self.weights is None:
            return None
        return np.array([self.weights.get(name, 0.0) for name in view_columns(params, view)])


@dataclass(frozen=True)
class AttributionOptions:
    """How attribution is found.

    Parameters
    ----------
    method : {"occlusion", "grad_cam"}
        By covering parts of the input, or from the gradient at a feature map.
    target : Target
        Of what.
    occluder : Occluder
        What covers, for occlusion.
    layer : str, optional
        The feature map, for Grad-CAM; by default the one that the features come from.
    """

    method: Method = "occlusion"
    target: Target = field(default_factory=Target)
    occluder: Occluder = field(default_factory=Occluder)
    layer: str | None = None

    def check(self, params: DeepParams) -> None:
        """Check that these options go with a parameter file.

        Parameters
        ----------
        params : DeepParams
            The parameter file.

        Raises
        ------
        UsageError
            If they do not.
        """
        if self.method not in get_args(Method):
            raise UsageError("no such method", got=self.method, expected=" or ".join(get_args(Method)))
        if self.layer is not None and self.method != "grad_cam":
            raise UsageError("a layer is looked at by grad_cam alone", got=self.layer, do="choose grad_cam")
        if self.method == "grad_cam":
            watched_layer(params, self.layer)
            if "triplanar" in params.views:
                raise UsageError(
                    "a feature map does not tell the three planes of triplanar apart",
                    got=self.method,
                    expected="occlusion",
                )
        else:
            self.occluder.windows(params.sizes)
        known = [column.name for column in columns(params)]
        for name in self.target.weights or ():
            if name not in known:
                raise UsageError(
                    f"the parameter file gives no such column{nearest(name, known)}",
                    got=name,
                    expected=f"{known[0]} to {known[-1]}, or {ALL}",
                )

    def views(self, params: DeepParams) -> tuple[View, ...]:
        """Return the views that the target has a part in.

        Parameters
        ----------
        params : DeepParams
            Which views there are.
        """
        weights = {view: self.target.of(view, params) for view in params.views}
        return tuple(view for view, given in weights.items() if given is None or given.any())


@dataclass(frozen=True, eq=False)
class AttributionMap:
    """What one input contributes, on its own grid.

    Parameters
    ----------
    place : Place
        Which input.
    heat : ndarray of shape (y, x), (z, y, x), or (3, y, x) of the planes of ``triplanar``
        The attribution. Pictures stand as radiologists hang them, volumes grow to the head, the back and the left.
    grey : ndarray of the same shape, float32
        What the network saw, from 0 to 1; of neighbouring slices the middle one.
    inside : ndarray of the same shape, bool
        The VOI in it.
    """

    place: Place
    heat: NDArray[np.float64]
    grey: NDArray[np.float32]
    inside: NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """How much of the attribution lies in a region.

    Parameters
    ----------
    fraction : float
        Part of all attribution above 0 that lies there; NaN where there is none at all.
    area : float
        Part of the area, or of the volume, that the region takes: the fraction of a network that looks nowhere in
        particular.
    """

    fraction: float
    area: float

    @property
    def ratio(self) -> float:
        """How much more attribution lies there than the area lets expect; NaN for no area."""
        return self.fraction / self.area if self.area > 0 else math.nan


def attribute(network: Network, inputs: Inputs, options: AttributionOptions) -> Iterator[AttributionMap]:
    """Make the map of each input that the target has a part in.

    Parameters
    ----------
    network : Network
        The network.
    inputs : Inputs
        What it is shown of one VOI.
    options : AttributionOptions
        How, and of what; checked against the network's parameters.

    Yields
    ------
    AttributionMap
        In the order of the inputs.
    """
    params = network.params
    views = options.views(params)
    for place, array, mask in zip(inputs.places, inputs.array, inputs.mask, strict=True):
        if place.view not in views:
            continue
        target = options.target.of(place.view, params)
        apart = place.view == "triplanar"
        shown = normalised(array[None], params.input_normalisation)[0]
        if options.method == "occlusion":
            see = functools.partial(_see, network)
            lower = _lower(array, shown, params)
            batch = params.micro_batch
            heat = occlusion(see, shown, target, options.occluder, lower=lower, apart=apart, batch=batch)
        else:
            heat = grad_cam(network, shown, target, watched_layer(params, options.layer))[None]
        # Of neighbouring slices the middle one is the VOI's own; elsewhere all channels hold the same.
        middle = len(array) // 2
        yield AttributionMap(place, *((heat, array, mask) if apart else (heat[0], array[middle], mask[middle])))


def share(maps: Sequence[AttributionMap], regions: Sequence[NDArray[np.bool_]] | None = None) -> Share:
    """Return how much of the attribution of several maps lies in a region of each.

    Parameters
    ----------
    maps : sequence of AttributionMap
        Those of one view, at least one.
    regions : sequence of ndarray, optional
        Of the shapes of the maps; by default the VOI.
    """
    areas = [found.inside for found in maps] if regions is None else list(regions)
    above = [np.maximum(found.heat, 0.0) for found in maps]
    # A place that is left out adds exactly nothing: what lies all inside gives exactly 1.
    within = sum(float(np.where(area, heat, 0.0).sum()) for heat, area in zip(above, areas, strict=True))
    without = sum(float(np.where(area, 0.0, heat).sum()) for heat, area in zip(above, areas, strict=True))
    filled, size = sum(int(area.sum()) for area in areas), sum(area.size for area in areas)
    total = within + without
    return Share(within / total if total > 0 else math.nan, filled / size)


def bone(found: AttributionMap, params: DeepParams, lower_hu: float) -> NDArray[np.bool_]:
    """Return the pixels of a map that hold bone, of any vertebra: those from a number of HU on.

    Parameters
    ----------
    found : AttributionMap
        The map, of whose picture the pixels are read.
    params : DeepParams
        With the window.
    lower_hu : float
        From how many HU on; within the window.

    Raises
    ------
    UsageError
        If the window does not show such HU.
    """
    check_bone(params, lower_hu)
    low, high = params.window_hu
    seen: NDArray[np.bool_] = found.grey >= np.float32((lower_hu - low) / (high - low))
    return seen


def check_bone(params: DeepParams, lower_hu: float) -> None:
    """Check that a number of HU can be seen.

    Parameters
    ----------
    params : DeepParams
        With the window.
    lower_hu : float
        From how many HU on there is bone.

    Raises
    ------
    UsageError
        If the window does not show such HU.
    """
    low, high = params.window_hu
    if not low < lower_hu <= high:
        raise UsageError(
            "the window does not show this HU", got=lower_hu, expected=f"above {low:g}, up to {high:g}"
        )


def view_columns(params: DeepParams, view: View) -> list[str]:
    """List the columns of one view, in order.

    Parameters
    ----------
    params : DeepParams
        The parameter file.
    view : str
        One of its views.
    """
    begin = f"deep-{params.name}-{view}_"
    return [column.name for column in columns(params) if column.name.startswith(begin)]


def _see(network: Network, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    return network.run(inputs).astype(np.float64)


def _lower(array: NDArray[np.float32], shown: NDArray[np.float32], params: DeepParams) -> NDArray[np.float64]:
    """Return what the lower bound of the window became in each channel of an input.

    Covering comes after the normalisation: one by the input's own mean would else change the whole of it.
    """
    if params.input_normalisation != "zscore":
        zeros = np.zeros((1, len(array), *(1,) * (array.ndim - 1)), dtype=np.float32)
        return normalised(zeros, params.input_normalisation).reshape(-1).astype(np.float64)
    ends = [np.unravel_index(place, array.shape) for place in (array.argmin(), array.argmax())]
    (low, high), (became_low, became_high) = ([float(item[end]) for end in ends] for item in (array, shown))
    return np.full(len(array), became_low - low * (became_high - became_low) / (high - low))
