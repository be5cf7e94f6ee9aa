"""The columns that a parameter file gives, known before anything is computed."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from radiobone.features.column import Column
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.settings import Settings

SHAPE_FAMILIES = ("shape", "shape2D")
"""Families that depend on the mask alone, in the order in which PyRadiomics computes them, before all others."""


class Key(NamedTuple):
    """What a column stands for, apart from its description.

    Parameters
    ----------
    image : str
        Such as ``wavelet-LLH``; ``original`` for shape.
    family, feature : str
        As in `catalogue.FEATURES`.
    intensity : str
        Unit of the image's values; ``mm`` for shape.
    """

    image: str
    family: str
    feature: str
    intensity: str


def column_keys(params: RadiomicsParams) -> dict[str, Key]:
    """List the names of all columns of a parameter file, in the order in which PyRadiomics returns them.

    Parameters
    ----------
    params : RadiomicsParams
        The parameter file.

    Returns
    -------
    dict of str to Key
        What each name stands for.
    """
    wanted = {family: params.features(family) for family in params.families}
    images = [
        ("original", family, "mm")
        for family in SHAPE_FAMILIES
        if family in wanted and (family == "shape" or _has_shape_2d(params.setting))
    ]
    for image_type in params.image_types:
        settings = params.settings_of(image_type)
        unit = _intensity_unit(image_type, settings)
        for image in image_names(image_type, settings):
            images += [(image, family, unit) for family in wanted if family not in SHAPE_FAMILIES]
    return {
        f"{image}_{family}_{feature}": Key(image, family, feature, unit)
        for image, family, unit in images
        for feature in wanted[family]
    }


def columns(params: RadiomicsParams) -> list[Column]:
    """Describe all columns of a parameter file, in the order in which PyRadiomics returns them.

    Parameters
    ----------
    params : RadiomicsParams
        The parameter file.

    Examples
    --------
    >>> len(columns(RadiomicsParams()))
    107
    """
    return [_column(name, key) for name, key in column_keys(params).items()]


def image_names(image_type: str, settings: Settings) -> list[str]:
    """List the names of the images that an image type yields, in PyRadiomics' order.

    Parameters
    ----------
    image_type : str
        As parameter files name it, such as ``Wavelet``.
    settings : Settings
        Of this image type (see `RadiomicsParams.settings_of`).

    Examples
    --------
    >>> image_names("LoG", Settings(sigma=(1.0, 2)))
    ['log-sigma-1-0-mm-3D', 'log-sigma-2-mm-3D']
    """
    if image_type == "Wavelet":
        return _wavelet_names(2 if settings.force2D else 3, settings.level)
    if image_type == "LoG":
        return [f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D" for sigma in settings.sigma]
    if image_type == "LBP2D":
        return ["lbp-2D"]
    if image_type == "LBP3D":
        return [*(f"lbp-3D-m{level}" for level in range(1, settings.lbp3DLevels + 1)), "lbp-3D-k"]
    return [image_type.lower()]


def _wavelet_names(n_axes: int, n_depths: int) -> list[str]:
    """Name the details of each decomposition depth, then the approximation of the last one."""
    approximation = "L" * n_axes
    details = ["".join(passes) for passes in product("LH", repeat=n_axes)][1:]
    depths = ["wavelet" if depth == 1 else f"wavelet{depth}" for depth in range(1, n_depths + 1)]
    return [*(f"{depth}-{detail}" for depth in depths for detail in details), f"{depths[-1]}-{approximation}"]


def _has_shape_2d(settings: Settings) -> bool:
    """Tell whether PyRadiomics computes 2D shape: it never does across its axis 1 (y).

    It asks for more than one voxel along the axis of the same number counted from x, while the axis is
    counted from z; for z and x this only refuses lines, for y the VOI would have to be both flat and thick.
    """
    return settings.force2D and settings.force2Ddimension != 1


def _intensity_unit(image_type: str, settings: Settings) -> str:
    """Return the unit of an image's values, for an input in HU."""
    base = "SD" if settings.normalize else "HU"
    if image_type in ("LBP2D", "LBP3D"):
        return "1"
    if image_type == "Gradient":
        return f"{base}/mm" if settings.gradientUseSpacing else f"{base}/voxel"
    return base


def _column(name: str, key: Key) -> Column:
    unit, meaning = FEATURES[key.family][key.feature]
    return Column(name, key.family, key.image, _with_intensity(unit, key.intensity), meaning)


def _with_intensity(unit: str, intensity: str) -> str:
    """Put the image's own unit in place of HU, as in ``(HU/mm)²`` or, for an image without unit, ``mm³``."""
    if "HU" not in unit or intensity == "HU":
        return unit
    if intensity == "1":
        return unit.replace("HU²·", "").replace("HU²", "1").replace("HU", "1")
    if "HU²" in unit:
        return unit.replace("HU²", f"({intensity})²" if "/" in intensity else f"{intensity}²")
    return unit.replace("HU", intensity)
