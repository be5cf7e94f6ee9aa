"""Options of the VOI recipes: their defaults, what each may be, and how one is read from text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal, get_args

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError

Region = Literal["label", "body", "trabecular"]
Plane = Literal["axial", "coronal", "sagittal"]

Value = float | int | str | None
"""What an option may hold."""

ISLAND_HU = 885.0
"""Bone islands are denser than this on average, in HU.

Ulano et al., AJR 2016;207:362 (doi 10.2214/AJR.15.15559): islands 1190 +- 239 HU, untreated osteoblastic
metastases 654 +- 176 HU, cut-off 885 HU.
"""

VEIN_DEPTH_SHARE = 0.218
"""Depth of the canal of the basivertebral vein, as a share of the depth of the body.

Tzika et al., Surg Radiol Anat 2021;43:889 (doi 10.1007/s00276-021-02690-0): its mean is 12 to 21.8 % of the
anteroposterior diameter, by level; the largest is taken, so that the canal is left out at every level.
"""

CHOICES: dict[str, tuple[str, ...]] = {"region": get_args(Region), "plane": get_args(Plane)}
"""What the options that are words may be."""

SHARES = ("width_share", "depth_share", "height_share", "centre_share", "vein_depth_share")
"""Options that are a share of the body, from 0 to 1."""

LENGTHS = ("erosion_mm", "endplate_mm", "margin_mm")
"""Options that are a length from 0 mm to ``LARGEST_LENGTH_MM``."""

LARGEST_LENGTH_MM = 50.0
"""More than half of any body, so that no larger erosion means anything; a margin larger than this fills memory."""

OPTIONAL = ("upper_hu", "lower_hu", "island_hu", "width_mm", "depth_mm", "height_mm")
"""Options that may be switched off."""

SIZES = ("width", "depth", "height")
"""What is given as a share of the body or in mm."""

MOST_SLICES = 1000
"""More slices than any CT has of one vertebra."""

LARGEST_SCALE = 3.0
"""A field of view larger than this holds more of the neighbours than of the vertebra."""


@dataclass(frozen=True)
class VoiOptions:
    """Options of the recipes; each recipe says which of them it reads.

    Parameters
    ----------
    erosion_mm : float, default 3.0
        Depth under the body's surface at which the trabecular VOI begins, in mm.
    upper_hu : float, optional
        Voxels above this are left out: cortex and bone islands.
    lower_hu : float, optional
        Voxels below this are left out. Discouraged: it removes the disease.
    endplate_mm : float, default 5.0
        Distance from both end plates, along the body's own axis, in mm (radiobone's own choice).
    vein_depth_share : float, default 0.218
        How far the region of the basivertebral vein reaches from the back wall, as a share of the body's depth
        (see ``VEIN_DEPTH_SHARE``); 0 leaves out nothing.
    island_hu : float or None, default 885
        Bone islands are what is denser than this (see ``ISLAND_HU``); None leaves out none.
    width_share, depth_share, height_share : float, default 0.5
        Size of a cylinder or ellipsoid as a share of the body's width (left to right), depth (front to back) and
        height (radiobone's own choice).
    width_mm, depth_mm, height_mm : float, optional
        The same in mm; stands in place of the share.
    centre_share : float, default 0.5
        Where the middle of a cylinder or ellipsoid lies, from the back wall (0) to the front (1).
    region : {"body", "label", "trabecular"}, default "body"
        What slices are taken of, or what a field of view is made from.
    plane : {"axial", "coronal", "sagittal"}, default "axial"
        Plane of slices, nearest to this one of the patient.
    n_slices : int, default 3
        Number of slices.
    margin_mm : float, default 0.0
        A field of view reaches so far beyond its region, in mm.
    scale : float, default 1.0
        A field of view is so many times as wide, deep and high as its region: 0.5 is half, 1.2 is 20 % larger.
    """

    erosion_mm: float = 3.0
    upper_hu: float | None = None
    lower_hu: float | None = None
    endplate_mm: float = 5.0
    vein_depth_share: float = VEIN_DEPTH_SHARE
    island_hu: float | None = ISLAND_HU
    width_share: float = 0.5
    depth_share: float = 0.5
    height_share: float = 0.5
    width_mm: float | None = None
    depth_mm: float | None = None
    height_mm: float | None = None
    centre_share: float = 0.5
    region: Region = "body"
    plane: Plane = "axial"
    n_slices: int = 3
    margin_mm: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name, value in self.values().items():
            _check_value(name, value)
        if self.lower_hu is not None and self.upper_hu is not None and self.lower_hu >= self.upper_hu:
            raise UsageError("lower_hu is not below upper_hu", got=f"{self.lower_hu} and {self.upper_hu} HU")
        for size in SIZES:
            share, length = f"{size}_share", f"{size}_mm"
            if getattr(self, length) is not None and getattr(self, share) != DEFAULTS[share]:
                raise UsageError(f"{size} is given twice", got=f"{length} and {share}", expected="one of them")

    def values(self) -> dict[str, Value]:
        """Return all options by name, in their order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


DEFAULTS: dict[str, Value] = {field.name: field.default for field in fields(VoiOptions)}  # type: ignore[misc]
"""All options with their defaults."""


def _check_value(name: str, value: object) -> None:
    """Refuse a value that its option cannot take."""
    if name in CHOICES:
        if value not in CHOICES[name]:
            near = nearest(str(value), list(CHOICES[name]))
            raise UsageError(f"{name} is none of its words{near}", got=value, expected=", ".join(CHOICES[name]))
        return
    if value is None and name in OPTIONAL:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name} is not a number", got=value)
    if name in LENGTHS and value < 0:
        raise UsageError(f"{name} is negative", got=value, expected="0 mm or more")
    if name in LENGTHS and value > LARGEST_LENGTH_MM:
        raise UsageError(f"{name} is too large", got=value, expected=f"up to {LARGEST_LENGTH_MM:g} mm")
    if name.removesuffix("_mm") in SIZES and value <= 0:
        raise UsageError(f"{name} is no size", got=value, expected="more than 0 mm")
    if name in SHARES and not 0 <= value <= 1:
        raise UsageError(f"{name} is no share of the body", got=value, expected="0 to 1")
    if name.removesuffix("_share") in SIZES and value == 0:
        raise UsageError(f"{name} is no size", got=value, expected="more than 0, up to 1")
    if name == "n_slices" and (value != int(value) or not 1 <= value <= MOST_SLICES):
        raise UsageError("n_slices is no number of slices", got=value, expected=f"1 to {MOST_SLICES}")
    if name == "scale" and not 0 < value <= LARGEST_SCALE:
        raise UsageError("scale is out of range", got=value, expected=f"more than 0, up to {LARGEST_SCALE:g}")


