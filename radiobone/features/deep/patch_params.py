"""What a stack of patches shows of each VOI: the volumes that a network of one's own is trained on."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from radiobone.core.config import FileModel
from radiobone.core.hashing import sha256_json
from radiobone.features.deep.params import DeepParams, one_or_three

SMALLEST = 32
"""Voxels along each edge."""

_Count = Annotated[int, Field(strict=True, ge=1)]
_Real = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[_Real, Field(gt=0)]


class PatchParams(FileModel):
    """How VOIs become volumes of one shape.

    Parameters
    ----------
    size : int or tuple of 3 ints, default 64
        Voxels along (z, y, x); one number for a cube.
    spacing_mm : float or tuple of 3 floats, optional
        Edge of a voxel (along z, y and x). Volumes then show each VOI in its true size, and one that sticks out
        fails. Without it the VOI's box, with its margin, fills the volume, and size is lost.
    window_hu : tuple of float, default (-200, 800)
        HU that become 0 and 1; what lies beyond is cut off.
    masking : {"crop", "crop_mask"}, default "crop"
        Whether the surroundings of the VOI are seen, or are given the lower bound of the window.
    margin_mm : float, default 5
        What is seen round the VOI's box, where no ``spacing_mm`` is given.
    min_voxels : int, default 50
        VOIs of fewer voxels fail.
    dtype : {"float16", "float32"}, default "float16"
        Of the file. Half precision tells steps of 0.05 per cent of the window, in half of the space.
    """

    size: _Count | tuple[_Count, _Count, _Count] = 64
    spacing_mm: _Positive | tuple[_Positive, _Positive, _Positive] | None = None
    window_hu: tuple[_Real, _Real] = (-200.0, 800.0)
    masking: Literal["crop", "crop_mask"] = "crop"
    margin_mm: Annotated[_Real, Field(ge=0)] = 5.0
    min_voxels: _Count = 50
    dtype: Literal["float16", "float32"] = "float16"

    _one_or_three = field_validator("size", "spacing_mm", mode="before")(one_or_three)

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if min(self.shape) < SMALLEST:
            raise ValueError(f"size: should be at least {SMALLEST} along each edge")
        try:
            self.volume  # noqa: B018  checks the keys against each other
        except ValidationError as error:
            told = error.errors(include_url=False)[0]["msg"]
            raise ValueError(told.removeprefix("Value error, ")) from None
        return self

    @cached_property
    def volume(self) -> DeepParams:
        """The same for `patches.make_inputs`. The network that it must name plays no part: it is never built."""
        given = {"size": self.size} | {
            key: getattr(self, key) for key in self.model_fields_set - {"dtype", "size"}
        }
        return DeepParams(backbone="resnet18_3d", weights="random", views=("volume",), **given)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        return self.size if isinstance(self.size, tuple) else (self.size,) * 3

    def effective(self) -> dict[str, Any]:
        """Return all parameters as they take effect, as a JSON-like value; None for a key that has no effect."""
        as_volume = self.volume.effective()
        return {key: as_volume.get(key, value) for key, value in self.model_dump(mode="json").items()}

    @property
    def sha256(self) -> str:
        """SHA-256 of the effective parameters."""
        return sha256_json(self.effective())
