import pytest

from radiobone.core.errors import ConfigError
from radiobone.study.recipe import Recipe
from radiobone.study.registry import STEPS, StudyStep, refuse_unbuilt, register


def test_steps_stand_after_those_whose_results_they_read():
    order = list(STEPS)
    assert all(order.index(before) < order.index(step.name) for step in STEPS.values() for before in step.after)


def test_every_key_of_a_built_step_is_a_key_of_recipes():
    known = set(Recipe.model_fields)
    assert {key for step in STEPS.values() if step.built for key in step.keys} <= known
    assert not {key for step in STEPS.values() if not step.built for key in step.keys} & known


def test_a_room_brings_its_step(monkeypatch):
    with pytest.raises(ConfigError, match="known, not built yet: deep"):
        refuse_unbuilt({"deep": {}}, "study.yaml")
    monkeypatch.setitem(STEPS, "deep", STEPS["deep"])
    register(StudyStep("deep", ("deep",), ("segment",), "deep features of every VOI"))
    refuse_unbuilt({"deep": {}}, "study.yaml")
