from radiobone.study.recipe import Recipe
from radiobone.study.registry import STEPS


def test_steps_stand_after_those_whose_results_they_read():
    order = list(STEPS)
    assert all(order.index(before) < order.index(step.name) for step in STEPS.values() for before in step.after)


def test_every_key_of_a_step_is_a_key_of_recipes():
    assert {key for step in STEPS.values() for key in step.keys} <= set(Recipe.model_fields)
