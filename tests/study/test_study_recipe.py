from pathlib import Path

import pytest
import yaml

from radiobone.core.errors import ConfigError
from radiobone.core.resources import find, names
from radiobone.features.radiomics.params import read_params
from radiobone.study.procedure import procedure
from radiobone.study.recipe import read_recipe
from radiobone.voi import VoiOptions


def plain_content() -> dict:
    """The demo's recipe as its file has it, without arms and columns of the cohort table."""
    content = yaml.safe_load(find("pipelines", "demo").read_text(encoding="utf-8"))
    for key in ("clinical", "acquisition", "arms", "evaluation"):
        del content[key]
    return content | {"primary": {"node": "osteoporosis_vs_rest"}}


@pytest.mark.parametrize("name", names("pipelines"))
def test_shipped_recipes_are_valid_and_build(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    estimator = procedure(recipe)
    assert [node.name for node in estimator.nodes] == [node.name for node in recipe.nodes]
    selection = estimator.estimator.selection
    # Of blocks that are selected by themselves, the steps of each.
    selection = getattr(selection, "selections", selection)
    assert [step for step, _ in selection.steps] == [step.name for step in recipe.steps]


def test_the_order_of_nodes_is_configuration():
    first, second = read_recipe("two_level_osteoporosis_first"), read_recipe("two_level_normal_first")
    assert first.nodes[0].positive == ("osteoporosis",)
    assert second.nodes[0].negative == ("normal",)
    assert first.classes == second.classes == ("normal", "osteopenia", "osteoporosis")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": {}}, "labels: unknown key (did you mean 'label'?)"),
        ({"label": {"source": "bmd", "column": "bmd"}}, "label: reference is needed with source: bmd"),
        ({"validation": {"outer_fold": 5}}, "validation.outer_fold: unknown key (did you mean 'outer_folds'?)"),
        ({"validation": {"outer_folds": 1}}, "validation.outer_folds"),
        ({"steps": [{"corelation": {}}]}, "steps.0.corelation: unknown key (did you mean 'correlation'?)"),
        ({"steps": [{"lasso": {"penalty": 3}}]}, "steps.0.lasso.penalty: unknown key (did you mean 'penalties'?)"),
        ({"steps": [{"lasso": {}, "correlation": {}}]}, "exactly one of"),
        ({"model": {"svm": {"C": []}}}, "at least 1 item"),
        ({"primary": {"node": "other"}}, "is no node of this recipe"),
        ({"nodes": [{"name": "a", "positive": ["porous"], "negative": ["normal"]}]}, "porous"),
        (
            {
                "nodes": [{"name": "a", "positive": ["osteoporosis"], "negative": ["osteopenia", "normal"]}],
                "primary": {"node": "a"},
            },
            "nodes: no node splits the classes of one side (a, negative side)",
        ),
        (
            {"nodes": [{"name": "a", "positive": ["normal"], "negative": ["normal"]}], "primary": {"node": "a"}},
            "nodes: a class stands twice in a node",
        ),
        ({"voi": {"levels": "L3-L1"}}, "voi.levels: not a range of vertebrae"),
        ({"voi": {"recipe": "trabecula"}}, "voi.recipe: no VOI recipe of this name (did you mean 'trabecular'?)"),
        ({"voi": {"recipe": "body", "upper_hu": 300}}, "voi: the recipe body@1 has no option upper_hu"),
        ({"voi": {"erosion_mm": -1}}, "voi: erosion_mm is negative"),
        ({"extraction": {"engine": "pyradiomic"}}, "extraction.engine: no engine of this name"),
        ({"extraction": {"params": "orignal"}}, "extraction.params: no shipped params file of this name"),
        ({"extraction": {"params": "own.yaml"}}, "extraction.params: params file not found"),
        ({"steps": [{"lasso": {}}, {"lasso": {"rule": "1se"}}]}, "steps: given twice: lasso"),
        ({"table": {"blocks": ["radiomics", "radiomics"]}}, "table.blocks: given twice: radiomics"),
        ({"table": {"blocks": []}}, "table.blocks"),
        ({"model": {"svm": {"C": [0]}}}, "model.svm.C.0"),
        ({"deep": {"backbone": "resnet50"}}, "deep: unknown key"),
        ({"more_vois": {"a.b": {}}}, "more_vois.a.b: a name is made of letters"),
        ({"external": {}}, "external: a table made elsewhere has no voi"),
        ({"table": {"status": "keep"}}, "every arm needs a step 'missing'"),
        ({"arms": [{"name": "a", "blocks": "radiomic"}]}, "no block 'radiomic' (did you mean 'radiomics'?)"),
        ({"arms": [{"name": "a", "columns": "clinical"}]}, "arm 'a': no column 'clinical'"),
        ({"arms": [{"name": "a"}]}, "has neither blocks nor columns"),
        ({"arms": [{"name": "a", "blok": "x"}]}, "arms.0.blok: unknown key (did you mean 'blocks'?)"),
        ({"arms": [{"name": "mean HU alone", "blocks": "density"}]}, "has the name of a control or baseline"),
        ({"arms": [{"name": "a", "blocks": "density", "fusion": "late"}]}, "fusion late needs two parts"),
        ({"clinical": ["age", {"column": "sex", "knd": "category"}]}, "clinical.1.knd: unknown key"),
        ({"clinical": ["age"], "acquisition": ["age"]}, "given twice: age"),
        ({"validation": {"scheme": "temporal", "column": "date"}}, "scheme temporal needs cut"),
        (
            {"validation": {"scheme": "split", "column": "set", "train": "a", "tests": "b", "repeats": 3}},
            "repeats",
        ),
        ({"evaluation": {"strata": [{"column": "age", "bands": [60, 50]}]}}, "cuts must ascend"),
        ({"primary": {"node": "osteoporosis_vs_rest", "comparison": "mean HU"}}, "did you mean 'mean HU alone'?"),
        ({"more_vois": {"body": {"recipe": "body", "feature": "all"}}}, "more_vois.body.feature: unknown key"),
        ({"operating_point": {"rule": "sensitivity"}}, "operating_point: at_least belongs to"),
        ({"cohort": {"patient": "id", "rows": "patients"}}, "not both"),
        (
            {"label": {"source": "class", "column": "c", "classes": ["a", "b"], "merge": {"b": ["a"]}}},
            "merge gives the name of another class: b",
        ),
    ],
)
def test_mistakes_are_told_with_their_path(tmp_path, change, told):
    content = plain_content()
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content | change), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_steps_without_options_have_defaults(tmp_path):
    content = plain_content()
    content["steps"] = [{"standardise": None}, {"lasso": None}]
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert [step.name for step in read_recipe(path).steps] == ["standardise", "lasso"]


