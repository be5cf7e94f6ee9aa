"""Deep features as one more block of a study, on tables made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from study_tables import COLUMNS, tables, write_tables

from radiobone.core.errors import ConfigError, ModelError, TableError, UsageError
from radiobone.core.resources import find
from radiobone.features.deep.block import DeepBlock
from radiobone.features.deep.columns import columns
from radiobone.features.deep.params import read_deep_params
from radiobone.features.deep.weights_registry import get_weights
from radiobone.features.extraction import ExtractionSummary
from radiobone.study import running
from radiobone.study.arms import plan_arms
from radiobone.study.blocks import block_columns
from radiobone.study.dataset import assemble
from radiobone.study.prediction import predict
from radiobone.study.recipe import Recipe, read_recipe
from radiobone.study.running import make_study_request
from radiobone.study.training import train
from radiobone.tables.cohort import read_cohort
from radiobone.tables.features import BlockRecord, FeatureTable

SMALL = {"backbone": "resnet18", "weights": "random", "layer": "layer1", "views": ["axial", "coronal"], "size": 64}
BLOCK = "deep-resnet18_random_layer1-axial+coronal"


def write(folder: Path, extraction: dict | None = None, /, **changes: object) -> Path:
    """Write the demo's recipe with deep features of the parameter file ``small.yaml`` beside it."""
    folder.mkdir(exist_ok=True)
    for name in ("small", "same"):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(SMALL))
    content = yaml.safe_load(find("pipelines", "demo").read_text(encoding="utf-8"))
    for key in ("clinical", "acquisition", "arms", "evaluation"):
        del content[key]
    content |= {"extraction": {"deep": "small.yaml"} if extraction is None else extraction}
    content |= {"primary": {"node": "osteoporosis_vs_rest"}, **changes}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def recipe_of(folder: Path, extraction: dict | None = None, /, **changes: object) -> Recipe:
    return read_recipe(write(folder, extraction, **changes))


def with_deep(features: FeatureTable, params: Path, **changes: object) -> FeatureTable:
    """Put a deep block into a table made by hand: noise, but for two channels that follow density."""
    read = read_deep_params(params)
    names = [column.name for column in columns(read)]
    table = features.table
    values = np.random.default_rng(1).normal(size=(len(table), len(names)))
    values[:, :2] += table[["density_mean_hu"]].to_numpy() / 20
    parameters = read.effective() | {"weights_sha256": None, **changes}
    record = BlockRecord(
        name=read.block, engine="torch-cpu", values_revision=1, parameters=parameters,
        parameters_sha256=str(hash(str(parameters))), columns=names,
    )  # fmt: skip
    assert features.manifest is not None
    manifest = features.manifest.model_copy(update={"blocks": [*features.manifest.blocks, record]})
    joined = pd.concat([table, pd.DataFrame(values, columns=names, index=table.index)], axis=1)
    return replace(features, table=joined, features=[*features.features, *names], manifest=manifest)


def test_a_study_without_deep_features_says_nothing_of_them(tmp_path):
    content = recipe_of(tmp_path, {}).content()
    assert set(content["extraction"]) == {"params", "engine", "align"}
    assert "pca" not in content["steps"][0]


def test_a_study_depends_on_deep_parameters_and_weights_and_not_on_where_they_lie(tmp_path):
    first = recipe_of(tmp_path / "a").sha256
    assert recipe_of(tmp_path / "b", {"deep": ["small.yaml"], "device": "cpu"}).sha256 == first
    (tmp_path / "a/small.yaml").write_text(yaml.safe_dump(SMALL | {"window_hu": [-100, 500]}))
    assert read_recipe(tmp_path / "a/study.yaml").sha256 != first
    own = SMALL | {"weights": "file", "normalisation": "imagenet"}
    found = []
    for folder, content in (("c", b"one"), ("d", b"one"), ("e", b"two")):
        path = write(tmp_path / folder, {"deep": "small.yaml", "weights": {"resnet18_file": "own.pt"}})
        (tmp_path / folder / "small.yaml").write_text(yaml.safe_dump(own))
        (tmp_path / folder / "own.pt").write_bytes(content)
        found.append(read_recipe(path).sha256)
    assert found[0] == found[1] != found[2]
    # The registry knows what the published file holds, wherever it lies.
    (tmp_path / "any.pt").write_bytes(b"")
    presets = {"deep": "resnet18_imagenet"}
    given = recipe_of(tmp_path, presets | {"weights": {"resnet18_imagenet": "any.pt"}})
    assert given.sha256 == recipe_of(tmp_path, presets).sha256
    assert given.extraction.deep_records()["deep-resnet18-axial+sagittal+coronal"]["weights_sha256"] == (
        get_weights("resnet18", "imagenet").sha256
    )


