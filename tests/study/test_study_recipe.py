import pytest
import yaml

from radiobone.core.errors import ConfigError
from radiobone.core.resources import find, names
from radiobone.study.recipe import read_recipe


@pytest.mark.parametrize("name", names("pipelines"))
def test_shipped_recipes_are_valid_and_build(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    estimator = recipe.estimator()
    assert [node.name for node in estimator.nodes] == [node.name for node in recipe.nodes]
    assert [step for step, _ in estimator.estimator.selection.steps] == ["standardise", "correlation", "lasso"]


def test_the_order_of_nodes_is_configuration():
    first, second = read_recipe("two_level_osteoporosis_first"), read_recipe("two_level_normal_first")
    assert first.nodes[0].positive == ("osteoporosis",)
    assert second.nodes[0].negative == ("normal",)
    assert first.classes == second.classes == ("normal", "osteopenia", "osteoporosis")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": {}}, "labels: unknown key (did you mean 'label'?)"),
        ({"label": {"source": "bmd", "column": "bmd"}}, "label.reference: required key is missing"),
        ({"validation": {"outer_fold": 5}}, "validation.outer_fold: unknown key (did you mean 'outer_folds'?)"),
        ({"validation": {"outer_folds": 1}}, "validation.outer_folds"),
        ({"steps": [{"corelation": {}}]}, "steps.0.corelation: unknown key (did you mean 'correlation'?)"),
        ({"steps": [{"lasso": {"penalty": 3}}]}, "steps.0.lasso.penalty: unknown key (did you mean 'penalties'?)"),
        ({"steps": [{"lasso": {}, "correlation": {}}]}, "exactly one of"),
        ({"model": {"svm": {"C": []}}}, "at least one value"),
        ({"primary": {"node": "other"}}, "is no node of this recipe"),
        ({"nodes": [{"name": "a", "positive": ["porous"], "negative": ["normal"]}]}, "porous"),
    ],
)
def test_mistakes_are_told_with_their_path(tmp_path, change, told):
    content = yaml.safe_load(find("pipelines", "demo").read_text(encoding="utf-8"))
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content | change), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert told in str(caught.value)


def test_steps_without_options_have_defaults(tmp_path):
    content = yaml.safe_load(find("pipelines", "demo").read_text(encoding="utf-8"))
    content["steps"] = [{"standardise": None}, {"lasso": None}]
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert [step.name for step in read_recipe(path).steps] == ["standardise", "lasso"]
