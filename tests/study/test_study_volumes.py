"""An arm that learns from volumes beside one of a table, on the same folds: ``radiobone run`` end to end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from radiobone.cli.app import run
from radiobone.core.errors import ConfigError, TableError
from radiobone.core.extras import require
from radiobone.features.deep.stack_files import PatchStack, read_stack
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.learning import FlatClassifier, HierarchicalClassifier, NetworkClassifier
from radiobone.study.procedure import procedure
from radiobone.study.recipe import Recipe, read_recipe
from radiobone.study.volumes import volumes_of

GRID = Geometry((24, 16, 16), (2.0, 2.0, 2.0))
TOY = {"architecture": "resnet10", "width": 4, "epochs": 12, "learning_rate": 0.003, "flips": [], "patience": 6}
RECIPE = {
    "name": "volumes",
    "title": "A network beside density",
    "source": "a test",
    "label": {"source": "class", "column": "outcome", "classes": ["no", "yes"]},
    "voi": {"recipe": "label", "levels": "L1", "scheme": "verse"},
    "extraction": {"params": "none"},
    "validation": {"outer_folds": 2, "inner_folds": 2},
    "steps": [{"standardise": None}],
    "nodes": [{"name": "event", "positive": "yes", "negative": "no"}],
    "model": {"logistic": {"C": [1.0]}},
    "arms": [
        {"name": "density", "blocks": "density"},
        {"name": "network", "volumes": {"size": 32, "window_hu": [-200, 400]}, "network": TOY},
    ],
    "evaluation": {"figures": [], "draws": 100},
    "primary": {"node": "event", "arm": "density", "comparison": "network"},
}


def recipe_of(folder: Path, **changes: object) -> Recipe:
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | changes), encoding="utf-8")
    return read_recipe(folder / "recipe.yaml")


def write_cohort(folder: Path, n: int = 24, levels: tuple[int, ...] = (20,)) -> None:
    """Boxes of noise around 100 HU; in patients with an event a rod of 300 HU runs through, at any place."""
    lines = []
    for number in range(n):
        rng = np.random.default_rng(number)
        hu = rng.normal(0, 20, GRID.shape)
        labels = np.zeros(GRID.shape, np.uint8)
        for place, label in enumerate(levels):
            box = (slice(2 + 11 * place, 12 + 11 * place), slice(3, 13), slice(3, 13))
            labels[box] = label
            hu[box] += 100
            if number % 2:
                y, x = rng.integers(4, 10, 2)
                hu[box[0], y : y + 3, x : x + 3] = 300
        name = f"p{number:02d}"
        write_image(Image(np.rint(hu).astype(np.int16), GRID), folder / f"{name}.nii.gz")
        write_mask(Mask(labels, GRID), folder / f"{name}_mask.nii.gz")
        lines.append([name, f"{name}.nii.gz", f"{name}_mask.nii.gz", "yes" if number % 2 else "no"])
    table = pd.DataFrame(lines, columns=["patient_id", "image", "mask", "outcome"])
    table.to_csv(folder / "cohort.csv", index=False)


def start(folder: Path, *more: str, verb: str = "run", **changes: object) -> int:
    recipe_of(folder, **changes)
    tables = ["--cohort", str(folder / "cohort.csv"), "--out", str(folder / "out")]
    return run([verb, str(folder / "recipe.yaml"), *tables, *more])


@pytest.mark.deep
@pytest.mark.slow
def test_a_network_is_one_more_arm_on_the_same_folds(tmp_path, capsys):
    write_cohort(tmp_path)
    assert start(tmp_path) == 0
    results = json.loads((tmp_path / "out/results.json").read_text())
    arms = {arm["name"]: arm for arm in results["arms"]}
    assert arms["network"]["figure"]["mean"] > 0.9
    assert results["primary"]["comparison"]["against"] == "network"
    assert results["primary"]["comparison"]["difference"] is not None
    predictions = pd.read_csv(tmp_path / "out/predictions.csv", dtype={"patient_id": str})
    folds = predictions.set_index(["patient_id"]).groupby("arm")["fold"]
    assert folds.get_group("network").to_dict() == folds.get_group("density").to_dict()
    stack = json.loads((tmp_path / "out/patches.network.npy.manifest.json").read_text())
    assert results["inputs"]["patches_network_sha256"] == stack["stack_sha256"]
    capsys.readouterr()

    # A second call finds everything done; other volumes are cut out anew, and the arm learns from them.
    assert start(tmp_path) == 0
    text = capsys.readouterr().out
    assert "patches network: done before" in text
    assert "validate, fit, report: done before" in text
    network = RECIPE["arms"][1]
    other = network | {"volumes": {"size": 32, "window_hu": [-200, 500]}}
    assert start(tmp_path, arms=[RECIPE["arms"][0], other]) == 0
    again = json.loads((tmp_path / "out/results.json").read_text())
    assert again["inputs"]["patches_network_sha256"] != stack["stack_sha256"]
    assert again["recipe"]["sha256"] != results["recipe"]["sha256"]

    # Tables alone do not do.
    features = ["--features", str(tmp_path / "out/features.csv")]
    assert start(tmp_path, *features, verb="train") == 2
    assert "learns from volumes" in capsys.readouterr().err


@pytest.mark.deep
@pytest.mark.slow
def test_levels_may_be_rows(tmp_path):
    write_cohort(tmp_path, n=12, levels=(21, 20))
    network = RECIPE["arms"][1] | {"network": TOY | {"epochs": 2}}
    changes = {"voi": {"recipe": "label", "levels": "L1-L2", "scheme": "verse"}, "table": {"unit": "level"}}
    assert start(tmp_path, arms=[RECIPE["arms"][0], network], **changes) == 0
    predictions = pd.read_csv(tmp_path / "out/predictions.csv")
    assert predictions.query("arm == 'network'")["level"].value_counts().to_dict() == {"L1": 12, "L2": 12}


@pytest.mark.deep
@pytest.mark.slow
def test_a_row_with_features_and_no_volume_is_told(tmp_path, capsys):
    write_cohort(tmp_path, n=8)
    # The box is 20 mm wide, that of one patient 28.
    wide = np.zeros(GRID.shape, np.uint8)
    wide[2:12, 3:13, 1:15] = 20
    write_mask(Mask(wide, GRID), tmp_path / "p03_mask.nii.gz")
    narrow = RECIPE["arms"][1] | {"volumes": {"size": 32, "spacing_mm": 0.7}}
    assert start(tmp_path, arms=[RECIPE["arms"][0], narrow]) == 2
    told = capsys.readouterr().err
    assert "arm 'network': no volume, though there are features" in told
    assert "p03 (1)" in told
    stack = read_stack(tmp_path / "out/patches.network.npy")
    assert stack.index["status"].tolist() == ["ok"] * 3 + ["failed"] + ["ok"] * 4


@pytest.mark.deep
def test_what_networks_lack_is_told_before_scans_are_read(tmp_path, capsys, monkeypatch):
    write_cohort(tmp_path, n=4)
    monkeypatch.setattr(require("torch", "deep").cuda, "is_available", lambda: False)
    on_gpu = RECIPE["arms"][1] | {"network": TOY | {"device": "cuda"}}
    assert start(tmp_path, arms=[RECIPE["arms"][0], on_gpu]) == 2
    assert "no GPU" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "torch", None)
    assert start(tmp_path) == 2
    assert "radiobone[deep]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_volumes_come_in_the_order_of_the_rows_and_one_for_each(tmp_path):
    volumes = np.arange(4, dtype=np.float32)[:, None, None, None] + np.zeros((4, 2, 2, 2), np.float32)
    np.save(tmp_path / "stack.npy", volumes)
    index = pd.DataFrame(
        {
            "patient_id": ["a", "b", "c", "d", "e"],
            "scan_id": "1",
            "voi": "label",
            "level": ["L1", "L1", "L1", "L1", "L2"],
            "status": ["ok", "failed", "ok", "ok", "ok"],
            "reason": "",
            "row": pd.array([0, None, 1, 2, 3], dtype="Int64"),
        }
    )
    recipe = recipe_of(tmp_path)

    def of(patients, index=index):
        stacks = {"network": PatchStack(tmp_path / "stack.npy", index, None)}
        dataset = SimpleNamespace(X=pd.DataFrame(index=patients))
        return np.asarray(volumes_of(recipe, recipe.all_arms[1], dataset, stacks))[:, 0, 0, 0].tolist()

    assert of(["d", "a"]) == [2.0, 0.0]
    for lacking in ("b", "e"):  # of another level
        with pytest.raises(TableError, match="no volume"):
            of(["a", lacking])
    with pytest.raises(TableError, match="several volumes"):
        of(["a", "c"], index.assign(patient_id=["a", "b", "a", "c", "d"]))


def test_the_arm_is_a_network_with_or_without_nodes(tmp_path):
    recipe = recipe_of(tmp_path)
    estimator = procedure(recipe, recipe.all_arms[1])
    assert isinstance(estimator, HierarchicalClassifier)
    assert isinstance(estimator.estimator, NetworkClassifier)
    assert estimator.estimator.width == 4
    flat = recipe_of(tmp_path, arms=[RECIPE["arms"][0], RECIPE["arms"][1] | {"flat": True}])
    assert isinstance(procedure(flat, flat.all_arms[1]), NetworkClassifier)
    assert isinstance(procedure(flat, flat.all_arms[0]), HierarchicalClassifier)
    assert not isinstance(procedure(flat, flat.all_arms[1]), FlatClassifier)


def test_studies_without_volumes_say_nothing_of_them(tmp_path):
    recipe = recipe_of(tmp_path, arms=RECIPE["arms"][:1], primary={"node": "event"})
    assert not {"volumes", "network"} & set(recipe.content()["arms"][0])
    assert {"volumes", "network"} <= set(recipe_of(tmp_path).content()["arms"][1])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"primary": {"node": "event", "arm": "network"}}, "learns from volumes"),
        ({"voi": {"recipe": "label", "levels": "L1-L2"}}, "volumes are of one level"),
        ({"voi": {"recipe": "label"}}, "volumes are of one level"),
        ({"arms": [RECIPE["arms"][0], {"name": "network", "network": TOY}]}, "learns from volumes"),
        ({"arms": [RECIPE["arms"][0], RECIPE["arms"][1] | {"blocks": "density"}]}, "volumes go with no blocks"),
        ({"arms": [RECIPE["arms"][0], RECIPE["arms"][1] | {"model": {"svm": None}}]}, "volumes go with no model"),
        ({"arms": [RECIPE["arms"][0], {"name": "network", "volumes": {"size": 8}}]}, "size"),
        ({"arms": [RECIPE["arms"][0], {"name": "network", "volumes": {}, "network": {"widht": 8}}]}, "width"),
    ],
)
def test_mistakes_are_told(tmp_path, changes, told):
    with pytest.raises(ConfigError) as caught:
        recipe_of(tmp_path, **changes)
    assert told in str(caught.value)
