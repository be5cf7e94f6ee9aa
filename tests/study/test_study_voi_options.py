"""A study recipe takes every option of a VOI recipe, by the same name and with the same default."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from radiobone.study.recipe.images import VoiChoice
from radiobone.voi import VoiOptions
from radiobone.voi.options import DEFAULTS


def test_names_and_defaults_are_those_of_the_options():
    fields = VoiChoice.model_fields
    assert {name: fields[name].default for name in DEFAULTS} == DEFAULTS
    assert set(fields) == {"recipe", "levels", "missing_levels", "scheme", *DEFAULTS}
    assert VoiChoice().options == VoiOptions()


def test_options_reach_the_recipe():
    choice = VoiChoice(recipe="label", levels="T10+T11+T12,L1")
    assert choice.level_names == ("T10+T11+T12", "L1")
    with pytest.raises(ValidationError, match="label@1 has no option scale"):
        VoiChoice(recipe="label", scale=1.2)
    with pytest.raises(ValidationError, match="island_hu"):
        VoiChoice(island_hu="dense")
