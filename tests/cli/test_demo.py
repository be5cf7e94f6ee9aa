"""The demo as a new user runs it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from radiobone.cli.app import run


@pytest.mark.slow
def test_the_demo_goes_the_whole_way(tmp_path, capsys):
    out = tmp_path / "demo"
    assert run(["demo", "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {
        "SYNTHETIC.txt", "cohort.csv", "images", "masks", "steps.json", "folds.resume",
        "features.csv", "features.csv.manifest.json", "features.csv.resume",
        "features.hu_rule.csv", "features.hu_rule.csv.manifest.json", "features.hu_rule.csv.resume",
        "flow.csv", "folds.csv", "predictions.csv", "results.json", "figures", "tables", "model", "formula",
    }  # fmt: skip
    drawn = {path.stem for path in (out / "figures").glob("*.png")}
    assert {
        "roc",
        "precision_recall",
        "calibration",
        "decision_curve",
        "confusion",
        "arms",
        "strata",
        "flow",
    } <= drawn
    features = pd.read_csv(out / "features.csv")
    assert features.shape[0] == 60 * 3
    assert (features["status"] == "ok").all()
    radiomics = [name for name in features.columns if name.startswith(("original_", "wavelet-", "log-sigma-"))]
    assert len(radiomics) == 1130
    assert features[radiomics].notna().all(axis=None)
    predictions = pd.read_csv(out / "predictions.csv")
    assert (predictions.groupby("arm").size() == 60).all()
    results = json.loads((out / "results.json").read_text())
    for node in results["nodes"]:
        assert node["on_true_members"]["auc"]["mean"] > 0.6
    assert [arm["name"] for arm in results["arms"] if not arm["needs"]] == [
        "radiomics", "density", "density + clinical", "acquisition only", "VOI volume only", "mean HU alone",
        "TotalSegmentator rule", "clinical covariates alone",
    ]  # fmt: skip
    assert results["primary"]["comparison"]["against"] == "mean HU alone"
    flow = pd.read_csv(out / "flow.csv")
    assert flow[flow["step"] == "analysed"]["patients"].sum() == 60
    text = capsys.readouterr().out
    assert "osteoporosis vs rest" in text
    assert "osteopenia vs normal" in text
