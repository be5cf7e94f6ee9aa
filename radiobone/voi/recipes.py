"""VOI recipes: how a VOI is made from a label. A recipe's meaning is public and has a version.

A new recipe is a function from :class:`Source` and :class:`VoiOptions` to :class:`Made`, and one line in
``RECIPES``. A change of meaning is a new version, beside the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError
from radiobone.voi.field_of_view import build_field_of_view
from radiobone.voi.options import DEFAULTS, SIZES, VoiOptions, option_text
from radiobone.voi.published import build_published
from radiobone.voi.slices import build_slice_mid, build_slices
from radiobone.voi.solids import build_cylinder, build_ellipsoid
from radiobone.voi.source import Made, Source
from radiobone.voi.trabecular import build_body, build_label, build_trabecular

__all__ = ["RECIPES", "Made", "Recipe", "Source", "VoiOptions", "find_recipe"]


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
        read = ", ".join(f"{name}={option_text(name, getattr(options, name))}" for name in self.options)
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

        Notes
        -----
        Of recipes with a region, the trabecular one alone reads how deep it lies and its bounds of HU.
        """
        for name, value in options.values().items():
            if name not in self.options and value != DEFAULTS[name]:
                raise UsageError(
                    f"the recipe {self.id} has no option {name}",
                    got=value,
                    expected=", ".join(self.options) or "no options",
                )
        if "region" in self.options and options.region != "trabecular":
            for name in BOUNDS:
                if getattr(options, name) != DEFAULTS[name]:
                    raise UsageError(
                        f"the recipe {self.id} does not read {name} for the region {options.region}",
                        got=getattr(options, name),
                        expected="region=trabecular, or no such option",
                    )


BOUNDS = ("erosion_mm", "upper_hu", "lower_hu")
SOLID = (*(f"{size}_{unit}" for size in SIZES for unit in ("share", "mm")), "centre_share")
REGION = ("region", *BOUNDS)

RECIPES: tuple[Recipe, ...] = (
    Recipe("label", 1, build_label),
    Recipe("body", 1, build_body),
    Recipe("trabecular", 1, build_trabecular, BOUNDS),
    Recipe("trabecular_published", 1, build_published, (*BOUNDS, "endplate_mm", "vein_depth_share", "island_hu")),
    Recipe("cylinder", 1, build_cylinder, SOLID),
    Recipe("ellipsoid", 1, build_ellipsoid, SOLID),
    Recipe("slice_mid", 1, build_slice_mid, ("plane", *REGION)),
    Recipe("slices", 1, build_slices, ("n_slices", "plane", *REGION)),
    Recipe("field_of_view", 1, build_field_of_view, ("scale", "margin_mm", *REGION)),
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
