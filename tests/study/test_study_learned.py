"""Permuted labels and fewer patients: nothing that is finished is computed again."""

from __future__ import annotations

import numpy as np
import pytest
from study_tables import plain_demo, tables, write_tables

from radiobone.evaluation import nested
from radiobone.study.arms import plan_arms
from radiobone.study.dataset import assemble
from radiobone.study.learned import curve, learned_content, learned_figures, permutations
from radiobone.study.recipe import Recipe
from radiobone.study.validation import validate


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_tables(folder, n=30)
    asked = {"permutations": 3, "learning_curve": (0.1, 0.6, 1.0), "draws": 100}
    keys = plain_demo().model_dump(exclude_unset=True) | {
        "validation": {"outer_folds": 2, "inner_folds": 2},
        "steps": [{"standardise": None}],
        "model": {"logistic": {"C": [1.0]}},
        "evaluation": asked,
    }
    recipe = Recipe.model_validate(keys)
    data = assemble(recipe, *tables(folder))
    return recipe, data, plan_arms(recipe, data)


@pytest.fixture
def fits(monkeypatch):
    """Count fits, and stop before one of them, as a killed run would."""
    counts = {"done": 0, "allowed": 10**6}
    fit = nested._fit

    def counted(number, task):
        if counts["done"] == counts["allowed"]:
            raise KeyboardInterrupt
        counts["done"] += 1
        return fit(number, task)

    monkeypatch.setattr(nested, "_fit", counted)
    return counts


def test_a_killed_run_repeats_no_finished_permutation(study, fits, tmp_path):
    recipe, data, arms = study
    whole = permutations(recipe, data, arms[0], tmp_path / "whole", 1, progress=False)
    assert fits["done"] == 8, "the true labels and three permutations, two folds each"
    fits |= {"done": 0, "allowed": 5}
    with pytest.raises(KeyboardInterrupt):
        permutations(recipe, data, arms[0], tmp_path / "killed", 1, progress=False)
    fits |= {"done": 0, "allowed": 10**6}
    again = permutations(recipe, data, arms[0], tmp_path / "killed", 1, progress=False)
    assert fits["done"] == 3
    assert (again.score, again.permuted.tolist()) == (whole.score, whole.permuted.tolist())


@pytest.mark.slow
def test_the_validation_of_the_study_is_not_run_again(study, fits, tmp_path):
    recipe, data, arms = study
    found = validate(recipe, data, arms[:1], tmp_path, 1, progress=False)
    fits["done"] = 0
    permuted = permutations(recipe, data, arms[0], tmp_path, 1, progress=False)
    assert fits["done"] == 6
    sizes = curve(recipe, data, arms[0], tmp_path, 1, progress=False)
    assert fits["done"] == 12, "of the sizes that can be divided, only the smaller one is fitted"
    assert permuted.score == found.results()["primary"]["mean"]
    assert sizes.scores[:, -1].tolist() == [permuted.score] * 3


def test_a_sample_that_is_too_small_is_counted_and_drawn_around(study, tmp_path):
    recipe, data, arms = study
    sizes = curve(recipe, data, arms[0], tmp_path, 1, progress=False)
    content = learned_content(None, sizes)
    assert content["learning_curve"]["n_undefined"] == [3, 0, 0]
    assert content["learning_curve"]["mean"][0] is None
    results = {"nodes": [], "three_class": {"n_patients": 30}} | content
    ((name, figure),) = learned_figures(recipe, results)
    assert name == "learning_curve"
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "mean on held-out"]
    np.testing.assert_array_equal(line.get_xdata(), content["learning_curve"]["n_patients"][1:])