def test_blocks_of_arms(tmp_path):
    recipe = recipe_of(tmp_path, more_vois={"body": {}, "hu": {"features": "density"}})
    own = ("radiomics", "density", "deep", BLOCK)
    assert recipe.blocks == (*own, *(f"body.{block}" for block in own), "hu.density")
    assert recipe.all_arms[0].blocks == ("radiomics",)
    alone = recipe_of(tmp_path, {"params": "none", "deep": "small.yaml"})
    assert alone.blocks == ("density", "deep", BLOCK)
    assert alone.all_arms[0].blocks == ("deep",)
    assert alone.content()["extraction"]["params"] == "none"
    assert recipe_of(tmp_path, {"params": "none"}).all_arms[0].blocks == ("density",)


@pytest.mark.parametrize(
    ("extraction", "told"),
    [
        ({"deep": "resnet50_imagenett"}, "extraction.deep: no shipped deep file of this name"),
        ({"deep": "gone.yaml"}, "extraction.deep: deep file not found"),
        ({"deep": ["small.yaml", "small.yaml"]}, "extraction.deep: given twice"),
        ({"deep": ["small.yaml", "same.yaml"]}, "extraction.deep: two files give one block"),
        ({"device": "cpu"}, "device: takes effect with deep alone"),
        ({"weights": {"resnet18_imagenet": "small.yaml"}}, "weights: takes effect with deep alone"),
        ({"deep": "small.yaml", "device": "tpu"}, "extraction.device"),
        (
            {"deep": "resnet18_imagenet", "weights": {"resnet18_imagnet": "small.yaml"}},
            "no network of deep has 'resnet18_imagnet' (did you mean 'resnet18_imagenet'?)",
        ),
        (
            {"deep": "resnet18_imagenet", "weights": {"resnet18_imagenet": "gone.pt"}},
            "extraction.weights.resnet18_imagenet: file not found",
        ),
    ],
)
def test_mistakes_are_told(tmp_path, extraction, told):
    with pytest.raises(ConfigError) as caught:
        recipe_of(tmp_path, extraction)
    assert told in str(caught.value)


def test_an_arm_with_a_block_that_is_not_computed_is_refused(tmp_path):
    for block in ("deep-resnet50", "radiomics"):
        with pytest.raises(ConfigError, match=f"no block '{block}'"):
            recipe_of(tmp_path, {"params": "none", "deep": "small.yaml"}, arms=[{"name": "a", "blocks": block}])
    with pytest.raises(ConfigError, match="no block 'deep'"):
        recipe_of(tmp_path, {}, arms=[{"name": "a", "blocks": "deep"}])


def test_every_voi_but_that_of_density_alone_has_deep_features(tmp_path):
    recipe = recipe_of(tmp_path, more_vois={"body": {"recipe": "body"}, "hu": {"features": "density"}})
    kinds = {
        name: [type(block).__name__ for block in make_study_request(recipe, name).blocks] for name in recipe.vois
    }
    every = ["RadiomicsBlock", "DensityBlock", "DeepBlock"]
    assert kinds == {"": every, "body": every, "hu": ["DensityBlock"]}
    block = make_study_request(recipe).blocks[-1]
    assert (block.params.block, block.device) == (BLOCK, "auto")
    alone = recipe_of(tmp_path, {"params": "none", "deep": "small.yaml"})
    assert [type(block).__name__ for block in make_study_request(alone).blocks] == every[1:]


def test_weights_that_are_missing_are_told_with_the_key_of_a_recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("RADIOBONE_WEIGHTS", str(tmp_path))
    recipe = recipe_of(tmp_path, {"deep": "small.yaml"})
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SMALL | {"weights": "file", "normalisation": "imagenet"}))
    with pytest.raises(UsageError, match=r"resnet18_file=FILE \(in a recipe: extraction.weights\)"):
        make_study_request(recipe)
    block = make_study_request(recipe_of(tmp_path, {"deep": "resnet50_radimagenet"})).blocks[-1]
    with pytest.raises(ModelError, match=r"in a recipe: extraction\.weights"):
        assert block.weights


def test_deep_stands_for_all_deep_blocks_with_a_manifest_and_without(tmp_path):
    write_tables(tmp_path, n=6)
    write(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(SMALL | {"layer": "layer2", "views": ["sagittal"]}))
    features = with_deep(with_deep(tables(tmp_path)[0], tmp_path / "small.yaml"), other)
    found = block_columns(features)
    second = "deep-resnet18_random_layer2-sagittal"
    assert {name: len(names) for name, names in found.items()} == {
        "radiomics": 6, "density": 1, BLOCK: 128, second: 128, "deep": 256,
    }  # fmt: skip
    assert found["deep"] == found[BLOCK] + found[second]
    assert block_columns(replace(features, manifest=None)) == found


def arms_of(*blocks: str) -> list[dict]:
    return [{"name": block, "blocks": block} for block in blocks]


