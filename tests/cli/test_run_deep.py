"""A study with radiomics, deep and fused arms, from synthetic scans to predictions, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from radiobone.cli.app import run
from radiobone.core.resources import find
from radiobone.features.blocks import RadiomicsBlock
from radiobone.features.deep.block import DeepBlock
from radiobone.study.demo import make_demo_cohort

SMALL = {"backbone": "resnet18", "weights": "random", "views": ["axial", "sagittal"], "size": 64, "micro_batch": 6}
FIRST_ORDER = {"imageType": {"Original": {}}, "featureClass": {"firstorder": []}, "setting": {"binWidth": 25}}
ARMS = ["fused early", "radiomics", "deep", "fused late", "density"]


def write_study(folder: Path) -> Path:
    """Write wangj2024_fusion as it is shipped, but small: one level, few folds, ResNet-18."""
    content = yaml.safe_load(find("pipelines", "wangj2024_fusion").read_text(encoding="utf-8"))
    content["extraction"] = {"params": "first_order.yaml", "deep": "small.yaml", "device": "cpu"}
    content["voi"]["levels"] = "L1"
    content["validation"] |= {"outer_folds": 2, "inner_folds": 2}
    # LASSO may keep nothing of so few patients.
    content["steps"][-1] = {"importance": {"k": 3, "trees": 20}}
    content["model"] = {"logistic": {"C": [1.0]}}
    content["evaluation"] = {"figures": [], "draws": 100}
    for name, text in (("study", content), ("small", SMALL), ("first_order", FIRST_ORDER)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    return folder / "study.yaml"


@pytest.mark.slow
@pytest.mark.deep
def test_radiomics_deep_and_fused_arms_from_scans_to_predictions(tmp_path, capsys, monkeypatch):
    cohort = str(make_demo_cohort(tmp_path / "cohort", patients=12, progress=False))
    out = tmp_path / "out"
    command = ["run", str(write_study(tmp_path)), "--cohort", cohort, "--out", str(out)]
    assert run(command) == 0

    results = json.loads((out / "results.json").read_text())
    assert [arm["name"] for arm in results["arms"] if arm["kind"] == "arm"] == ARMS
    assert {arm["name"]: arm["n_features"] for arm in results["arms"]}["fused late"] == 18 + 2 * 512
    against = {item["arm"] for item in results["comparisons"]}
    assert against >= set(ARMS[1:])
    assert results["primary"]["comparison"]["against"] == "radiomics"
    predictions = pd.read_csv(out / "predictions.csv")
    assert (predictions.groupby("arm").size()[ARMS] == 12).all()
    folds = [group.set_index("patient_id")["fold"].to_dict() for _, group in predictions.groupby("arm")]
    assert all(fold == folds[0] for fold in folds), "arms stand on identical folds"
    selected = {item["name"] for node in results["nodes"] for item in node["selected_features"]}
    assert any("deep-resnet18_random-axial_" in name for name in selected)

    manifest = json.loads((out / "features.csv.manifest.json").read_text())
    deep = manifest["blocks"][-1]
    assert (deep["name"], deep["engine"]) == ("deep-resnet18_random-axial+sagittal", "torch-cpu")
    model = json.loads((out / "model/manifest.json").read_text())
    assert [block["name"] for block in model["source"]["blocks"]] == ["radiomics", deep["name"]]
    assert model["source"]["blocks"][1]["parameters_sha256"] == deep["parameters_sha256"]

    # Nothing twice: neither a finished study, nor the features of scans whose table was lost.
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert run(command) == 0
    assert "done before" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == written
    table = (out / "features.csv").read_bytes()
    (out / "features.csv").unlink()
    for block in (DeepBlock, RadiomicsBlock):
        monkeypatch.setattr(block, "stream", None)
    assert run(command) == 0
    assert (out / "features.csv").read_bytes() == table

    predicted = tmp_path / "predicted.csv"
    arguments = ["--features", str(out / "features.csv"), "--out", str(predicted)]
    assert run(["predict", str(out / "model"), *arguments]) == 0
    assert (pd.read_csv(predicted)["status"] == "ok").all()
