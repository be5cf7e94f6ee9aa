from __future__ import annotations

import math

import pytest

from radiobone.core.errors import UsageError
from radiobone.voi import VoiOptions, find_recipe
from radiobone.voi.recipes import RECIPES


def test_names_and_versions_are_those_published():
    assert [recipe.id for recipe in RECIPES] == [
        "label@1", "body@1", "trabecular@1", "trabecular_published@1", "cylinder@1", "ellipsoid@1", "slice_mid@1",
        "slices@1", "field_of_view@1",
    ]  # fmt: skip


def test_find_with_and_without_version():
    assert find_recipe("trabecular") is find_recipe("trabecular@1")


@pytest.mark.parametrize("name", ["trabecular@2", "trabecular@", "body@x"])
def test_unknown_version_lists_the_known(name):
    with pytest.raises(UsageError, match=f"no such version.*expected: {name.partition('@')[0]}@1"):
        find_recipe(name)


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(UsageError, match=r"did you mean 'trabecular'.*one of label, body, trabecular"):
        find_recipe("trabekular")


def test_text_holds_every_option_and_does_not_depend_on_how_a_number_is_written():
    recipe = find_recipe("trabecular")
    assert recipe.text(VoiOptions()) == "trabecular@1(erosion_mm=3.0, upper_hu=None, lower_hu=None)"
    assert recipe.text(VoiOptions(erosion_mm=3, upper_hu=300)) == recipe.text(VoiOptions(upper_hu=300.0))
    assert recipe.text(VoiOptions(erosion_mm=2)) != recipe.text(VoiOptions())
    assert find_recipe("label").text(VoiOptions()) == "label@1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"erosion_mm": -1}, "negative"),
        ({"erosion_mm": math.nan}, "erosion_mm is not a number"),
        ({"upper_hu": math.inf}, "upper_hu is not a number"),
        ({"lower_hu": 100, "upper_hu": 50}, "not below"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        VoiOptions(**options)


def test_option_that_a_recipe_does_not_read():
    with pytest.raises(UsageError, match="body@1 has no option erosion_mm"):
        find_recipe("body").check(VoiOptions(erosion_mm=2))
    find_recipe("trabecular").check(VoiOptions(erosion_mm=2, upper_hu=300))


@pytest.mark.parametrize("recipe", ["slice_mid", "slices", "field_of_view"])
@pytest.mark.parametrize("option", [{"erosion_mm": 2}, {"upper_hu": 300}, {"lower_hu": -100}])
def test_option_that_a_region_does_not_read(recipe, option):
    with pytest.raises(UsageError, match=f"does not read {next(iter(option))} for the region body"):
        find_recipe(recipe).check(VoiOptions(**option))
    find_recipe(recipe).check(VoiOptions(region="trabecular", **option))