def test_a_table_with_other_deep_features_is_refused(tmp_path):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    recipe = recipe_of(tmp_path, arms=arms_of("deep"))
    small = tmp_path / "small.yaml"
    with pytest.raises(TableError, match="another list of deep blocks"):
        assemble(recipe, features, cohort)
    dataset = assemble(recipe, with_deep(features, small), cohort)
    assert len(dataset.columns(recipe.all_arms[0])) == 128
    for change in ({"window_hu": [0.0, 500.0]}, {"weights_sha256": "0" * 64}):
        with pytest.raises(TableError, match="another set of parameters of deep-resnet18") as caught:
            assemble(recipe, with_deep(features, small, **change), cohort)
        assert caught.value.got == change, "what differs is told, and nothing else"
    # Of several blocks an arm may name one: what the others hold does not matter to it.
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(SMALL | {"layer": "layer2", "views": ["sagittal"]}))
    both = with_deep(with_deep(features, small), tmp_path / "other.yaml")
    with pytest.raises(TableError, match="another list of deep blocks"):
        assemble(recipe, both, cohort)
    one = recipe_of(tmp_path, arms=arms_of(BLOCK))
    assert len(assemble(one, both, cohort).columns(one.all_arms[0])) == 128
    # An arm without deep features asks nothing of them.
    plain = recipe_of(tmp_path, arms=arms_of("radiomics"))
    assemble(plain, with_deep(features, small, window_hu=[0.0, 500.0]), cohort)


def test_columns_that_parameters_promise_and_the_table_lacks_are_known(tmp_path):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    recipe = recipe_of(tmp_path, arms=arms_of("deep", BLOCK))
    dataset = assemble(recipe, with_deep(features, tmp_path / "small.yaml"), cohort)
    for arm in plan_arms(recipe, dataset):
        assert arm.preset == arm.columns
        assert arm.columns[-1] == "trabecular__deep-resnet18_random_layer1-coronal_0063"


QUICK = {
    "steps": [{"standardise": None}, {"pca": {"columns": "*deep-*", "components": 5}}, {"lasso": None}],
    "model": {"logistic": {"C": [1.0]}},
    "validation": {"outer_folds": 2, "inner_folds": 2},
    "evaluation": {"figures": [], "draws": 100},
    "arms": [
        *arms_of("radiomics", "deep"),
        {"name": "fused early", "blocks": ["radiomics", "deep"], "fusion": "blockwise"},
        {"name": "fused late", "blocks": ["radiomics", "deep"], "fusion": "late"},
    ],
    "primary": {"node": "osteoporosis_vs_rest", "arm": "fused early", "comparison": "radiomics"},
}  # fmt: skip


@pytest.mark.slow
def test_a_fused_model_predicts_tables_with_the_same_deep_features_alone(tmp_path):
    write_tables(tmp_path)
    features, cohort = tables(tmp_path)
    small = tmp_path / "small.yaml"
    recipe = recipe_of(tmp_path, **QUICK)
    given = with_deep(features, small)
    found = train(recipe, given, cohort, tmp_path / "out", progress=False).results
    assert [arm["name"] for arm in found["arms"]][:4] == ["fused early", "radiomics", "deep", "fused late"]
    assert found["primary"]["comparison"]["against"] == "radiomics"
    names = {item["name"] for item in found["nodes"][0]["selected_features"]}
    assert names <= {
        *(f"trabecular__{name}" for name in COLUMNS),
        *(f"trabecular__deep-resnet18_random_layer1-pca_00{number}" for number in range(1, 6)),
    }
    assert "trabecular__deep-resnet18_random_layer1-pca_001" in names
    model = tmp_path / "out/model"
    assert (predict(model, given)["status"] == "ok").all()
    with pytest.raises(ModelError, match="deep-resnet18_random_layer1"):
        predict(model, with_deep(features, small, window_hu=[0.0, 500.0]))
    with pytest.raises(ModelError):
        predict(model, features)


def test_workers_do_not_share_a_gpu(tmp_path, monkeypatch):
    write_tables(tmp_path, n=3)
    pd.read_csv(tmp_path / "cohort.csv").assign(image="none.nii", mask="none.nii").to_csv(
        tmp_path / "cohort.csv", index=False
    )
    recipe = recipe_of(tmp_path)
    monkeypatch.setattr(DeepBlock, "kind", "cuda")
    calls = []

    def extracted(scans, request, path, *, jobs, **options):
        names = [block.name if isinstance(block, DeepBlock) else block.record.name for block in request.blocks]
        calls.append((names, jobs))
        path.write_text("")
        return ExtractionSummary(path, {}, [], 0, 0)

    monkeypatch.setattr(running, "extract_cohort", extracted)
    cohort = read_cohort(tmp_path / "cohort.csv", images=False)
    rest = ["radiomics", "density"]
    for number, (jobs, expected) in enumerate(
        {1: [([*rest, BLOCK], 1)], 4: [(rest, 4), ([*rest, BLOCK], 1)]}.items()
    ):
        calls.clear()
        (tmp_path / str(number)).mkdir()
        running._extract(recipe, "", cohort, tmp_path / str(number), jobs, False, lambda text: None)
        assert calls == expected
    # What is finished needs neither network nor weights.
    monkeypatch.setattr(DeepBlock, "kind", None)
    monkeypatch.setattr(DeepBlock, "weights", None)
    calls.clear()
    said = []
    running._extract(recipe, "", cohort, tmp_path / "1", 4, False, said.append)
    assert (calls, said) == ([], ["extract: done before, features.csv"])
