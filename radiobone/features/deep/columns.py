"""The columns that a deep parameter file gives, known before anything is computed and without PyTorch."""

from __future__ import annotations

from radiobone.features.column import Column
from radiobone.features.deep.params import DeepParams


def columns(params: DeepParams) -> list[Column]:
    """Describe all columns of a deep parameter file, view by view.

    Parameters
    ----------
    params : DeepParams
        The parameter file.

    Examples
    --------
    >>> params = DeepParams(backbone="resnet18", weights="imagenet", views=("axial", "coronal"))
    >>> names = [column.name for column in columns(params)]
    >>> len(names), names[0], names[-1]
    (1024, 'deep-resnet18-axial_0000', 'deep-resnet18-coronal_0511')
    """
    width = params.network.layers[params.layer]
    parts = ("mean", "max") if params.pooling == "mean_max" else (params.pooling,)
    return [
        Column(
            name=f"deep-{params.name}-{view}_{place * width + number:04d}",
            family="deep",
            filter="original",
            unit="1",
            meaning=f"{part} of channel {number} of {width} of {params.layer}, {_seen(params, view)}",
        )
        for view in params.views
        for place, part in enumerate(parts)
        for number in range(width)
    ]


def _seen(params: DeepParams, view: str) -> str:
    """Say what the network is shown, in a few words."""
    if view == "volume":
        return "of the volume"
    if view == "triplanar":
        return "of the three middle planes as channels"
    if params.slices == "even":
        return f"{params.slice_pooling} over {params.n_slices} {view} slices"
    return f"of the {params.slices} {view} slice"