def write_recipe(path: Path, **changes: object) -> Path:
    content = plain_content()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content | changes), encoding="utf-8")
    return path


def test_a_path_to_parameters_is_relative_to_the_recipe(tmp_path, monkeypatch):
    preset = find("params", "original")
    (tmp_path / "study").mkdir()
    (tmp_path / "study/own.yaml").write_bytes(preset.read_bytes())
    path = write_recipe(tmp_path / "study/recipes/one.yaml", extraction={"params": "../own.yaml"})
    monkeypatch.chdir(tmp_path)
    recipe = read_recipe(path.relative_to(tmp_path))
    monkeypatch.chdir("/")
    assert recipe.params().sha256 == read_params("original").sha256
    elsewhere = write_recipe(tmp_path / "other/two.yaml", extraction={"params": str(preset.resolve())})
    before = recipe.sha256
    assert read_recipe(elsewhere).sha256 == before, "a study is the same wherever its files lie"
    (tmp_path / "study/own.yaml").write_bytes(find("params", "wavelet").read_bytes())
    assert read_recipe(path).sha256 != before


def test_bounds_of_hu_are_options_of_the_voi(tmp_path):
    recipe = read_recipe(write_recipe(tmp_path / "study.yaml", voi={"upper_hu": 300}))
    assert recipe.voi.options == VoiOptions(upper_hu=300.0)
    assert recipe.voi.level_names is None


def test_a_recipe_may_have_no_scans(tmp_path):
    content = plain_content()
    del content["voi"], content["extraction"]
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="nothing to learn from"):
        read_recipe(path)
    path.write_text(yaml.safe_dump(content | {"clinical": ["age"]}), encoding="utf-8")
    assert [(arm.name, arm.columns) for arm in read_recipe(path).all_arms] == [("clinical", ("clinical",))]
    path.write_text(yaml.safe_dump(content | {"external": {"patient": "ID"}}), encoding="utf-8")
    assert [(arm.name, arm.blocks) for arm in read_recipe(path).all_arms] == [("external", ("external",))]


def test_the_rule_of_hu_brings_a_voi_of_its_own(tmp_path):
    recipe = read_recipe(
        write_recipe(tmp_path / "study.yaml", evaluation={"baselines": {"hu_rule": True}}, more_vois={"body": {}})
    )
    assert list(recipe.vois) == ["", "body", "hu_rule"]
    assert recipe.vois["hu_rule"].erosion_mm == 4.0
    assert recipe.vois["hu_rule"].levels == recipe.vois[""].levels
    assert recipe.blocks == ("radiomics", "density", "body.radiomics", "body.density")


def test_classes_taken_together_are_one(tmp_path):
    label = {"source": "t_score", "column": "t", "reference": "DXA", "merge": {"rest": ["normal", "osteopenia"]}}
    nodes = [{"name": "porous", "positive": ["osteoporosis"], "negative": ["rest"]}]
    recipe = read_recipe(
        write_recipe(tmp_path / "study.yaml", label=label, nodes=nodes, primary={"node": "porous"})
    )
    assert recipe.classes == ("rest", "osteoporosis")
