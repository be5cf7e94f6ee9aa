"""VOI recipes: how a VOI is made from a label. A recipe's meaning is public and has a version.

A new recipe is a function from :class:`Source` and :class:`VoiOptions` to :class:`Made`, and one line in
``RECIPES``. A change of meaning is a new version, beside the old one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError, VoiError
from radiobone.imaging import Image, Mask
from radiobone.voi.body import BodyMask, cut_body
from radiobone.voi.erosion import erode, largest_component

logger = logging.getLogger(__name__)

SAFE_LOWER_HU = -200.0
"""Marrow fat lies at about -100 HU, so a lower bound above this removes bone that disease has emptied."""


@dataclass(frozen=True)
class VoiOptions:
    """Options of the recipes.

    Parameters
    ----------
    erosion_mm : float, default 3.0
        Depth under the body's surface at which the trabecular VOI begins, in mm.
    upper_hu : float, optional
        Voxels above this are left out: cortex and bone islands.
    lower_hu : float, optional
        Voxels below this are left out. Discouraged: it removes the disease.
    """

    erosion_mm: float = 3.0
    upper_hu: float | None = None
    lower_hu: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not math.isfinite(value):
                raise UsageError(f"{field.name} is not a number", got=value)
        if self.erosion_mm < 0:
            raise UsageError("erosion_mm is negative", got=self.erosion_mm, expected="0 mm or more")
        if self.lower_hu is not None and self.upper_hu is not None and self.lower_hu >= self.upper_hu:
            raise UsageError("lower_hu is not below upper_hu", got=f"{self.lower_hu} and {self.upper_hu} HU")


@dataclass(frozen=True, eq=False)
class Source:
    """What a recipe works on: one level of one scan.

    Parameters
    ----------
    level : str
        Name of the level.
    value : int
        Its label value.
    label : Mask
        The label, boolean, in its tight box.
    image : Image or None
        The scan on the same grid, if there is one.
    body_mask : BodyMask or None
        A mask that tells bodies from arches, if there is one.
    towards_head : ndarray of shape (3,)
        Direction of the spine at this level, in the world.
    """

    level: str
    value: int
    label: Mask
    image: Image | None
    body_mask: BodyMask | None
    towards_head: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Made:
    """A VOI as a recipe made it.

    Parameters
    ----------
    mask : Mask
        The VOI, boolean, in its tight box.
    body_source : str, default ""
        Where the body came from: ``cut``, or the kind of body mask; empty if the recipe needs none.
    warnings : tuple of str
        What a user should look at.
    """

    mask: Mask
    body_source: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A named and versioned way to make a VOI.

    Parameters
    ----------
    name : str
        Name of the recipe, and of the VOIs that it makes.
    version : int
        Raised with every change of meaning.
    build : callable
        Makes the VOI.
    options : tuple of str
        The options that it reads.
    """

    name: str
    version: int
    build: Callable[[Source, VoiOptions], Made]
    options: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Name and version, such as ``trabecular@1``."""
        return f"{self.name}@{self.version}"

    def text(self, options: VoiOptions) -> str:
        """Return the recipe with all its options, as manifests and resume keys hold it.

        Parameters
        ----------
        options : VoiOptions
            The options; those that the recipe does not read are left out.

        Returns
        -------
        str
            One text for one meaning.

        Examples
        --------
        >>> find_recipe("trabecular").text(VoiOptions(upper_hu=300.0))
        'trabecular@1(erosion_mm=3.0, upper_hu=300.0, lower_hu=None)'
        >>> find_recipe("body").text(VoiOptions())
        'body@1'
        """
        read = ", ".join(f"{name}={_number(getattr(options, name))}" for name in self.options)
        return f"{self.id}({read})" if read else self.id

    def check(self, options: VoiOptions) -> None:
        """Refuse options that are set and that this recipe does not read.

        Parameters
        ----------
        options : VoiOptions
            The options.

        Raises
        ------
        UsageError
            That names the first such option, and those that the recipe reads.
        """
        default = VoiOptions()
        for field in fields(options):
            if field.name not in self.options and getattr(options, field.name) != getattr(default, field.name):
                raise UsageError(
                    f"the recipe {self.id} has no option {field.name}",
                    got=getattr(options, field.name),
                    expected=", ".join(self.options) or "no options",
                )


def _number(value: float | None) -> str:
    """Return one text for one value, whether it was given as 3 or as 3.0."""
    return "None" if value is None else repr(float(value))


def build_label(source: Source, options: VoiOptions) -> Made:
    """Take the label as it is.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        The options; this recipe reads none.

    Returns
    -------
    Made
        The label.
    """
    return Made(source.label)


def build_body(source: Source, options: VoiOptions) -> Made:
    """Take the vertebral body: by the body mask if there is one, else cut along its back wall.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        The options; this recipe reads none.

    Returns
    -------
    Made
        The body, and where it came from.

    Raises
    ------
    VoiError
        If no body can be told apart.
    """
    if source.body_mask is not None:
        return Made(source.body_mask.of(source.label, source.value), source.body_mask.kind)
    return Made(cut_body(source.label, source.towards_head), "cut")


def build_trabecular(source: Source, options: VoiOptions) -> Made:
    """Take the inside of the body: eroded, its largest part, then within the bounds of HU.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        Depth of the erosion, and bounds of HU.

    Returns
    -------
    Made
        The inside, where the body came from, and warnings.

    Raises
    ------
    VoiError
        If no body can be told apart, nothing is left of it, or bounds of HU are given without an image.
    """
    body = build_body(source, options)
    inside = largest_component(erode(body.mask, options.erosion_mm))
    if inside.n_voxels == 0:
        raise VoiError(
            "nothing is left of the body after erosion",
            got=f"a body of {body.mask.n_voxels} voxels ({body.mask.volume_ml:.3g} ml)",
            expected=f"a body thicker than {2 * options.erosion_mm:g} mm",
            do="check the mask, or lower erosion_mm",
        )
    bounded, warnings = _within_bounds(inside, source.image, options)
    return Made(bounded, body.body_source, warnings)


def _within_bounds(voi: Mask, image: Image | None, options: VoiOptions) -> tuple[Mask, tuple[str, ...]]:
    """Leave out voxels below the lower and above the upper bound of HU; say how much a risky bound removed."""
    if options.lower_hu is None and options.upper_hu is None:
        return voi, ()
    if image is None:
        raise VoiError("bounds of HU need an image", do="give the image, or leave out lower_hu and upper_hu")
    hu = image.array[voi.box]
    below = voi.array & (hu < options.lower_hu) if options.lower_hu is not None else np.zeros_like(voi.array)
    above = voi.array & (hu > options.upper_hu) if options.upper_hu is not None else np.zeros_like(voi.array)
    kept = Mask(voi.array & ~below & ~above, voi.geometry, voi.offset).tight()
    if kept.n_voxels == 0:
        values = hu[voi.array]
        raise VoiError(
            "no voxel lies within the bounds of HU",
            got=f"{values.min():g} to {values.max():g} HU",
            expected=f"{options.lower_hu} to {options.upper_hu} HU",
        )
    if options.lower_hu is None or options.lower_hu <= SAFE_LOWER_HU:
        return kept, ()
    share = np.count_nonzero(below) / voi.n_voxels
    warning = f"lower_hu={options.lower_hu:g} removed {share:.1%} of the trabecular voxels"
    logger.warning("%s; a bound above %g HU removes what osteoporosis leaves", warning, SAFE_LOWER_HU)
    return kept, (warning,)


RECIPES: tuple[Recipe, ...] = (
    Recipe("label", 1, build_label),
    Recipe("body", 1, build_body),
    Recipe("trabecular", 1, build_trabecular, ("erosion_mm", "upper_hu", "lower_hu")),
)
"""All recipes, later versions after earlier ones."""


def find_recipe(name: str) -> Recipe:
    """Return a recipe by its name (the latest version) or by name and version, such as ``trabecular@1``.

    Parameters
    ----------
    name : str
        The name, with ``@`` and a version or without.

    Returns
    -------
    Recipe
        The recipe.

    Raises
    ------
    UsageError
        If there is no such recipe or version.
    """
    bare, _, version = name.partition("@")
    versions = [recipe for recipe in RECIPES if recipe.name == bare]
    if not versions:
        known = list(dict.fromkeys(recipe.name for recipe in RECIPES))
        raise UsageError(
            f"no VOI recipe of this name{nearest(bare, known)}", got=name, expected=f"one of {', '.join(known)}"
        )
    found = [recipe for recipe in versions if not version or str(recipe.version) == version]
    if not found or name.endswith("@"):
        raise UsageError(
            f"the VOI recipe {bare} has no such version",
            got=name,
            expected=" or ".join(recipe.id for recipe in versions),
        )
    return found[-1]
