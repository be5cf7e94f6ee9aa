from __future__ import annotations

import math

import pytest

from radiobone.core.errors import UsageError
from radiobone.voi import VoiOptions, find_recipe, read_options
from radiobone.voi.options import CHOICES, DEFAULTS, OPTIONAL
from radiobone.voi.recipes import RECIPES


def test_every_option_is_read_by_some_recipe():
    assert {name for recipe in RECIPES for name in recipe.options} == set(DEFAULTS)
    assert set(CHOICES) < set(DEFAULTS)
    assert set(OPTIONAL) < set(DEFAULTS)


def test_options_are_read_from_text():
    read = read_options(["width_mm=12", "region = label", "n_slices=5", "island_hu=None", "scale=1.2"])
    assert read == VoiOptions(width_mm=12.0, region="label", n_slices=5, island_hu=None, scale=1.2)
    assert read_options([]) == VoiOptions()
    assert read_options(["width_mm=12"], VoiOptions(erosion_mm=2)) == VoiOptions(erosion_mm=2, width_mm=12)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["width=12"], "no VOI option of this name.*did you mean 'width_"),
        (["width_mm"], "not an option with its value"),
        (["width_mm="], "not an option with its value"),
        (["width_mm=wide"], "width_mm is not a number.*got: wide"),
        (["n_slices=2.5"], "n_slices is not a number"),
        (["erosion_mm=none"], "erosion_mm is not a number"),
        (["width_mm=12", "width_mm=13"], "width_mm is given twice"),
        (["region=bdy"], "region is none of its words.*did you mean 'body'"),
    ],
)
def test_text_that_is_no_option(pairs, message):
    with pytest.raises(UsageError, match=message):
        read_options(pairs)


def test_option_with_a_flag_of_its_own_is_not_given_twice():
    with pytest.raises(UsageError, match="erosion_mm is given twice"):
        read_options(["erosion_mm=2"], VoiOptions(erosion_mm=4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endplate_mm": -1}, "endplate_mm is negative"),
        ({"margin_mm": math.nan}, "margin_mm is not a number"),
        ({"width_mm": 0}, "width_mm is no size"),
        ({"height_share": 0}, "height_share is no size"),
        ({"height_share": 1.1}, "height_share is no share"),
        ({"vein_depth_share": -0.1}, "vein_depth_share is no share"),
        ({"centre_share": 2}, "centre_share is no share"),
        ({"n_slices": 0}, "n_slices is no number of slices"),
        ({"n_slices": True}, "n_slices is not a number"),
        ({"n_slices": 1001}, "n_slices is no number of slices"),
        ({"n_slices": 10**12}, "n_slices is no number of slices"),
        ({"margin_mm": 50.1}, "margin_mm is too large"),
        ({"endplate_mm": 1e9}, "endplate_mm is too large"),
        ({"scale": 0}, "scale is out of range"),
        ({"scale": 4}, "scale is out of range"),
        ({"plane": "oblique"}, "plane is none of its words"),
        ({"width_mm": 20, "width_share": 0.6}, "width is given twice"),
    ],
)
def test_values_that_make_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        VoiOptions(**options)


def test_texts_of_the_first_recipes_hold_what_they_held():
    assert find_recipe("label@1").text(VoiOptions()) == "label@1"
    assert find_recipe("body@1").text(VoiOptions()) == "body@1"
    text = "trabecular@1(erosion_mm=3.0, upper_hu=None, lower_hu=None)"
    assert find_recipe("trabecular@1").text(VoiOptions()) == text


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (
            "trabecular_published",
            "erosion_mm=3.0, upper_hu=None, lower_hu=None, "
            "endplate_mm=5.0, vein_depth_share=0.218, island_hu=885.0",
        ),
        (
            "cylinder",
            "width_share=0.5, width_mm=None, depth_share=0.5, depth_mm=None, height_share=0.5, height_mm=None, "
            "centre_share=0.5",
        ),
        ("slice_mid", "plane=axial, region=body, erosion_mm=3.0, upper_hu=None, lower_hu=None"),
        ("slices", "n_slices=3, plane=axial, region=body, erosion_mm=3.0, upper_hu=None, lower_hu=None"),
        (
            "field_of_view",
            "scale=1.0, margin_mm=0.0, region=body, erosion_mm=3.0, upper_hu=None, lower_hu=None",
        ),
    ],
)
def test_texts_of_the_newer_recipes(recipe, text):
    assert find_recipe(recipe).text(VoiOptions()) == f"{recipe}@1({text})"
    assert (
        find_recipe("ellipsoid")
        .text(VoiOptions(width_mm=12))
        .startswith("ellipsoid@1(width_share=0.5, width_mm=12.0")
    )