def read_options(pairs: Iterable[str], given: VoiOptions | None = None) -> VoiOptions:
    """Read options from texts such as ``width_mm=12``.

    Parameters
    ----------
    pairs : iterable of str
        Name and value of each, with ``=`` between them; ``none`` switches an option off.
    given : VoiOptions, optional
        Options that are set already; none of them may be set again.

    Returns
    -------
    VoiOptions
        All together.

    Raises
    ------
    UsageError
        If there is no such option, it is given twice, or it cannot take its value.

    Examples
    --------
    >>> read_options(["width_mm=12", "region=body"]).width_mm
    12.0
    """
    values = {} if given is None else {k: v for k, v in given.values().items() if v != DEFAULTS[k]}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals or not text:
            raise UsageError("not an option with its value", got=pair, expected="such as width_mm=12")
        if name not in DEFAULTS:
            known = list(DEFAULTS)
            raise UsageError(
                f"no VOI option of this name{nearest(name, known)}", got=name, expected=", ".join(known)
            )
        if name in values:
            raise UsageError(f"{name} is given twice", got=pair)
        values[name] = _read_value(name, text)
    return VoiOptions(**values)  # type: ignore[arg-type] # checked by the class


def _read_value(name: str, text: str) -> Value:
    if name in CHOICES:
        return text
    if text.lower() == "none":
        return None
    try:
        return int(text) if name == "n_slices" else float(text)
    except ValueError:
        raise UsageError(f"{name} is not a number", got=text) from None


def option_text(name: str, value: Value) -> str:
    """Return one text for one value, whether it was given as 3 or as 3.0.

    Parameters
    ----------
    name : str
        The option.
    value : float, int, str or None
        Its value.

    Returns
    -------
    str
        As manifests and resume keys hold it.
    """
    if value is None or isinstance(value, str):
        return str(value)
    return repr(int(value)) if name == "n_slices" else repr(float(value))
