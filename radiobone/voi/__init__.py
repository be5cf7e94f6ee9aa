"""Volumes of interest: label schemes, recipes with versions, and their quality."""

from radiobone.voi.maker import Voi, VoiRequest, make_vois
from radiobone.voi.options import VoiOptions, read_options
from radiobone.voi.quality import VoiQuality
from radiobone.voi.recipes import Recipe, find_recipe
from radiobone.voi.schemes import Scheme, choose_scheme, detect_scheme, find_scheme

__all__ = [
    "Recipe",
    "Scheme",
    "Voi",
    "VoiOptions",
    "VoiQuality",
    "VoiRequest",
    "choose_scheme",
    "detect_scheme",
    "find_recipe",
    "find_scheme",
    "make_vois",
    "read_options",
]
