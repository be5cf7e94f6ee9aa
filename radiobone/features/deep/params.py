"""Deep parameter files: what a network is shown of a VOI, and which of its layers gives the features."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from radiobone.core.config import FileModel, nearest, read_yaml, validate
from radiobone.core.hashing import sha256_json
from radiobone.core.resources import find, names
from radiobone.features.deep.backbones import BACKBONES, Backbone
from radiobone.features.deep.weights_registry import (
    FILE,
    IMAGENET_MEAN,
    RANDOM,
    Normalisation,
    get_weights,
    weights_names,
)

THREADS = 1
"""Threads of the processor for a network: no parameter, but values hang on it, too."""

View = Literal["axial", "sagittal", "coronal", "triplanar", "volume"]

_Real = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[_Real, Field(gt=0)]
_Count = Annotated[int, Field(strict=True, ge=1)]


def one_or_three(value: object, info: ValidationInfo) -> object:
    """Refuse, in plain words, a ``size`` or ``spacing_mm`` that is neither one number nor three of them.

    Parameters
    ----------
    value : object
        As the file has it; None stands for a key that is not there.
    info : ValidationInfo
        Of pydantic: the key.
    """
    parts = value if isinstance(value, list | tuple) else (value,)
    kinds, what = (int, "whole number") if info.field_name == "size" else (int | float, "number")
    numbers = [part for part in parts if isinstance(part, kinds) and not isinstance(part, bool)]
    if value is not None and (
        len(parts) != (3 if parts is value else 1)
        or numbers != list(parts)
        or not all(0 < n < math.inf for n in numbers)
    ):
        raise ValueError(f"should be a {what} above 0, or three of them along z, y and x")
    return value


class DeepParams(FileModel):
    """A deep parameter file.

    Parameters
    ----------
    backbone : str
        The network, one of `backbones.BACKBONES`.
    weights : str
        Name of known weights of this network; ``random`` for none at all; ``file`` for one's own checkpoint.
    weights_sha256 : str, optional
        Hash that one's own checkpoint must have. Published weights have theirs in the registry.
    seed : int, default 0
        Of random weights.
    layer : str, default "avgpool"
        Which layer gives the features: ``avgpool``, the network's last word, or an earlier stage.
    views : tuple of {"axial", "sagittal", "coronal", "triplanar"} or ("volume",)
        Pictures through the VOI, each with columns of its own. ``triplanar`` is one picture whose three channels
        are the axial, the coronal and the sagittal plane through the middle of the VOI. A 3D network sees the
        ``volume``.
    channels : {"repeat", "adjacent"}, default "repeat"
        What the three channels of a picture hold: the same slice, or the slice between its two neighbours.
    slices : {"largest", "middle", "even"}, default "largest"
        Which slice of each view: that in which the VOI has its largest area, the middle one of those that the VOI
        fills, or several, evenly spaced.
    n_slices : int, default 1
        How many slices, with ``even``.
    slice_pooling : {"mean", "max"}, default "mean"
        What becomes of the features of several slices.
    window_hu : tuple of float, default (-200, 800)
        HU that become 0 and 1; what lies beyond is cut off.
    spacing_mm : float or tuple of 3 floats, optional
        Edge of a pixel (of a voxel along z, y and x). Pictures then show each VOI in its true size. Without it the
        VOI's box, with its margin, fills the picture.
    size : int or tuple of 3 ints, default 224
        Edge of a picture or cube in pixels, or the edges of a volume along (z, y, x), which has no default.
    masking : {"crop", "mask", "crop_mask"}, default "crop"
        ``crop`` shows the surroundings of the VOI; ``crop_mask`` gives them the lower bound of the window;
        ``mask`` does so with the whole slice instead of a crop round the VOI.
    margin_mm : float, default 5
        What is seen round the VOI's box, where no ``spacing_mm`` is given.
    pooling : {"mean", "max", "mean_max"}, default "mean"
        How the feature map of an earlier layer becomes one value for each channel.
    normalisation : {"imagenet", "minus1_1", "zero_one", "zscore"}, optional
        What the network's input goes through after the window; by default what its weights were trained with.
    min_voxels : int, default 50
        VOIs of fewer voxels fail.
    micro_batch : int, default 16
        How many inputs go through the network at once; of volumes, the default is 2. A batch that is not full is
        filled up and takes as long as a full one, so that scans with few inputs want a smaller one. It is part of
        what results are kept under, since other numbers may change the last digits.
    """

    backbone: str
    weights: str
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    seed: Annotated[int, Field(strict=True, ge=0)] = 0
    layer: str = "avgpool"
    views: Annotated[tuple[View, ...], Field(min_length=1)]
    channels: Literal["repeat", "adjacent"] = "repeat"
    slices: Literal["largest", "middle", "even"] = "largest"
    n_slices: _Count = 1
    slice_pooling: Literal["mean", "max"] = "mean"
    window_hu: tuple[_Real, _Real] = (-200.0, 800.0)
    spacing_mm: _Positive | tuple[_Positive, _Positive, _Positive] | None = None
    size: _Count | tuple[_Count, _Count, _Count] = 224
    masking: Literal["crop", "mask", "crop_mask"] = "crop"
    margin_mm: Annotated[_Real, Field(ge=0)] = 5.0
    pooling: Literal["mean", "max", "mean_max"] = "mean"
    normalisation: Normalisation | None = None
    min_voxels: _Count = 50
    micro_batch: _Count = 16

    @model_validator(mode="before")
    @classmethod
    def _batch_of_volumes(cls, values: Any) -> Any:
        backbone = values.get("backbone") if isinstance(values, dict) else None
        solid = isinstance(backbone, str) and backbone in BACKBONES and BACKBONES[backbone].spatial_dims == 3
        # A scan gives one volume for each VOI, and even two of them use the processor, or fill a GPU, well.
        return {"micro_batch": 2, **values} if solid else values

    _one_or_three = field_validator("size", "spacing_mm", mode="before")(one_or_three)

    @field_validator("views", mode="before")
    @classmethod
    def _list_of_views(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"should be a list, such as [{value}]")
        return value

    @model_validator(mode="after")
    def _network(self) -> Self:
        if self.backbone not in BACKBONES:
            known = list(BACKBONES)
            raise ValueError(_expected("backbone", self.backbone, known))
        layers = list(self.network.layers)
        if self.layer not in layers:
            raise ValueError(_expected("layer", self.layer, layers))
        if self.weights not in (known := [*weights_names(self.backbone), RANDOM, FILE]):
            raise ValueError(_expected("weights", self.weights, known))
        if self.weights == FILE and self.normalisation is None:
            raise ValueError("normalisation: say what your own weights were trained with")
        if self.input_normalisation == "imagenet" and self.n_channels != len(IMAGENET_MEAN):
            raise ValueError(
                f"normalisation: imagenet is meant for 3 channels, and {self.backbone} is shown {self.n_channels}"
            )
        if self.layer == "avgpool" and self.pooling != "mean":
            raise ValueError(
                f"pooling: avgpool is the mean of {layers[-2]}; for {self.pooling} set layer: {layers[-2]}"
            )
        if self.weights_sha256 is not None and self.weights != FILE:
            raise ValueError("weights_sha256: is for weights: file alone; remove it")
        if self._given("seed") and self.weights != RANDOM:
            raise ValueError("seed: takes effect with weights: random alone; remove it")
        return self

    @model_validator(mode="after")
    def _views(self) -> Self:
        flat = self.network.spatial_dims == 2
        if len(set(self.views)) < len(self.views):
            raise ValueError("views: each view should be given once")
        if flat and "volume" in self.views:
            raise ValueError(f"views: {self.backbone} sees pictures, no volume; 3D networks end in _3d")
        if not flat and self.views != ("volume",):
            raise ValueError(f"views: got {', '.join(self.views)}, expected volume, since {self.backbone} is 3D")
        for key in ("channels", "slices", "n_slices", "slice_pooling"):
            if self._given(key) and not self.sliced:
                what = "a volume is shown whole" if not flat else "triplanar takes the three middle planes"
                raise ValueError(f"{key}: takes no effect, since {what}; remove it")
        if self.slices == "even" and self.n_slices < 2:
            raise ValueError("n_slices: even wants at least 2; for one slice there are middle and largest")
        if self.slices != "even" and self.n_slices > 1:
            raise ValueError(f"n_slices: {self.slices} is one slice; for several set slices: even")
        return self

    @model_validator(mode="after")
    def _picture(self) -> Self:
        flat = self.network.spatial_dims == 2
        for key in ("size", "spacing_mm"):
            if flat and isinstance(getattr(self, key), tuple):
                raise ValueError(f"{key}: pictures are square; give one number")
        if not flat and not self._given("size"):
            raise ValueError("size: say how large the volume is, such as 96; the default is meant for pictures")
        if min(self.sizes) < self.network.smallest:
            raise ValueError(f"size: {self.backbone} needs at least {self.network.smallest} along each edge")
        low, high = self.window_hu
        if not low < high:
            raise ValueError(f"window_hu: {low:g} should be below {high:g}")
        if self.masking == "mask" and (not flat or self.spacing_mm is not None):
            why = "a volume" if not flat else "spacing_mm"
            raise ValueError(f"masking: mask shows whole slices, which {why} does not go with; crop_mask is meant")
        if self._given("margin_mm") and not self.has_margin:
            why = "spacing_mm sets how much is seen" if self.spacing_mm is not None else "mask shows whole slices"
            raise ValueError(f"margin_mm: takes no effect, since {why}; remove it")
        return self

    def _given(self, key: str) -> bool:
        return key in self.model_fields_set

    @property
    def name(self) -> str:
        """Name of the block's columns: the backbone, then weights and layer where they are not the usual ones.

        Examples
        --------
        >>> DeepParams(backbone="resnet50", weights="imagenet", views=("axial",)).name
        'resnet50'
        >>> DeepParams(backbone="resnet18", weights="random", layer="layer3", views=("axial",)).name
        'resnet18_random_layer3'
        """
        weights = () if self.weights == "imagenet" else (self.weights,)
        layer = () if self.layer == "avgpool" else (self.layer,)
        return "_".join((self.backbone, *weights, *layer))

    @property
    def block(self) -> str:
        """Name of the block: that of its columns and their views, always, so that no other preset changes it.

        Examples
        --------
        >>> DeepParams(backbone="resnet50", weights="imagenet", views=("axial", "coronal")).block
        'deep-resnet50-axial+coronal'
        """
        return f"deep-{self.name}-{'+'.join(self.views)}"

    @property
    def network(self) -> Backbone:
        """What is known of the backbone."""
        return BACKBONES[self.backbone]

    @property
    def n_channels(self) -> int:
        """Channels of an input: those of the weights, for random ones those that the backbone usually has."""
        return get_weights(self.backbone, FILE if self.weights == RANDOM else self.weights).n_channels

    @property
    def input_normalisation(self) -> Normalisation:
        """The normalisation that takes effect; random weights have that of one's own."""
        own = FILE if self.weights == RANDOM else self.weights
        return self.normalisation or get_weights(self.backbone, own).normalisation

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pixels of an input along (y, x), or along (z, y, x)."""
        return self.size if isinstance(self.size, tuple) else (self.size,) * self.network.spatial_dims

    @property
    def sliced(self) -> bool:
        """Whether there is a view of which slices are chosen."""
        return bool({"axial", "sagittal", "coronal"} & set(self.views))

    @property
    def has_margin(self) -> bool:
        """Whether the margin takes effect."""
        return self.spacing_mm is None and self.masking != "mask"

    def effective(self) -> dict[str, Any]:
        """Return all parameters as they take effect, as a JSON-like value; None for a key that has no effect.

        The number of threads stands beside them.
        """
        idle = {
            "seed": self.weights != RANDOM,
            "channels": not self.sliced,
            "slices": not self.sliced,
            "n_slices": self.slices != "even",
            "slice_pooling": self.slices != "even",
            "margin_mm": not self.has_margin,
            "pooling": self.layer == "avgpool",
        }
        values = self.model_dump(mode="json")
        values |= {"size": list(self.sizes), "normalisation": self.input_normalisation, "threads": THREADS}
        if isinstance(self.spacing_mm, float) and self.network.spatial_dims == 3:
            values["spacing_mm"] = [self.spacing_mm] * 3
        return {key: None if idle.get(key, False) else value for key, value in values.items()}

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the effective parameters."""
        return sha256_json(self.effective())


def read_deep_params(name_or_path: str | Path) -> DeepParams:
    """Read a shipped preset by name, or the user's own deep parameter file by path.

    Parameters
    ----------
    name_or_path : str or Path
        A preset such as ``resnet50_imagenet``, with or without the ``deep_`` of its file; with a folder or a
        ``.yaml`` suffix it is a path.

    Raises
    ------
    ConfigError
        If there is no such file, or if it is not valid: with the path of each wrong key.
    """
    path = find("deep", name_or_path)
    return validate(DeepParams, read_yaml(path), str(path))


def deep_names() -> list[str]:
    """List the shipped deep presets, sorted, as `read_deep_params` takes them."""
    return names("deep")


def _expected(key: str, got: str, known: list[str]) -> str:
    return f"{key}: got {got!r}, expected one of {', '.join(known)}{nearest(got, known)}"
